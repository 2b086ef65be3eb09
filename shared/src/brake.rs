//! The brake: whether what a run would do to the bank is plausible, or waits for a person.
//!
//! A partner that sends half its records, or none, says by that alone that the others are gone. Nothing is deleted on a
//! doubt: such a run is held whole. Pure: the caller passes what the run found and what earlier ones brought.

/// How many earlier runs a run is compared with, the last good ones.
pub const SAMPLES: usize = 8;
/// With fewer of them nothing is said of a run's size.
const SAMPLES_MIN: usize = 5;
/// Deletions that the partner names one by one are believed up to so many, whatever share they are.
const NAMED_MIN: u64 = 20;

/// A share of records, in hundredths of a percent: 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// 20 %: what a run may delete where nothing else is said.
    pub const FIFTH: Self = Self(2_000);

    /// `None` unless it is 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 10,000, as the range above it says"
    )]
    pub fn of(part: f64) -> Option<Self> {
        (0.0..=1.0).contains(&part).then(|| Self((part * 10_000.0).round() as u32))
    }

    /// Whether `part` of `whole` is more than this.
    fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 10_000 > u128::from(whole) * u128::from(self.0)
    }
}

/// In percent, such as `20 %` or `12.5 %`.
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole} %"),
            rest if rest % 10 == 0 => write!(f, "{whole}.{} %", rest / 10),
            rest => write!(f, "{whole}.{rest:02} %"),
        }
    }
}

/// What a feed lets a run do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// The most of the living records that a run may delete.
    pub max_delete_share: Share,
    /// The fewest rows of a read of all there is, or of a file; 0: any number will do.
    pub min_rows: u64,
}

impl Default for Brake {
    fn default() -> Self {
        Self { max_delete_share: Share::FIFTH, min_rows: 0 }
    }
}

/// How many rows an earlier run brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    pub rows: u64,
    /// A person let it past the brake: it is as right as what was usual before it.
    pub let_past: bool,
}

/// What a run found, before any of it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Records that lived when it began.
    pub lived: u64,
    pub received: u64,
    /// Living records that the partner says are gone.
    pub deleted: u64,
    /// Living records that a read of all there is no longer has.
    pub absent: u64,
    /// The last good runs of its kind, newest first; empty where the number of their rows says nothing.
    pub earlier: Vec<Volume>,
}

/// What the brake says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Free,
    /// It may go on, and somebody should know.
    Odd(String),
    /// It waits for a person.
    Hold(String),
}

impl Brake {
    /// Judges a run whose rows are all there is, or all there is of a file.
    pub fn judge(&self, found: &Found) -> Verdict {
        let Found { received, .. } = *found;
        if received < self.min_rows {
            let least = self.min_rows;
            return Verdict::Hold(format!(
                "it brought {received} rows, and `min_rows` expects at least {least}"
            ));
        }
        if let Some(why) = self.deletes_too_many(found) {
            return Verdict::Hold(why);
        }
        volume(received, &found.earlier)
    }

    /// Why a run may not delete what it would: more than its share of the records that lived.
    pub fn deletes_too_many(&self, found: &Found) -> Option<String> {
        let Found { lived, deleted, absent, .. } = *found;
        let gone = deleted + absent;
        let named = absent == 0 && deleted < NAMED_MIN;
        if gone == 0 || named || !self.max_delete_share.is_exceeded(gone, lived) {
            return None;
        }
        let most = self.max_delete_share;
        let share = Share(
            u32::try_from(u128::from(gone.min(lived)) * 10_000 / u128::from(lived.max(1)))
                .unwrap_or(10_000),
        );
        let how = match (deleted, absent) {
            (_, 0) => "which the partner says are gone",
            (0, _) => "which it no longer has",
            _ => "some of which the partner says are gone, and the others it no longer has",
        };
        Some(format!(
            "it would delete {gone} of {lived} records ({share}; `max_delete_share` is {most}), {how}"
        ))
    }
}

/// Judges a run by its size beside those before it (health-and-freshness.md section 2, Volume): odd beyond 4 median
/// deviations or a fifth of the median, whichever is more, and held beyond 8 or a half, or where it brought nothing.
/// What a person let past is a measure beside the usual one.
fn volume(received: u64, earlier: &[Volume]) -> Verdict {
    let is_near = |one: &&Volume| received > 0 && received.abs_diff(one.rows) <= one.rows / 5;
    if earlier.len() < SAMPLES_MIN
        || earlier.iter().filter(|one| one.let_past).any(|one| is_near(&one))
    {
        return Verdict::Free;
    }
    let rows = || earlier.iter().map(|one| one.rows);
    let usual = median(rows().collect());
    let deviation = median(rows().map(|rows| rows.abs_diff(usual)).collect());
    let off = received.abs_diff(usual);
    let said = || {
        format!(
            "it brought {received} rows, and the {} before it brought about {usual}",
            earlier.len()
        )
    };
    if usual > 0 && (received == 0 || off > (deviation * 8).max(usual / 2)) {
        Verdict::Hold(said())
    } else if off > (deviation * 4).max(usual / 5) {
        Verdict::Odd(said())
    } else {
        Verdict::Free
    }
}

