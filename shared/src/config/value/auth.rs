//! The values of how requests prove who we are, and of the way they take.

use super::{
    Cow, DeValue, JsonSchema, Place, Report, Schema, SchemaGenerator, Spanned, Text, Url, Value,
    json_schema, no, read_text, word,
};
use crate::{connection::LoginMethod, signing::Algorithm};

/// The kinds of `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum AuthKind {
    None,
    ApiKey,
    Basic,
    Bearer,
    Digest,
    Jwt,
    OAuth2,
    Login,
}
word!(
    AuthKind,
    [
        ("none", Self::None),
        ("api_key", Self::ApiKey),
        ("basic", Self::Basic),
        ("bearer", Self::Bearer),
        ("digest", Self::Digest),
        ("jwt", Self::Jwt),
        ("oauth2", Self::OAuth2),
        ("login", Self::Login),
    ],
    later []
);

/// What is handed in for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum GrantKind {
    ClientCredentials,
    RefreshToken,
}
word!(
    GrantKind,
    [("client_credentials", Self::ClientCredentials), ("refresh_token", Self::RefreshToken)],
    later []
);

/// Where a client's secret travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum ClientAuth {
    Body,
    Basic,
}
word!(ClientAuth, [("body", Self::Body), ("basic", Self::Basic)], later []);

word!(
    Algorithm,
    [
        (Self::Hs256.word(), Self::Hs256),
        (Self::Rs256.word(), Self::Rs256),
        (Self::Es256.word(), Self::Es256),
        (Self::EdDsa.word(), Self::EdDsa),
    ],
    later []
);
word!(LoginMethod, [("GET", Self::Get), ("POST", Self::Post), ("PUT", Self::Put)], later []);

/// A proxy: a scheme, a host and perhaps a port.
#[derive(Clone, Debug)]
pub(in crate::config) struct ProxyUrl(pub Url);

impl Text for ProxyUrl {
    const CALLED: &'static str = "the URL of a proxy";
    const EXAMPLE: &'static str = "\"http://proxy.example:3128\", or with https or socks5";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        let authority = text.split_once("//").map_or(text, |(_, behind)| behind);
        if authority.contains('@') {
            let remedy = "leave them out: a proxy that asks who we are is not supported";
            return Err(("holds a user name or password".to_owned(), Some(remedy.to_owned())));
        }
        let url: Url = text.parse().map_err(|_| no::<Self>(text))?;
        let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        let bare =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if known && bare && url.has_host() { Ok(Self(url)) } else { Err(no::<Self>(text)) }
    }
}
text!(ProxyUrl, { "type": "string", "format": "uri", "pattern": "^(https?|socks5h?)://" });

/// What stands before a token in a header; perhaps nothing.
#[derive(Clone, Debug)]
pub(in crate::config) struct Prefix(pub String);

impl Text for Prefix {
    const CALLED: &'static str = "text for a header";
    const EXAMPLE: &'static str = "\"Bearer \", or \"\" for nothing";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Ok(Self(text.to_owned()));
        }
        Err(no::<Self>(text))
    }
}
text!(Prefix, { "type": "string" });
