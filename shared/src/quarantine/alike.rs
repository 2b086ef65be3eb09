//! What refusals have in common: their reasons without what differs from one row to the next.

/// What stands for what was left out.
const GAP: char = '…';

/// A reason as a kind: its numbers, and what it quotes other than the field, are left out. Reasons that are alike make one
/// group.
pub fn alike(reason: &str, field: Option<&str>) -> String {
    let mut kind = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(c) = rest.chars().next() {
        if c == '"'
            && let Some((quoted, behind)) = quoted(rest)
        {
            if field == Some(quoted) {
                kind.extend(["\"", quoted, "\""]);
            } else if !kind.ends_with("\"…\", ") {
                kind.push_str("\"…\"");
            } else {
                // One of a list, however long that is.
                kind.truncate(kind.len() - ", ".len());
            }
            rest = behind;
        } else if c.is_numeric() {
            kind.push(GAP);
            let end = rest.find(|c: char| !c.is_numeric() && !is_within(c)).unwrap_or(rest.len());
            // What ends a number is the sentence's.
            let number = rest.get(..end).unwrap_or_default().trim_end_matches(is_within);
            rest = rest.get(number.len()..).unwrap_or_default();
        } else {
            kind.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    kind
}

/// What may stand within a number.
const fn is_within(c: char) -> bool {
    matches!(c, '.' | ',' | ':')
}

/// What stands between the quotes with which a text begins, and what is behind them; quotes inside are escaped.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return Some((inside.get(..at)?, inside.get(at + 1..)?)),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_alike_but_for_numbers_and_what_they_quote() {
        let grade = Some("grade");
        for (reason, field, expected, why) in [
            (
                "field \"grade\" is not a whole number",
                grade,
                "field \"grade\" is not a whole number",
                "the field stays",
            ),
            (
                "the row has 7 cells and the header 12; look for it",
                None,
                "the row has … cells and the header …; look for it",
                "numbers go",
            ),
            (
                "field \"grade\" (cell B7) holds an error",
                grade,
                "field \"grade\" (cell B…) holds an error",
                "the row of a sheet goes, its column stays",
            ),
            (
                "the name \"نوع \\\"x\\\"\" stands twice",
                None,
                "the name \"…\" stands twice",
                "quotes inside quotes",
            ),
            (
                "the header lacks \"a\", \"b\"; it has \"c\", \"d\", \"e\"; mend it",
                None,
                "the header lacks \"…\"; it has \"…\"; mend it",
                "lists of any length",
            ),
            ("at 3.5: 1,204, then", None, "at …: …, then", "signs within a number, and behind it"),
            ("no closing \" quote, row ٣", None, "no closing \" quote, row …", "a quote alone"),
            ("", None, "", "nothing"),
        ] {
            assert_eq!(alike(reason, field), expected, "{why}");
            assert_eq!(alike(expected, field), expected, "{why}: and that is its own kind");
        }
    }
}
