//! One task a connection that delivers: offers what is due, asks about what is in doubt, and writes down each step
//! before it takes the next (promise 3).

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    backoff::Backoff,
    clock::{plus, until},
    connection::{Connection, Link},
    exchange::{Event, State},
    health::{PollResult, Reason},
    store::{
        Ledger, StoreError,
        ledger::{Asked, AttemptEnd, Due, Step},
    },
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    jitter::jitter,
    outbox::ring,
    services::Services,
    source::{
        folder::FILE_MAX,
        gate::{Back, Pass, Wait},
        http::HttpSource,
    },
};

mod folder;
mod http;

/// How many exchanges of each kind are looked at together: new ones, and those whose wait is over.
const LOOK: u32 = 128;
/// The largest document that goes out over HTTP, in bytes: it is held in memory while it is sent.
const DOCUMENT_MAX: u64 = 256 * 1024 * 1024;
/// The longest sleep before the queue is looked at again, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_mins(1);
/// Waits between attempts.
const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_mins(15));
/// Waits between questions about an exchange in doubt: the first comes soon, for nobody knows whether it arrived.
const ASK: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(15));
/// How soon the queue is looked at again after a fault of our own.
const LOCAL_RETRY: Duration = Duration::from_secs(5);

/// The largest document that the connection can deliver, in bytes: no larger one is accepted.
pub fn document_max(connection: &Connection) -> u64 {
    match connection.link {
        Link::Http(_) => DOCUMENT_MAX,
        Link::Folder(_) => FILE_MAX,
    }
}

/// What came of an attempt or a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub event: Event,
    /// The partner's status code, where there was an answer.
    pub status: Option<u16>,
    /// What was said, in words.
    pub reason: Option<String>,
    /// The partner asked us to wait so long.
    pub retry_after: Option<Duration>,
    /// What it says of the connection; `None`: nothing.
    pub health: Option<PollResult>,
}

/// What delivers the exchanges of one connection.
pub struct Courier {
    services: Arc<Services>,
    connection: Arc<Connection>,
    source: Option<Arc<HttpSource>>,
}

impl Courier {
    /// The courier of `connection`; `source` is its HTTP interface, if it has one.
    pub fn new(
        services: Arc<Services>,
        connection: Arc<Connection>,
        source: Option<Arc<HttpSource>>,
    ) -> Self {
        Self { services, connection, source }
    }

    /// Delivers until `stop`. A delivery under way is finished, so that its answer is not lost.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let bell = self.services.bells.of(&self.connection.id);
        let mut back = self.source.as_ref().map(|source| source.gate().back());
        loop {
            let wait = match self.round(&stop).await {
                Ok(next_at) => {
                    next_at.map_or(NAP, |at| until(self.services.clock.now(), at).min(NAP))
                }
                Err(error) => {
                    error!(connection = %self.connection.id, %error, "the courier rests; it goes on by itself");
                    LOCAL_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = bell.notified() => {}
                () = told(&mut back) => self.hasten().await,
                () = sleep(wait) => {}
            }
        }
    }

    /// Somebody answers again behind an outage: what waits to be tried again is due now.
    async fn hasten(&self) {
        let (id, now) = (self.connection.id.clone(), self.services.clock.now());
        let hasten = move |ledger: &mut Ledger| ledger.hasten_exchanges(&id, now);
        if let Err(error) = self.services.store.ledger.call(hasten).await {
            error!(connection = %self.connection.id, %error, "what waits could not be hastened; it goes on when its wait is over");
        }
    }

