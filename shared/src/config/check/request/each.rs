//! A feed that is asked for once for each record of another.

use crate::{
    config::{
        raw::{RawEach, RawFeed},
        source::{Report, quoted},
        table::At,
    },
    id::{FeedId, PartnerId},
    request::{Each, OnGone},
};

/// The most parents of one run where nothing else is said.
const PARENTS_MAX: u64 = 10_000;

/// Checks `each`.
pub(super) fn each(
    block: &At<RawEach>,
    feed: &RawFeed,
    partner: &PartnerId,
    report: &mut Report<'_>,
) -> Option<Each> {
    let raw = &block.value;
    if let Some(at) = feed.incremental.here() {
        let problem = "would pass over what new parents have had for long";
        report.wrong(&at.place, problem, "take it out: a feed with `each` is read whole");
    }
    if let Some(at) = feed.changed.here() {
        report.wrong(&at.place, "would pass over new parents", "take it out");
    }
    let (parent, column) = (raw.feed.here()?, raw.column.here()?);
    if feed.id.value().is_some_and(|id| id.0 == parent.value.0) {
        report.wrong(&parent.place, "is the feed itself", "name another feed of this partner");
        return None;
    }
    let holder = format!("{{{}}}", column.value);
    if let Some(path) = feed.path.here()
        && !path.value.contains(&holder)
    {
        let problem = format!("{} is not in path {}", quoted(&column.value), quoted(&path.value));
        report.wrong(&column.place, problem, format!("put {holder} into path where it belongs"));
    }
    let max = raw.max.or(PARENTS_MAX)?;
    let delete_by = match raw.gone.or(OnGone::Keep)? {
        OnGone::Delete => Some(goes_by(block, report)?),
        OnGone::Keep => {
            raw.by.refuse(report, "means nothing without gone = \"delete\"");
            None
        }
    };
    Some(Each {
        feed: FeedId::of(partner, &parent.value.0).ok()?,
        column: column.value.clone(),
        max,
        delete_by,
    })
}

/// The column by which records go with their parent.
fn goes_by(block: &At<RawEach>, report: &mut Report<'_>) -> Option<String> {
    if block.value.by.is_absent() {
        let remedy = "add the column of this feed that holds the other record's value";
        report.missing(&block.place.child("by"), "is missing", remedy);
    }
    block.value.by.value().cloned()
}
