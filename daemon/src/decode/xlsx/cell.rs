//! One cell, on its way between the two processes: a letter that says what it is, then its text.

use std::fmt::Write as _;

use calamine::{DataRef, ExcelDateTime};

use super::{Cell, Raw};

const TEXT: char = 't';
const NUMBER: char = 'n';
const BOOL: char = 'b';
const ISO: char = 'd';
const ERROR: char = 'e';
const PENDING: char = 'f';
const LONG: char = 'l';
/// From here on a workbook does not tell each whole number from the next: 2 to the power of 53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Days of the calendar of workbooks: the first one after the year 9999.
const DAYS_MAX: f64 = 2_958_466.0;
const DAY_MS: f64 = 86_400_000.0;

/// What a cell is, as it was sent.
pub(super) fn read(sent: &str) -> Cell<'_> {
    let mut letters = sent.chars();
    let mark = letters.next();
    let text = letters.as_str();
    match mark {
        None => Cell::Raw(Raw::Nothing),
        Some(NUMBER) => Cell::Raw(Raw::Number(text)),
        Some(BOOL) => Cell::Raw(Raw::Bool(text == "true")),
        Some(ISO) => Cell::Raw(Raw::Iso(text)),
        Some(ERROR) => {
            Cell::Bad("holds an error, such as #N/A; mend the formula, or leave the cell empty")
        }
        Some(PENDING) => Cell::Bad(
            "holds a formula that was never calculated; open the workbook in a spreadsheet program and save it",
        ),
        Some(LONG) => {
            Cell::Bad("holds a number of more digits than a workbook keeps; write it as text")
        }
        Some(_) if text.is_empty() => Cell::Raw(Raw::Nothing),
        Some(_) => Cell::Raw(Raw::Text(text)),
    }
}

/// The text of a cell, as it was sent.
pub(super) fn text(sent: &str) -> &str {
    let mut letters = sent.chars();
    letters.next();
    letters.as_str()
}

/// Writes a cell as it is sent; nothing at all of an empty one.
pub(super) fn write(value: &DataRef<'_>, is_formula: bool, out: &mut String) {
    let mut put = |mark: char, text: &str| {
        out.push(mark);
        out.push_str(text);
    };
    match value {
        DataRef::Empty if is_formula => put(PENDING, ""),
        DataRef::Empty => {}
        DataRef::Int(number) => put(NUMBER, &number.to_string()),
        DataRef::Float(number) if !number.is_finite() => put(ERROR, ""),
        DataRef::Float(number) if number.abs() >= EXACT_MAX => put(LONG, &number.to_string()),
        // Adding nothing to it takes the sign of a zero.
        DataRef::Float(number) => put(NUMBER, &(number + 0.0).to_string()),
        DataRef::String(text) | DataRef::DurationIso(text) => put(TEXT, text),
        DataRef::SharedString(text) => put(TEXT, text),
        DataRef::Bool(yes) => put(BOOL, if *yes { "true" } else { "false" }),
        DataRef::DateTime(time) => match moment(*time) {
            Some((mark, text)) => put(mark, &text),
            None => put(ERROR, &time.as_f64().to_string()),
        },
        DataRef::DateTimeIso(text) => put(ISO, day(text).unwrap_or(text)),
        DataRef::Error(error) => put(ERROR, &error.to_string()),
    }
}

/// The day of a time in ISO 8601, if that is its first moment, to whatever part of a second it is written; `None`: it is
/// another, or of some zone.
fn day(time: &str) -> Option<&str> {
    let (day, rest) = time.split_once("T00:00:00")?;
    let nothing = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit == b'0');
    (rest.is_empty() || rest.strip_prefix('.').is_some_and(nothing)).then_some(day)
}

/// The day of a time in ISO 8601 that a workbook holds where a day is asked for, whose program wrote one as the first
/// moment of it in UTC.
pub fn day_of(time: &str) -> &str {
    time.strip_suffix('Z').and_then(day).unwrap_or(time)
}

/// Writes an error of a workbook as it is sent.
pub(super) fn write_error(error: &str, out: &mut String) {
    out.push(ERROR);
    out.push_str(error);
}

/// A day, a day with its time, or a time without a day, to the millisecond; `None` if the calendar of workbooks has none.
fn moment(time: ExcelDateTime) -> Option<(char, String)> {
    let days = time.as_f64();
    if !(0.0..DAYS_MAX).contains(&days) {
        return None;
    }
    if time.is_duration() {
        return Some((TEXT, span(days)));
    }
    let (year, month, day, hour, minute, second, millisecond) = time.to_ymd_hms_milli();
    let mut text = String::new();
    if days >= 1.0 {
        // Writing to a text cannot fail.
        let _ = write!(text, "{year:04}-{month:02}-{day:02}");
        if (hour, minute, second, millisecond) == (0, 0, 0, 0) {
            return Some((ISO, text));
        }
        text.push('T');
    }
    let _ = write!(text, "{hour:02}:{minute:02}:{second:02}");
    if millisecond > 0 {
        let _ = write!(text, ".{millisecond:03}");
    }
    Some((if days >= 1.0 { ISO } else { TEXT }, text))
}

