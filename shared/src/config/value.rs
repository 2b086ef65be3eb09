//! The values that stand behind a `=`: text of many forms to checked types, once, here.

use std::{borrow::Cow, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use jiff::{civil::Date, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::{Spanned, de::DeValue};
use url::Url;

use super::{
    source::{Place, Report, quoted},
    table::{At, Keys, Value, word, wrong_type},
};
use crate::{
    connection::{DeliverMethod, RateLimit},
    feed::{FieldType, Format},
    id::is_name,
    request::{AbortMethod, Carrier, Method, Missing, OnError, OnGone, OnStatus, Preset, Stop},
    role::Grant,
};

/// The longest duration: timers of more than two years cannot be set, and nobody means them.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// The most requests of a rate limit: beyond this it is none.
const RATE_MAX: u32 = 1_000_000;

/// A type that is written as text: what it is called, an example of it, and how it is read. An `Err` is the problem,
/// and where it has a better remedy than the example, that.
trait Text: Sized {
    const CALLED: &'static str;
    const EXAMPLE: &'static str;

    fn parse(text: &str, report: &Report<'_>) -> Result<Self, (String, Option<String>)>;
}

fn read_text<T: Text>(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(value, place, T::CALLED, T::EXAMPLE, report);
        return None;
    };
    match T::parse(text, report) {
        Ok(value) => Some(value),
        Err((problem, remedy)) => {
            let remedy = remedy.unwrap_or_else(|| format!("write it as {}", T::EXAMPLE));
            report.wrong(place, problem, remedy);
            None
        }
    }
}

/// `is no …`, with the example as remedy.
fn no<T: Text>(text: &str) -> (String, Option<String>) {
    (format!("{} is not {}", quoted(text), T::CALLED), None)
}

/// A type that is written as text, with its schema.
macro_rules! text {
    ($type:ty, $schema:tt) => {
        impl Value for $type {
            fn read(
                value: &Spanned<DeValue<'_>>,
                place: &Place,
                report: &mut Report<'_>,
            ) -> Option<Self> {
                read_text(value, place, report)
            }
        }
        schema!($type, $schema);
    };
}

macro_rules! schema {
    ($type:ty, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

impl Value for String {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        read_text(value, place, report)
    }
}

impl Text for String {
    const CALLED: &'static str = "text";
    const EXAMPLE: &'static str = "text in quotes";

    fn parse(text: &str, _: &Report<'_>) -> Result<Self, (String, Option<String>)> {
        if text.trim().is_empty() && text != "\t" && text != " " {
            return Err(("is empty".to_owned(), None));
        }
        Ok(text.to_owned())
    }
}

impl Value for bool {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            wrong_type(value, place, "true or false", "true or false, without quotes", report);
        }
        read
    }
}

impl Value for u64 {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let Some(integer) = value.get_ref().as_integer() else {
            wrong_type(value, place, "a whole number", "a number without quotes", report);
            return None;
        };
        let read = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let read = read.and_then(|number| Self::try_from(number).ok());
        if read.is_none() {
            let problem = format!("{} is out of range", quoted(&integer.to_string()));
            report.wrong(place, problem, "write a whole number from 0 on");
        }
        read
    }
}

/// A day, written without quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day(pub Date);

impl Value for Day {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let day = value
            .get_ref()
            .as_datetime()
            .filter(|at| at.time.is_none() && at.offset.is_none())
            .and_then(|at| at.date)
            .and_then(|d| {
                let year = i16::try_from(d.year).ok()?;
                let (month, day) = (i8::try_from(d.month).ok()?, i8::try_from(d.day).ok()?);
                Date::new(year, month, day).ok()
            });
        if day.is_none() {
            wrong_type(value, place, "a day", "2027-12-31, without quotes", report);
        }
        day.map(Self)
    }
}
schema!(Day, { "type": "string", "format": "date" });

/// A name that becomes part of an id.
#[derive(Clone, Debug)]
pub(super) struct Id(pub String);

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
pub(super) struct Span(pub Duration);

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
pub(super) struct Location(pub PathBuf);

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
pub(super) struct Zone(pub TimeZone, pub String);

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
pub(super) struct Loopback(pub SocketAddr);

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
pub(super) struct BaseUrl(pub Url);

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
pub(super) enum BadUrl {
    Relative,
    Scheme,
    /// It holds credentials, so that nobody may quote it.
    Secret,
    Tail,
}

