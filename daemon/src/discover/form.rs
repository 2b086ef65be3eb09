//! The type that all sampled values of a column fit. A value says what it could be; what only some of them are, the
//! column is not.

use marsad_shared::{
    feed::FieldType,
    phone::{self, Region},
};

use super::node::Node;

mod time;

/// What one value could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Boolean,
    Integer,
    /// Whole, and in the span of Unix seconds or milliseconds since 2001.
    Seconds,
    Millis,
    /// Digits that are no number: too many of them, or a leading zero.
    Digits,
    Decimal,
    /// `2026-11-24`.
    Day,
    /// A day of the Hijri calendar, of the years from 1300 on: each way of reading that it allows.
    Hijri(Vec<&'static str>),
    /// A part of a year, as SDMX writes it: `2026-Q1`.
    Period,
    /// An instant in ISO 8601; `true`: it names no zone.
    Time(bool),
    /// `/Date(1794816000000)/`, as `OData` 2 and .NET write an instant.
    Ticks,
    /// Numbers between separators: each way of reading that it allows.
    Written(Vec<&'static str>),
    EmiratesId,
    /// What forms write for "no card".
    NoCard,
    Nested,
    Text,
}

/// A column's type, with what has to be said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) kind: FieldType,
    pub(super) format: Option<String>,
    pub(super) note: Option<&'static str>,
    /// Whether it is about people, whatever it is called.
    pub(super) personal: bool,
    /// Whether `false` stands there for nothing, as Odoo has it.
    pub(super) nothing: bool,
    /// Whether it is a time of UTC that does not name it so that a program could tell.
    pub(super) utc: bool,
}

impl From<FieldType> for Typed {
    fn from(kind: FieldType) -> Self {
        Self { kind, format: None, note: None, personal: false, nothing: false, utc: false }
    }
}

/// Numbers of more digits are rather names than counts.
const COUNT_DIGITS: usize = 9;
/// 2001-09-09 to 2100: what a number of seconds must lie in to look like a time.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..4_102_444_800;

/// The type of a column with a name of these words.
pub(super) fn of_all<'n>(words: &[String], values: impl Iterator<Item = &'n Node>) -> Typed {
    let values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
    let is_no = |value: &&&Node| **value == &Node::Bool(false);
    let is_flag = |value: &&Node| of(value) == Form::Boolean;
    if values.iter().any(|value| is_no(&value)) && !values.iter().all(is_flag) {
        let rest = values.into_iter().filter(|value| *value != &Node::Bool(false));
        return Typed { nothing: true, ..of_some(words, &rest.collect::<Vec<_>>()) };
    }
    of_some(words, &values)
}

/// The same of values that are all there.
fn of_some(words: &[String], values: &[&Node]) -> Typed {
    let forms: Vec<_> = values.iter().map(|value| of(value)).collect();
    let all = |is: fn(&Form) -> bool| forms.iter().all(is);
    let noted = |kind, note| Typed { note: Some(note), ..Typed::from(kind) };
    if forms.is_empty() {
        return noted(FieldType::Text, "nothing stood there in the sample");
    }
    if forms.contains(&Form::Nested) {
        return FieldType::Json.into();
    }
    if forms.contains(&Form::EmiratesId) {
        if all(|form| *form == Form::EmiratesId) {
            return FieldType::EmiratesId.into();
        }
        if all(|form| matches!(form, Form::EmiratesId | Form::NoCard)) {
            return noted(
                FieldType::EmiratesId,
                "some say that there is no card, which is nothing",
            );
        }
        return Typed {
            personal: true,
            ..noted(FieldType::Text, "not all of it are Emirates IDs")
        };
    }
    if is_named(words, PHONES) && values.iter().all(|value| is_phone(value)) {
        return noted(
            FieldType::Phone,
            "of the Emirates where it names no country, unless `region` says so",
        );
    }
    let whole = |form: &Form| matches!(form, Form::Integer | Form::Seconds | Form::Millis);
    if forms.iter().all(whole) {
        return number(words, &forms);
    }
    if all(|form| matches!(form, Form::Integer | Form::Seconds | Form::Millis | Form::Decimal)) {
        return FieldType::Decimal.into();
    }
    if all(|form| *form == Form::Boolean) {
        return FieldType::Boolean.into();
    }
    if all(|form| matches!(form, Form::Hijri(_))) {
        return time::hijri(&forms);
    }
    if forms.iter().any(|form| matches!(form, Form::Hijri(_))) {
        return noted(FieldType::Text, "some of it are days of the Hijri calendar");
    }
    if all(|form| *form == Form::Day) {
        return FieldType::Date.into();
    }
    if all(|form| matches!(form, Form::Period | Form::Day)) {
        return FieldType::Period.into();
    }
    if all(|form| matches!(form, Form::Time(_))) {
        let local = forms.contains(&Form::Time(true));
        return time::zoned(FieldType::Timestamp.into(), words, local);
    }
    if all(|form| *form == Form::Ticks) {
        return Typed { format: Some("unix_ms".to_owned()), ..FieldType::Timestamp.into() };
    }
    if all(|form| matches!(form, Form::Written(_))) {
        return time::written(words, &forms);
    }
    FieldType::Text.into()
}