/// A length of time, as `26:30:00`.
fn span(days: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is neither negative nor longer than the calendar of workbooks"
    )]
    let seconds = (days * DAY_MS / 1000.0).round() as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What people call the cell in the column `index`, from 0, and the row `line`, from 1: `B7`.
pub fn name(index: usize, line: u64) -> String {
    let (mut letters, mut rest) = (Vec::new(), index + 1);
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
        rest /= 26;
    }
    letters.iter().rev().collect::<String>() + &line.to_string()
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};

    use super::*;

    fn sent(value: &DataRef<'_>) -> String {
        let mut out = String::new();
        write(value, false, &mut out);
        out
    }

    #[test]
    fn cells_are_written_as_people_read_them_and_exactly() {
        let time = |days: f64, kind, old| DataRef::DateTime(ExcelDateTime::new(days, kind, old));
        let at = |days: f64| time(days, ExcelDateTimeType::DateTime, false);
        let iso = |text: &str| DataRef::DateTimeIso(text.to_owned());
        for (value, expected, why) in [
            (DataRef::Empty, "", "nothing"),
            (DataRef::Float(120.0), "n120", "no point zero"),
            (DataRef::Float(-0.0), "n0", "no sign of nothing"),
            (DataRef::Float(0.75), "n0.75", "a part"),
            (DataRef::Float(0.1 + 0.2), "n0.30000000000000004", "as it is, not as it is shown"),
            (DataRef::Float(784_199_012_345_678.0), "n784199012345678", "no exponent"),
            (DataRef::Float(9_007_199_254_740_992.0), "l9007199254740992", "it may be another"),
            (DataRef::Float(f64::NAN), "e", "no number"),
            (DataRef::Bool(true), "btrue", "a boolean"),
            (DataRef::SharedString("٨٥"), "t٨٥", "digits that are text stay text"),
            (DataRef::Error(CellErrorType::NA), "e#N/A", "an error"),
            (at(46272.0), "d2026-09-07", "a day"),
            (at(46272.5), "d2026-09-07T12:00:00", "a day and a time"),
            (at(46_272.000_011_58), "d2026-09-07T00:00:01.001", "to the millisecond"),
            (at(1.0), "d1900-01-01", "the first day"),
            (at(60.0), "d1900-02-29", "a day that never was is refused as such"),
            (at(61.0), "d1900-03-01", "and the next one is right again"),
            (at(0.25), "t06:00:00", "a time of no day"),
            (at(-1.0), "e-1", "before the first day"),
            (at(2_958_466.0), "e2958466", "behind the last"),
            (time(44810.0, ExcelDateTimeType::DateTime, true), "d2026-09-07", "from 1904 on"),
            (time(1.104_166_7, ExcelDateTimeType::TimeDelta, false), "t26:30:00", "a length"),
            (iso("2026-09-07T00:00:00"), "d2026-09-07", "a day"),
            (iso("2026-09-07T00:00:00.000"), "d2026-09-07", "the same"),
            (iso("2026-09-07T00:00:00."), "d2026-09-07T00:00:00.", "that is none"),
            (iso("2026-09-07T00:00:00.001"), "d2026-09-07T00:00:00.001", "a moment later"),
            (iso("2026-09-07T00:00:00Z"), "d2026-09-07T00:00:00Z", "a moment in UTC"),
        ] {
            assert_eq!(sent(&value), expected, "{why}");
        }
        let mut out = String::new();
        write(&DataRef::Empty, true, &mut out);
        assert!(matches!(read(&out), Cell::Bad(why) if why.contains("never calculated")));
        assert!(matches!(read("e#N/A"), Cell::Bad(why) if why.contains("error")));
        assert!(matches!(read("l1"), Cell::Bad(why) if why.contains("as text")));
        assert_eq!(read("t"), Cell::Raw(Raw::Nothing), "a formula that gives no text");
        assert_eq!(read("n5"), Cell::Raw(Raw::Number("5")));
        assert_eq!(read("d2026-09-07"), Cell::Raw(Raw::Iso("2026-09-07")));
    }

    #[test]
    fn a_day_may_be_written_as_its_first_moment() {
        for (time, day) in [
            ("2026-03-05T00:00:00.000Z", "2026-03-05"),
            ("2026-03-05T00:00:00Z", "2026-03-05"),
            ("2026-03-05", "2026-03-05"),
            ("2026-03-05T00:00:00.001Z", "2026-03-05T00:00:00.001Z"),
            ("2026-03-05T20:00:00Z", "2026-03-05T20:00:00Z"),
            ("2026-03-05T00:00:00+04:00", "2026-03-05T00:00:00+04:00"),
            ("2026-03-05T00:00:00ZZ", "2026-03-05T00:00:00ZZ"),
        ] {
            assert_eq!(day_of(time), day);
        }
    }

    #[test]
    fn cells_are_called_as_a_spreadsheet_calls_them() {
        for (index, line, expected) in
            [(0, 1, "A1"), (25, 7, "Z7"), (26, 7, "AA7"), (16_383, 1_048_576, "XFD1048576")]
        {
            assert_eq!(name(index, line), expected);
        }
    }
}
