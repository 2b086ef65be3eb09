//! One value to one type. Each is taken exactly or refused: nothing is rounded, guessed or cut.

use std::{borrow::Cow, fmt::Write as _};

use jiff::{civil, tz::TimeZone};
use marsad_shared::{
    feed::{DecimalSign, Field, FieldType},
    hijri::{HijriDate, HijriFormat, NoHijriDate},
    period::{NoPeriod, Period},
    phone::{self, Region},
    record::RowBuilder,
    untrusted::settled_at_most,
};

use super::Misfit;
use crate::decode::{Raw, json::bad_escape, xlsx::day_of};

mod card;
mod limits;
mod number;
mod time;

pub(crate) use card::{emirates_id, is_no_card};
use limits::Limits;

/// What a value should have been, to stand behind the field's name.
pub(super) type Why = Cow<'static, str>;

/// How a feed writes what its columns do not say themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'f> {
    pub(super) zone: &'f TimeZone,
    pub(super) decimal: DecimalSign,
}

/// How the values of one column are read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) kind: FieldType,
    /// As [`Field::format`]; of a Hijri date it is `hijri`.
    format: Option<String>,
    hijri: Option<HijriFormat>,
    zone: TimeZone,
    sign: DecimalSign,
    region: Region,
    values: Vec<String>,
    /// What stands there for nothing.
    nothing: Vec<String>,
    limits: Limits,
}

impl Reading {
    /// How `field` is read, where `feed` says what the field does not. What it names of zones, countries and formats was checked with the configuration.
    pub(super) fn of(field: &Field, feed: Written<'_>) -> Self {
        let named = field.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let hijri = field.format.as_deref().filter(|_| field.kind == FieldType::HijriDate);
        let region = field.rules.region.as_deref();
        let zone = named.unwrap_or_else(|| feed.zone.clone());
        let limits = Limits::of(field, &zone);
        Self {
            kind: field.kind,
            format: field.format.clone(),
            hijri: hijri.and_then(|format| format.parse().ok()),
            zone,
            sign: feed.decimal,
            region: region.and_then(|name| name.parse().ok()).unwrap_or_default(),
            values: field.rules.values.clone(),
            nothing: field.rules.nothing.clone(),
            limits,
        }
    }

    /// Puts `raw` into the row's next column; nothing becomes null.
    ///
    /// # Errors
    /// What the value should have been, and whether it is of another type.
    pub(super) fn put(&self, raw: &Raw<'_>, row: &mut RowBuilder<'_>) -> Result<(), (Misfit, Why)> {
        let in_row = |why| (Misfit::Row, why);
        if !self.nothing.is_empty() && self.is_nothing(raw) {
            row.null();
            return Ok(());
        }
        if let Some(what) = unfit(self.kind, raw) {
            return Err(in_row(holds(what).into()));
        }
        // Another word than those of an `enum` is none of another type.
        let misfit = if self.kind == FieldType::Enum { Misfit::Row } else { Misfit::Retyped };
        self.take(raw, row).map_err(|why| (misfit, why))?;
        // Most columns have none, and millions of values pass here.
        if self.limits.are_none() { Ok(()) } else { self.limits.check(row.last()).map_err(in_row) }
    }

    /// Whether it is one of the values that stand for nothing, whatever white space is around it.
    fn is_nothing(&self, raw: &Raw<'_>) -> bool {
        let raw = if let Raw::Text(text) = raw { Raw::Text(bare(text)) } else { *raw };
        self.nothing.iter().any(|value| raw.reads(value))
    }

    fn take(&self, raw: &Raw<'_>, row: &mut RowBuilder<'_>) -> Result<(), Why> {
        let text = match (self.kind, *raw) {
            (_, Raw::Nothing) => {
                row.null();
                return Ok(());
            }
            (FieldType::Json, Raw::Text(text) | Raw::Iso(text)) => {
                row.text(&serde_json::Value::from(text).to_string());
                return Ok(());
            }
            (FieldType::Boolean, Raw::Bool(yes)) => {
                row.integer(yes.into());
                return Ok(());
            }
            (FieldType::Text | FieldType::Json, Raw::Bool(yes)) => {
                row.text(word(yes));
                return Ok(());
            }
            (FieldType::Enum, Raw::Bool(yes)) => word(yes).into(),
            (FieldType::Json, Raw::Nested(text) | Raw::Number(text))
            | (FieldType::Text, Raw::Text(text) | Raw::Number(text) | Raw::Iso(text)) => {
                row.text(text);
                return Ok(());
            }
            (_, Raw::Nested(_)) => {
                return Err("holds an object or a list; name what is wanted of it in `from`, or type it \"json\"".into());
            }
            (_, Raw::Bool(_)) => return Err(self.expected()),
            // One of its values is compared as it was written, but for its digits.
            (FieldType::Enum, Raw::Text(text) | Raw::Number(text) | Raw::Iso(text)) => {
                bare(text).into()
            }
            (FieldType::Date, Raw::Iso(text)) => day_of(bare(text)).into(),
            (_, Raw::Text(text) | Raw::Number(text) | Raw::Iso(text)) => digits_folded(bare(text)),
        };
        if text.is_empty() {
            row.null();
            return Ok(());
        }
        // A number of JSON is written in one way alone.
        let sign = if matches!(raw, Raw::Text(_)) { self.sign } else { DecimalSign::Point };
        let format = if matches!(raw, Raw::Iso(_)) { None } else { self.format.as_deref() };
        self.typed(&text, format, sign, row).ok_or_else(|| self.expected())
    }

