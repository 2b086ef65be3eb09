//! The values that stand behind a `=`: text of many forms to checked types, once, here.

use std::borrow::Cow;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::{Spanned, de::DeValue};
use url::Url;

use super::{
    source::{Place, Report, quoted},
    table::{Value, word, wrong_type},
};

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
mod tables;
mod texts;
mod words;

pub(super) use auth::{AuthKind, ClientAuth, GrantKind, Prefix, ProxyUrl};
pub(super) use tables::{Edge, Json, Pairs, Scalar, Statuses};
pub(super) use texts::{BadUrl, BaseUrl, Id, Location, Loopback, Span, Zone, web_url};
pub(super) use words::{BoundKind, ByKind, Order, PagingKind, SheetStop};
