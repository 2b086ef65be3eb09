//! OAuth 2.0 client credentials: one token for a connection, fetched when it is needed and renewed ahead of its end.

use std::time::Duration;

use marsad_shared::{connection::Auth, health::Reason};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::fault::FetchError;

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token lives that does not say: never for ever (sources.md row 7).
const LIFE: Duration = Duration::from_mins(5);
/// And at most so long, whatever the server says.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// How long a token server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer of a token server, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// The connection's token. Holding the lock while it is fetched makes one refresher at a time.
#[derive(Debug, Default)]
pub struct TokenKeeper {
    held: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    text: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    expires_in: Option<u64>,
}

impl TokenKeeper {
    /// The token, fetched if there is none or it is about to end.
    pub async fn token(
        &self,
        client: &reqwest::Client,
        auth: &Auth,
    ) -> Result<SecretString, FetchError> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.text.clone());
        }
        let token = fetch(client, auth).await?;
        Ok(held.insert(token).text.clone())
    }

    /// Forgets a token that the partner refused.
    pub async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

async fn fetch(client: &reqwest::Client, auth: &Auth) -> Result<Token, FetchError> {
    let Auth::OAuth2 { token_url, client_id, client_secret, scope } = auth else {
        unreachable!("only OAuth 2.0 connections have a token keeper")
    };
    let mut form = vec![("grant_type", "client_credentials"), ("client_id", client_id)];
    form.push(("client_secret", client_secret.expose_secret()));
    if let Some(scope) = scope {
        form.push(("scope", scope));
    }
    let sent = client.post(token_url.clone()).form(&form).timeout(PATIENCE).send().await;
    let mut answer = sent.map_err(|error| FetchError::of_transport(&error, token_url, false))?;
    if let Some(error) = FetchError::of_status(answer.status(), answer.headers(), token_url) {
        // A token server says 400 where others say 401 (RFC 6749 section 5.2).
        return Err(if answer.status().as_u16() == 400 { refused(token_url) } else { error });
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| FetchError::of_transport(&error.without_url(), token_url, true))?
    {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(FetchError::of(
                Reason::TooLarge,
                token_url,
                "the token server's answer is larger than 64 KiB",
            ));
        }
        body.extend_from_slice(&chunk);
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
        FetchError::of(
            Reason::NotJson,
            token_url,
            "the token server's answer holds no access_token",
        )
    })?;
    let life =
        answer.expires_in.map_or(LIFE, Duration::from_secs).min(LIFE_MAX).saturating_sub(MARGIN);
    Ok(Token { text: answer.access_token, until: Instant::now() + life })
}

fn refused(url: &Url) -> FetchError {
    FetchError::of(Reason::Auth, url, "the token server refused our credentials")
}
