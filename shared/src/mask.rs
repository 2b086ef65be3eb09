//! What stands for a value that may not be seen.

use std::borrow::Cow;

use crate::feed::FieldType;

/// What stands in a value's place.
pub const MASK: &str = "•••";
/// How long an Emirates ID is, in digits, and how it begins.
const CARD: (usize, &str) = (15, "784");

/// The mask of a value in a column of that type: of an Emirates ID its last three digits stay, so that two of them can be
/// told apart. What stands in such a column and is none is masked whole.
pub fn mask(kind: FieldType, text: &str) -> String {
    let tail = if kind == FieldType::EmiratesId { card(text) } else { None };
    let tail = tail.and_then(|digits| digits.get(digits.len() - 3..).map(str::to_owned));
    format!("{MASK}{}", tail.unwrap_or_default())
}

/// Whether an Emirates ID stands in the text, wherever it is and whatever parts its digits: then the text is about a
/// person, whatever its column is called.
pub fn holds_card(text: &str) -> bool {
    let mut digits = String::new();
    for c in text.chars() {
        match digit(c) {
            Some(digit) => digits.push(digit),
            None if is_between(c) => {}
            None => digits.push(' '),
        }
    }
    let (long, begin) = CARD;
    let fits = |word: &str| {
        word.match_indices(begin)
            .any(|(at, _)| word.get(at..).is_some_and(|rest| rest.len() >= long))
    };
    digits.split(' ').any(fits)
}

/// So many digits that belong together may be somebody's number: that of a telephone, or of a card.
const NUMBER_MIN: usize = 9;

/// A text of somebody else's, for people to read, without what may tell who it is about: long numbers and addresses of
/// mail. A name is not known for one.
pub fn of_people(text: &str) -> Cow<'_, str> {
    let is_joint = |c: char| is_between(c) && !matches!(c, ':' | '=' | '\'');
    // Behind a day comes its hour, and no part of a number.
    let is_day = |begin: usize, end: usize| {
        let day = text.get(begin..end).unwrap_or_default().as_bytes();
        day.len() == 10 && day.get(4) == Some(&b'-') && day.get(7) == Some(&b'-')
    };
    let mut spans: Vec<(usize, usize)> = Vec::new();
    // From the first digit of a number to behind its last; how many it has; and whether it began within a word.
    let mut number: Option<(usize, usize, usize)> = None;
    let mut parts = 0;
    for (at, c) in text.char_indices() {
        let behind = at + c.len_utf8();
        match (&mut number, digit(c)) {
            (Some((_, end, count)), Some(_)) => {
                (*end, *count) = (behind, *count + 1);
                parts = 0;
            }
            (None, Some(_)) => (number, parts) = (Some((at, behind, 1)), 0),
            // One sign, or a bracket with a space, may stand between the parts of a number.
            (Some((begin, end, _)), None)
                if is_joint(c) && parts < 2 && !(c == ' ' && is_day(*begin, *end)) =>
            {
                parts += 1;
            }
            (Some((begin, end, count)), None) => {
                if *count >= NUMBER_MIN {
                    spans.push((*begin, *end));
                }
                number = None;
            }
            (None, None) => {}
        }
    }
    spans.extend(number.filter(|(_, _, count)| *count >= NUMBER_MIN).map(|(a, b, _)| (a, b)));
    let mut begin = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_mail =
            bare.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if is_mail && let Some(at) = word.find(bare) {
            spans.push((begin + at, begin + at + bare.len()));
        }
        begin += word.len();
    }
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_unstable();
    let (mut masked, mut from) = (String::new(), 0);
    for (begin, end) in spans {
        if begin >= from {
            masked.push_str(text.get(from..begin).unwrap_or_default());
            masked.push_str(MASK);
        }
        from = from.max(end);
    }
    masked.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(masked)
}

