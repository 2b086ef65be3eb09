//! How long what came is kept.

use std::time::Duration;

use crate::{
    config::{raw::RawRetention, source::Report, table::Given, value::Span},
    retention::Retention,
};

/// Checks what is written of it. What is wrong is replaced by its default.
pub(super) fn retention(raw: &Given<RawRetention>, report: &mut Report<'_>) -> Retention {
    let Some(raw) = raw.value() else { return Retention::default() };
    Retention {
        originals: age(&raw.originals, Retention::ORIGINALS, report),
        quarantine: age(&raw.quarantine, Retention::QUARANTINE, report),
    }
}

fn age(given: &Given<Span>, default: Duration, report: &mut Report<'_>) -> Duration {
    let Some(at) = given.here() else { return default };
    if at.value.0 < Retention::LEAST {
        let problem = "is shorter than a day: nobody could look at it before it is gone";
        report.wrong(&at.place, problem, "write \"1d\" or more");
        return default;
    }
    at.value.0
}
