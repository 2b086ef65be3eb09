//! Values that are written as text of a form of their own.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;

use super::{
    Cow, DeValue, JsonSchema, Place, Report, Schema, SchemaGenerator, Spanned, Text, Url, Value,
    json_schema, no, quoted, read_text,
};
use crate::{connection::RateLimit, id::is_name, role::Grant};

/// The longest duration: timers of more than two years cannot be set, and nobody means them.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// The most requests of a rate limit: beyond this it is none.
const RATE_MAX: u32 = 1_000_000;

/// A name that becomes part of an id.
#[derive(Clone, Debug)]
pub(in crate::config) struct Id(pub String);

impl Text for Id {
    const CALLED: &'static str = "an id";
    const EXAMPLE: &'static str =
        "1 to 64 of a-z, 0-9 and single '-' inside, such as \"civil-registry\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(no::<Self>(text)) }
    }
}
text!(Id, { "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64 });

/// A duration, at most a year.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Span(pub Duration);

impl Text for Span {
    const CALLED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"30s\", \"15m\", \"6h\" or \"2d\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        let span = humantime::parse_duration(text).map_err(|_| no::<Self>(text))?;
        if span > LONGEST {
            let problem = format!("{} is longer than a year", quoted(text));
            return Err((problem, Some("write a shorter time".to_owned())));
        }
        Ok(Self(span))
    }
}
text!(Span, { "type": "string", "pattern": "^([0-9]+ *[a-zA-Z]+ *)+$" });

/// A path; a relative one has been led on from the folder of its file.
#[derive(Clone, Debug)]
pub(in crate::config) struct Location(pub PathBuf);

impl Text for Location {
    const CALLED: &'static str = "a path";
    const EXAMPLE: &'static str = "a path in quotes, absolute or from this file's folder";

    fn parse(text: &str, report: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        if text.trim().is_empty() {
            return Err(("is empty".to_owned(), None));
        }
        if text.contains('\0') {
            return Err(no::<Self>(text));
        }
        Ok(Self(report.source.folder().join(text)))
    }
}
text!(Location, { "type": "string", "minLength": 1 });

/// A zone of the IANA database.
#[derive(Clone, Debug)]
pub(in crate::config) struct Zone(pub TimeZone, pub String);

impl Text for Zone {
    const CALLED: &'static str = "a time zone";
    const EXAMPLE: &'static str = "an IANA name such as \"Asia/Dubai\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        let zone = TimeZone::get(text).map_err(|_| no::<Self>(text))?;
        Ok(Self(zone, text.to_owned()))
    }
}
text!(Zone, { "type": "string", "examples": ["Asia/Dubai", "UTC"] });

/// Where an HTTP server of ours listens: this machine only.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Loopback(pub SocketAddr);

impl Text for Loopback {
    const CALLED: &'static str = "an address with a port";
    const EXAMPLE: &'static str = "\"127.0.0.1:9464\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        let address: SocketAddr = text.parse().map_err(|_| no::<Self>(text))?;
        if !address.ip().is_loopback() {
            let problem = format!("{} can be reached from other machines", quoted(text));
            return Err((
                problem,
                Some("use a loopback address such as \"127.0.0.1:9464\"".to_owned()),
            ));
        }
        Ok(Self(address))
    }
}
text!(Loopback, { "type": "string", "examples": ["127.0.0.1:9464"] });

impl Text for Grant {
    const CALLED: &'static str = "somebody";
    const EXAMPLE: &'static str = "\"user:NAME\" or \"group:NAME\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        text.parse().map_err(|_| (format!("{} names nobody", quoted(text)), None))
    }
}
text!(Grant, { "type": "string", "pattern": "^(user|group):[^:,/\\s]+$" });

/// A partner's base URL: absolute, http or https, and nothing behind the path.
#[derive(Clone, Debug)]
pub(in crate::config) struct BaseUrl(pub Url);

impl Text for BaseUrl {
    const CALLED: &'static str = "an absolute URL";
    const EXAMPLE: &'static str = "\"https://data.partner.example\"";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        web_url(text).map(Self).map_err(|problem| match problem {
            BadUrl::Relative => no::<Self>(text),
            BadUrl::Scheme => {
                (format!("{} cannot be polled", quoted(text)), Some("use http or https".to_owned()))
            }
            BadUrl::Secret => (
                "holds a user name or password".to_owned(),
                Some("put it into `auth`, as a secret".to_owned()),
            ),
            BadUrl::Tail => (
                format!("{} has a query or a fragment", quoted(text)),
                Some("write them in the `path` of each feed".to_owned()),
            ),
        })
    }
}
text!(BaseUrl, { "type": "string", "format": "uri", "pattern": "^https?://" });

/// Why text is not the URL of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum BadUrl {
    Relative,
    Scheme,
    /// It holds credentials, so that nobody may quote it.
    Secret,
    Tail,
}

/// The URL of an interface.
pub(in crate::config) fn web_url(text: &str) -> Result<Url, BadUrl> {
    let authority = text.split_once("//").map_or(text, |(_, behind)| behind);
    if authority.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')) {
        return Err(BadUrl::Secret);
    }
    let url: Url = text.parse().map_err(|_| BadUrl::Relative)?;
    match url.scheme() {
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => Err(BadUrl::Tail),
        "http" | "https" if url.has_host() && text.contains("://") => Ok(url),
        "http" | "https" => Err(BadUrl::Relative),
        // `data.example:8080` parses too, with a scheme that nobody meant.
        _ if !text.contains("://") => Err(BadUrl::Relative),
        _ => Err(BadUrl::Scheme),
    }
}

impl Text for RateLimit {
    const CALLED: &'static str = "a rate";
    const EXAMPLE: &'static str = "\"60/min\", or with /s, /h or /d";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        let parts = text.split_once('/').ok_or_else(|| no::<Self>(text))?;
        let per = match parts.1.trim() {
            "s" => Duration::from_secs(1),
            "min" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            _ => return Err(no::<Self>(text)),
        };
        let requests: NonZeroU32 = parts.0.trim().parse().map_err(|_| no::<Self>(text))?;
        if requests.get() > RATE_MAX {
            let problem = format!("{} is more than a million requests", quoted(text));
            return Err((problem, Some("write a lower rate, or none".to_owned())));
        }
        Ok(Self { requests, per })
    }
}
text!(RateLimit, { "type": "string", "pattern": "^[0-9]+ */ *(s|min|h|d)$", "examples": ["60/min"] });
