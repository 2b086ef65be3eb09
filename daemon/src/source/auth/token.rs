//! A token that somebody gives us: fetched when it is needed, renewed ahead of its end, and by one at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use marsad_shared::connection::{Login, SentIn};
use reqwest::{Client, header::HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{sync::Mutex, time::Instant};

use super::{super::fault::FetchError, Fare, Times, kept::Kept, login, noted, oauth};

/// A token is renewed so long before it ends, or a tenth of its life if that is less: one that lives for seconds would
/// else be renewed for ever.
pub(super) const MARGIN: Duration = Duration::from_secs(30);
/// At most so long a token lives, whatever the server says.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// After a new session was refused as the one before it was, so long none is asked for on a doubt.
const VAIN: Duration = Duration::from_mins(5);
/// A token that was made for a request, and no longer ago than this, is not asked for again when it is refused.
const NEW: Duration = Duration::from_secs(1);

/// Who gives a token.
#[derive(Debug)]
pub(super) enum Giver {
    OAuth2(Box<oauth::Giver>),
    Login(Box<Login>),
}

/// A token as it was given.
pub(super) struct Gift {
    pub text: SecretString,
    pub life: Duration,
}

/// Which of the connection's tokens, and whether it was made for the request that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub number: u64,
    pub new: bool,
}

/// The connection's token.
#[derive(Debug)]
pub(super) struct Keeper {
    held: Arc<Mutex<Held>>,
    giver: Arc<Giver>,
    carrier: SentIn,
    /// How many fetches have ended, well or not.
    ended: Arc<AtomicU64>,
    /// The last token with which something was answered well.
    good: AtomicU64,
}

/// Who holds the lock while a token is fetched is the one refresher.
#[derive(Debug)]
struct Held {
    token: Option<Token>,
    /// How many tokens there were.
    number: u64,
    /// Why the last fetch brought nothing.
    failed: Option<FetchError>,
    kept: Option<Arc<Mutex<Kept>>>,
    /// When a new session was refused as the one before it was.
    vain: Option<Instant>,
}

#[derive(Debug)]
struct Token {
    text: SecretString,
    given: Instant,
    until: Instant,
    /// Whether no request has shown it yet.
    fresh: bool,
}

impl Keeper {
    pub(super) fn new(giver: Giver, kept: Option<Arc<Mutex<Kept>>>, carrier: SentIn) -> Self {
        let held = Held { token: None, number: 0, failed: None, kept, vain: None };
        Self {
            held: Arc::new(Mutex::new(held)),
            giver: Arc::new(giver),
            carrier,
            ended: Arc::default(),
            good: AtomicU64::new(0),
        }
    }

    /// The token, fetched if there is none or it is about to end, for which `fare` is paid. Whoever waited for a fetch that
    /// failed shares its error: no second one is tried for them.
    pub(super) async fn token(
        &self,
        client: &Client,
        now: Times,
        fare: &Fare,
    ) -> Result<(SecretString, Number), FetchError> {
        let before = self.ended.load(Ordering::Acquire);
        let mut held = Arc::clone(&self.held).lock_owned().await;
        let number = held.number;
        if let Some(token) = held.token.as_mut().filter(|token| token.until > Instant::now()) {
            let new = token.fresh;
            token.fresh &= !fare.within;
            return Ok((token.text.clone(), Number { number, new }));
        }
        if let Some(error) = &held.failed
            && self.ended.load(Ordering::Acquire) > before
        {
            return Err(error.clone());
        }
        // Whoever asked may go away in the middle; what the server has given by then must be kept all the same.
        let (giver, carrier) = (Arc::clone(&self.giver), self.carrier.clone());
        let (client, ended, fare) = (client.clone(), Arc::clone(&self.ended), fare.clone());
        let fetch = tokio::spawn(async move {
            let mut held = held;
            let outcome = match fare.pay().await {
                Ok(pass) => {
                    let asked = Instant::now();
                    let outcome = giver.give(&client, held.kept.as_deref(), now).await;
                    let outcome = outcome.and_then(|gift| giver.check(gift, &carrier));
                    let outcome = outcome.map_err(|error| giver.doubted(error, now));
                    fare.told(pass, outcome).map(|gift| (gift, asked))
                }
                Err(held_back) => Err(held_back),
            };
            ended.fetch_add(1, Ordering::Release);
            held.take(outcome, !fare.within)
        });
        fetch.await.unwrap_or_else(|_| Err(self.giver.unanswered()))
    }

