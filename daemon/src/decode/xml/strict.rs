//! What XML asks of a document and the library that parts it into tags lets pass. Where such a thing stands, what the rest
//! means is a guess, and two readers guess differently.

/// The longest name, in bytes.
const NAME_MAX: usize = 1024;

/// Whether all of `text` is characters that a document may have: of the controls it has three, and no non-characters.
pub(super) fn is_text(text: &str) -> bool {
    let control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    // U+FFFE and U+FFFF are the only ones that begin with these two.
    let ends = |bytes: &[u8]| matches!(bytes, [0xef, 0xbf, 0xbe | 0xbf]);
    !text.as_bytes().iter().any(control) && !text.as_bytes().windows(3).any(ends)
}

/// Whether it is a name as XML has them, near enough: it holds nothing that means something else, here or in JSON.
pub(super) fn is_name(name: &str) -> bool {
    let letter = |c: char| {
        c.is_ascii_alphabetic()
            || c == '_'
            || !c.is_ascii() && !c.is_whitespace() && !c.is_control()
    };
    name.len() <= NAME_MAX
        && name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// Whether attributes, as they are written, are parted by blanks, and none holds a `<`: what looks like one is the next
/// element, behind a quote that was never closed.
pub(super) fn are_parted(attributes: &str) -> bool {
    let mut quote = None;
    let mut closed = false;
    for byte in attributes.bytes() {
        if byte == b'<' || closed && !byte.is_ascii_whitespace() {
            return false;
        }
        closed = quote == Some(byte);
        match quote {
            Some(open) if open == byte => quote = None,
            None if matches!(byte, b'\'' | b'"') => quote = Some(byte),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_three_controls_and_no_non_characters() {
        for good in ["", "a\tb\r\n", "عقد", "\u{fffd}", "\u{7f}\u{10000}", "\u{ffee}"] {
            assert!(is_text(good), "{good:?}");
        }
        for bad in ["\0", "a\u{1}", "\u{b}", "\u{1f}b", "\u{fffe}", "a\u{ffff}b"] {
            assert!(!is_text(bad), "{bad:?}");
        }
    }

    #[test]
    fn attributes_are_parted_by_blanks() {
        for good in ["", " ", " a='1' b=\"'2'\" ", "\na = '1'\n\tb='2'", " a='b=\"1\"c'"] {
            assert!(are_parted(good), "{good:?}");
        }
        for bad in [" a='1'b='2'", " a='<b>'", " a=\"1\"/"] {
            assert!(!are_parted(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_name_has_an_end() {
        assert!(is_name(&"n".repeat(NAME_MAX)) && !is_name(&"n".repeat(NAME_MAX + 1)));
        assert!(is_name("عقد-1.a") && !is_name("1a") && !is_name("a b") && !is_name(""));
    }
}
