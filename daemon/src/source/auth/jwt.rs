//! Tokens that we sign ourselves: one for many requests, renewed ahead of its end.

use std::sync::{Mutex, PoisonError};

use marsad_shared::{connection::Assertion, health::Reason};
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::{
    super::fault::FetchError,
    Times,
    token::{MARGIN, Number},
};

/// Signs what was agreed.
#[derive(Debug)]
pub(super) struct Issuer {
    claims: Assertion,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    number: u64,
}

#[derive(Clone, Debug)]
struct Token {
    text: SecretString,
    /// From then on it is renewed.
    until: Instant,
}

impl Issuer {
    pub(super) fn new(claims: Assertion) -> Self {
        Self { claims, held: Mutex::default() }
    }

    /// A token that is good for a while.
    pub(super) fn token(&self, url: &Url, at: Times) -> Result<(SecretString, Number), FetchError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(token) = held.token.as_ref().filter(|token| token.until > now) {
            return Ok((token.text.clone(), Number { number: held.number, new: false }));
        }
        let text = self.issue(url, at)?;
        let life = self.claims.lifetime;
        let until = now + life.saturating_sub(MARGIN.min(life / 10));
        held.token = Some(Token { text: text.clone(), until });
        held.number += 1;
        Ok((text, Number { number: held.number, new: true }))
    }

    /// A token of its own.
    pub(super) fn issue(&self, url: &Url, at: Times) -> Result<SecretString, FetchError> {
        let life = self.claims.lifetime;
        let (from, lifetime) = (at.signed_at(life).as_second(), life.as_secs());
        let mut claims = self.claims.claims.clone();
        claims.insert("iat".to_owned(), from.into());
        claims.insert("exp".to_owned(), from.saturating_add_unsigned(lifetime).into());
        claims.insert("jti".to_owned(), Uuid::now_v7().to_string().into());
        self.claims
            .key
            .token(self.claims.key_id.as_deref(), &claims)
            .map_err(|_| FetchError::of(Reason::Auth, url, "our token could not be signed"))
    }

    /// What a person should know of the two clocks, where a token of ours is refused.
    pub(super) fn doubt(&self, at: Times) -> Option<String> {
        at.doubt(self.claims.lifetime)
    }

    /// Hears that the partner refused a token: the next one is made by what is known of the partner's clock by then.
    pub(super) fn refused(&self, shown: Number) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.number == shown.number {
            held.token = None;
        }
    }
}
