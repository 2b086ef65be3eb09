use super::*;
use marsad_shared::{
    feed::Rules,
    record::{Batch, Layout, Value},
};

fn one(kind: FieldType, raw: Raw<'_>, format: Option<&str>) -> Result<String, Why> {
    read(Field { format: format.map(str::to_owned), ..Field::new("f", kind) }, raw)
}

/// What becomes of `raw` in a column.
fn read(field: Field, raw: Raw<'_>) -> Result<String, Why> {
    let reading = {
        let zone = TimeZone::get("Asia/Dubai").unwrap();
        Reading::of(&field, Written { zone: &zone, decimal: DecimalSign::Point })
    };
    let layout = Layout::new(vec![field], &["f".to_owned()]).unwrap();
    let mut batch = Batch::new(&layout, 0);
    let mut row = batch.row();
    reading.put(&raw, &mut row).map_err(|(_, why)| why)?;
    row.finish();
    Ok(match batch.at(0, 0) {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
    })
}

#[test]
fn values_are_taken_exactly_or_refused() {
    use FieldType::{
        Boolean, Date, Decimal, EmiratesId, HijriDate, Integer, Json, Period, Phone, Text,
        Timestamp,
    };
    let good = |text: &str| Some(format!("{text:?}"));
    for (kind, raw, format, expected, why) in [
        (Text, Raw::Text(" as it came "), None, good(" as it came "), "text is not touched"),
        (Text, Raw::Number("1.10"), None, good("1.10"), "a number's own text"),
        (Text, Raw::Nested("{}"), None, None, "an object is no text"),
        (Integer, Raw::Text("٤٢"), None, Some("42".to_owned()), "Arabic-Indic digits"),
        (Integer, Raw::Number("1.0"), None, None, "not written as a whole number"),
        (Integer, Raw::Text("9223372036854775808"), None, None, "past 64 bits"),
        (Integer, Raw::Text("+5"), None, Some("5".to_owned()), "a sign"),
        (Integer, Raw::Text("+-5"), None, None, "two signs"),
        (Integer, Raw::Text(""), None, Some("null".to_owned()), "an empty cell is nothing"),
        (
            Decimal,
            Raw::Number("12345678901234567890.10"),
            None,
            good("12345678901234567890.10"),
            "exact",
        ),
        (Decimal, Raw::Text("-5"), None, good("-5"), "a plain negative"),
        (Decimal, Raw::Text("1,5"), None, None, "a decimal comma is not guessed"),
        (Decimal, Raw::Text("١٬٢٣٤٫٥"), None, good("1234.5"), "Arabic signs"),
        (Date, Raw::Text("٢٠٢٦٬-٠٣-٠٥"), None, None, "a sign of numbers in a date"),
        (
            Timestamp,
            Raw::Text("١٧٦٣٢٠١٠٠٠٫٢٥"),
            Some("unix"),
            good("2025-11-15T10:03:20.25Z"),
            "a fraction of a second",
        ),
        (
            Text,
            Raw::Number("784000000000001123456"),
            None,
            good("784000000000001123456"),
            "a long number is no float",
        ),
        (Decimal, Raw::Text("."), None, None, "no digit at all"),
        (Boolean, Raw::Bool(true), None, Some("1".to_owned()), "true"),
        (Boolean, Raw::Text("f"), None, Some("0".to_owned()), "as PostgreSQL writes it"),
        (Boolean, Raw::Text("Y"), None, Some("1".to_owned()), "a letter, of any size"),
        (Boolean, Raw::Text("maybe"), None, None, "neither"),
        (Date, Raw::Text("2026-02-29"), None, None, "not a leap year"),
        (Date, Raw::Text("2028-02-29"), None, good("2028-02-29"), "a leap year"),
        (Date, Raw::Text("5/3/2026"), None, None, "day and month are never guessed"),
        (Date, Raw::Text("5/3/2026"), Some("%d/%m/%Y"), good("2026-03-05"), "as the format says"),
        (Timestamp, Raw::Text("2026-11-24T14:05:31Z"), None, good("2026-11-24T14:05:31Z"), "UTC"),
        (
            Timestamp,
            Raw::Text("2026-11-24T18:05:31+04:00"),
            None,
            good("2026-11-24T14:05:31Z"),
            "offset",
        ),
        (Timestamp, Raw::Text("2026-11-24T18:05:31"), None, good("2026-11-24T14:05:31Z"), "local"),
        (Timestamp, Raw::Text("2026-11-24T24:00:00Z"), None, None, "no such hour"),
        (
            Timestamp,
            Raw::Text("15/11/2026 13:20"),
            Some("%d/%m/%Y %H:%M"),
            good("2026-11-15T09:20:00Z"),
            "format",
        ),
        (Timestamp, Raw::Number("1763201000"), Some("%s"), good("2025-11-15T10:03:20Z"), "seconds"),
        (EmiratesId, Raw::Text("784-0000-1234567-8"), None, None, "wrong check digit"),
        (EmiratesId, Raw::Text("784-0000-1234567-"), None, None, "a digit short"),
        (Json, Raw::Nested("[1, 2]"), None, good("[1, 2]"), "as written"),
        (Period, Raw::Text(" 2026-Q1 "), None, good("2026-Q1"), "as it was written"),
        (Period, Raw::Number("2026"), None, good("2026"), "a year may be a number"),
        (Period, Raw::Text("٢٠٢٦-٠١"), None, good("2026-01"), "Arabic-Indic digits"),
        (Period, Raw::Text("2026-W54"), None, None, "no such week"),
        (HijriDate, Raw::Text("١٤٤٧-٠٩-٠١"), None, good("1447-09-01"), "Arabic-Indic digits"),
        (HijriDate, Raw::Text("1447-12-30"), None, None, "the month had 29 days"),
        (HijriDate, Raw::Text("1/9/1447"), None, None, "day and month are never guessed"),
        (
            HijriDate,
            Raw::Text("1/9/1447"),
            Some("%d/%m/%Y"),
            good("1447-09-01"),
            "as the format says",
        ),
        (Phone, Raw::Text("٠٥٠ ١٢٣ ٤٥٦٧"), None, good("+971501234567"), "Arabic-Indic digits"),
        (Phone, Raw::Number("501234567"), None, good("+971501234567"), "a number lost its zero"),
        (Phone, Raw::Text("050 123 456"), None, None, "a digit short"),
    ] {
        assert_eq!(one(kind, raw, format).ok(), expected, "{why}");
    }
}

