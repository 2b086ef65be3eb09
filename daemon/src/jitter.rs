//! Chance without a generator: a share of 0..1 for each thing and moment, so that those who start or fail together do
//! not come back together. Nothing secret depends on it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A share in 0..1, the same for the same `name` and `turn`.
pub fn jitter(name: &str, turn: u64) -> f64 {
    // The upper 32 bits fit a double exactly.
    let bits = u32::try_from(xxh3_64_with_seed(name.as_bytes(), turn) >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_within_range_repeat_and_differ() {
        let shares: Vec<_> = (0..1_000).map(|turn| jitter("education/enrolments", turn)).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(shares.iter().any(|share| *share < 0.1) && shares.iter().any(|share| *share > 0.9));
        assert_eq!(jitter("a/b", 7).to_bits(), jitter("a/b", 7).to_bits());
        assert_ne!(jitter("a/b", 7).to_bits(), jitter("a/c", 7).to_bits());
    }
}
