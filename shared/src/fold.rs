//! Text as it is compared where people spell one word in several ways: `رقم الهويه` is `رقم الهوية`.
//!
//! What is folded is for looking up alone. What is kept, and what is shown, is always the original.

use unicode_normalization::UnicodeNormalization as _;

/// The text in one form of its letters (NFKC) and in lower case, without vowel signs, tatweel and characters that only
/// steer how it is shown; with one form each of alef, ya, waw, kaf and ta marbuta; with ASCII digits; with single spaces
/// between its words and none around them. Folding twice changes nothing more.
pub fn fold(text: &str) -> String {
    let letters = text.chars().filter(|c| !is_passed_over(*c));
    let lower = letters.nfkc().flat_map(char::to_lowercase);
    // A lower-case letter may have a form of its own where the capital has none.
    let letters = lower.nfkc().filter(|c| !is_passed_over(*c)).map(plain);
    let mut folded = String::with_capacity(text.len());
    let mut space = false;
    for letter in letters {
        if letter.is_whitespace() {
            space = !folded.is_empty();
            continue;
        }
        if space {
            folded.push(' ');
            space = false;
        }
        folded.push(letter);
    }
    folded
}

/// The two halves of text in two languages, such as `المؤشر / Indicator`, without what stands around them; `None` where
/// it is not of Arabic on one side and of something else on the other.
pub fn halves(text: &str) -> Option<(&str, &str)> {
    let has = |text: &str, is: fn(char) -> bool| text.chars().any(is);
    let arabic = |text: &str| has(text, is_arabic) && !has(text, |c| c.is_ascii_alphabetic());
    let other = |text: &str| has(text, char::is_alphabetic) && !has(text, is_arabic);
    let parted = text.match_indices(is_between).find_map(|(at, sign)| {
        let (one, two) = (text.get(..at)?, text.get(at + sign.len()..)?);
        // A hyphen inside a word parts nothing.
        let apart = !matches!(sign, "-" | "–") || (one.ends_with(' ') && two.starts_with(' '));
        let two = if sign == "(" { two.trim_end().strip_suffix(')')? } else { two };
        let both = (arabic(one) && other(two)) || (other(one) && arabic(two));
        (apart && both).then_some((one, two))
    });
    parted.map(|(one, two)| (one.trim(), two.trim()))
}

/// What the name of a column may be read as: itself, and of two languages each.
pub fn readings(name: &str) -> Vec<String> {
    let halves = halves(name).map(|(one, other)| [fold(one), fold(other)]);
    std::iter::once(fold(name)).chain(halves.into_iter().flatten()).collect()
}

/// What may stand between two languages.
const fn is_between(c: char) -> bool {
    matches!(c, '/' | '|' | '\n' | '-' | '–' | '(')
}

const fn is_arabic(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{64a}' | '\u{671}'..='\u{6d3}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Vowel signs and the marks of the Koran; tatweel; characters that only steer how text is shown.
const fn is_passed_over(c: char) -> bool {
    matches!(c,
        '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}'
        | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{8d3}'..='\u{8e1}' | '\u{8e3}'..='\u{8ff}'
        | '\u{640}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// One letter for those that are written for one another, and one digit.
fn plain(c: char) -> char {
    match c {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ی' | 'ئ' => 'ي',
        'ة' => 'ه',
        'ک' => 'ك',
        'ؤ' => 'و',
        '\u{660}'..='\u{669}' => digit(u32::from(c) - 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(u32::from(c) - 0x6f0),
        _ => c,
    }
}

fn digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_word_is_one_text_however_it_is_spelt() {
        for (one, other, why) in [
            ("رقم الهوية", "رقم الهويه", "ta marbuta"),
            ("أحمد إبراهيم آدم", "احمد ابراهيم ادم", "hamza on an alef"),
            ("ٱلله", "الله", "the alef that joins"),
            ("على", "علي", "ya without its dots"),
            ("علی", "علي", "ya of Persian"),
            ("کتاب", "كتاب", "kaf of Persian"),
            ("مسؤول", "مسوول", "hamza on a waw"),
            ("قائمة", "قايمه", "hamza on a ya"),
            ("قا\u{64a}\u{654}مة", "قائمة", "in two characters"),
            ("هَيْئَةُ", "هيئة", "vowel signs"),
            ("رقـــم", "رقم", "tatweel"),
            ("\u{200f}رقم\u{200e} \u{feff}", "رقم", "characters that steer"),
            ("ﻣﺮﺻﺪ", "مرصد", "forms of presentation"),
            ("ﷲ", "الله", "one for a whole word"),
            ("سنة ٢٠٢٦", "سنة 2026", "Arabic-Indic digits"),
            ("سنة ۲۰۲۶", "سنة 2026", "Persian ones"),
            ("Ｉｄ　１", "id 1", "wide letters"),
            ("  Case\u{a0}\t No\n", "case no", "white space"),
            ("STRASSE É", "strasse é", "case"),
            ("J\u{30c}", "ǰ", "a small letter that is one where the capital is two"),
        ] {
            assert_eq!(fold(one), fold(other), "{why}");
        }
        for (one, other, why) in [
            ("رقم", "قرم", "other letters"),
            ("case no", "caseno", "a space"),
            ("é", "e", "an accent of Latin"),
            ("ء", "", "a hamza by itself"),
        ] {
            assert_ne!(fold(one), fold(other), "{why}");
        }
        assert_eq!(fold(" \u{200f}\u{640} "), "", "nothing that counts");
    }

    #[test]
    fn text_in_two_languages_has_two_halves() {
        for (text, expected) in [
            ("المؤشر / Indicator", Some(("المؤشر", "Indicator"))),
            ("Indicator/المؤشر", Some(("Indicator", "المؤشر"))),
            ("المؤشر|Indicator", Some(("المؤشر", "Indicator"))),
            ("المؤشر\nIndicator", Some(("المؤشر", "Indicator"))),
            ("Indicator - المؤشر", Some(("Indicator", "المؤشر"))),
            ("المؤشر (Indicator)", Some(("المؤشر", "Indicator"))),
            ("Yes/No - نعم", Some(("Yes/No", "نعم"))),
            ("نعم/لا | Yes/No", Some(("نعم/لا", "Yes/No"))),
            ("Indicator", None),
            ("Km/h", None),
            ("Km/h السرعة", None),
            ("ذكر/أنثى", None),
            ("ID-الهوية", None),
            ("Indicator المؤشر", None),
            ("المؤشر / 2026", None),
            ("المؤشر /", None),
            ("المؤشر (Indicator", None),
        ] {
            assert_eq!(halves(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing_more(text in "\\PC*", letters in "[ا-ي\\x{640}-\\x{670}\\x{300}-\\x{345}A-Zİ \\x{200f}]*") {
            for text in [text, letters] {
                let folded = fold(&text);
                prop_assert_eq!(fold(&folded), folded);
            }
        }
    }
}
