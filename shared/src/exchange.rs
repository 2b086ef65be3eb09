//! The life of an exchange, as a state machine apart from its I/O.
//!
//! An answer that was lost is no failure: the exchange is in doubt until the partner was asked, or
//! was offered the same Idempotency-Key again, however long a person holds it meanwhile. Whatever happens, it is delivered at most once here.

use crate::word::words;

words! {
    /// Who hands it to whom.
    pub enum Direction is "direction" {
        /// From a partner to us.
        Incoming = "incoming",
        /// From us to a partner.
        Outgoing = "outgoing",
    }
}

words! {
    /// Where an exchange stands.
    pub enum State is "exchange state" {
        /// Ready: the courier takes it next.
        Pending = "pending",
        /// Waits for the time it was meant for.
        Scheduled = "scheduled",
        /// An attempt is under way.
        Sending = "sending",
        /// Sent, and the answer was lost: the partner may have it.
        InDoubt = "in_doubt",
        /// The partner has it not; tried again after a wait.
        Retrying = "retrying",
        /// The partner took it.
        Delivered = "delivered",
        /// The partner, or a person, said that it was accepted.
        Confirmed = "confirmed",
        /// The partner refused it, and time will not cure that: waits for a person.
        Rejected = "rejected",
        /// Stopped by a person, until released.
        Held = "held",
        /// Its deadline passed before it was delivered.
        Expired = "expired",
        /// Given up by a person.
        Cancelled = "cancelled",
    }
}

words! {
    /// What can happen to an exchange.
    pub enum Event is "exchange event" {
        /// It is meant for a later time.
        Scheduled = "scheduled",
        /// That time has come.
        Due = "due",
        /// An attempt starts.
        Sent = "sent",
        /// The partner answered that it has it, or the file is in place.
        Accepted = "accepted",
        /// The partner answered that it will never take it.
        Refused = "refused",
        /// Surely not received.
        Failed = "failed",
        /// Perhaps received.
        AnswerLost = "answer_lost",
        /// Asked in doubt, the partner has it.
        Found = "found",
        /// Asked in doubt, the partner has it not.
        NotFound = "not_found",
        /// Asked in doubt, and no answer to that either.
        Unsure = "unsure",
        /// The daemon stopped while it was being sent.
        Interrupted = "interrupted",
        /// Time is up.
        DeadlinePassed = "deadline_passed",
        /// A person stops it.
        Hold = "hold",
        /// A person lets it go on.
        Release = "release",
        /// A person wants it tried now.
        Retry = "retry",
        /// A person gives it up.
        Cancel = "cancel",
        /// The partner's acceptance is known.
        Confirm = "confirm",
    }
}

/// A step that no exchange can take: our bug or a person's wish, never the partner's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an exchange that is {state} does not allow {event}{}", self.because())]
pub struct IllegalEvent {
    pub state: State,
    pub event: Event,
    /// Whether the partner may have it.
    pub doubted: bool,
}

impl IllegalEvent {
    const fn because(self) -> &'static str {
        match self.event {
            Event::Cancel if self.doubted => {
                ": the partner may have it already, and is asked before anything else is done"
            }
            _ => "",
        }
    }
}

/// All that decides what may happen to an exchange next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    /// The partner may have it, and has not said: whatever a person or the clock does meanwhile, it is asked about
    /// before it is sent again, and not given up before that.
    pub doubted: bool,
}

impl Standing {
    /// Where the exchange stands after `event`. Pure: the courier does the I/O, and stores each
    /// state before it acts on it, so that a restart goes on from the store.
    ///
    /// # Errors
    /// [`IllegalEvent`] if `event` cannot happen to it as it stands.
    pub const fn next(self, event: Event) -> Result<Self, IllegalEvent> {
        match self.state.step(event, self.doubted) {
            Ok(state) => Ok(Self { state, doubted: event.leaves_doubt(self.doubted) }),
            Err(illegal) => Err(illegal),
        }
    }
}

impl Event {
    /// Whether the partner may have it after this, given whether it might before. An attempt that surely failed says
    /// nothing of the one before it.
    const fn leaves_doubt(self, doubted: bool) -> bool {
        match self {
            Self::AnswerLost | Self::Interrupted | Self::Unsure => true,
            Self::Accepted | Self::Refused | Self::Found | Self::NotFound => false,
            _ => doubted,
        }
    }
}