    /// Does all that is due; gives when the next thing will be.
    async fn round(&self, stop: &CancellationToken) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let id = self.connection.id.clone();
            let now = self.services.clock.now();
            let queue = self.services.store.ledger.call(move |ledger| {
                let due = ledger.due_exchanges(&id, now, LOOK)?;
                Ok((due, ledger.next_exchange_at(&id)?))
            });
            let (due, next_at) = queue.await?;
            if due.is_empty() {
                return Ok(next_at);
            }
            let mut held = None;
            for due in due {
                if stop.is_cancelled() {
                    return Ok(None);
                }
                match self.attend(&due).await {
                    // A person was quicker: the exchange is looked at again as it is now.
                    Ok(None) | Err(StoreError::Conflict(_)) => {}
                    // The others are looked at all the same: a deadline may have passed.
                    Ok(Some(wait)) => held = Some(wait.until),
                    Err(error) => return Err(error),
                }
            }
            if held.is_some() {
                return Ok(held);
            }
        }
    }

    /// Takes an exchange one step further, or gives why nothing may leave now.
    async fn attend(&self, due: &Due) -> Result<Option<Wait>, StoreError> {
        let now = self.services.clock.now();
        if due.deadline_at.is_some_and(|deadline| deadline <= now)
            && due.state.allows(Event::DeadlinePassed)
        {
            let reason = Some(
                "its deadline passed before it was delivered; retry it if it is still wanted"
                    .to_owned(),
            );
            let step = Step { event: Event::DeadlinePassed, at: now, next_at: None, reason };
            return self.step(due, step).await.map(|()| None);
        }
        match due.state {
            State::Scheduled => {
                let step = Step { event: Event::Due, at: now, next_at: None, reason: None };
                self.step(due, step).await.map(|()| None)
            }
            State::InDoubt if self.can_ask() => self.ask(due).await,
            State::Pending | State::Retrying | State::InDoubt => self.deliver(due).await,
            // Being sent by nobody: a courier that was aborted left it so.
            State::Sending => {
                let reason = Some("its courier was stopped while it was being sent".to_owned());
                let step = Step { event: Event::Interrupted, at: now, next_at: None, reason };
                self.step(due, step).await.map(|()| None)
            }
            _ => Ok(None),
        }
    }

    fn can_ask(&self) -> bool {
        match &self.connection.link {
            Link::Http(http) => {
                http.deliver.as_ref().is_some_and(|deliver| deliver.status_path.is_some())
            }
            Link::Folder(_) => true,
        }
    }

    async fn deliver(&self, due: &Due) -> Result<Option<Wait>, StoreError> {
        // Before the attempt is written down: what only waits for its turn is not being sent.
        let pass = match self.pass().await {
            Ok(pass) => pass,
            Err(wait) => return Ok(Some(wait)),
        };
        let (id, at) = (due.id, self.services.clock.now());
        let number =
            self.services.store.ledger.call(move |ledger| ledger.begin_attempt(id, at)).await?;
        ring_quietly(&self.services, due, at);
        let answer = match (&self.connection.link, &self.source, pass) {
            (Link::Http(http), Some(source), Some(pass)) => {
                http::deliver(&self.services, source, pass, http.deliver.as_ref(), due).await
            }
            (Link::Folder(folder), ..) => folder::deliver(&self.services, folder, due).await,
            (Link::Http(_), ..) => Answer::unsent("the connection has no client; restart marsadd"),
        };
        self.end(due, Asked::Deliver, number, answer).await.map(|()| None)
    }

    /// The right to one request; a folder needs none.
    async fn pass(&self) -> Result<Option<Pass>, Wait> {
        match &self.source {
            Some(source) => source.pass().await.map(Some),
            None => Ok(None),
        }
    }

    async fn ask(&self, due: &Due) -> Result<Option<Wait>, StoreError> {
        let pass = match self.pass().await {
            Ok(pass) => pass,
            Err(wait) => return Ok(Some(wait)),
        };
        let (id, number, at) = (due.id, due.attempts, self.services.clock.now());
        self.services
            .store
            .ledger
            .call(move |ledger| ledger.begin_question(id, number, at))
            .await?;
        let answer = match (&self.connection.link, &self.source, pass) {
            (Link::Http(http), Some(source), Some(pass)) => {
                http::ask(source, pass, http.deliver.as_ref(), due).await
            }
            (Link::Folder(folder), ..) => folder::ask(folder, due).await,
            (Link::Http(_), ..) => {
                Answer::unsure(None, "the connection has no client; restart marsadd")
            }
        };
        self.end(due, Asked::Ask, number, answer).await.map(|()| None)
    }

    async fn end(
        &self,
        due: &Due,
        kind: Asked,
        number: u32,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let now = self.services.clock.now();
        if let Some(result) = answer.health {
            self.services.report_health(&self.connection.id, result, answer.reason.clone()).await;
        }
        let step = Step {
            event: answer.event,
            at: now,
            next_at: next_at(due, number, &answer, now),
            reason: answer.reason.clone(),
        };
        let (id, end) = (due.id, AttemptEnd { kind, number, at: now, status: answer.status });
        let state = self
            .services
            .store
            .ledger
            .call(move |ledger| ledger.end_attempt(id, &end, &step))
            .await?;
        info!(exchange = %id, connection = %self.connection.id, attempt = number, state = state.word(), error = answer.reason, "attempt ended");
        ring_quietly(&self.services, due, now);
        Ok(())
    }

    async fn step(&self, due: &Due, step: Step) -> Result<(), StoreError> {
        let (id, at) = (due.id, step.at);
        self.services.store.ledger.call(move |ledger| ledger.step(id, &step)).await?;
        ring(&self.services, &self.connection.id, id, at);
        Ok(())
    }
}

