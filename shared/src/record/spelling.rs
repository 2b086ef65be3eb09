//! How a partner writes the times of its cursor.

use serde::{Deserialize, Serialize};

/// How a partner writes the times of its cursor, beyond what the bank keeps of them. It is asked in its own spelling: who
/// compares times as texts, and many do, would pass over `10:00:00.000Z` where it is asked for what stands at `10:00:00Z`; and
/// who writes no zone may not understand one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spelling {
    /// Digits behind the second: the most that any had, and at most 9.
    #[serde(default)]
    pub fraction: u8,
    /// Whether UTC is written `+00:00`, and not `Z`.
    #[serde(default)]
    pub offset: bool,
    /// Whether they name no zone: they are of that of their field.
    #[serde(default)]
    pub local: bool,
    /// Whether a space stands between day and time, and no `T`.
    #[serde(default)]
    pub space: bool,
}

impl Spelling {
    /// That of one time of ISO 8601, with a day and a time; `None` of anything else.
    pub fn of(text: &str) -> Option<Self> {
        let (between, time) = text.get(10..)?.split_at_checked(1)?;
        let is_time = text.get(4..5) == Some("-") && time.get(2..3) == Some(":");
        if !is_time || !matches!(between, "T" | "t" | " ") {
            return None;
        }
        let digits = |fraction: &str| fraction.bytes().take_while(u8::is_ascii_digit).count();
        let fraction = time.split_once('.').map_or(0, |(_, fraction)| digits(fraction).min(9));
        Some(Self {
            fraction: u8::try_from(fraction).unwrap_or(0),
            offset: time.ends_with("+00:00"),
            local: !time.contains(['Z', 'z', '+', '-', '[']),
            space: between == " ",
        })
    }

    /// That which does for both: a zone that is named by one is understood.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            fraction: self.fraction.max(other.fraction),
            offset: self.offset || other.offset,
            local: self.local && other.local,
            space: self.space || other.space,
        }
    }

    /// What is known once a later page has this one: it may be another by now, and its digits may only happen to be fewer.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let fraction = self.fraction.max(later.fraction);
        if (Self { fraction, ..self }) == (Self { fraction, ..later }) {
            Self { fraction, ..later }
        } else {
            later
        }
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
        for (text, fraction, offset, local, space) in [
            ("2026-11-24T10:00:05Z", 0, false, false, false),
            ("2026-11-24T10:00:05.000Z", 3, false, false, false),
            ("2026-11-24 10:00:05.123456+00:00", 6, true, false, true),
            ("2026-11-24T10:00:05+00:00", 0, true, false, false),
            ("2026-11-24T10:00:05.1234567890123Z", 9, false, false, false),
            ("2026-11-24T14:00:05.5+04:00", 1, false, false, false),
            ("2026-11-24T10:00:05-0500", 0, false, false, false),
            ("2026-11-24T14:00:05.250", 3, false, true, false),
            ("2026-11-24 14:00:05", 0, false, true, true),
            ("2026-11-24T14:00:05[Asia/Dubai]", 0, false, false, false),
        ] {
            assert_eq!(
                Spelling::of(text),
                Some(Spelling { fraction, offset, local, space }),
                "{text}"
            );
        }
        for text in ["1794816000", "/Date(1794816000000)/", "2026-11-24", "24/11/2026 10:00", ""] {
            assert_eq!(Spelling::of(text), None, "{text}");
        }
    }

    #[test]
    fn of_two_spellings_there_is_one_that_does() {
        let of = |time: &str| Spelling::of(&format!("2026-11-24{time}")).unwrap();
        let expected = Spelling { fraction: 1, offset: true, ..Spelling::default() };
        assert_eq!(of("T10:00:05.5Z").with(of("T10:00:05+00:00")), expected);
        assert!(!of("T10:00:05").with(of("T10:00:05Z")).local, "a zone is understood");
        assert_eq!(of("T10:00:05.123Z").followed_by(of("T10:00:05Z")).fraction, 3);
        let other = of(" 10:00:05");
        assert_eq!(of("T10:00:05.123Z").followed_by(other), other, "it writes otherwise by now");
        assert!(of("T10:00:05Z").is_ours());
    }
}
