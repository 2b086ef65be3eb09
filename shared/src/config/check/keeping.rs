//! How a feed's records are kept: mode, brake, undo and history.

use super::span;
use crate::{
    brake::{Brake, Share},
    config::{raw::RawFeed, source::Report, table::Given},
    feed::{History, Keeping, Mode},
};

/// Checks what is written of it.
pub(super) fn keeping(raw: &RawFeed, report: &mut Report<'_>) -> Option<Keeping> {
    let mode = raw.mode.or(Mode::Incremental);
    if mode == Some(Mode::Snapshot) {
        for (given, problem) in [
            (
                raw.incremental.here().map(|at| &at.place),
                "reads only what changed, and a snapshot is all there is",
            ),
            (
                raw.each.here().map(|at| &at.place),
                "asks for one record after another, and a snapshot is all there is",
            ),
        ] {
            if let Some(place) = given {
                report.wrong(place, problem, "take it out, or take mode = \"snapshot\" out");
            }
        }
    }
    if mode == Some(Mode::Append) {
        let given =
            [raw.deletes.here().map(|at| &at.place), raw.deleted.here().map(|at| &at.place)];
        for place in given.into_iter().flatten() {
            let problem = "says which records are gone, and mode = \"append\" never takes one back";
            report.wrong(place, problem, "take it out, or take mode = \"append\" out");
        }
    }
    let whole = mode == Some(Mode::Snapshot) || !raw.files.is_absent();
    if !whole {
        let problem =
            "means nothing where only what changed is read: a run without rows is the usual one";
        raw.min_rows.refuse(report, problem);
    }
    let brake = Brake {
        max_delete_share: raw.max_delete_share.or(Share::FIFTH)?,
        min_rows: raw.min_rows.or(0)?,
    };
    Some(Keeping {
        mode: mode?,
        brake,
        undo: span(&raw.undo, Keeping::UNDO, report)?,
        history: history(raw, report)?,
    })
}

/// `Some(None)`: there is none.
#[expect(
    clippy::option_option,
    reason = "`None` is a mistake that was reported, as everywhere here"
)]
fn history(raw: &RawFeed, report: &mut Report<'_>) -> Option<Option<History>> {
    let wanted = raw.history.or(false)?;
    if !wanted {
        let problem = "means nothing without history = true";
        raw.history_age.refuse(report, problem);
        raw.history_versions.refuse(report, problem);
        return Some(None);
    }
    let age = span(&raw.history_age, History::AGE, report)?;
    let versions = match &raw.history_versions {
        Given::Absent => History::VERSIONS,
        Given::Wrong => return None,
        Given::Here(at) => {
            let versions = u32::try_from(at.value).ok().filter(|versions| *versions > 0);
            if versions.is_none() {
                let problem = format!("{} is not a number of versions", at.value);
                report.wrong(&at.place, problem, "write one from 1 on, or history = false");
            }
            versions?
        }
    };
    Some(Some(History { age, versions }))
}
