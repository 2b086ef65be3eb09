//! What a request carries to prove who we are. Secrets go into the request and nowhere else.

mod answer;
mod digest;
mod fare;
mod jwt;
mod kept;
mod login;
mod oauth;
mod times;
mod token;

use marsad_shared::{
    connection::{Auth, KeyPlace, SentIn},
    health::Reason,
    request::Body,
};
use reqwest::{
    Client, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use self::{
    digest::{Digest, Helps},
    jwt::Issuer,
    token::{Giver, Keeper, Number},
};
pub use self::{fare::Fare, kept::Vault, times::Times};
use super::{fault::FetchError, ours::without};

/// Signs the requests of one connection.
#[derive(Debug)]
pub struct Signer(Proof);

#[derive(Debug)]
enum Proof {
    /// The same each time, or nothing.
    Fixed(Auth),
    Digest(Digest),
    Jwt(Issuer, SentIn),
    Token(Keeper, SentIn),
}

/// What a request showed: what a refusal of it speaks of.
#[derive(Debug)]
pub struct Shown(What);

/// A session that a request showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session(Number);

#[derive(Debug)]
enum What {
    Fixed,
    /// The answer to this challenge; `None`: no challenge was known.
    Nonce(Option<String>),
    Token(Number),
}

impl Signer {
    /// The signer of a connection. `vault`: where tokens are kept that were given in place of others.
    pub fn new(auth: Auth, vault: &Vault) -> Self {
        let bearer = || SentIn::Header {
            name: AUTHORIZATION.as_str().to_owned(),
            prefix: "Bearer ".to_owned(),
        };
        Self(match auth {
            Auth::Digest { user, password } => Proof::Digest(Digest::new(user, password)),
            Auth::Jwt { claims, send } => Proof::Jwt(Issuer::new(*claims), send),
            Auth::OAuth2(how) => {
                let kept = vault.kept(&how.grant);
                let giver = Giver::OAuth2(Box::new(oauth::Giver::new(*how)));
                Proof::Token(Keeper::new(giver, kept, bearer()), bearer())
            }
            Auth::Login(how) => {
                let send = how.send.clone();
                let giver = Giver::Login(how);
                Proof::Token(Keeper::new(giver, None, send.clone()), send)
            }
            fixed => Proof::Fixed(fixed),
        })
    }

    /// The parameter of a query by which it proves who we are, where it does so there.
    pub fn in_query(&self) -> Option<&str> {
        match &self.0 {
            Proof::Fixed(Auth::ApiKey { place: KeyPlace::Query, name, .. })
            | Proof::Jwt(_, SentIn::Query { name })
            | Proof::Token(_, SentIn::Query { name }) => Some(name),
            _ => None,
        }
    }

    /// Puts into a body what travels there, before it is written.
    ///
    /// # Errors
    /// [`FetchError::Final`] if the body has no room for it.
    pub fn fill(&self, body: &mut Body, url: &Url) -> Result<(), FetchError> {
        let Proof::Fixed(Auth::ApiKey { place: KeyPlace::Body, name, key }) = &self.0 else {
            return Ok(());
        };
        let key = key.expose_secret().to_owned();
        match body {
            Body::Json(serde_json::Value::Object(fields)) => {
                fields.insert(name.clone(), key.into());
            }
            Body::Form(fields) => {
                fields.retain(|(field, _)| field != name);
                fields.push((name.clone(), key));
            }
            Body::Json(_) | Body::Text(_) | Body::None => {
                let what = "the key of `auth` travels in the body, and the request has none with fields: give the feed `json` or `form`";
                return Err(FetchError::of(Reason::Http4xx, url, what));
            }
        }
        Ok(())
    }

    /// Whether it proves who we are with a password that a partner may lock.
    pub fn shows_password(&self) -> bool {
        matches!(&self.0, Proof::Fixed(Auth::Basic { .. }) | Proof::Digest(_))
    }

    /// `error`, with which the partner refused a request, as it is told where the two clocks may be behind it, or we showed nothing.
    pub fn doubted(&self, error: FetchError, now: Times) -> FetchError {
        match &self.0 {
            Proof::Jwt(issuer, _) if error.reason() == Some(Reason::Auth) => {
                issuer.doubt(now).map_or(error.clone(), |doubt| noted(error, &doubt))
            }
            Proof::Digest(digest) if error.reason() == Some(Reason::Auth) => {
                digest.doubt().map_or(error.clone(), |doubt| noted(error, doubt))
            }
            _ => error,
        }
    }

    /// Whether what it proves that with is given out by somebody, and has to be fetched.
    pub fn is_given_out(&self) -> bool {
        matches!(self.0, Proof::Token(..))
    }

    /// Has a token at hand, where one is given out: so that fetching it has its own turn at the gate, before the request
    /// that it is for.
    ///
    /// # Errors
    /// [`FetchError`] if it had to be fetched and was not given.
    pub async fn prepare(
        &self,
        client: &Client,
        now: Times,
        fare: impl FnOnce() -> Fare,
    ) -> Result<(), FetchError> {
        match &self.0 {
            Proof::Token(keeper, _) => Box::pin(keeper.token(client, now, &fare())).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Puts into a request whatever else proves who we are. `fare`: what fetching a token for it costs.
    ///
    /// # Errors
    /// [`FetchError`] if a token had to be fetched and was not given.
    pub async fn sign(
        &self,
        client: &Client,
        request: &mut Request,
        now: Times,
        fare: impl FnOnce() -> Fare,
    ) -> Result<Shown, FetchError> {
        let what = match &self.0 {
            Proof::Fixed(auth) => {
                fixed(auth, request);
                What::Fixed
            }
            Proof::Digest(digest) => What::Nonce(digest.sign(request)),
            Proof::Jwt(issuer, carrier) => {
                let (token, number) = issuer.token(request.url(), now)?;
                carry(carrier, &token, request);
                What::Token(number)
            }
            Proof::Token(keeper, carrier) => {
                // Apart, because it is rare that one has to be fetched.
                let (token, number) = Box::pin(keeper.token(client, now, &fare())).await?;
                carry(carrier, &token, request);
                What::Token(number)
            }
        };
        Ok(Shown(what))
    }

    /// Hears that the partner refused a request (401) that showed `shown`. Whether signing it again can help: true once
    /// there is a challenge to answer, or a token that had been given to us has been dropped, so that it is asked for
    /// anew. A token that was
    /// fetched for this very request is as good as the next one would be. `again`: it was signed again already; then only
    /// what says that our answer was good and came too late can help.
    pub async fn refused(&self, shown: &Shown, answer: &HeaderMap, again: bool) -> bool {
        match (&self.0, &shown.0) {
            (Proof::Digest(digest), What::Nonce(nonce)) => {
                let helps = digest.challenged(answer, nonce.as_deref());
                if again { helps == Helps::Late } else { helps != Helps::Not }
            }
            _ if again => false,
            (Proof::Jwt(issuer, _), What::Token(number)) => {
                issuer.refused(*number);
                true
            }
            (Proof::Token(keeper, _), What::Token(number)) => keeper.refused(*number).await,
            _ => false,
        }
    }
}

/// Sessions, which a partner may end without a word for it.
impl Signer {
    /// Hears of a good answer, with that status and of that kind, to a request that showed this.
    pub fn worked(&self, shown: &Shown, status: StatusCode, answer: &HeaderMap) {
        if let (Proof::Token(keeper, _), What::Token(number)) = (&self.0, &shown.0)
            && !is_for_strangers(status, answer)
        {
            keeper.worked(*number);
        }
    }

    /// Hears of an answer with that status and of that kind; whether it looks as if nobody had logged in and a new session
    /// may be better, which is asked for then.
    pub async fn forgotten(&self, shown: &Shown, status: StatusCode, answer: &HeaderMap) -> bool {
        let (Proof::Token(keeper, _), What::Token(number)) = (&self.0, &shown.0) else {
            return false;
        };
        is_for_strangers(status, answer) && keeper.forgotten(*number).await
    }

    /// The session that was shown, if it was one, or another token.
    pub fn session(&self, shown: &Shown) -> Option<Session> {
        match (&self.0, &shown.0) {
            (Proof::Token(..), What::Token(number)) => Some(Session(*number)),
            _ => None,
        }
    }

    /// Hears that an answer says in its own words that it is none, whatever its status; whether a new session may be better,
    /// which is asked for then.
    pub async fn doubts(&self, session: Session) -> bool {
        match &self.0 {
            Proof::Token(keeper, _) => keeper.forgotten(session.0).await,
            _ => false,
        }
    }

    /// Hears that it was not.
    pub async fn doubted_in_vain(&self) {
        if let Proof::Token(keeper, _) = &self.0 {
            keeper.in_vain().await;
        }
    }

    /// Hears of the answer to the same request with a new session.
    pub async fn tried_again(&self, status: StatusCode, answer: &HeaderMap) {
        if is_for_strangers(status, answer) {
            self.doubted_in_vain().await;
        }
    }
}

/// Whether an answer is one that a partner gives to who has not logged in: a refusal, the way to a page to log in, or that
/// page. 419 and 440 are what some frameworks say where a session is over.
fn is_for_strangers(status: StatusCode, answer: &HeaderMap) -> bool {
    let kind = || answer.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match status.as_u16() {
        403 | 419 | 440 | 301..=303 | 307 | 308 => true,
        200 => kind().trim_start().to_ascii_lowercase().starts_with("text/html"),
        _ => false,
    }
}

/// The same error with a word more about what went wrong.
fn noted(error: FetchError, note: &str) -> FetchError {
    let (what, remedy) = error.parted();
    error.rewritten(|_| format!("{what}; {note}; {remedy}"))
}

fn fixed(auth: &Auth, request: &mut Request) {
    match auth {
        Auth::ApiKey { place, name, key } => {
            let name = name.clone();
            let carrier = match place {
                KeyPlace::Header => SentIn::Header { name, prefix: String::new() },
                KeyPlace::Query => SentIn::Query { name },
                KeyPlace::Cookie => SentIn::Cookie { name },
                // It is in the body already.
                KeyPlace::Body => return,
            };
            carry(&carrier, key, request);
        }
        Auth::Basic { user, password } => {
            put(request.headers_mut(), AUTHORIZATION, &basic(user, password));
        }
        Auth::Bearer { token } => {
            let bearer = format!("Bearer {}", token.expose_secret());
            put(request.headers_mut(), AUTHORIZATION, &bearer);
        }
        // The others are no longer here: `Signer::new` has made something of them.
        _ => {}
    }
}

/// The value of an `Authorization: Basic` header.
fn basic(user: &str, password: &SecretString) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{}", password.expose_secret());
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

fn carry(carrier: &SentIn, token: &SecretString, request: &mut Request) {
    let token = token.expose_secret();
    match carrier {
        SentIn::Header { name, prefix } => {
            if let Ok(name) = HeaderName::try_from(name) {
                put(request.headers_mut(), name, &format!("{prefix}{token}"));
            }
        }
        SentIn::Query { name } => {
            let url = request.url_mut();
            // An older one would be sent beside it.
            let others = url.query().map(|query| without(query, |there, _| there == name));
            url.set_query(others.as_deref().filter(|others| !others.is_empty()));
            url.query_pairs_mut().append_pair(name, token);
        }
        SentIn::Cookie { name } => put(request.headers_mut(), COOKIE, &format!("{name}={token}")),
    }
}

/// Sets a header that no log may show. A secret that is no header value was refused by the configuration's check, and a
/// token that is none when it was given.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