#[test]
fn a_time_is_of_its_zone_or_of_none() {
    let at = |zone: &str, text: &str, format: Option<&str>| {
        let field = Field {
            zone: Some(zone.to_owned()),
            format: format.map(str::to_owned),
            ..Field::new("f", FieldType::Timestamp)
        };
        read(field, Raw::Text(text)).ok()
    };
    let (london, cairo, day) = ("Europe/London", "Africa/Cairo", Some("%d/%m/%Y"));
    for (zone, text, format, expected, why) in [
        (
            london,
            "2026-03-29T00:30:00",
            None,
            Some("2026-03-29T00:30:00Z"),
            "before the hour that is left out",
        ),
        (
            london,
            "2026-03-29T01:30:00",
            None,
            Some("2026-03-29T01:30:00Z"),
            "in it, as clocks that have not heard of it",
        ),
        (
            london,
            "2026-10-25T01:30:00",
            None,
            Some("2026-10-25T00:30:00Z"),
            "an hour that there is twice: the first",
        ),
        (
            london,
            "2026-10-25T01:30:00+01:00",
            None,
            Some("2026-10-25T00:30:00Z"),
            "with its offset",
        ),
        (cairo, "24/04/2026", day, Some("2026-04-23T22:00:00Z"), "a day that begins at one"),
        (cairo, "2026-04-24", None, Some("2026-04-23T22:00:00Z"), "in ISO 8601 too"),
        (
            london,
            "2026-03-05T10:00:00[America/New_York]",
            None,
            Some("2026-03-05T15:00:00Z"),
            "the zone that it names",
        ),
        (
            london,
            "2026-03-05T10:00:00+04:00[America/New_York]",
            None,
            None,
            "which has another offset",
        ),
        (london, "2026-03-29T02:30:00[Nowhere/At_All]", None, None, "a zone that there is not"),
        (london, "2026-03-05T10:00:60Z", None, None, "a sixtieth second"),
        (london, "2026-03-05T10:00:59Z", None, Some("2026-03-05T10:00:59Z"), "the one before it"),
        (london, "2026-03-05T10:59:60", None, None, "behind a minute like it"),
        (london, "0000-01-01T00:00:00Z", None, None, "a year that there was not"),
        (london, "2026-03-05T10:00:00+14:00", None, Some("2026-03-04T20:00:00Z"), "the farthest"),
        (london, "2026-03-05T10:00:00-25:00", None, None, "no clock is a day from UTC"),
    ] {
        let expected = expected.map(|text| format!("{text:?}"));
        assert_eq!(at(zone, text, format), expected, "{text}: {why}");
    }
}

