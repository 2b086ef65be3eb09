//! Emirates IDs, and what forms write where there is none (sources.md 3.3).

/// Whether it is what forms write for "no card": one digit and nothing else, as in `999-9999-9999999-9`, or the first
/// three of it.
pub(crate) fn is_no_card(text: &str) -> bool {
    let digits = || text.chars().filter(|c| !is_between(*c));
    let first = digits().next().filter(char::is_ascii_digit);
    first.is_some_and(|first| digits().all(|digit| digit == first))
        && matches!(digits().count(), 3 | 15)
}

/// What parts the digits.
const fn is_between(c: char) -> bool {
    matches!(c, '-' | ' ' | '\u{a0}' | '\u{202f}')
}

/// The 15 digits, if the prefix and the check digit (Luhn) are right.
pub(crate) fn emirates_id(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !is_between(*c)).collect();
    if digits.len() != 15
        || !digits.starts_with("784")
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10).then_some(digits)
}