/// Tells listeners, and not the courier itself: it is at work on it.
fn ring_quietly(services: &Services, due: &Due, at: Timestamp) {
    services.events.tell(
        at,
        marsad_shared::protocol::EventKind::Exchange,
        Some(due.id.to_string()),
    );
}

/// When to look at an exchange again, given what came of the last look.
fn next_at(due: &Due, number: u32, answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let random =
        jitter(&due.idempotency_key, u64::from(number) ^ now.as_millisecond().unsigned_abs());
    let wait = match answer.event {
        Event::Failed => RETRY.after(number, random, answer.retry_after),
        // Asked and not there: the next attempt needs no wait of its own, unless this goes on and on.
        Event::NotFound if number <= 1 => Duration::ZERO,
        Event::NotFound => RETRY.delay(number - 1, random),
        Event::AnswerLost => ASK.delay(number, random),
        Event::Unsure => ASK.after(number.saturating_add(1), random, answer.retry_after),
        _ => return None,
    };
    Some(plus(now, wait))
}

impl Answer {
    fn new(event: Event, status: Option<u16>, reason: Option<String>) -> Self {
        Self { event, status, reason, retry_after: None, health: None }
    }

    /// Nothing was sent, because of what a person has to mend here. It says nothing of the connection.
    fn unsent(reason: impl Into<String>) -> Self {
        Self::new(Event::Failed, None, Some(reason.into()))
    }

    /// Nothing was sent, because a disk did not do what it should.
    fn disk(reason: impl Into<String>) -> Self {
        let health = Some(PollResult::Local(Reason::Disk));
        Self { health, ..Self::unsent(reason) }
    }

    /// Asked, and none the wiser.
    fn unsure(status: Option<u16>, reason: impl Into<String>) -> Self {
        Self::new(Event::Unsure, status, Some(reason.into()))
    }
}

/// Until somebody answers again; where nobody would say so, for good.
async fn told(back: &mut Option<Back>) {
    match back {
        Some(back) => back.told().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marsad_shared::id::ExchangeId;

    #[test]
    fn waits_grow_and_a_partner_that_asks_for_more_gets_it() {
        let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let due = Due {
            id: ExchangeId(1),
            state: State::Retrying,
            attempts: 1,
            deadline_at: Some(plus(noon, Duration::from_mins(3))),
            idempotency_key: "k".to_owned(),
            name: "a.json".to_owned(),
            hash: String::new(),
            bytes: 0,
            target: None,
        };
        let wait = |number, answer: Answer| {
            next_at(&due, number, &answer, noon).map(|at| at.duration_since(noon).as_secs())
        };
        let failed = |after: u64| Answer {
            retry_after: Some(Duration::from_secs(after)),
            ..Answer::new(Event::Failed, None, None)
        };
        assert!(wait(1, failed(0)).is_some_and(|s| s <= 5));
        assert!(wait(30, failed(0)).is_some_and(|s| (450..=900).contains(&s)));
        assert_eq!(wait(1, failed(7_200)), Some(7_200), "Retry-After is honoured in full");
        assert_eq!(wait(1, Answer::new(Event::Accepted, Some(201), None)), None);
        assert_eq!(wait(1, Answer::new(Event::NotFound, Some(404), None)), Some(0));
    }
}
