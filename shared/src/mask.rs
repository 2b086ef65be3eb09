//! What stands for a value that may not be seen.

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
