//! Leaving through the gate: what has to be there before a request goes out, and what keeps it back.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::clock::until;
use tokio::time::Instant;

use super::{Gate, Held, HeldBy, LIFTED, Pass, Wait, crowd::Place};
use crate::source::{breaker::Verdict, spend::Caller};

impl Gate {
    /// Why and until when a request of `who` could not leave now; `None`: it could.
    pub fn look(&self, who: &Caller) -> Option<Wait> {
        let at = self.clock.now();
        let wait = self.waits(&self.lock(), who, Instant::now(), at);
        let turnstile = self.turnstile.as_ref();
        let line = turnstile.and_then(|turnstile| Some((turnstile.too_long()?, turnstile.why())));
        longest([wait, line.map(|(wait, why)| limited(wait, at, why))])
    }

    /// Lets a request of `who` out, once the rate limit has its turn and not too many others are under way.
    ///
    /// # Errors
    /// [`Wait`] if it may not leave.
    pub async fn pass(self: &Arc<Self>, who: &Caller) -> Result<Pass, Wait> {
        if let Some(wait) = self.look(who) {
            return Err(wait);
        }
        let place = self.place().await?;
        self.turn().await?;
        let tries = self.take(who)?;
        Ok(Pass { gate: Arc::clone(self), who: who.clone(), tries, _place: place })
    }

    /// Lets a request out that another one needs, which has its [`Pass`] already: one for a token in place of one that was
    /// refused. It has its own turn, and is counted as its own.
    ///
    /// # Errors
    /// [`Wait`] if it may not leave.
    pub async fn toll(&self, who: &Caller) -> Result<(), Wait> {
        let now = (Instant::now(), self.clock.now());
        if let Some(wait) = longest(self.imposed(&self.lock(), who, now)) {
            return Err(wait);
        }
        self.turn().await?;
        self.spend(who, self.clock.now())
    }

    /// A place among those that are under way. Where there is a rate limit, they leave one by one anyhow.
    async fn place(&self) -> Result<Option<Place>, Wait> {
        if self.turnstile.is_some() {
            return Ok(None);
        }
        self.crowd.place().await.map(Some).map_err(|_| self.stops())
    }

    /// Why nobody leaves any more.
    fn stops(&self) -> Wait {
        Wait::imposed(Duration::ZERO, self.clock.now(), "marsadd stops".to_owned())
    }

    /// Waits for the turn that the rate limit gives, if that comes soon.
    async fn turn(&self) -> Result<(), Wait> {
        let Some(turnstile) = &self.turnstile else { return Ok(()) };
        let at = self.clock.now();
        match Box::pin(self.closing.run_until_cancelled(turnstile.turn())).await {
            Some(Ok(())) => Ok(()),
            Some(Err(wait)) => Err(limited(wait, at, turnstile.why())),
            None => Err(self.stops()),
        }
    }

    /// What keeps a request of `who` back longest.
    fn waits(&self, held: &Held, who: &Caller, now: Instant, at: Timestamp) -> Option<Wait> {
        let spread = held.spread.as_ref().filter(|spread| now < spread.next.min(spread.until));
        // What we owe the partner is not what its quota is to be saved from.
        let spread = spread.filter(|_| *who != Caller::Deliveries).map(|spread| {
            let why =
                format!("the partner counts our requests, and {}: they are spread", spread.left);
            Wait::imposed(spread.next.min(spread.until) - now, at, why)
        });
        let breaker = match held.breaker.look(who, now) {
            Verdict::Wait(time) => {
                Some(Wait { by: HeldBy::Breaker, ..Wait::imposed(time, at, held.broken()) })
            }
            Verdict::Go | Verdict::Try => None,
        };
        let imposed = self.imposed(held, who, (now, at));
        longest(imposed.into_iter().chain([spread, breaker]))
    }

    /// What keeps back even a request that another one needs which was let out.
    fn imposed(
        &self,
        held: &Held,
        who: &Caller,
        (now, at): (Instant, Timestamp),
    ) -> [Option<Wait>; 3] {
        let rest = held.rest.as_ref().filter(|rest| now < rest.until);
        let rest = rest.map(|rest| {
            let (wait, mut why) = (rest.until - now, rest.why.clone());
            if wait > LIFTED {
                why.push_str("; whoever orders a read asks all the same");
            }
            Wait::imposed(wait, at, why)
        });
        let refused = held.refusals.look(now);
        let refused = refused.map(|(wait, why)| Wait::imposed(wait, at, why.to_owned()));
        let spent = self.purse.as_ref().and_then(|purse| purse.look(who, at).err());
        let spent = spent.map(|spent| Wait::imposed(until(at, spent.renews), at, spent.why));
        [rest, refused, spent]
    }

    /// Takes what a request needs; whether it is the breaker's try.
    fn take(&self, who: &Caller) -> Result<bool, Wait> {
        let (now, at) = (Instant::now(), self.clock.now());
        let mut held = self.lock();
        if let Some(wait) = self.waits(&held, who, now, at) {
            return Err(wait);
        }
        self.spend(who, at)?;
        if let Some(spread) = &mut held.spread {
            spread.next = now + spread.gap;
        }
        Ok(held.breaker.ask(who, now) == Verdict::Try)
    }

    /// Spends a call. Another connection of the partner may have spent the last one meanwhile.
    fn spend(&self, who: &Caller, at: Timestamp) -> Result<(), Wait> {
        let Some(Err(spent)) = self.purse.as_ref().map(|purse| purse.spend(who, at)) else {
            return Ok(());
        };
        Err(Wait { until: spent.renews, ..Wait::imposed(until(at, spent.renews), at, spent.why) })
    }
}

/// A wait that our rate limit asks for.
fn limited(wait: Duration, at: Timestamp, why: String) -> Wait {
    Wait { by: HeldBy::Limit, ..Wait::imposed(wait, at, why) }
}

fn longest(waits: impl IntoIterator<Item = Option<Wait>>) -> Option<Wait> {
    waits.into_iter().flatten().max_by_key(|wait| wait.wait)
}