/// The URL of an interface.
pub(super) fn web_url(text: &str) -> Result<Url, BadUrl> {
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

/// A type that is written as one of several words.
macro_rules! word {
    ($type:ty, [$(($word:expr, $is:expr)),+ $(,)?], later [$($later:literal),*]) => {
        impl Value for $type {
            fn read(
                value: &Spanned<DeValue<'_>>,
                place: &Place,
                report: &mut Report<'_>,
            ) -> Option<Self> {
                word(value, place, &[$(($word, $is)),+], &[$($later),*], report)
            }
        }
        schema!($type, { "enum": [$($word),+] });
    };
}

mod auth;
pub(super) use auth::{AuthKind, ClientAuth, GrantKind, Prefix, ProxyUrl};

/// The kinds of `pagination`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagingKind {
    None,
    Page,
    Offset,
    Cursor,
    Link,
    NextUrl,
}
word!(
    PagingKind,
    [
        ("none", Self::None),
        ("page", Self::Page),
        ("offset", Self::Offset),
        ("cursor", Self::Cursor),
        ("link", Self::Link),
        ("next_url", Self::NextUrl),
    ],
    later []
);

/// What `by` of `incremental` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByKind {
    Field,
    Clock,
    Token,
    Delta,
    Here,
}
word!(
    ByKind,
    [
        ("field", Self::Field),
        ("clock", Self::Clock),
        ("token", Self::Token),
        ("delta", Self::Delta),
        ("here", Self::Here),
    ],
    later []
);

/// In which order a partner that cannot filter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    Any,
}
word!(Order, [("newest_first", Self::NewestFirst), ("any", Self::Any)], later []);

word!(
    OnError,
    [("fail", Self::Fail), ("retry", Self::Retry), ("ignore", Self::Ignore)],
    later []
);

word!(
    Preset,
    [
        (Self::OData.word(), Self::OData),
        (Self::Ckan.word(), Self::Ckan),
        (Self::Opendatasoft.word(), Self::Opendatasoft),
        (Self::JsonApi.word(), Self::JsonApi),
        (Self::Sdmx.word(), Self::Sdmx),
        (Self::Bus.word(), Self::Bus),
    ],
    later []
);

word!(
    Carrier,
    [("query", Self::Query), ("body", Self::Body), ("header", Self::Header)],
    later []
);
word!(Method, [("GET", Self::Get), ("POST", Self::Post)], later []);
word!(
    AbortMethod,
    [("DELETE", Self::Delete), ("POST", Self::Post), ("PUT", Self::Put)],
    later []
);
word!(
    Stop,
    [
        ("empty", Self::Empty),
        ("short", Self::Short),
        ("more", Self::More),
        ("total", Self::Total),
        ("next", Self::Next),
        ("null", Self::Null),
    ],
    later []
);
/// What `bound` of `incremental` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BoundKind {
    Inclusive,
    Exclusive,
}
word!(
    BoundKind,
    [("inclusive", Self::Inclusive), ("exclusive", Self::Exclusive)],
    later []
);
word!(
    Missing,
    [("include", Self::Include), ("exclude", Self::Exclude), ("raise", Self::Raise)],
    later []
);
word!(OnGone, [("keep", Self::Keep), ("delete", Self::Delete)], later []);
word!(
    OnStatus,
    [
        ("empty", Self::Empty),
        ("gone", Self::Gone),
        ("retry", Self::Retry),
        ("fail", Self::Fail),
    ],
    later []
);

/// A value as JSON writes it, text without its quotes.
#[derive(Clone, Debug)]
pub(super) struct Scalar(pub String);

impl Value for Scalar {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Boolean(is) => Some(Self(is.to_string())),
            DeValue::Integer(number) => Some(Self(number.to_string())),
            _ => {
                wrong_type(value, place, "text, a whole number, true or false", "\"ok\"", report);
                None
            }
        }
    }
}
schema!(Scalar, { "type": ["string", "integer", "boolean"] });

/// Names with a text each, in the order of writing.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub Vec<(String, At<String>)>);

impl Value for Pairs {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        pairs(value, place, "{ name = \"value\" }", report).map(Self)
    }
}
schema!(Pairs, { "type": "object", "additionalProperties": { "type": "string" } });

/// The statuses that may mean that there are no records.
const EMPTY: [u16; 5] = [400, 403, 404, 410, 422];
/// The statuses that may mean that a cursor is too old: they speak of what was asked for.
const GONE: [u16; 6] = [400, 404, 409, 410, 416, 422];

