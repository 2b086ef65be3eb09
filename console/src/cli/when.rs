//! Times, spans and sizes as people read them.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use marsad_shared::untrusted::show;

use super::fail::Fail;

/// How an answer is to look.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// What times are said relative to.
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) colour: bool,
    /// The cells of a line, where the answer goes to a terminal.
    pub(crate) width: Option<usize>,
}

impl Look {
    /// `14:03 (12m ago)`; with the day where it is another one.
    pub(crate) fn short(&self, at: Timestamp) -> String {
        let (local, today) = (
            at.to_zoned_datetime(self.zone.clone()),
            self.now.to_zoned_datetime(self.zone.clone()),
        );
        let form = match (local.date() == today.date(), local.year() == today.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%m-%d %H:%M",
            (false, false) => "%Y-%m-%d",
        };
        format!("{} ({})", local.strftime(form), self.relative(at))
    }

    /// `2026-03-01 16:03:07 +04:00 (12m ago)`.
    pub(crate) fn long(&self, at: Timestamp) -> String {
        format!("{} ({})", self.exact(at), self.relative(at))
    }

    /// `2026-03-01 16:03:07 +04:00`.
    pub(crate) fn exact(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The offset in force now, for the head of a column of times: `+04:00`.
    pub(crate) fn offset(&self) -> String {
        self.now.to_zoned_datetime(self.zone.clone()).strftime("%:z").to_string()
    }

    /// A time as somebody may write it: exactly, as a day or time of this zone, or as how long ago.
    pub(crate) fn time(&self, text: &str) -> Result<Timestamp, Fail> {
        let here = || {
            let at = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from));
            self.zone.to_ambiguous_timestamp(at.ok()?).compatible().ok()
        };
        let ago = || {
            let now = self.now.to_zoned_datetime(self.zone.clone());
            now.checked_sub(text.parse::<Span>().ok()?).ok().map(|then| then.timestamp())
        };
        text.parse().ok().or_else(here).or_else(ago).ok_or_else(|| {
            let why = format!("{} is no time", show(text));
            let remedy = "write 2026-11-24, 2026-11-24T07:00, or 3d for three days ago";
            Fail::here("nothing was asked".to_owned(), &why, remedy)
        })
    }

    /// `12m ago`, `in 4m`, `now`.
    pub(crate) fn relative(&self, at: Timestamp) -> String {
        let seconds = self.now.duration_since(at).as_secs();
        match seconds {
            0 => "now".to_owned(),
            1.. => format!("{} ago", span(seconds.unsigned_abs())),
            _ => format!("in {}", span(seconds.unsigned_abs())),
        }
    }
}

/// A span in its largest one or two units: `45s`, `12m`, `2h 10m`, `3d 4h`.
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: u64, unit: &str, small: u64, of: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit} {small}{of}") }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m"),
        3600..86_400 => two(hours, "h", minutes % 60, "m"),
        86_400..8_640_000 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

/// A size in decimal units, as the configuration writes sizes: `814 B`, `1.2 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut whole, mut tenths, mut unit) = (bytes, 0, "B");
    for next in UNITS {
        if whole < 1000 {
            break;
        }
        (whole, tenths, unit) = (whole / 1000, whole % 1000 / 100, next);
    }
    format!("{whole}.{tenths} {unit}")
}

/// A count with a mark at each thousand: `1,284,003`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        let zone = TimeZone::fixed(jiff::tz::offset(4));
        Look { now: "2026-03-01T12:00:00Z".parse().unwrap(), zone, colour: false, width: None }
    }

    #[test]
    fn times_are_local_and_relative() {
        for (at, short, why) in [
            ("2026-03-01T11:48:00Z", "15:48 (12m ago)", "today: the hour alone"),
            ("2026-03-01T12:04:30Z", "16:04 (in 4m)", "ahead"),
            ("2026-03-01T12:00:00.4Z", "16:00 (now)", "less than a second"),
            ("2026-02-28T19:30:00Z", "02-28 23:30 (16h 30m ago)", "yesterday there: the day too"),
            ("2026-02-28T20:30:00Z", "00:30 (15h 30m ago)", "yesterday in UTC, today there"),
            ("2025-11-01T00:00:00Z", "2025-11-01 (120d ago)", "another year"),
        ] {
            assert_eq!(look().short(at.parse().unwrap()), short, "{why}");
        }
        let at = "2026-03-01T09:50:00Z".parse().unwrap();
        assert_eq!(look().long(at), "2026-03-01 13:50:00 +04:00 (2h 10m ago)");
        assert_eq!(look().offset(), "+04:00");
    }

    #[test]
    fn spans_sizes_and_counts_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (7800, "2h 10m"),
            (273_600, "3d 4h"),
            (172_800, "2d"),
            (8_640_000, "100d"),
        ] {
            assert_eq!(span(seconds), text);
        }
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_290_000, "1.2 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_284_003, "1,284,003")] {
            assert_eq!(count(n), text);
        }
    }
}
