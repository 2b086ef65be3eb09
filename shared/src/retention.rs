//! How long what came is kept, byte for byte.

use std::time::Duration;

/// How long originals and what was refused are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Behind the last time that an original was needed; at least [`Self::LEAST`].
    pub originals: Duration,
    /// Behind the last time that something was refused; at least [`Self::LEAST`].
    pub quarantine: Duration,
}

impl Retention {
    /// 90 days.
    pub const ORIGINALS: Duration = Duration::from_hours(90 * 24);
    /// 90 days.
    pub const QUARANTINE: Duration = Duration::from_hours(90 * 24);
    /// A day.
    pub const LEAST: Duration = Duration::from_hours(24);
}

impl Default for Retention {
    fn default() -> Self {
        Self { originals: Self::ORIGINALS, quarantine: Self::QUARANTINE }
    }
}