#[test]
fn what_people_do_not_see_around_a_value_is_no_part_of_it() {
    use FieldType::{Boolean, Date, EmiratesId, Integer, Text};
    let around = |text: &str| format!("\u{202b}\u{a0}{text}\u{200f}\u{202c}");
    for (kind, text, expected) in [
        (Integer, "42", "42"),
        (Boolean, "yes", "1"),
        (Date, "2026-03-05", "\"2026-03-05\""),
        (EmiratesId, "784\u{a0}0000\u{a0}1234567\u{a0}6", "\"784000012345676\""),
    ] {
        assert_eq!(one(kind, Raw::Text(&around(text)), None).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(
        one(Text, Raw::Text("\u{200f}a"), None).unwrap(),
        format!("{:?}", "\u{200f}a"),
        "text stays"
    );
    assert!(one(Integer, Raw::Text("4\u{200f}2"), None).is_err(), "within it, they are");
}

#[test]
fn seconds_since_1970_are_instants_where_the_format_says_so() {
    for (text, format, expected) in [
        ("1763201000", "unix", Some("\"2025-11-15T10:03:20Z\"")),
        ("1763201000.25", "unix", Some("\"2025-11-15T10:03:20.25Z\"")),
        ("-0.5", "unix", Some("\"1969-12-31T23:59:59.5Z\"")),
        ("1763201000.", "unix", None),
        ("1763201000.0123456789", "unix", None),
        ("1763201000250", "unix_ms", Some("\"2025-11-15T10:03:20.25Z\"")),
        ("99999999999999999", "unix_ms", None),
        ("/Date(1763201000250)/", "unix_ms", Some("\"2025-11-15T10:03:20.25Z\"")),
        ("/Date(1763201000250+0400)/", "unix_ms", Some("\"2025-11-15T10:03:20.25Z\"")),
        ("/Date(-1000-0400)/", "unix_ms", Some("\"1969-12-31T23:59:59Z\"")),
        ("/Date()/", "unix_ms", None),
        ("/Date(1763201000250)", "unix_ms", None),
        ("2025-11-15", "unix", None),
    ] {
        let found = one(FieldType::Timestamp, Raw::Text(text), Some(format)).ok();
        assert_eq!(found.as_deref(), expected, "{text} {format}");
    }
}

#[test]
fn an_emirates_id_is_fifteen_digits_with_a_right_check_digit() {
    let good = (0..10)
        .filter_map(|last| emirates_id(&format!("78400001234567{last}")))
        .collect::<Vec<_>>();
    assert_eq!(good.len(), 1, "exactly one check digit is right");
}

#[test]
fn a_phone_is_dialled_in_its_region() {
    let rules = Rules { region: Some("SA".to_owned()), ..Rules::default() };
    let field = Field { rules, ..Field::new("f", FieldType::Phone) };
    assert_eq!(read(field, Raw::Text("0501234567")).unwrap(), "\"+966501234567\"");
}

#[test]
fn one_of_several_values_is_compared_as_it_was_written() {
    let field = |values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Field { rules: Rules { values, ..Rules::default() }, ..Field::new("f", FieldType::Enum) }
    };
    for (raw, expected, why) in [
        (Raw::Text("open"), Some("\"open\""), "one of them"),
        (Raw::Text(" open\t"), Some("\"open\""), "with white space around it"),
        (Raw::Text("Open"), None, "another case is another word"),
        (Raw::Text("مفتوح"), Some("\"مفتوح\""), "in Arabic"),
        (Raw::Number("1"), Some("\"1\""), "a number by its text"),
        (Raw::Text("١"), Some("\"1\""), "a digit of another script"),
        (Raw::Text("٩"), None, "a digit that is none of them"),
        (Raw::Text("\u{200f}open\u{202c}"), Some("\"open\""), "with marks of direction around it"),
        (Raw::Bool(true), Some("\"true\""), "true or false by their words"),
        (Raw::Text(" "), Some("null"), "nothing"),
        (Raw::Nested("[]"), None, "a list"),
    ] {
        let read = read(field(&["open", "مفتوح", "1", "true"]), raw).ok();
        assert_eq!(read.as_deref(), expected, "{why}");
    }
    let why = |values: &[&str]| read(field(values), Raw::Text("x")).unwrap_err().into_owned();
    assert_eq!(
        why(&["open", "\u{1b}[2J"]),
        "is none of its values (\"open\", \"<U+1B>[2J\"); mend the value, or add it to `values`"
    );
    let many: Vec<_> = (10..40).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(why(&many).contains("\"21\" and 18 more)"), "{}", why(&many));
}

#[test]
fn a_placeholder_for_no_card_is_nothing_in_every_spelling() {
    for (text, absent) in [
        ("000-0000-0000000-0", true),
        ("111-1111-1111111-1", true),
        ("222222222222222", true),
        ("999 9999 9999999 9", true),
        ("٩٩٩-٩٩٩٩-٩٩٩٩٩٩٩-٩", true),
        (" 000-", true),
        ("000", true),
        ("0", false),
        ("0000", false),
        ("00000000000000", false),
        ("999-9999-9999999-8", false),
        ("---", false),
        ("xxx", false),
    ] {
        let read = one(FieldType::EmiratesId, Raw::Text(text), None).ok();
        assert_eq!(read.as_deref(), absent.then_some("null"), "{text}");
    }
}

#[test]
fn a_year_is_read_as_it_is_written() {
    use FieldType::{Date, Timestamp};
    let (day, time) = ("%d/%m/%Y", "%d/%m/%Y %H:%M");
    for (kind, text, format, expected, why) in [
        (Date, "5/3/26", "%d/%m/%y", Some("\"2026-03-05\""), "two digits, as the format says"),
        (Date, "05/03/26", day, None, "two digits, where it says four"),
        (Date, "5/3/226", day, None, "a digit is missing"),
        (Date, "5/3/-2026", day, None, "no year has a sign"),
        (Date, "1/1/0001", day, Some("\"0001-01-01\""), "the oldest there is"),
        (Timestamp, "05/03/26 10:00", time, None, "nor has an instant"),
        (Date, "05/03/+2026", day, None, "not even a plus"),
        (Date, "01/01/0000", day, None, "a year that there was not"),
        (Date, "05/03/6", "%d/%m/%y", None, "one digit, where it says two"),
        (Date, "6/3/06", "%d/%m/%y", Some("\"2006-03-06\""), "of the year, and not of the day"),
        (Date, "20260305", "%Y%m%d", Some("\"2026-03-05\""), "numbers that touch"),
        (Date, "2026035", "%Y%m%d", None, "where nobody knows whose digit is missing"),
        (Date, "+20260305", "%Y%m%d", None, "with a sign"),
        (
            Timestamp,
            "2026-3-5T10:00:15.500",
            "%Y-%m-%dT%H:%M:%S%.f",
            Some("\"2026-03-05T06:00:15.5Z\""),
            "a part of a second",
        ),
        (
            Timestamp,
            "2026-03-05T10:00:15",
            "%Y-%m-%dT%H:%M:%S%.f",
            Some("\"2026-03-05T06:00:15Z\""),
            "or none",
        ),
        (
            Timestamp,
            "Thu Mar 05 10:00:15 +0400 2026",
            "%a %b %d %H:%M:%S %z %Y",
            Some("\"2026-03-05T06:00:15Z\""),
            "behind an offset",
        ),
        (
            Timestamp,
            "Thu Mar 05 10:00:15 +0400 26",
            "%a %b %d %H:%M:%S %z %Y",
            None,
            "of two digits there",
        ),
        (Date, "5MAR2026", "%d%b%Y", Some("\"2026-03-05\""), "a word lies between"),
        (
            Timestamp,
            "5/3/2026 9:05",
            "%d/%m/%Y %H:%M",
            Some("\"2026-03-05T05:05:00Z\""),
            "no more than the year",
        ),
        (
            Timestamp,
            "2026-03-05T10:00:00+0400",
            "%Y-%m-%dT%H:%M:%S%z",
            Some("\"2026-03-05T06:00:00Z\""),
            "an offset has its sign",
        ),
        (Timestamp, "2026-3-5 10:00", "%F %R", Some("\"2026-03-05T06:00:00Z\""), "short forms"),
        (Timestamp, "March 5, 2026 10:00:60", "%B %d, %Y %H:%M:%S", None, "a sixtieth second"),
        (
            Timestamp,
            "05/03/2060 10:00:59",
            "%d/%m/%Y %H:%M:%S",
            Some("\"2060-03-05T06:00:59Z\""),
            "a sixtieth year is none",
        ),
    ] {
        let read = one(kind, Raw::Text(text), Some(format)).ok();
        assert_eq!(read.as_deref(), expected, "{why}");
    }
}
