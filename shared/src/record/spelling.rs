//! How a partner writes the times of its cursor.

use serde::{Deserialize, Serialize};

/// How a partner writes the times of its cursor, beyond what the bank keeps of them. It is asked in its own spelling: who
/// compares times as texts, and many do, would pass over `10:00:00.000Z` where it is asked for what stands at `10:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spelling {
    /// Digits behind the second: the most that any had, and at most 9.
    #[serde(default)]
    pub fraction: u8,
    /// Whether UTC is written `+00:00`, and not `Z`.
    #[serde(default)]
    pub offset: bool,
}

impl Spelling {
    /// That of one time of ISO 8601; of anything else it is that of whole seconds and a `Z`.
    pub fn of(text: &str) -> Self {
        let digits = |fraction: &str| fraction.bytes().take_while(u8::is_ascii_digit).count();
        let fraction = text.rsplit_once('.').map_or(0, |(_, fraction)| digits(fraction).min(9));
        Self { fraction: u8::try_from(fraction).unwrap_or(0), offset: text.ends_with("+00:00") }
    }

    /// That which does for both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { fraction: self.fraction.max(other.fraction), offset: self.offset || other.offset }
    }

    /// Whether it is as the bank writes times.
    pub fn is_ours(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_a_time_is_its_digits_and_its_zone() {
        for (text, fraction, offset) in [
            ("2026-11-24T10:00:05Z", 0, false),
            ("2026-11-24T10:00:05.000Z", 3, false),
            ("2026-11-24 10:00:05.123456+00:00", 6, true),
            ("2026-11-24T10:00:05+00:00", 0, true),
            ("2026-11-24T10:00:05.1234567890123Z", 9, false),
            ("2026-11-24T14:00:05.5+04:00", 1, false),
            ("1794816000", 0, false),
            ("/Date(1794816000000)/", 0, false),
            ("", 0, false),
        ] {
            assert_eq!(Spelling::of(text), Spelling { fraction, offset }, "{text}");
        }
        let (one, other) = (Spelling::of("10:00:05.5Z"), Spelling::of("10:00:05+00:00"));
        assert_eq!(one.with(other), Spelling { fraction: 1, offset: true });
        assert!(Spelling::default().with(Spelling::default()).is_ours());
    }
}
