//! A telephone number that can be called from anywhere: E.164, `+971501234567`.

use std::str::FromStr;

use phonenumber::{Mode, country::Id};

/// Where a number is dialled that names no country: two letters of ISO 3166, such as `AE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(Id);

/// Text that names no country whose numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("names no country whose numbers are known")]
pub struct NoRegion;

impl FromStr for Region {
    type Err = NoRegion;

    fn from_str(text: &str) -> Result<Self, NoRegion> {
        text.parse().map(Self).map_err(|_| NoRegion)
    }
}

impl Default for Region {
    /// The Emirates.
    fn default() -> Self {
        Self(Id::AE)
    }
}

/// The longest number, with all that stands between its digits, in bytes.
const LONGEST: usize = 32;

/// The number in E.164, if it is one that its country gives out. Digits are ASCII by now; between them may stand spaces,
/// hyphens, points and brackets.
pub fn e164(text: &str, region: Region) -> Option<String> {
    // Extensions, `tel:` and words are no part of a number, and none of them reaches the parser.
    let between = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')');
    let is_number =
        |(at, c): (usize, char)| c.is_ascii_digit() || between(c) || (c == '+' && at == 0);
    if text.len() > LONGEST || !text.char_indices().all(is_number) {
        return None;
    }
    let bare: String = text.chars().filter(|c| !between(*c)).collect();
    let number = phonenumber::parse(Some(region.0), bare).ok()?;
    number.is_valid().then(|| number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_e164_or_nothing() {
        for (text, region, expected, why) in [
            ("+971501234567", "AE", Some("+971501234567"), "as it is stored"),
            ("050 123 4567", "AE", Some("+971501234567"), "as it is dialled here"),
            ("00971 6 512 3456", "AE", Some("+97165123456"), "as it is dialled from abroad"),
            ("(06) 512-3456", "AE", Some("+97165123456"), "brackets and hyphens"),
            ("971501234567", "AE", Some("+971501234567"), "a country without its plus"),
            ("800 1234", "AE", Some("+9718001234"), "free of charge"),
            ("600 512345", "AE", Some("+971600512345"), "one price from anywhere"),
            ("+44 20 7946 0958", "AE", Some("+442079460958"), "another country"),
            ("0501234567", "SA", Some("+966501234567"), "as it is dialled there"),
            ("050 123 456", "AE", None, "a digit short"),
            ("050 123 45678", "AE", None, "a digit too many"),
            (
                "+9710501234567",
                "AE",
                Some("+971501234567"),
                "the zero that is dialled within, known to be none",
            ),
            ("999", "AE", None, "a call for help is no number of a person"),
            ("+999501234567", "AE", None, "no such country"),
            ("0000000000", "AE", None, "no such number"),
            ("٠٥٠١٢٣٤٥٦٧", "AE", None, "digits are folded before"),
            ("050 123 4567 ext. 12", "AE", None, "an extension"),
            ("tel:+971501234567", "AE", None, "a link"),
            ("050-FLOWERS", "AE", None, "letters"),
            ("050123+4567", "AE", None, "a plus in the middle"),
            ("+", "AE", None, "nothing behind it"),
            ("", "AE", None, "nothing"),
        ] {
            assert_eq!(e164(text, region.parse().unwrap()).as_deref(), expected, "{why}: {text}");
        }
    }

    #[test]
    fn a_region_is_a_country_by_its_two_letters() {
        assert_eq!("AE".parse(), Ok(Region::default()));
        for text in ["", "ae", "ZZ", "UAE", "+971"] {
            assert_eq!(text.parse::<Region>(), Err(NoRegion), "{text}");
        }
    }
}
