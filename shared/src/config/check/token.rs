//! Tokens that we sign, are given, or log in for: what the three have in common.

mod jwt;
mod login;
mod oauth2;

use std::time::Duration;

use jiff::fmt::strtime;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

pub(super) use self::{jwt::jwt, login::login, oauth2::oauth2};
use super::{Scope, secret::secret, span};
use crate::{
    config::{
        raw::RawAuth,
        source::{Report, quoted},
        table::{At, Given, Or},
        tree::Tree,
        value::{Prefix, Span},
    },
    connection::{ExpiresFormat, FormField, TokenLife},
};

/// How long a token lives that does not say.
const LIFETIME: Duration = Duration::from_mins(5);

/// And at most so long, whoever says it.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

fn lifetime(given: &Given<Span>, report: &mut Report<'_>) -> Option<Duration> {
    let found = span(given, LIFETIME, report)?;
    if let Some(at) = given.here()
        && found > LIFETIME_MAX
    {
        report.wrong(&at.place, "is longer than a day", "write a shorter time");
        return None;
    }
    Some(found)
}

fn prefix(given: &Given<Prefix>, header: &str) -> Option<String> {
    let bearer = if header.eq_ignore_ascii_case("authorization") { "Bearer " } else { "" };
    Some(given.or(Prefix(bearer.to_owned()))?.0)
}

/// The fields of a form: text, numbers, true or false, and secrets.
fn form(at: &At<Tree>, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<Vec<FormField>> {
    let mut fields = Some(Vec::new());
    for (name, value) in &at.value.json {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let hidden = at.value.secrets.iter().find(|(at, _)| *at == pointer);
        let text = match (hidden, value) {
            (Some((_, at)), _) => secret(at, scope, report),
            (None, Json::String(text)) => Some(text.clone().into()),
            (None, Json::Number(_) | Json::Bool(_)) => Some(value.to_string().into()),
            (None, _) => {
                let problem = "is a list or a table, which a form cannot carry";
                report.wrong(&at.place.child(name), problem, "write it as text");
                None
            }
        };
        match text {
            Some(text) => {
                if let Some(fields) = &mut fields {
                    fields.push(FormField { name: name.clone(), text, open: hidden.is_none() });
                }
            }
            None => fields = None,
        }
    }
    fields
}

/// Where an answer has the token, if that was written.
enum Written {
    Absent,
    Wrong,
    Path(JsonPath),
}

impl Written {
    fn or(self, default: &str) -> Option<JsonPath> {
        match self {
            Self::Absent => JsonPath::parse(default).ok(),
            Self::Wrong => None,
            Self::Path(path) => Some(path),
        }
    }
}

fn token_path(raw: &RawAuth, report: &mut Report<'_>) -> Written {
    let at = match &raw.token {
        Given::Absent => return Written::Absent,
        Given::Wrong => return Written::Wrong,
        Given::Here(at) => at,
    };
    let Or::Text(text) = &at.value else {
        let problem = "is a secret, not where the answer has the token";
        report.wrong(&at.place, problem, "write a JSONPath such as \"$.access_token\"");
        return Written::Wrong;
    };
    let text = At { value: text.clone(), place: at.place.clone() };
    path(&text, report).map_or(Written::Wrong, Written::Path)
}

/// A JSONPath (RFC 9535).
fn path(at: &At<String>, report: &mut Report<'_>) -> Option<JsonPath> {
    match JsonPath::parse(&at.value) {
        Ok(path) => Some(path),
        Err(error) => {
            let behind = error.position() + 1;
            let problem =
                format!("{} is not a JSONPath (see character {behind})", quoted(&at.value));
            report.wrong(&at.place, problem, "write one such as \"$.data.token\"");
            None
        }
    }
}

fn life(raw: &RawAuth, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<TokenLife> {
    let expires = match &raw.expires {
        Given::Absent => JsonPath::parse("$.expires_in").ok(),
        given => given.here().and_then(|at| path(at, report)),
    };
    let zone = scope.timezone.clone();
    let format = match &raw.expires_format {
        Given::Absent => Some(ExpiresFormat::Seconds),
        Given::Wrong => None,
        Given::Here(at) => match at.value.as_str() {
            "seconds" => Some(ExpiresFormat::Seconds),
            "unix_ms" => Some(ExpiresFormat::UnixMillis),
            "iso" => Some(ExpiresFormat::Iso { zone }),
            format if is_time_format(format) => {
                Some(ExpiresFormat::Strftime { format: format.to_owned(), zone })
            }
            other => {
                let problem = format!("{} is no way to write a time", quoted(other));
                let remedy = "use \"seconds\", \"iso\", \"unix_ms\", or a format such as \"%d/%m/%Y %H:%M:%S\"";
                report.wrong(&at.place, problem, remedy);
                None
            }
        },
    };
    let lifetime = lifetime(&raw.lifetime, report);
    Some(TokenLife { expires: expires?, format: format?, lifetime: lifetime? })
}

/// Whether times can be read with that format: what it writes of a sample must come back.
fn is_time_format(format: &str) -> bool {
    let sample = jiff::civil::date(2026, 11, 24).at(13, 5, 9, 0);
    let read = sample.in_tz("UTC").and_then(|sample| {
        let text = strtime::format(format, &sample)?;
        let read = strtime::parse(format, text)?;
        Ok(read.to_timestamp().is_ok() || read.to_date().is_ok())
    });
    read.unwrap_or(false)
}
