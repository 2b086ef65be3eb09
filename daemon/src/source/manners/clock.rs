//! What time it is at the partner: its `Date` headers against our own clock.
//!
//! One answer may be slow, and may come from a cache: the median of the last few counts.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AGE, DATE, HeaderMap};

/// How many answers are remembered.
const KEPT: usize = 5;
/// An answer that took longer says too little: the moment it was written may lie anywhere in between.
const PROMPT: Duration = Duration::from_secs(10);
/// From this difference on somebody is told: what is asked for "since" a time may miss rows.
pub const NOTABLE: SignedDuration = SignedDuration::from_mins(5);
/// `Date` has no fractions of a second: on average it is half a second behind what was meant.
const ROUNDED: SignedDuration = SignedDuration::from_millis(500);

/// A partner's clock, as its answers show it.
#[derive(Debug, Default)]
pub struct PartnerClock {
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The last differences, the newest first.
    last: [Option<SignedDuration>; KEPT],
    /// Whether the difference was last seen to be [`NOTABLE`].
    notable: bool,
}

impl PartnerClock {
    /// Hears an answer that came at `now`, by our clock, `took` after it was asked for. Gives the difference if it has just
    /// become [`NOTABLE`], or has just ceased to be.
    pub fn hear(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
        took: Duration,
    ) -> Option<SignedDuration> {
        if took > PROMPT {
            return None;
        }
        let there = date(headers)?;
        // It was written somewhere between the two: in the middle, as far as we know.
        let here = now.checked_sub(took / 2).ok()?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last.rotate_right(1);
        let [newest, ..] = &mut heard.last;
        *newest = Some(there.duration_since(here).saturating_add(ROUNDED));
        let offset = median(&heard.last)?;
        let notable = offset.abs() >= NOTABLE;
        let turned = notable != heard.notable;
        heard.notable = notable;
        turned.then_some(offset)
    }

    /// How far the partner's clock is ahead of ours (less than nothing: behind), to about a second; `None` while nothing
    /// is known of it.
    pub fn offset(&self) -> Option<SignedDuration> {
        median(&self.heard.lock().unwrap_or_else(PoisonError::into_inner).last)
    }
}

/// When an answer was written, by the clock of who wrote it: its `Date`, and what it has spent in caches since.
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = jiff::fmt::rfc2822::parse(text(DATE)?).ok()?.timestamp();
    let age: u32 = text(AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    date.checked_add(Duration::from_secs(age.into())).ok()
}

fn median(last: &[Option<SignedDuration>; KEPT]) -> Option<SignedDuration> {
    let known = last.iter().flatten().count();
    let mut sorted = *last;
    // What is not known comes first.
    sorted.sort_unstable();
    *sorted.get(KEPT - known + known / 2)?
}

#[cfg(test)]
mod tests {
    use marsad_shared::clock::plus;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// An answer whose `Date` is `ahead` of our noon, which took `took`, at noon.
    fn hear(clock: &PartnerClock, ahead: i64, took: Duration) -> Option<SignedDuration> {
        let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let date = noon.checked_add(SignedDuration::from_secs(ahead)).unwrap();
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date);
        clock.hear(&headers(&[("date", &date.unwrap())]), noon, took)
    }

    #[test]
    fn one_strange_answer_moves_nothing() {
        let clock = PartnerClock::default();
        assert_eq!(clock.offset(), None);
        for (ahead, expected, why) in [
            (60, 60, "the first is all we know"),
            (61, 61, "of two, the later half"),
            (-9_000, 60, "a cache's answer of long ago"),
            (59, 60, "and the rest agree"),
            (60, 60, "five"),
            (120, 60, "the sixth takes the place of the first"),
            (120, 60, "a clock that was set is believed"),
            (120, 120, "once most say so"),
        ] {
            assert_eq!(hear(&clock, ahead, Duration::ZERO), None);
            let offset = clock.offset().unwrap() - ROUNDED;
            assert_eq!(offset.as_secs(), expected, "{why}");
        }
    }

    #[test]
    fn the_middle_of_the_request_counts_and_a_slow_answer_does_not() {
        let clock = PartnerClock::default();
        hear(&clock, 0, Duration::from_secs(11));
        assert_eq!(clock.offset(), None);
        hear(&clock, 0, Duration::from_secs(8));
        assert_eq!(clock.offset(), Some(SignedDuration::from_secs(4) + ROUNDED));
        for wrong in ["", "yesterday", "Tue, 99 Nov 2026 12:00:00 GMT"] {
            let noon = "2026-11-24T12:00:00Z".parse().unwrap();
            let other = PartnerClock::default();
            assert_eq!(other.hear(&headers(&[("date", wrong)]), noon, Duration::ZERO), None);
            assert_eq!(other.offset(), None, "{wrong}");
        }
    }

    #[test]
    fn it_is_told_once_and_once_again_when_it_is_over() {
        let clock = PartnerClock::default();
        let told: Vec<_> = [0, 0, 0, 400, 400, 400, 400, 0, 0, 0, 0]
            .into_iter()
            .map(|ahead| hear(&clock, ahead, Duration::ZERO).map(|offset| offset.as_secs()))
            .collect();
        let (far, near) = (Some(400), Some(0));
        assert_eq!(
            told,
            [None, None, None, None, None, far, None, None, None, near, None],
            "by the median"
        );
    }

    #[test]
    fn what_lay_in_a_cache_is_as_old_as_it_says() {
        let at = date(&headers(&[("date", "Tue, 24 Nov 2026 12:00:00 GMT"), ("age", "90")]));
        let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(at, Some(plus(noon, Duration::from_secs(90))));
    }
}
