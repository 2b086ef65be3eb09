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
    /// The fewest that any had.
    #[serde(default)]
    pub fewest: u8,
    /// How they name their zone.
    #[serde(default)]
    pub zone: Zone,
    /// Whether a space stands between day and time, and no `T`.
    #[serde(default)]
    pub space: bool,
}

/// How times name their zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// UTC, by a `Z`.
    #[default]
    Zulu,
    /// By what it is before UTC, UTC itself too.
    Offset { minutes: i16, form: OffsetForm },
    /// Not at all: they are of that of their field.
    Unnamed,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OffsetForm {
    #[serde(rename = "+hh")]
    Hours,
    #[serde(rename = "+hhmm")]
    Plain,
    #[serde(rename = "+hh:mm")]
    Colon,
}

impl Zone {
    /// That of a time of day with what stands behind it. What no one writes is taken for UTC.
    fn of(time: &str) -> Self {
        let (time, is_named) = time.split_once('[').map_or((time, false), |(time, _)| (time, true));
        let Some(at) = time.find(['+', '-']) else {
            let is_zulu = is_named || time.ends_with(['Z', 'z']);
            return if is_zulu { Self::Zulu } else { Self::Unnamed };
        };
        let (clock, offset) = time.split_at(at);
        if !clock.ends_with(|end: char| end.is_ascii_digit()) {
            return Self::Zulu;
        }
        let (sign, digits) = offset.split_at(1);
        let form = match digits.len() {
            2 => OffsetForm::Hours,
            4 => OffsetForm::Plain,
            5 if digits.get(2..3) == Some(":") => OffsetForm::Colon,
            _ => return Self::Zulu,
        };
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<u8>().ok());
        let hours = number(digits.get(..2));
        let minutes = number(digits.get(digits.len().max(4) - 2..)).filter(|_| digits.len() > 2);
        let Some(hours) = hours.filter(|_| digits.len() == 2 || minutes.is_some()) else {
            return Self::Zulu;
        };
        let minutes = i16::from(hours) * 60 + i16::from(minutes.unwrap_or(0));
        Self::Offset { minutes: if sign == "-" { -minutes } else { minutes }, form }
    }

    /// How far its clock is before UTC, in minutes; `None`: only whoever knows the field can tell.
    const fn minutes(self) -> Option<i16> {
        match self {
            Self::Zulu => Some(0),
            Self::Offset { minutes, .. } => Some(minutes),
            Self::Unnamed => None,
        }
    }

    /// That which leaves nothing out where texts are compared, if some times are written in one and some in the other: a zone
    /// that is named by one is understood, the clock that shows less is the earlier one, and `Z` is greater than `+`.
    fn with(self, other: Self) -> Self {
        let order = |zone| match zone {
            Self::Offset { minutes, .. } => (minutes, 0),
            Self::Zulu => (0, 1),
            Self::Unnamed => (i16::MAX, 2),
        };
        if order(other) < order(self) { other } else { self }
    }
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
        let fraction = u8::try_from(fraction).unwrap_or(0);
        Some(Self { fraction, fewest: fraction, zone: Zone::of(time), space: between == " " })
    }

    /// That which does for both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            zone: self.zone.with(other.zone),
            space: self.space || other.space,
            ..self.digits_with(other)
        }
    }

    const fn digits_with(self, other: Self) -> Self {
        let fraction = if self.fraction > other.fraction { self.fraction } else { other.fraction };
        let fewest = if self.fewest < other.fewest { self.fewest } else { other.fewest };
        Self { fraction, fewest, ..self }
    }

    /// What is known once a later page has this one: it may be another by now, and its digits may only happen to be fewer.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let (before, since) = (self.digits_with(later), later.digits_with(self));
        if before == since {
            return since;
        }
        // Of two that are named the earlier clock stays: where clocks are set, each is there for half a year.
        let is_named = self.zone != Zone::Unnamed && later.zone != Zone::Unnamed;
        let zone = if is_named { self.zone.with(later.zone) } else { later.zone };
        Self { zone, ..later }
    }

    /// Whether all times had as many digits behind the second.
    pub const fn is_even(&self) -> bool {
        self.fraction == self.fewest
    }

    /// Whether one instant may be written in several ways, of which none is the least where texts are compared.
    pub fn is_loose(&self) -> bool {
        self.zone == Zone::Zulu && !self.is_even()
    }

    /// Whether who compares texts finds more than a second's worth of one in another place than in the other.
    pub fn is_far_from(&self, other: &Self) -> bool {
        self.space != other.space || self.zone.minutes() != other.zone.minutes()
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
        let offset = |minutes, form| Zone::Offset { minutes, form };
        let (utc, gulf) = (offset(0, OffsetForm::Colon), offset(240, OffsetForm::Colon));
        for (text, fraction, zone, space) in [
            ("2026-11-24T10:00:05Z", 0, Zone::Zulu, false),
            ("2026-11-24T10:00:05.000Z", 3, Zone::Zulu, false),
            ("2026-11-24 10:00:05.123456+00:00", 6, utc, true),
            ("2026-11-24T10:00:05+00:00", 0, utc, false),
            ("2026-11-24T10:00:05.1234567890123Z", 9, Zone::Zulu, false),
            ("2026-11-24T14:00:05.5+04:00", 1, gulf, false),
            ("2026-11-24T10:00:05-0530", 0, offset(-330, OffsetForm::Plain), false),
            ("2026-11-24 10:00:05+00", 0, offset(0, OffsetForm::Hours), true),
            ("2026-11-24T14:00:05+04:00[Asia/Dubai]", 0, gulf, false),
            ("2026-11-24T14:00:05[Asia/Dubai]", 0, Zone::Zulu, false),
            ("2026-11-24 14:00:05 +0400", 0, Zone::Zulu, true),
            ("2026-11-24T14:00:05.250", 3, Zone::Unnamed, false),
            ("2026-11-24 14:00:05", 0, Zone::Unnamed, true),
            ("2026-11-24T14:00:05+04:00:30", 0, Zone::Zulu, false),
            ("2026-11-24T14:00:05+0x", 0, Zone::Zulu, false),
            ("2026-11-24T14:00:05+04:0x", 0, Zone::Zulu, false),
        ] {
            let expected = Spelling { fraction, fewest: fraction, zone, space };
            assert_eq!(Spelling::of(text), Some(expected), "{text}");
        }
        for text in ["1794816000", "/Date(1794816000000)/", "2026-11-24", "24/11/2026 10:00", ""] {
            assert_eq!(Spelling::of(text), None, "{text}");
        }
    }

    #[test]
    fn of_two_spellings_there_is_one_that_does() {
        let of = |time: &str| Spelling::of(&format!("2026-11-24{time}")).unwrap();
        for (one, other, zone) in [
            ("T10:00:05Z", "T10:00:05+00:00", "+00:00"),
            ("T10:00:05Z", "T14:00:05+04:00", "Z"),
            ("T10:00:05Z", "T05:00:05-0500", "-0500"),
            ("T12:00:05+02:00", "T11:00:05+01:00", "+01:00"),
            ("T10:00:05", "T14:00:05+04:00", "+04:00"),
            ("T10:00:05", "T10:00:05Z", "Z"),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(
                    of(one).with(of(other)).zone,
                    Zone::of(&format!("00{zone}")),
                    "{one} with {other}"
                );
            }
        }
        let both = of("T10:00:05.5Z").with(of("T10:00:05Z"));
        assert!((both.fraction, both.fewest) == (1, 0) && !both.is_even());
        for (one, other, is_far) in [
            ("T10:00:05Z", "T10:00:05.123+00:00", false),
            ("T10:00:05Z", " 10:00:05Z", true),
            ("T10:00:05Z", "T10:00:05", true),
            ("T10:00:05Z", "T14:00:05+04:00", true),
            ("T14:00:05+0400", "T14:00:05+04:00", false),
        ] {
            assert_eq!(of(one).is_far_from(&of(other)), is_far, "{one} and {other}");
        }
        assert!(both.is_loose() && !of("T10:00:05.5Z").is_loose());
        assert!(!of("T10:00:05.5+00:00").with(of("T10:00:05+00:00")).is_loose());
        assert!(of("T10:00:05.123Z").is_even() && of("T10:00:05Z").is_even());
        let fewer = of("T10:00:05.123Z").followed_by(of("T10:00:05Z"));
        assert_eq!((fewer.fraction, fewer.fewest), (3, 0));
        let other = of(" 10:00:05");
        assert_eq!(of("T10:00:05.123Z").followed_by(other), other, "it writes otherwise by now");
        let (winter, summer) = (of("T10:00:05+01:00"), of("T10:00:05+02:00"));
        assert_eq!(summer.followed_by(winter).followed_by(summer).zone, winter.zone);
        assert!(of("T10:00:05Z").is_ours());
    }
}
