//! Nagios ranges: `[@]START:END`, an alert outside of them, or with `@` inside.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A range of good values. `10` is 0 to 10, `10:` is 10 and more, `~:10` is 10 and less, `@10:20` is all but that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    text: String,
    start: f64,
    end: f64,
    inside: bool,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range is [@]START:END, such as 600, 10:20, ~:5 or @1:9, its start not above its end")]
pub(crate) struct NoRange;

impl Range {
    /// 0 to `end`.
    pub(super) fn up_to(end: u32) -> Self {
        Self { text: end.to_string(), start: 0.0, end: end.into(), inside: false }
    }

    /// Whether `value` is one to raise an alert for.
    #[expect(clippy::cast_precision_loss, reason = "seconds and counts, far below 2^53")]
    pub(super) fn alerts(&self, value: i64) -> bool {
        let value = value as f64;
        (value < self.start || value > self.end) != self.inside
    }
}

impl FromStr for Range {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let (inside, bounds) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
        let (start, end) = bounds.split_once(':').unwrap_or(("0", bounds));
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or(NoRange);
        let start = match start {
            "~" => f64::NEG_INFINITY,
            "" => 0.0,
            start => number(start)?,
        };
        let end = match end {
            "" if bounds.contains(':') => f64::INFINITY,
            end => number(end)?,
        };
        if start > end {
            return Err(NoRange);
        }
        Ok(Self { text: text.to_owned(), start, end, inside })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_outside_unless_it_is_inside() {
        for (range, well, alert) in [
            ("10", &[0, 10][..], &[-1, 11][..]),
            ("10:", &[10, 99], &[9, -5]),
            ("~:10", &[-99, 10], &[11]),
            ("10:20", &[10, 20], &[9, 21]),
            ("@10:20", &[9, 21], &[10, 15, 20]),
            ("@~:0", &[1], &[0, -1]),
            (":5", &[0, 5], &[6, -1]),
            ("-5:-1", &[-5, -1], &[0, -6]),
            ("0.5:1.5", &[1], &[0, 2]),
        ] {
            let parsed: Range = range.parse().unwrap();
            assert!(well.iter().all(|n| !parsed.alerts(*n)), "{range}");
            assert!(alert.iter().all(|n| parsed.alerts(*n)), "{range}");
            assert_eq!(parsed.to_string(), range);
        }
        for bad in ["", "@", "a", "1:2:3", "20:10", "~", "nan", "1:inf", "10 :20", "5:~"] {
            assert_eq!(bad.parse::<Range>(), Err(NoRange), "{bad}");
        }
    }
}