impl State {
    /// The state after `event`, of an exchange that is `doubted` or not.
    const fn step(self, event: Event, doubted: bool) -> Result<Self, IllegalEvent> {
        use State::{
            Cancelled, Confirmed, Delivered, Expired, Held, InDoubt, Pending, Rejected, Retrying,
            Scheduled, Sending,
        };
        Ok(match (self, event) {
            (Pending, Event::Scheduled) => Scheduled,
            // Whoever lets it go on, and whatever became of a later attempt: what is in doubt is asked about first.
            (Held, Event::Release | Event::Retry)
            | (Expired, Event::Retry)
            | (Sending, Event::Failed)
                if doubted =>
            {
                InDoubt
            }
            (Scheduled, Event::Due)
            | (Held, Event::Release | Event::Retry)
            | (Rejected | Expired | Retrying, Event::Retry) => Pending,
            // In doubt too: a partner that cannot be asked is offered the same key again.
            (Pending | Retrying | InDoubt, Event::Sent) => Sending,
            // A person who does not want to wait has it asked about now.
            (Sending, Event::AnswerLost | Event::Interrupted)
            | (InDoubt, Event::Unsure | Event::Retry) => InDoubt,
            (Sending, Event::Failed) | (InDoubt, Event::NotFound) => Retrying,
            (Sending, Event::Accepted) | (InDoubt, Event::Found) => Delivered,
            (Sending, Event::Refused) => Rejected,
            (Delivered, Event::Confirm) => Confirmed,
            (Pending | Scheduled | Retrying | InDoubt, Event::Hold) => Held,
            // Not while sending: the outcome of the attempt decides.
            (Pending | Scheduled | Retrying | InDoubt | Held, Event::DeadlinePassed) => Expired,
            // Not while sending or in doubt: it may be there already.
            (Pending | Scheduled | Retrying, Event::Cancel) => Cancelled,
            (Held, Event::Cancel) if !doubted => Cancelled,
            (state, event) => return Err(IllegalEvent { state, event, doubted }),
        })
    }

    /// Where an exchange in this state comes to by `event`, as far as the state alone can tell. One that was in doubt
    /// before it was held or expired goes back to doubt instead: its [`Standing`] knows.
    ///
    /// # Errors
    /// [`IllegalEvent`] if `event` cannot happen in this state.
    pub const fn next(self, event: Event) -> Result<Self, IllegalEvent> {
        self.step(event, matches!(self, Self::InDoubt))
    }

    /// Whether [`next`](Self::next) would take this step.
    pub const fn allows(self, event: Event) -> bool {
        self.next(event).is_ok()
    }