/// Whole numbers: a count, a name, or the seconds of a time.
fn number(words: &[String], forms: &[Form]) -> Typed {
    let timely = [
        "at",
        "time",
        "timestamp",
        "ts",
        "date",
        "on",
        "updated",
        "modified",
        "created",
        "changed",
        "تاريخ",
        "وقت",
    ];
    let named = is_named(words, &timely);
    let format = match () {
        () if named && forms.iter().all(|form| *form == Form::Seconds) => "unix",
        () if named && forms.iter().all(|form| *form == Form::Millis) => "unix_ms",
        () => return FieldType::Integer.into(),
    };
    Typed { format: Some(format.to_owned()), ..FieldType::Timestamp.into() }
}

/// What one value could be.
fn of(value: &Node) -> Form {
    match value {
        Node::Bool(_) => Form::Boolean,
        Node::Integer(number) if is_emirates_id(&number.to_string()) => Form::EmiratesId,
        Node::Integer(number) => whole(*number),
        Node::Long => Form::Digits,
        Node::Decimal => Form::Decimal,
        Node::List(_) | Node::Map(_) => Form::Nested,
        Node::Text(text) => of_text(&folded(text.trim())),
        Node::Nothing => Form::Text,
    }
}

fn whole(number: i64) -> Form {
    if SECONDS.contains(&number) {
        Form::Seconds
    } else if SECONDS.contains(&(number / 1_000)) {
        Form::Millis
    } else {
        Form::Integer
    }
}

fn of_text(text: &str) -> Form {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit());
    if is_emirates_id(text) {
        Form::EmiratesId
    } else if is_no_card(text) {
        Form::NoCard
    } else if digits {
        let named =
            unsigned.len() > COUNT_DIGITS || (unsigned.len() > 1 && unsigned.starts_with('0'));
        if named { Form::Digits } else { Form::Integer }
    } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        Form::Boolean
    } else if is_decimal(unsigned) {
        Form::Decimal
    } else {
        time::of(text).unwrap_or(Form::Text)
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, part)| {
        digits(whole) && digits(part) && (whole.len() == 1 || !whole.starts_with('0'))
    })
}

/// Words that say of a column that telephone numbers stand in it.
pub(super) const PHONES: &[&str] = &[
    "phone",
    "mobile",
    "telephone",
    "tel",
    "gsm",
    "هاتف",
    "الهاتف",
    "جوال",
    "الجوال",
    "متحرك",
    "المتحرك",
    "موبايل",
];

fn is_named(words: &[String], by: &[&str]) -> bool {
    words.iter().any(|word| by.contains(&word.as_str()))
}

/// Whether it can be called, from the Emirates where it names no country.
fn is_phone(value: &Node) -> bool {
    let callable = |text: &str| phone::e164(text, Region::default()).is_some();
    match value {
        Node::Text(text) => callable(&folded(text.trim())),
        Node::Integer(number) => callable(&number.to_string()),
        _ => false,
    }
}

/// Three zeros may be a count: only what is as long as a card is told from one.
fn is_no_card(text: &str) -> bool {
    text.len() >= 15 && crate::shape::is_no_card(text)
}

/// Arabic-Indic and Persian digits as ASCII ones, as they are read when they are taken.
fn folded(text: &str) -> String {
    let fold = |c: char| match c {
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10).unwrap_or(c),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10).unwrap_or(c),
        '\u{66b}' => '.',
        _ => c,
    };
    text.chars().filter(|c| *c != '\u{66c}').map(fold).collect()
}

/// Whether a value is an Emirates ID.
pub(super) fn is_card(value: &Node) -> bool {
    of(value) == Form::EmiratesId
}

