//! Days and times as they are written, in our calendar and in that of Umm al-Qura.

use jiff::{Timestamp, civil};
use marsad_shared::{
    feed::FieldType,
    hijri::{HijriDate, HijriFormat},
    period::Period,
};

use super::{Form, Typed, is_named};

/// Years before it are of another calendar.
const FIRST_YEAR: i16 = 1600;

/// What text could be that has days or times in it.
pub(super) fn of(text: &str) -> Option<Form> {
    match (text.len(), text.parse::<civil::Date>()) {
        (10, Ok(day)) if day.year() >= FIRST_YEAR => return Some(Form::Day),
        _ => {}
    }
    if text.parse::<Period>().is_ok_and(|period| period.first.year() >= FIRST_YEAR) {
        return Some(Form::Period);
    }
    let ticks = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/"));
    if ticks.is_some_and(|ticks| ticks.parse::<i64>().is_ok()) {
        return Some(Form::Ticks);
    }
    // HTTP and mail have the day of the week before it.
    let weekday = text.get(3..5) == Some(", ");
    if !(weekday || text.starts_with(|c: char| c.is_ascii_digit())) || text.len() > 40 {
        return None;
    }
    if text.parse::<Timestamp>().is_ok() {
        return Some(Form::Time(false));
    }
    if text.contains(':') && text.parse::<civil::DateTime>().is_ok() {
        return Some(Form::Time(true));
    }
    let day = |way: &&str| {
        let read = if way.contains("%H") {
            civil::DateTime::strptime(way, text).map(civil::DateTime::date)
        } else {
            civil::Date::strptime(way, text)
        };
        read.is_ok_and(|day| day.year() >= FIRST_YEAR)
    };
    let hijri = |way: &&str| {
        let format = way.parse::<HijriFormat>();
        format.is_ok_and(|format| HijriDate::parse(text, &format).is_ok())
    };
    let ways: Vec<_> = WAYS.iter().copied().filter(day).collect();
    if !ways.is_empty() {
        return Some(Form::Written(ways));
    }
    let ways: Vec<_> = [ISO].iter().chain(WAYS).copied().filter(hijri).collect();
    (!ways.is_empty()).then_some(Form::Hijri(ways))
}

/// How a day is written where no format says so.
const ISO: &str = "%Y-%m-%d";

/// Ways of writing a day or a time that are no ISO 8601.
const WAYS: &[&str] = &[
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d %H:%M",
    "%d-%m-%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S %z",
];

/// The ways of reading that are right for all of them.
fn of_all(forms: &[Form]) -> Vec<&'static str> {
    let mut ways: Option<Vec<&'static str>> = None;
    for form in forms {
        let (Form::Written(these) | Form::Hijri(these)) = form else { continue };
        ways = Some(match ways {
            None => these.clone(),
            Some(ways) => ways.into_iter().filter(|way| these.contains(way)).collect(),
        });
    }
    ways.unwrap_or_default()
}

/// Dates between separators: one way of reading must be right for all of them, and the only one.
pub(super) fn written(words: &[String], forms: &[Form]) -> Typed {
    match of_all(forms).as_slice() {
        [way] => {
            let times = way.contains("%H");
            let kind = if times { FieldType::Timestamp } else { FieldType::Date };
            // Written out it is no zone that a format reads.
            let utc = way.ends_with("GMT");
            let local = times && !utc && !way.ends_with("%z");
            let typed = Typed { format: Some((*way).to_owned()), utc, ..kind.into() };
            zoned(typed, words, local)
        }
        [] => FieldType::Text.into(),
        _ => Typed {
            note: Some(
                "a date, but the sample does not tell day from month: type it \"date\", with `format`",
            ),
            ..FieldType::Text.into()
        },
    }
}

/// A time with its zone where it is `local`: that which the name of its column says, as blogs have it, or nobody knows.
pub(super) fn zoned(typed: Typed, words: &[String], local: bool) -> Typed {
    if local && is_named(words, &["gmt", "utc"]) {
        return Typed { utc: true, ..typed };
    }
    let note = local.then_some("names no zone; the one of marsad.toml, unless `zone` says so");
    Typed { note, ..typed }
}

/// Days of the Hijri calendar: one way of reading must be right for all of them, and the only one.
pub(super) fn hijri(forms: &[Form]) -> Typed {
    let (kind, format, note) = match of_all(forms).as_slice() {
        [ISO] => (FieldType::HijriDate, None, None),
        [way] => (FieldType::HijriDate, Some((*way).to_owned()), None),
        [] => (FieldType::Text, None, Some("days of the Hijri calendar, written in several ways")),
        _ => {
            let note = "a Hijri date, but the sample does not tell day from month: type it \"hijri_date\", with `format`";
            (FieldType::Text, None, Some(note))
        }
    };
    Typed { format, note, ..kind.into() }
}
