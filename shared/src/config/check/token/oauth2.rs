//! Tokens that a token server gives.

use url::Url;

use super::{
    super::{
        Scope,
        auth::{need, need_secret, url_of_auth},
    },
    form,
    jwt::assertion,
    life, token_path,
};
use crate::{
    config::{
        raw::RawAuth,
        source::{Place, Report},
        table::{At, Given},
        value::{ClientAuth, GrantKind},
    },
    connection::{ClientProof, Grant, OAuth2},
};

/// `oauth2`.
pub(in crate::config::check) fn oauth2(
    at: &At<RawAuth>,
    base: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<OAuth2> {
    let (raw, place) = (&at.value, &at.place);
    let token_url = need(&raw.token_url, place, "token_url", report);
    let example = "\"https://login.partner.example/token\" or \"/oauth/token\"";
    let token_url = token_url.and_then(|at| url_of_auth(at, base, example, report));
    let client_id = need(&raw.client_id, place, "client_id", report).map(|at| at.value.clone());
    let proof = proof(raw, place, client_id.as_deref(), token_url.as_ref(), scope, report);
    let grant = grant(raw, place, scope, report);
    let form = match &raw.form {
        Given::Absent => Some(Vec::new()),
        given => given.here().and_then(|at| form(at, scope, report)),
    };
    let token = token_path(raw, report).or("$.access_token");
    let life = life(raw, scope, report);
    Some(OAuth2 {
        token_url: token_url?,
        client_id: client_id?,
        proof: proof?,
        grant: grant?,
        scope: raw.scope.value().cloned(),
        form: form?,
        token: token?,
        life: life?,
    })
}

fn proof(
    raw: &RawAuth,
    place: &Place,
    client_id: Option<&str>,
    token_url: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<ClientProof> {
    match &raw.assertion {
        Given::Absent => {
            let secret = need_secret(&raw.client_secret, place, "client_secret", scope, report)?;
            Some(match raw.client_auth.or(ClientAuth::Body)? {
                ClientAuth::Body => ClientProof::Body(secret),
                ClientAuth::Basic => ClientProof::Basic(secret),
            })
        }
        Given::Wrong => None,
        Given::Here(at) => {
            raw.client_secret.refuse(report, "has no use beside `assertion`");
            raw.client_auth.refuse(report, "has no use beside `assertion`");
            let assertion = assertion(&at.value, client_id, token_url, scope, report)?;
            Some(ClientProof::Assertion(Box::new(assertion)))
        }
    }
}

fn grant(
    raw: &RawAuth,
    place: &Place,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Grant> {
    match raw.grant.or(GrantKind::ClientCredentials)? {
        GrantKind::ClientCredentials => {
            let problem = "has no use with grant client_credentials";
            if let Some(place) = raw.refresh_token.place() {
                report.wrong(place, problem, "add grant = \"refresh_token\", or take it out");
            }
            Some(Grant::ClientCredentials)
        }
        GrantKind::RefreshToken => {
            need_secret(&raw.refresh_token, place, "refresh_token", scope, report)
                .map(Grant::RefreshToken)
        }
    }
}