fn is_emirates_id(text: &str) -> bool {
    let right = text.len() <= 18 && text.starts_with("784");
    right && crate::shape::emirates_id(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_what_all_of_its_values_are() {
        use FieldType::{
            Boolean, Date, Decimal, EmiratesId, HijriDate, Integer, Json, Period, Phone, Text,
            Timestamp,
        };
        for (name, json, kind, format, why) in [
            ("n", r#"[1,"2",null]"#, Integer, None, "numbers, written both ways"),
            ("n", "[1,2.5]", Decimal, None, "some have a part"),
            ("n", r#"["1","0012"]"#, Text, None, "a leading zero is no number's"),
            ("n", r#"["0501234567"]"#, Text, None, "a telephone number"),
            ("n", "[784000000000001123456]", Text, None, "more digits than a number holds"),
            ("n", r#"["250000,00"]"#, Text, None, "a decimal comma is not guessed"),
            ("ok", "[true,false]", Boolean, None, "booleans"),
            ("x", r#"[{"a":1}]"#, Json, None, "nested"),
            ("d", r#"["2026-11-24"]"#, Date, None, "a day"),
            ("d", r#"["1448-06-07","1446-02-30"]"#, HijriDate, None, "days of Umm al-Qura"),
            ("d", r#"["1447/09/16"]"#, HijriDate, Some("%Y/%m/%d"), "with other separators"),
            ("d", r#"["1/9/1447","29/9/1447"]"#, HijriDate, Some("%d/%m/%Y"), "one value decides"),
            ("d", r#"["1/9/1447"]"#, Text, None, "day and month are never guessed"),
            ("d", r#"["1447-12-30"]"#, Text, None, "no such day"),
            ("d", r#"["1448-06-07","2026-11-24"]"#, Text, None, "two calendars in one column"),
            ("p", r#"["2026-Q1","2026-S2","2026-W05","2026-01"]"#, Period, None, "periods"),
            ("p", r#"["2026-Q1","2026-Q5"]"#, Text, None, "not all of them"),
            ("p", r#"["2026-M01","2026-01-31"]"#, Period, None, "a day is one too"),
            (
                "mobile",
                r#"["050 123 4567","+971 6 512 3456",501234567]"#,
                Phone,
                None,
                "numbers to call",
            ),
            ("mobile", r#"["050 123 456"]"#, Text, None, "a digit short"),
            ("رقم الهاتف", r#"["٠٥٠١٢٣٤٥٦٧"]"#, Phone, None, "by its Arabic name"),
            ("d", r#"["05/03/2026","31/03/2026"]"#, Date, Some("%d/%m/%Y"), "one value decides"),
            ("d", r#"["05/03/2026"]"#, Text, None, "day and month are never guessed"),
            ("d", r#"["١٢/٠٣/٢٠٢٦","٣١/٠٣/٢٠٢٦"]"#, Date, Some("%d/%m/%Y"), "Arabic-Indic digits"),
            ("t", r#"["2026-11-24T10:00:00+04:00"]"#, Timestamp, None, "an instant"),
            ("t", r#"["2026-11-24T10:00:00"]"#, Timestamp, None, "a local time"),
            ("t", r#"["15/11/2026 13:20"]"#, Timestamp, Some("%d/%m/%Y %H:%M"), "as written"),
            (
                "t",
                r#"["Tue, 24 Nov 2026 10:00:00 GMT"]"#,
                Timestamp,
                Some("%a, %d %b %Y %H:%M:%S GMT"),
                "as HTTP has it",
            ),
            (
                "t",
                r#"["Tue, 24 Nov 2026 10:00:00 +0400"]"#,
                Timestamp,
                Some("%a, %d %b %Y %H:%M:%S %z"),
                "as mail has it",
            ),
            ("t", r#"["Wed, 24 Nov 2026 10:00:00 GMT"]"#, Text, None, "that was no Wednesday"),
            ("modified", "[1794816000]", Timestamp, Some("unix"), "Unix seconds, by its name"),
            ("updatedAt", "[1794816000000]", Timestamp, Some("unix_ms"), "milliseconds"),
            ("amount", "[1794816000]", Integer, None, "nothing says that it is a time"),
            ("eid", r#"["784-0000-0000021-8"]"#, EmiratesId, None, "the check digit is right"),
            (
                "eid",
                r#"["784-0000-0000021-8","999-9999-9999999-9"]"#,
                EmiratesId,
                None,
                "a placeholder among them",
            ),
            ("eid", r#"["784-0000-0000021-8","784-0000-0000021-7"]"#, Text, None, "a wrong one"),
            ("n", r#"["111111111111111"]"#, Text, None, "placeholders alone"),
            ("x", "[null]", Text, None, "nothing at all"),
        ] {
            let values: Node = serde_json::from_str(json).unwrap();
            let words = super::super::column::words(name);
            let typed = of_all(&words, values.items().iter());
            assert_eq!((typed.kind, typed.format.as_deref()), (kind, format), "{why}: {json}");
        }
    }
}