/// The digits of a text that is an Emirates ID and nothing else.
fn card(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.chars().all(|c| digit(c).is_some() || is_between(c)) {
        return None;
    }
    let digits: String = text.chars().filter_map(digit).collect();
    (digits.len() == CARD.0 && digits.starts_with(CARD.1)).then_some(digits)
}

/// The ASCII digit that a digit stands for; Arabic ones count, and wide ones.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10),
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
        _ => None,
    }
}

/// Whether digits on both sides of it may be those of one number: whatever people write there, a stretched line of Arabic
/// too, but for other letters and what parts the cells of a row.
fn is_between(c: char) -> bool {
    (c == '\u{640}' || !c.is_alphanumeric())
        && !matches!(c, ',' | ';' | '|' | '"' | '\t' | '\n' | '\r' | '،' | '؛')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_partner_says_is_shown_without_whom_it_is_about() {
        for (text, expected) in [
            ("784-1985-1234567-1 has no file", "••• has no file"),
            ("no file for 784198512345671", "no file for •••"),
            ("mobile +971 50 123 4567, call", "mobile +•••, call"),
            ("٧٨٤١٩٨٥١٢٣٤٥٦٧١ غير موجود", "••• غير موجود"),
            ("sent to m.ali@mail.example.", "sent to •••."),
            ("line 12, column 345 of 99999999", "line 12, column 345 of 99999999"),
            ("since 2026-11-28T10:20:30Z", "since 2026-11-28T10:20:30Z"),
            (
                "ORA-00942: table (or view) 1, 2, 3 is missing",
                "ORA-00942: table (or view) 1, 2, 3 is missing",
            ),
            ("user @ host", "user @ host"),
            ("down since 2026-11-28 10:20:30", "down since 2026-11-28 10:20:30"),
        ] {
            assert_eq!(of_people(text), expected);
        }
    }

    #[test]
    fn an_emirates_id_keeps_three_digits_and_nothing_else_keeps_any() {
        for (kind, text, expected, why) in [
            (FieldType::EmiratesId, "784199012345678", "•••678", "as the bank has it"),
            (FieldType::EmiratesId, " 784-1990-1234567-8 ", "•••678", "as it is printed"),
            (FieldType::EmiratesId, "٧٨٤١٩٩٠١٢٣٤٥٦٧٨", "•••678", "in Arabic digits"),
            (FieldType::EmiratesId, "784-1990-1234567", "•••", "too short to be one"),
            (FieldType::EmiratesId, "784199012345678 مريم", "•••", "with a name behind it"),
            (FieldType::EmiratesId, "مريم", "•••", "a name in its place"),
            (FieldType::Text, "784199012345678", "•••", "in a column of another type"),
            (FieldType::Text, "", "•••", "nothing"),
        ] {
            assert_eq!(mask(kind, text), expected, "{why}");
        }
    }

    #[test]
    fn an_emirates_id_is_seen_wherever_it_stands() {
        for (text, expected, why) in [
            ("784199012345678", true, "alone"),
            ("ID 784-1990-1234567-8, see file", true, "within a sentence"),
            ("٧٨٤-١٩٩٠-١٢٣٤٥٦٧-٨", true, "in Arabic digits"),
            ("12 784199012345678", true, "behind another number"),
            ("784_1990_1234567_8", true, "with lines between"),
            ("784 : 1990 * 1234567 / 8", true, "with whatever else between"),
            ("784\u{640}1990\u{640}1234567\u{640}8", true, "with stretched lines between"),
            ("\u{ff17}\u{ff18}\u{ff14}199012345678", true, "in wide digits"),
            (
                "\u{202d}784\u{200b}1990\u{2212}1234567\u{ad}8\u{202c}",
                true,
                "with what nobody sees between",
            ),
            ("784,2026-11-24,1234567", false, "cells of a row"),
            ("78419901234567", false, "one digit short"),
            ("2026-11-24T10:00:00Z", false, "a time"),
            ("+971 50 123 4567", false, "a telephone number"),
            ("", false, "nothing"),
        ] {
            assert_eq!(holds_card(text), expected, "{why}");
        }
    }
}
