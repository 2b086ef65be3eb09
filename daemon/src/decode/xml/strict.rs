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

/// Whether it is a name of XML 1.0 (fifth edition) without a colon: it holds nothing that means something else, here or in
/// JSON.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(begins_name)
        && name.chars().all(|c| begins_name(c) || goes_on(c))
}

/// `NameStartChar`, but the colon.
const fn begins_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// What `NameChar` has besides.
const fn goes_on(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// What is a blank in XML, and nothing else is.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Whether `text` is a declaration as XML has them, without its marks: `xml`, a version 1, then the encoding and whether
/// it stands alone, where they are said.
pub(super) fn is_declaration(text: &str) -> bool {
    let version = |value: &str| {
        let minor = value.strip_prefix("1.").unwrap_or_default();
        !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())
    };
    let encoding = |value: &str| {
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        value.starts_with(|c: char| c.is_ascii_alphabetic()) && value.bytes().all(goes_on)
    };
    let alone = |value: &str| matches!(value, "yes" | "no");
    let Some(rest) = text.strip_prefix("xml").and_then(|rest| said(rest, "version", version))
    else {
        return false;
    };
    let rest = said(rest, "encoding", encoding).unwrap_or(rest);
    let rest = said(rest, "standalone", alone).unwrap_or(rest);
    rest.trim_start_matches(BLANKS).is_empty()
}

/// What stands behind `name="value"` at the begin of `text`, if that stands there, parted by a blank, and `fits`.
fn said<'t>(text: &'t str, name: &str, fits: impl Fn(&str) -> bool) -> Option<&'t str> {
    let begin = text.strip_prefix(BLANKS)?.trim_start_matches(BLANKS).strip_prefix(name)?;
    let value = begin.trim_start_matches(BLANKS).strip_prefix('=')?.trim_start_matches(BLANKS);
    let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let (value, rest) = value.strip_prefix(quote)?.split_once(quote)?;
    fits(value).then_some(rest)
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

    #[test]
    fn a_name_has_the_characters_that_xml_gives_it() {
        // Where each range of the specification begins and ends, and what lies beside it.
        for (begins, goes_on, none) in [
            ("AZ_az", "-.09", "@[`{:/"),
            ("\u{c0}\u{d6}\u{d8}\u{f6}\u{f8}\u{2ff}", "\u{b7}", "\u{b6}\u{b8}\u{bf}\u{d7}\u{f7}"),
            ("\u{370}\u{37d}\u{37f}\u{1fff}", "\u{300}\u{36f}", "\u{37e}\u{2000}"),
            (
                "\u{200c}\u{200d}",
                "\u{203f}\u{2040}",
                "\u{200b}\u{200e}\u{200f}\u{202e}\u{203e}\u{2041}",
            ),
            ("\u{2070}\u{218f}", "", "\u{206f}\u{2190}"),
            ("\u{2c00}\u{2fef}\u{3001}\u{d7ff}", "", "\u{2bff}\u{2ff0}\u{3000}\u{e000}\u{f8ff}"),
            ("\u{f900}\u{fdcf}\u{fdf0}\u{fffd}", "", "\u{fdd0}\u{fdef}\u{fffe}"),
            ("\u{10000}\u{effff}", "", "\u{f0000}\u{10ffff}"),
        ] {
            for c in begins.chars() {
                assert!(is_name(&c.to_string()) && is_name(&format!("a{c}")), "{c:?} begins one");
            }
            for c in goes_on.chars() {
                assert!(!is_name(&c.to_string()) && is_name(&format!("a{c}")), "{c:?} goes on");
            }
            for c in none.chars() {
                assert!(!is_name(&c.to_string()) && !is_name(&format!("a{c}")), "{c:?} is none");
            }
        }
    }

    #[test]
    fn a_declaration_says_three_things_in_their_order() {
        for good in [
            "xml version=\"1.0\"",
            "xml\n version = '1.1' encoding='UTF-8' standalone=\"yes\" ",
            "xml version='1.0' standalone='no'",
            "xml version='1.0' encoding=\"ISO-8859-6\"\t",
        ] {
            assert!(is_declaration(good), "{good}");
        }
        for bad in [
            "xml",
            "xml ",
            "xml encoding='UTF-8'",
            "xml version=1.0",
            "xml version=\"1.0'",
            "xml version='2.0'",
            "xml version='1.'",
            "xml version='1.x'",
            "xmlversion='1.0'",
            "xml\u{a0}version='1.0'",
            "xml version='1.0'encoding='UTF-8'",
            "xml version='1.0' encoding=''",
            "xml version='1.0' encoding='8bit'",
            "xml version='1.0' encoding='a b'",
            "xml version='1.0' standalone='maybe'",
            "xml version='1.0' standalone='yes' encoding='UTF-8'",
            "xml version='1.0' version='1.0'",
            "xml version='1.0' foo='1'",
            "xml version='1.0' x",
        ] {
            assert!(!is_declaration(bad), "{bad}");
        }
    }
}