/// What statuses mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Statuses(pub Vec<(u16, OnStatus)>);

impl Value for Statuses {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let pairs: Vec<(String, At<OnStatus>)> =
            pairs(value, place, "{ 404 = \"empty\" }", report)?;
        let each = pairs.into_iter().map(|(name, meaning)| {
            let status = name.parse().ok().filter(|status| (400..600).contains(status));
            if status.is_none() {
                let problem = format!("{} is not the status of an error", quoted(&name));
                report.wrong(&meaning.place, problem, "write one from 400 to 599");
            }
            let (may, what) = match meaning.value {
                OnStatus::Empty => (&EMPTY[..], "there is nothing"),
                OnStatus::Gone => (&GONE[..], "our cursor is too old"),
                OnStatus::Retry | OnStatus::Fail => (&[][..], ""),
            };
            if !what.is_empty() && !may.contains(&status?) {
                let problem =
                    format!("{name} says that the partner fails or refuses us, not that {what}");
                report.wrong(&meaning.place, problem, "use \"retry\" or \"fail\", or take it out");
            }
            Some((status?, meaning.value))
        });
        each.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Self)
    }
}
schema!(Statuses, {
    "type": "object",
    "patternProperties": { "^[45][0-9][0-9]$": { "enum": ["empty", "gone", "retry", "fail"] } },
    "additionalProperties": false
});

/// The members of a table, each read on its own.
fn pairs<T: Value>(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    example: &str,
    report: &mut Report<'_>,
) -> Option<Vec<(String, At<T>)>> {
    let keys = Keys::of(value, place, example, report)?;
    let read: Vec<_> = keys
        .all()
        .into_iter()
        .map(|(name, at, value)| {
            let place = place.child(name).at(at);
            T::read(value, &place, report).map(|value| (name.to_owned(), At { value, place }))
        })
        .collect();
    read.into_iter().collect()
}

/// Any table, as the JSON that it stands for.
#[derive(Clone, Debug)]
pub(super) struct Json(pub serde_json::Value);

impl Value for Json {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            wrong_type(value, place, "a table", "{ query = \"…\" }", report);
            return None;
        }
        let json = json_of(value.get_ref());
        if json.is_none() {
            let remedy = "write text, numbers, true, false, lists and tables";
            report.wrong(place, "holds a value that JSON has not", remedy);
        }
        json.map(Self)
    }
}
schema!(Json, { "type": "object" });

/// What a TOML value is in JSON; `None` for what JSON has not, or not so large.
fn json_of(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => serde_json::Value::String(text.to_string()),
        DeValue::Boolean(is) => serde_json::Value::Bool(*is),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.into()
        }
        DeValue::Float(number) => {
            let number = serde_json::Number::from_f64(number.as_str().parse().ok()?)?;
            serde_json::Value::Number(number)
        }
        DeValue::Datetime(at) => serde_json::Value::String(at.to_string()),
        DeValue::Array(list) => {
            list.iter().map(|value| json_of(value.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let members = table
                .iter()
                .map(|(name, value)| Some((name.get_ref().to_string(), json_of(value.get_ref())?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}

/// The only encoding of this version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utf8;
word!(Utf8, [("utf-8", Self)], later ["windows-1256", "iso-8859-6", "utf-16", "utf-16le", "utf-16be"]);

/// The only mode of this version: absence means nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct IncrementalMode;
word!(IncrementalMode, [("incremental", Self)], later ["snapshot", "append"]);

word!(DeliverMethod, [("POST", Self::Post), ("PUT", Self::Put)], later []);
word!(
    Format,
    [
        (Self::Json.word(), Self::Json),
        (Self::Ndjson.word(), Self::Ndjson),
        (Self::Csv.word(), Self::Csv),
        (Self::Xml.word(), Self::Xml),
        (Self::Sdmx.word(), Self::Sdmx),
    ],
    later["xlsx"]
);
word!(
    FieldType,
    [
        (Self::Text.word(), Self::Text),
        (Self::Integer.word(), Self::Integer),
        (Self::Decimal.word(), Self::Decimal),
        (Self::Boolean.word(), Self::Boolean),
        (Self::Date.word(), Self::Date),
        (Self::Timestamp.word(), Self::Timestamp),
        (Self::EmiratesId.word(), Self::EmiratesId),
        (Self::Json.word(), Self::Json),
    ],
    later []
);
