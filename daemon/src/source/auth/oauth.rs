//! OAuth 2.0 (RFC 6749): asking a token server, with what we are or with the refresh token that it gave last.

use marsad_shared::{
    connection::{ClientProof, FormField, OAuth2},
    health::Reason,
};
use reqwest::{Client, header::AUTHORIZATION, header::HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use serde_json_path::JsonPath;
use tokio::sync::Mutex;
use url::Url;

use super::{
    super::fault::FetchError,
    Times,
    answer::{self, ask},
    jwt::Issuer,
    kept::Kept,
    token::Gift,
};

/// What a signed token in place of a secret is called (RFC 7523 section 2.2).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token server, and how it is asked.
#[derive(Debug)]
pub(super) struct Giver {
    how: OAuth2,
    /// What signs in place of a secret.
    issuer: Option<Issuer>,
}

impl Giver {
    pub(super) fn new(how: OAuth2) -> Self {
        let issuer = match &how.proof {
            ClientProof::Assertion(claims) => Some(Issuer::new((**claims).clone())),
            ClientProof::Body(_) | ClientProof::Basic(_) => None,
        };
        Self { how, issuer }
    }

    pub(super) fn url(&self) -> &Url {
        &self.how.token_url
    }

    /// What a person should know of the two clocks, where what we sign is refused.
    pub(super) fn doubt(&self, now: Times) -> Option<String> {
        self.issuer.as_ref()?.doubt(now)
    }

    /// Asks. A refresh token that came with the answer is on the disk before the token is given away.
    pub(super) async fn give(
        &self,
        client: &Client,
        kept: Option<&Mutex<Kept>>,
        now: Times,
    ) -> Result<Gift, FetchError> {
        let url = self.url();
        // Until its answer is there, nobody else shows it.
        let mut kept = match kept {
            Some(kept) => Some(kept.lock().await),
            None => None,
        };
        let refresh = match &mut kept {
            Some(kept) => Some(kept.current(url).await?),
            None => None,
        };
        let form = self.form(refresh.as_ref(), now)?;
        let fields: Vec<_> =
            form.iter().map(|(name, text)| (*name, text.expose_secret())).collect();
        let mut request = client.post(url.clone()).form(&fields);
        if let ClientProof::Basic(secret) = &self.how.proof {
            request = request.header(AUTHORIZATION, self.basic(secret)?);
        }
        let ours = |text: &str| {
            let proof = match &self.how.proof {
                ClientProof::Body(secret) | ClientProof::Basic(secret) => Some(secret),
                ClientProof::Assertion(_) => None,
            };
            let secrets = form.iter().map(|(_, text)| text).chain(proof);
            // Short public words such as `m2m` may well be part of a code.
            secrets
                .map(SecretString::expose_secret)
                .any(|secret| text == secret || (secret.len() >= 8 && text.contains(secret)))
        };
        let answer = ask(request, url, now.theirs, ours).await?;
        let json = answer::json(&answer.body, url)?;
        // First of all: the one that was used is of no use any more, whatever else is wrong with the answer.
        if let (Some(kept), Some(next)) = (&mut kept, rotated(&json, &self.how.token)) {
            kept.replace(next, url).await?;
        }
        let text = answer::token(&json, &answer.body, &self.how.token, url)?;
        let life = answer::life(&json, &self.how.life, now.theirs, url)?;
        Ok(Gift { text, life })
    }

    /// The fields of the form.
    fn form(
        &self,
        refresh: Option<&SecretString>,
        now: Times,
    ) -> Result<Vec<(&str, SecretString)>, FetchError> {
        let OAuth2 { client_id, proof, scope, form: more, .. } = &self.how;
        let mut form: Vec<(&str, SecretString)> = Vec::new();
        match refresh {
            None => form.push(("grant_type", "client_credentials".into())),
            Some(token) => {
                form.push(("grant_type", "refresh_token".into()));
                form.push(("refresh_token", token.clone()));
            }
        }
        match proof {
            ClientProof::Body(secret) => {
                form.push(("client_id", client_id.as_str().into()));
                form.push(("client_secret", secret.clone()));
            }
            // A server may refuse a client that shows itself in two ways.
            ClientProof::Basic(_) => {}
            ClientProof::Assertion(_) => {
                form.push(("client_id", client_id.as_str().into()));
                form.push(("client_assertion_type", ASSERTION.into()));
                if let Some(issuer) = &self.issuer {
                    form.push(("client_assertion", issuer.issue(self.url(), now)?));
                }
            }
        }
        if let Some(scope) = scope {
            form.push(("scope", scope.as_str().into()));
        }
        for FormField { name, text, .. } in more {
            form.retain(|(known, _)| known != name);
            form.push((name, text.clone()));
        }
        Ok(form)
    }

    /// Each half is written as in a form before they are joined (RFC 6749 section 2.3.1).
    fn basic(&self, secret: &SecretString) -> Result<HeaderValue, FetchError> {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let secret: SecretString = encode(secret.expose_secret()).into();
        let value = super::basic(&encode(&self.how.client_id), &secret);
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            FetchError::of(Reason::Auth, self.url(), "our credentials make no header")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A refresh token that replaces the one that was used: beside the token, wherever that stands, or in the answer itself.
fn rotated(json: &Value, token: &JsonPath) -> Option<SecretString> {
    let place = token.query_located(json).first().map(|found| found.location().to_json_pointer());
    let around = place.as_deref().and_then(|place| place.rsplit_once('/'));
    let beside = around.and_then(|(around, _)| json.pointer(around));
    let next = |value: &Value| value.get("refresh_token")?.as_str().map(str::to_owned);
    [beside, Some(json)]
        .into_iter()
        .flatten()
        .filter_map(next)
        .find(|text| !text.is_empty())
        .map(Into::into)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_refresh_token_stands_beside_the_token() {
        for (path, answer, expected, why) in [
            (
                "$.access_token",
                json!({ "access_token": "a", "refresh_token": "r" }),
                Some("r"),
                "as RFC 6749 has it",
            ),
            (
                "$.data.access_token",
                json!({ "data": { "access_token": "a", "refresh_token": "r" } }),
                Some("r"),
                "in an envelope",
            ),
            (
                "$.data.access_token",
                json!({ "data": { "access_token": "a" }, "refresh_token": "r" }),
                Some("r"),
                "around it",
            ),
            ("$.data.t", json!({ "refresh_token": "r" }), Some("r"), "whatever else is wrong"),
            (
                "$.access_token",
                json!({ "access_token": "a", "refresh_token": "" }),
                None,
                "nothing new",
            ),
        ] {
            let next = rotated(&answer, &JsonPath::parse(path).unwrap());
            assert_eq!(next.as_ref().map(SecretString::expose_secret), expected, "{why}");
        }
    }
}