/// The middle one; of an even number the lower one of the two in the middle. 0 of none.
fn median(mut rows: Vec<u64>) -> u64 {
    rows.sort_unstable();
    rows.get(rows.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(verdict: &Verdict) -> char {
        match verdict {
            Verdict::Free => '-',
            Verdict::Odd(_) => 'o',
            Verdict::Hold(_) => 'h',
        }
    }

    #[test]
    fn a_run_that_would_delete_too_many_is_held() {
        let brake = Brake::default();
        for (lived, deleted, absent, expected, why) in [
            (0, 0, 0, '-', "nothing is there"),
            (100, 0, 20, '-', "just the share"),
            (100, 0, 21, 'h', "more than it"),
            (3, 0, 1, 'h', "few records are no reason to lose one on a doubt"),
            (3, 1, 0, '-', "the partner named it"),
            (40, 19, 0, '-', "it names few"),
            (40, 20, 0, 'h', "it names half of them"),
            (1_000, 200, 0, '-', "the share again"),
            (1_000, 150, 51, 'h', "both together"),
            (1_000, 0, 1_000, 'h', "all of them"),
        ] {
            let found = Found { lived, received: lived, deleted, absent, earlier: Vec::new() };
            assert_eq!(held(&brake.judge(&found)), expected, "{why}");
        }
        let found = Found { lived: 8, received: 6, absent: 2, ..Found::default() };
        let Verdict::Hold(reason) = brake.judge(&found) else { panic!("25 % is more than 20 %") };
        assert_eq!(
            reason,
            "it would delete 2 of 8 records (25 %; `max_delete_share` is 20 %), which it no longer has"
        );
        let all = Brake { max_delete_share: Share::of(1.0).unwrap(), ..brake };
        assert_eq!(all.judge(&Found { lived: 8, absent: 8, ..Found::default() }), Verdict::Free);
        let none = Brake { max_delete_share: Share::of(0.0).unwrap(), ..brake };
        assert_eq!(held(&none.judge(&Found { lived: 8_000, absent: 1, ..Found::default() })), 'h');
    }

    fn brought(rows: &[u64]) -> Vec<Volume> {
        rows.iter().map(|rows| Volume { rows: *rows, let_past: false }).collect()
    }

    #[test]
    fn a_run_is_compared_with_those_before_it() {
        let brake = Brake { min_rows: 2, max_delete_share: Share::of(1.0).unwrap() };
        let same: &[u64] = &[100, 100, 100, 100, 100];
        for (received, earlier, expected, why) in [
            (1, &[][..], 'h', "fewer than `min_rows`"),
            (2, &[], '-', "just as many"),
            (10, &[100, 100, 100, 100], '-', "four runs are no history"),
            (100, same, '-', "as ever"),
            (120, same, '-', "a fifth more"),
            (121, same, 'o', "more than that"),
            (150, same, 'o', "half as many again"),
            (151, same, 'h', "too many"),
            (49, same, 'h', "less than half"),
            (50, same, 'o', "half"),
            (30, &[10, 200, 90, 150, 60, 120, 30, 180], '-', "its size was never steady"),
            (5_000, &[0, 0, 0, 0, 0], 'o', "where nothing came, anything is odd"),
        ] {
            let found = Found { received, earlier: brought(earlier), ..Found::default() };
            assert_eq!(held(&brake.judge(&found)), expected, "{why}");
        }
        let mut earlier = brought(same);
        earlier.insert(0, Volume { rows: 20, let_past: true });
        for (received, expected, why) in [
            (20, '-', "as what was let past"),
            (24, '-', "or a fifth more"),
            (100, '-', "as it was before"),
            (40, 'h', "neither"),
            (0, 'h', "nothing"),
        ] {
            let found = Found { received, earlier: earlier.clone(), ..Found::default() };
            assert_eq!(held(&Brake { min_rows: 0, ..brake }.judge(&found)), expected, "{why}");
        }
        let nothing = Found { earlier: brought(same), ..Found::default() };
        assert_eq!(held(&Brake::default().judge(&nothing)), 'h', "nothing at all");
    }

    #[test]
    fn a_share_is_written_in_percent() {
        for (part, expected) in [
            (0.2, Some("20 %")),
            (0.0, Some("0 %")),
            (1.0, Some("100 %")),
            (0.125, Some("12.5 %")),
            (0.0001, Some("0.01 %")),
            (1.1, None),
            (-0.1, None),
            (f64::NAN, None),
        ] {
            let share = Share::of(part).map(|share| share.to_string());
            assert_eq!(share.as_deref(), expected, "{part}");
        }
    }
}
