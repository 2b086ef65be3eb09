//! How a request proves who we are. Secrets are read from their source at start, and written nowhere.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde_json::{Map, Value};
use serde_json_path::JsonPath;
use url::Url;

use crate::signing::SigningKey;

/// How a request proves who we are.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    /// A key that travels in the open part of each request.
    ApiKey {
        place: KeyPlace,
        name: String,
        key: SecretString,
    },
    Basic {
        user: String,
        password: SecretString,
    },
    Bearer {
        token: SecretString,
    },
    /// HTTP Digest (RFC 7616): the partner's challenge is answered, and the password stays here.
    Digest {
        user: String,
        password: SecretString,
    },
    /// A token that we sign ourselves.
    Jwt {
        claims: Box<Assertion>,
        send: SentIn,
    },
    /// A token that a token server gives (RFC 6749).
    OAuth2(Box<OAuth2>),
    /// A token that a call of the partner's own gives.
    Login(Box<Login>),
}

/// Where an API key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    Header,
    Query,
    /// A field at the top of a JSON or form body.
    Body,
    Cookie,
}

/// Where a token travels in requests, and what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentIn {
    Header { name: String, prefix: String },
    Cookie { name: String },
    Query { name: String },
}

/// What a JSON Web Token of ours says, beside the times and the number that each gets for itself.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// It names the algorithm too.
    pub key: Arc<SigningKey>,
    /// `kid`: which of our keys it is.
    pub key_id: Option<String>,
    /// `iss`, `sub`, `aud` and whatever else was agreed.
    pub claims: Map<String, Value>,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
}

/// OAuth 2.0: who asks whom for what, and how the answer is read.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    /// Absolute.
    pub token_url: Url,
    pub client_id: String,
    pub proof: ClientProof,
    pub grant: Grant,
    pub scope: Option<String>,
    /// Fields beside those of the standard; the later of two with one name counts.
    pub form: Vec<FormField>,
    /// Where the answer has the token.
    pub token: JsonPath,
    pub life: TokenLife,
}

/// What proves to a token server that we are the client.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// In the form.
    Body(SecretString),
    /// In an `Authorization: Basic` header.
    Basic(SecretString),
    /// A signed token in the form (RFC 7523).
    Assertion(Box<Assertion>),
}

/// What is handed in for a token.
#[derive(Clone, Debug)]
pub enum Grant {
    ClientCredentials,
    /// A refresh token: this one at first, then whichever the server gave last.
    RefreshToken(SecretString),
}

/// A log-in call: what is asked, and where its answer has the token.
#[derive(Clone, Debug)]
pub struct Login {
    /// Absolute.
    pub url: Url,
    pub method: LoginMethod,
    pub body: LoginBody,
    pub token: TokenPlace,
    pub life: TokenLife,
    pub send: SentIn,
}

/// The methods of a log-in call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    Get,
    Post,
    Put,
}

/// What a log-in call carries.
#[derive(Clone, Debug)]
pub enum LoginBody {
    None,
    /// `secrets` belong into `value` at their JSON pointers, where `value` has nulls.
    Json {
        value: Value,
        secrets: Vec<(String, SecretString)>,
    },
    Form(Vec<FormField>),
}

/// A field of a form that is handed in for a token.
#[derive(Clone, Debug)]
pub struct FormField {
    pub name: String,
    pub text: SecretString,
    /// It stands in the configuration as it is, and so is no secret.
    pub open: bool,
}

impl FormField {
    /// Its text, unless that may be seen.
    pub fn secret(&self) -> Option<&SecretString> {
        (!self.open).then_some(&self.text)
    }
}

/// Where an answer has its token.
#[derive(Clone, Debug)]
pub enum TokenPlace {
    Path(JsonPath),
    Header(String),
    Cookie(String),
}

/// How long a token lives, as the answer that gives it says.
#[derive(Clone, Debug)]
pub struct TokenLife {
    /// Where a JSON answer has the token's end; what is not there is not known.
    pub expires: JsonPath,
    pub format: ExpiresFormat,
    /// How long a token lives that does not say: never for ever.
    pub lifetime: Duration,
}

/// How a token's end is written.
#[derive(Clone, Debug)]
pub enum ExpiresFormat {
    /// So many seconds from now.
    Seconds,
    /// So many milliseconds since 1970.
    UnixMillis,
    /// A time of day as ISO 8601 has it; one without offset is of `zone`.
    Iso { zone: TimeZone },
    /// A time of day as strftime writes it; one without offset is of `zone`.
    Strftime { format: String, zone: TimeZone },
}

impl Auth {
    /// All that is secret in it: what no text may show. A key that signs shows nothing of itself.
    pub fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::None | Self::Jwt { .. } => Vec::new(),
            Self::ApiKey { key, .. } => vec![key],
            Self::Basic { password, .. } | Self::Digest { password, .. } => vec![password],
            Self::Bearer { token } => vec![token],
            Self::OAuth2(how) => how.secrets(),
            Self::Login(how) => match &how.body {
                LoginBody::None => Vec::new(),
                LoginBody::Json { secrets, .. } => {
                    secrets.iter().map(|(_, secret)| secret).collect()
                }
                LoginBody::Form(fields) => fields.iter().filter_map(FormField::secret).collect(),
            },
        }
    }

    /// Whether it needs a body to travel in: what has none cannot show it.
    pub fn is_in_body(&self) -> bool {
        matches!(self, Self::ApiKey { place: KeyPlace::Body, .. })
    }
}

impl OAuth2 {
    fn secrets(&self) -> Vec<&SecretString> {
        let proof = match &self.proof {
            ClientProof::Body(secret) | ClientProof::Basic(secret) => Some(secret),
            ClientProof::Assertion(_) => None,
        };
        let grant = match &self.grant {
            Grant::RefreshToken(first) => Some(first),
            Grant::ClientCredentials => None,
        };
        let fields = self.form.iter().filter_map(FormField::secret);
        proof.into_iter().chain(grant).chain(fields).collect()
    }
}