    /// Nothing more is to be done by the courier. A person may still confirm it, or retry what was
    /// rejected or expired.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Confirmed | Self::Rejected | Self::Expired | Self::Cancelled
        )
    }

    /// Still to be delivered: what the queue's length and its oldest age count.
    pub const fn is_open(self) -> bool {
        !self.is_final()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::State::{
        Cancelled, Confirmed, Delivered, Expired, Held, InDoubt, Pending, Rejected, Retrying,
        Scheduled, Sending,
    };
    use super::*;

    /// What happens whether it is in doubt or not, and what happens only if it is, or only if it is not.
    const LEGAL: [(State, Option<bool>, Event, State, &str); 37] = [
        (Pending, None, Event::Scheduled, Scheduled, "meant for later"),
        (Pending, None, Event::Sent, Sending, "the first attempt"),
        (Pending, None, Event::DeadlinePassed, Expired, "nobody took it in time"),
        (Pending, None, Event::Hold, Held, "a person stops it before it leaves"),
        (Pending, None, Event::Cancel, Cancelled, "it never left"),
        (Scheduled, None, Event::Due, Pending, "its time has come"),
        (Scheduled, None, Event::DeadlinePassed, Expired, "meant for a time after its deadline"),
        (Scheduled, None, Event::Hold, Held, "a person stops it before its time"),
        (Scheduled, None, Event::Cancel, Cancelled, "it never left"),
        (Sending, None, Event::Accepted, Delivered, "the partner has it"),
        (Sending, None, Event::Refused, Rejected, "time will not cure it"),
        (Sending, Some(false), Event::Failed, Retrying, "surely not received"),
        (Sending, Some(true), Event::Failed, InDoubt, "this one was not, an earlier one may be"),
        (Sending, None, Event::AnswerLost, InDoubt, "perhaps received: ask first"),
        (Sending, None, Event::Interrupted, InDoubt, "killed in mid-air: perhaps received too"),
        (InDoubt, None, Event::Found, Delivered, "it had arrived"),
        (InDoubt, None, Event::NotFound, Retrying, "it had not: again, under the same key"),
        (InDoubt, None, Event::Unsure, InDoubt, "asking failed: nothing new is known"),
        (InDoubt, None, Event::Sent, Sending, "who cannot be asked is offered the same key"),
        (InDoubt, None, Event::DeadlinePassed, Expired, "doubt does not last for ever"),
        (InDoubt, None, Event::Hold, Held, "a person wants to ask the partner himself"),
        (InDoubt, None, Event::Retry, InDoubt, "a person wants it asked about now"),
        (Retrying, None, Event::Sent, Sending, "the next attempt"),
        (Retrying, None, Event::DeadlinePassed, Expired, "no attempt came through in time"),
        (Retrying, None, Event::Hold, Held, "a person stops the attempts"),
        (Retrying, None, Event::Retry, Pending, "a person does not wait for the backoff"),
        (Retrying, None, Event::Cancel, Cancelled, "surely not there"),
        (Delivered, None, Event::Confirm, Confirmed, "accepted over there"),
        (Rejected, None, Event::Retry, Pending, "the cause was mended"),
        (Held, Some(false), Event::Release, Pending, "goes on"),
        (Held, Some(true), Event::Release, InDoubt, "goes on where it stood"),
        (Held, Some(false), Event::Retry, Pending, "the same wish in another word"),
        (Held, Some(true), Event::Retry, InDoubt, "the same wish in another word"),
        (Held, None, Event::DeadlinePassed, Expired, "the deadline is the partner's, not ours"),
        (Held, Some(false), Event::Cancel, Cancelled, "held, then given up"),
        (Expired, Some(false), Event::Retry, Pending, "a person wants it all the same"),
        (Expired, Some(true), Event::Retry, InDoubt, "it may be there: asked about first"),
    ];

    #[test]
    fn every_pair_of_state_and_event_is_legal_with_a_reason_or_an_error() {
        for state in State::ALL {
            for (event, doubted) in
                Event::ALL.into_iter().flat_map(|event| [(event, false), (event, true)])
            {
                let row = LEGAL.iter().find(|(from, doubt, on, ..)| {
                    (*from, *on) == (state, event) && doubt.is_none_or(|doubt| doubt == doubted)
                });
                let expected =
                    row.map(|(.., to, _)| *to).ok_or(IllegalEvent { state, event, doubted });
                let why = row.map_or("not in the table", |(.., why)| why);
                let next = Standing { state, doubted }.next(event);
                assert_eq!(
                    next.map(|standing| standing.state),
                    expected,
                    "{state} ({doubted}) + {event}: {why}"
                );
                if doubted == (state == InDoubt) {
                    assert_eq!(state.allows(event), expected.is_ok());
                }
            }
        }
    }

    #[test]
    fn doubt_ends_when_the_partner_has_spoken_and_not_before() {
        let lost = [Event::Sent, Event::AnswerLost];
        for (events, state, doubted, why) in [
            (&[][..], InDoubt, true, "nobody knows"),
            (&[Event::Hold, Event::Release], InDoubt, true, "a person's pause tells nothing"),
            (&[Event::DeadlinePassed, Event::Retry], InDoubt, true, "nor does a deadline"),
            (&[Event::Hold, Event::DeadlinePassed, Event::Retry], InDoubt, true, "nor both"),
            (&[Event::Unsure, Event::Retry], InDoubt, true, "asked in vain"),
            (&[Event::Sent, Event::Failed], InDoubt, true, "the second attempt is not the first"),
            (&[Event::NotFound], Retrying, false, "the partner says that it has it not"),
            (&[Event::Found], Delivered, false, "the partner says that it has it"),
            (&[Event::Sent, Event::Accepted], Delivered, false, "it took the same key again"),
            (&[Event::Sent, Event::Refused], Rejected, false, "it will never take it"),
        ] {
            let mut standing = Standing { state: Pending, doubted: false };
            for event in lost.iter().chain(events) {
                standing = standing.next(*event).unwrap();
            }
            assert_eq!(standing, Standing { state, doubted }, "{why}");
        }
    }

    #[test]
    fn open_is_what_the_courier_still_owes() {
        let open: Vec<_> = State::ALL.into_iter().filter(|state| state.is_open()).collect();
        assert_eq!(open, [Pending, Scheduled, Sending, InDoubt, Retrying, Held]);
    }

    #[test]
    fn a_step_that_is_not_allowed_is_named() {
        for (state, doubted, expected) in [
            (Sending, false, "an exchange that is sending does not allow cancel"),
            (
                Held,
                true,
                "an exchange that is held does not allow cancel: the partner may have it already, \
                 and is asked before anything else is done",
            ),
        ] {
            let error = Standing { state, doubted }.next(Event::Cancel).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_delivered_at_most_once(
            events in prop::collection::vec(prop::sample::select(&Event::ALL[..]), 0..200),
        ) {
            let mut standing = Standing { state: Pending, doubted: false };
            let mut deliveries = 0;
            for event in events {
                let Ok(next) = standing.next(event) else { continue };
                let state = standing.state;
                if matches!(state, Delivered | Confirmed) {
                    prop_assert_eq!((event, next.state), (Event::Confirm, Confirmed), "a delivery is never undone");
                }
                if next.state == Sending {
                    prop_assert!(state.is_open(), "sent from {}", state);
                }
                if standing.doubted {
                    prop_assert!(!matches!(next.state, Pending | Cancelled), "doubt forgotten by {}", event);
                    prop_assert!(matches!(state, InDoubt | Sending | Held | Expired), "{} is sure", state);
                }
                deliveries += u32::from(next.state == Delivered);
                standing = next;
            }
            prop_assert!(deliveries <= 1);
        }
    }
}