    fn typed(
        &self,
        text: &str,
        format: Option<&str>,
        sign: DecimalSign,
        row: &mut RowBuilder<'_>,
    ) -> Option<()> {
        match self.kind {
            FieldType::Integer => row.integer(number::plain(text, sign)?.parse().ok()?),
            FieldType::Decimal => {
                row.text(&number::plain(text, sign).filter(|text| number::is_decimal(text))?);
            }
            FieldType::Boolean => row.integer(boolean(text)?.into()),
            FieldType::Date => time::date(text, format, row)?,
            FieldType::HijriDate => row.text(&self.hijri(text)?.to_string()),
            FieldType::Timestamp => {
                time::timestamp(&number::pointed(text), format, &self.zone, row)?;
            }
            FieldType::Period => {
                text.parse::<Period>().ok()?;
                row.text(text);
            }
            FieldType::EmiratesId if is_no_card(text) => row.null(),
            FieldType::EmiratesId => row.text(&emirates_id(text)?),
            FieldType::Phone => row.text(&phone::e164(text, self.region)?),
            FieldType::Enum => {
                let same = |value: &&String| digits_folded(value) == digits_folded(text);
                let exact = self.values.iter().find(|value| *value == text);
                row.text(exact.or_else(|| self.values.iter().find(same))?);
            }
            FieldType::Text | FieldType::Json => return None,
        }
        Some(())
    }

    fn hijri(&self, text: &str) -> Option<HijriDate> {
        match &self.hijri {
            Some(format) => HijriDate::parse(text, format).ok(),
            None => text.parse().ok(),
        }
    }

    fn expected(&self) -> Why {
        match self.kind {
            FieldType::Integer => {
                "is not a whole number of 64 bits; mend the value, or take it as text under another name: \
                 NAME = { type = \"text\", from = … }"
                    .into()
            }
            FieldType::Decimal => {
                "is not a decimal number; mend the value, or take it as text under another name: \
                 NAME = { type = \"text\", from = … }"
                    .into()
            }
            FieldType::Boolean => {
                "is neither true nor false (true, false, 1, 0, yes, no, t, f, y, n)".into()
            }
            FieldType::Date => "is not a date (YYYY-MM-DD, or as its `format` says)".into(),
            FieldType::HijriDate => NoHijriDate.to_string().into(),
            FieldType::Timestamp => {
                "is not a time before 9999-12-30 (ISO 8601, or as its `format` says); what stands for no end, `nothing` of the field takes for none".into()
            },
            FieldType::Period => NoPeriod.to_string().into(),
            FieldType::EmiratesId => {
                "is not an Emirates ID (15 digits, 784 first, check digit last; one digit all through means no card)".into()
            }
            FieldType::Phone => {
                "is not a telephone number that can be called (+971501234567, or as it is dialled in its `region`)".into()
            }
            FieldType::Enum => one_of(&self.values).into(),
            FieldType::Text | FieldType::Json => "is not text".into(),
        }
    }
}

/// How many days a stored Hijri day and a stored date are apart; `None`: one of them is no day.
pub(super) fn days_apart(hijri: &str, day: &str) -> Option<u64> {
    let (hijri, day) = hijri.parse::<HijriDate>().ok().zip(day.parse::<civil::Date>().ok())?;
    Some(hijri.gregorian().duration_since(day).as_hours().unsigned_abs() / 24)
}

/// Why a value is refused for what it holds: a NUL would end the text for whoever reads it with another tool.
pub(super) fn holds(what: &str) -> String {
    format!("holds {what}, which no text may; have the partner mend it, or leave the field out")
}

/// What is in nested values that the bank does not take. Of plain text, that is seen of a whole row at once.
fn unfit(kind: FieldType, raw: &Raw<'_>) -> Option<&'static str> {
    match (kind, raw) {
        // It would be escaped, and come back as one.
        (FieldType::Json, Raw::Text(text)) => text.contains('\0').then_some("a NUL character"),
        (_, Raw::Nested(text)) => bad_escape(text),
        _ => None,
    }
}

const fn word(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

/// How many of the allowed values a refusal names.
const NAMED: usize = 12;

fn one_of(values: &[String]) -> String {
    let mut reason = "is none of its values (".to_owned();
    for (at, value) in values.iter().take(NAMED).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let _ = write!(reason, "{comma}\"{}\"", settled_at_most(value, 60));
    }
    if values.len() > NAMED {
        let _ = write!(reason, " and {} more", values.len() - NAMED);
    }
    reason + "); mend the value, or add it to `values`"
}

/// A value without white space and the marks of direction around it, which people do not see.
pub(super) fn bare(text: &str) -> &str {
    let is_mark = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    text.trim_matches(|c: char| c.is_whitespace() || is_mark(c))
}

/// Arabic-Indic and Persian digits as ASCII ones (sources.md 3.2); most text has none.
fn digits_folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let fold = |c: char| match c {
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10).unwrap_or(c),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10).unwrap_or(c),
        _ => c,
    };
    text.chars().map(fold).collect::<String>().into()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        // PostgreSQL writes a letter.
        "true" | "1" | "yes" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