    /// Hears that the partner refused a token; whether the next one may be better.
    pub(super) async fn refused(&self, shown: Number) -> bool {
        let mut held = self.held.lock().await;
        let number = held.number;
        // Another request was refused before, and there is a newer one.
        let Some(token) = held.token.as_ref().filter(|_| number == shown.number) else {
            return true;
        };
        if shown.new && token.given.elapsed() < NEW {
            return false;
        }
        held.token = None;
        true
    }
}

/// Sessions. A partner that has no word for their end answers as if nobody had logged in.
impl Keeper {
    /// Hears that something was answered well.
    pub(super) fn worked(&self, shown: Number) {
        self.good.store(shown.number, Ordering::Relaxed);
    }

    /// Hears that an answer looks as if nobody had logged in; whether a new session may be better: the one that was shown
    /// has been good before, and no other has been tried for that of late.
    pub(super) async fn forgotten(&self, shown: Number) -> bool {
        if self.good.load(Ordering::Relaxed) != shown.number {
            return false;
        }
        let mut held = self.held.lock().await;
        if held.vain.is_some_and(|at| at.elapsed() < VAIN) {
            return false;
        }
        if held.number == shown.number {
            held.token = None;
        }
        true
    }

    /// Hears that the new session was answered in the same way.
    pub(super) async fn in_vain(&self) {
        self.held.lock().await.vain = Some(Instant::now());
    }
}

impl Held {
    fn take(
        &mut self,
        outcome: Result<(Gift, Instant), FetchError>,
        fresh: bool,
    ) -> Result<(SecretString, Number), FetchError> {
        match outcome {
            Ok((Gift { text, life }, asked)) => {
                let life = life.min(LIFE_MAX);
                let given = Instant::now();
                // Its life began no earlier than it was asked for.
                let until = asked + life.saturating_sub(MARGIN.min(life / 10));
                self.token = Some(Token { text: text.clone(), given, until, fresh });
                self.number += 1;
                self.failed = None;
                Ok((text, Number { number: self.number, new: true }))
            }
            Err(error) => {
                self.token = None;
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl Giver {
    async fn give(
        &self,
        client: &Client,
        kept: Option<&Mutex<Kept>>,
        now: Times,
    ) -> Result<Gift, FetchError> {
        match self {
            Self::OAuth2(how) => how.give(client, kept, now).await,
            Self::Login(how) => login::give(how, client, now.theirs).await,
        }
    }

    /// A token that its place cannot carry is none: the request would go without.
    fn check(&self, gift: Gift, carrier: &SentIn) -> Result<Gift, FetchError> {
        let text = gift.text.expose_secret();
        let fits = match carrier {
            SentIn::Header { .. } => HeaderValue::try_from(text).is_ok(),
            SentIn::Cookie { .. } => text.bytes().all(|b| b.is_ascii_graphic() && b != b';'),
            SentIn::Query { .. } => true,
        };
        if fits && !text.is_empty() {
            return Ok(gift);
        }
        let what = "the token that was given has characters that a request cannot carry";
        Err(FetchError::of(marsad_shared::health::Reason::Decode, self.url(), what))
    }

    /// An error as it is told where the two clocks may be behind it.
    fn doubted(&self, error: FetchError, now: Times) -> FetchError {
        match self {
            Self::OAuth2(how) => match how.doubt(now) {
                Some(doubt) if error.reason() == Some(marsad_shared::health::Reason::Auth) => {
                    noted(error, &doubt)
                }
                _ => error,
            },
            Self::Login(_) => error,
        }
    }

    fn unanswered(&self) -> FetchError {
        let what = "asking for a token was broken off";
        FetchError::of(marsad_shared::health::Reason::Truncated, self.url(), what)
    }

    fn url(&self) -> &url::Url {
        match self {
            Self::OAuth2(how) => how.url(),
            Self::Login(how) => &how.url,
        }
    }
}
