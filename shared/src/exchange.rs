//! The life of an exchange, as a state machine apart from its I/O.
//!
//! An answer that was lost is no failure: the exchange is in doubt until the partner was asked, or
//! was offered the same Idempotency-Key again. Whatever happens, it is delivered at most once here.

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
#[error("an exchange that is {state} does not allow {event}")]
pub struct IllegalEvent {
    pub state: State,
    pub event: Event,
}

impl State {
    /// Where the exchange stands after `event`. Pure: the courier does the I/O, and stores each
    /// state before it acts on it, so that a restart goes on from the store.
    ///
    /// # Errors
    /// [`IllegalEvent`] if `event` cannot happen in this state.
    pub const fn next(self, event: Event) -> Result<Self, IllegalEvent> {
        use State::{
            Cancelled, Confirmed, Delivered, Expired, Held, InDoubt, Pending, Rejected, Retrying,
            Scheduled, Sending,
        };
        Ok(match (self, event) {
            (Pending, Event::Scheduled) => Scheduled,
            (Scheduled, Event::Due)
            | (Held, Event::Release | Event::Retry)
            | (Rejected | Expired | Retrying, Event::Retry) => Pending,
            // In doubt too: a partner that cannot be asked is offered the same key again.
            (Pending | Retrying | InDoubt, Event::Sent) => Sending,
            (Sending, Event::AnswerLost | Event::Interrupted) | (InDoubt, Event::Unsure) => InDoubt,
            (Sending, Event::Failed) | (InDoubt, Event::NotFound | Event::Retry) => Retrying,
            (Sending, Event::Accepted) | (InDoubt, Event::Found) => Delivered,
            (Sending, Event::Refused) => Rejected,
            (Delivered, Event::Confirm) => Confirmed,
            // Held from doubt, the last attempt still says so: the courier asks before it sends.
            (Pending | Scheduled | Retrying | InDoubt, Event::Hold) => Held,
            // Not while sending: the outcome of the attempt decides.
            (Pending | Scheduled | Retrying | InDoubt | Held, Event::DeadlinePassed) => Expired,
            // Not while sending or in doubt: it may be there already.
            (Pending | Scheduled | Retrying | Held, Event::Cancel) => Cancelled,
            (state, event) => return Err(IllegalEvent { state, event }),
        })
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

    const LEGAL: [(State, Event, State, &str); 33] = [
        (Pending, Event::Scheduled, Scheduled, "meant for later"),
        (Pending, Event::Sent, Sending, "the first attempt"),
        (Pending, Event::DeadlinePassed, Expired, "nobody took it in time"),
        (Pending, Event::Hold, Held, "a person stops it before it leaves"),
        (Pending, Event::Cancel, Cancelled, "it never left"),
        (Scheduled, Event::Due, Pending, "its time has come"),
        (Scheduled, Event::DeadlinePassed, Expired, "meant for a time after its own deadline"),
        (Scheduled, Event::Hold, Held, "a person stops it before its time"),
        (Scheduled, Event::Cancel, Cancelled, "it never left"),
        (Sending, Event::Accepted, Delivered, "the partner has it"),
        (Sending, Event::Refused, Rejected, "time will not cure it"),
        (Sending, Event::Failed, Retrying, "surely not received"),
        (Sending, Event::AnswerLost, InDoubt, "perhaps received: ask first"),
        (Sending, Event::Interrupted, InDoubt, "killed in mid-air: perhaps received too"),
        (InDoubt, Event::Found, Delivered, "it had arrived"),
        (InDoubt, Event::NotFound, Retrying, "it had not: again, under the same key"),
        (InDoubt, Event::Unsure, InDoubt, "asking failed: nothing new is known"),
        (InDoubt, Event::Sent, Sending, "who cannot be asked is offered the same key"),
        (InDoubt, Event::DeadlinePassed, Expired, "doubt does not last for ever"),
        (InDoubt, Event::Hold, Held, "a person wants to ask the partner himself"),
        (InDoubt, Event::Retry, Retrying, "a person decides to send again, under the same key"),
        (Retrying, Event::Sent, Sending, "the next attempt"),
        (Retrying, Event::DeadlinePassed, Expired, "no attempt came through in time"),
        (Retrying, Event::Hold, Held, "a person stops the attempts"),
        (Retrying, Event::Retry, Pending, "a person does not wait for the backoff"),
        (Retrying, Event::Cancel, Cancelled, "surely not there"),
        (Delivered, Event::Confirm, Confirmed, "accepted over there"),
        (Rejected, Event::Retry, Pending, "the cause was mended"),
        (Held, Event::Release, Pending, "goes on"),
        (Held, Event::Retry, Pending, "the same wish in another word"),
        (Held, Event::DeadlinePassed, Expired, "the deadline is the partner's, not ours"),
        (Held, Event::Cancel, Cancelled, "held, then given up"),
        (Expired, Event::Retry, Pending, "a person wants it all the same"),
    ];

    #[test]
    fn every_pair_of_state_and_event_is_legal_with_a_reason_or_an_error() {
        for state in State::ALL {
            for event in Event::ALL {
                let row = LEGAL.iter().find(|(from, on, ..)| (*from, *on) == (state, event));
                let expected = row.map(|(.., to, _)| *to).ok_or(IllegalEvent { state, event });
                let why = row.map_or("not in the table", |(.., why)| why);
                assert_eq!(state.next(event), expected, "{state} + {event}: {why}");
                assert_eq!(state.allows(event), expected.is_ok());
            }
        }
    }

    #[test]
    fn open_is_what_the_courier_still_owes() {
        let open: Vec<_> = State::ALL.into_iter().filter(|state| state.is_open()).collect();
        assert_eq!(open, [Pending, Scheduled, Sending, InDoubt, Retrying, Held]);
    }

    #[test]
    fn a_step_that_is_not_allowed_is_named() {
        let error = Sending.next(Event::Cancel).unwrap_err();
        assert_eq!(error.to_string(), "an exchange that is sending does not allow cancel");
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_delivered_at_most_once(
            events in prop::collection::vec(prop::sample::select(&Event::ALL[..]), 0..200),
        ) {
            let mut state = Pending;
            let mut deliveries = 0;
            for event in events {
                let Ok(next) = state.next(event) else { continue };
                if matches!(state, Delivered | Confirmed) {
                    prop_assert_eq!((event, next), (Event::Confirm, Confirmed), "a delivery is never undone");
                }
                if next == Sending {
                    prop_assert!(state.is_open(), "sent from {}", state);
                }
                deliveries += u32::from(next == Delivered);
                state = next;
            }
            prop_assert!(deliveries <= 1);
        }
    }
}
