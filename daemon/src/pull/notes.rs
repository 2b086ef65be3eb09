//! What a walk met that is no trouble and that somebody should know: counted on the way, and said at its end.

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    id::FeedId,
    request::{By, Request},
};
use serde::{Deserialize, Serialize};

use super::{envelope::Said, landing::Stay};
use crate::source::{
    cursor::CursorRule,
    doubt::{Belief, Greatest},
    walk::Walker,
};

/// Why a walk that went well moves no cursor.
pub(super) fn stay(stay: Stay, request: &Request) -> String {
    let (why, remedy) = match stay {
        Stay::Moved => (
            "a record came twice or was gone: records moved while they were read, and numbered pages do not show whether one slipped \
             between two of them; ",
            "; page by offset or by cursor if this goes on, and where the partner always gives some twice, have it sort by what does not change",
        ),
        Stay::Loose => (
            "records that had come stood behind others that had not: the order changed while they were read, and one may have slipped; ",
            "; have the partner sort by a field that is unique",
        ),
        Stay::Unproven => (
            "numbered pages do not show whether a record slipped between two of them; ",
            ", and then it goes on; paging by offset spares that",
        ),
        Stay::Unordered => (
            "records come in another order than that of the cursor, which is no time: one that was changed behind the page that was \
             being read may lie before what came later; ",
            ", and then it goes on; having the partner sort by that field spares it",
        ),
        Stay::Respelled => (
            "the partner writes its times otherwise than they were asked for, and may have left some out; ",
            ", in its own spelling, and then it goes on",
        ),
        Stay::Strange => (
            "what stood at the end of a page, or was null among its records, is no record of this feed, and may be the words of an error, \
             or one that the partner could not give; ",
            "; see what it is: marsad quarantine (after a day it is taken for a poor record)",
        ),
        // What the partner said of its total stands beside it.
        Stay::Short => ("", ""),
    };
    let then = if request.incremental.is_some() {
        "the cursor stays, the next run reads from there again"
    } else {
        "the next run reads all of it again"
    };
    format!("{why}{then}{remedy}")
}

/// What is said of a token that would be kept.
pub(super) const REPEATS: &str = "what the partner gave us to ask with next time repeats a secret of ours, and is not kept: the \
    cursor stays; tell the partner";

/// Why a run read more than what changed.
pub(super) const SWEPT: &str = "all of it was read (`sweep`), to find what is gone";
/// Why nothing is gone, where a second read was to confirm it.
pub(super) const OTHERS: &str = "a record of the bank was missing, and all pages were read once more: the second read had other records than the first. \
    They move while they are read; if this goes on, read at a quieter time, or by offset with pages that overlap";

/// The same, where it could not.
pub(super) const CACHED: &str = "a record of the bank was missing, and all pages were asked for once more: what came then had lain in a cache since before (`Age`), and tells nothing. Have the partner keep the feed's answers out of caches, or ask where there is none";

/// What was met so far, in all runs of the walk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    /// Answers that said of themselves that they failed, and were left out.
    pub(super) ignored: u64,
    /// What the first of them said, as people may see it.
    first: Option<String>,
    /// Records that were taken without a value in the incremental field.
    pub(super) timeless: u64,
    /// Parents that name nothing in a path, and were not asked for.
    pub(super) nameless: u64,
    /// The greatest values of the incremental field.
    pub(super) greatest: Greatest,
    /// The outline of the first page, of a feed whose pages may leave out their list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) outline: Vec<u64>,
}

impl Seen {
    /// Counts an answer that is left out.
    pub(super) fn answer(&mut self, said: &Said) {
        if let Some(words) = &said.failed {
            self.ignored += 1;
            self.first.get_or_insert_with(|| words.clone());
        }
    }

    /// What is said of it at the end of the walk.
    pub(super) fn notes(&self, request: &Request) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ignored > 0 {
            let cursor = if request.incremental.is_some() { ", so the cursor stays" } else { "" };
            notes.push(format!(
                "{} left out by `success`{cursor} (the first: {})",
                counted(self.ignored, "answer was", "answers were"),
                self.first.as_deref().unwrap_or_default()
            ));
        }
        if let (1.., Some(each)) = (self.nameless, &request.each) {
            notes.push(format!(
                "{} empty, \".\" or \"..\" in {}, which names nothing in a path: not asked for",
                counted(
                    self.nameless,
                    "record of the other feed is",
                    "records of the other feed are"
                ),
                each.column
            ));
        }
        let field = request.incremental.as_ref().and_then(|incremental| incremental.by.field());
        if let (1.., Some(field)) = (self.timeless, field) {
            notes.push(format!(
                "{} no {field}: taken, and no cursor moved by it",
                counted(self.timeless, "record has", "records have")
            ));
        }
        notes
    }
}

/// What is said where the last page has nothing to ask with next time, of a feed that was asked with something or not.
pub(super) fn no_handle(by: &By, since: Option<&str>) -> Option<String> {
    let key = match by {
        By::Token(_) => "token",
        By::Delta(_) => "delta",
        By::Field(_) | By::Clock | By::Here { .. } => return None,
    };
    let then = match since {
        Some(_) => "the cursor stays, and the same is read again next time",
        None => {
            "all of it is read each time, and what is deleted is seen with mode = \"snapshot\" or `sweep` alone"
        }
    };
    Some(format!("the partner gave nothing to ask for changes with (`incremental.{key}`): {then}"))
}

/// What is said behind what was read by order, by numbered pages: what is deleted while it is read
/// moves another record to a page that was read already.
pub(super) fn unproven(stay: Stay, feed: &FeedId) -> String {
    let (why, mend) = match stay {
        Stay::Unordered => (
            "records came in another order than that of the cursor, which does not show whether one was changed meanwhile",
            "have the partner sort by that field",
        ),
        _ => (
            "it was read by numbered pages, which do not show whether a record slipped between two",
            "page by offset",
        ),
    };
    format!("{why}: {mend}, or read it once more: marsad resync {feed} --full")
}

/// A clock that goes ahead by no more than this costs nobody anything.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// What is said of a partner whose clock goes ahead by `offset`, where stretches of time are asked for, and so end by ours.
pub(super) fn ahead(horizon: Option<Timestamp>, offset: SignedDuration) -> Option<String> {
    (horizon.is_some() && offset > AHEAD).then(|| {
        format!(
            "its clock goes {} s ahead of ours: what it dates so is asked for once we are there; tell the partner",
            offset.as_secs()
        )
    })
}

/// What is said of a partner whose clock stands before the cursor.
pub(super) const GONE_BACK: &str = "its clock has gone back, to before the cursor: what it dates until it is there again is not asked for; \
    tell the partner, and once its clock is right read what is missing: marsad resync FEED --full";

/// What is said of a value that is not believed as a cursor.
pub(super) fn doubt(rule: &CursorRule, field: &str, belief: &Belief) -> Option<String> {
    let value = rule.shown(belief.doubted.as_deref()?);
    let what = if rule.is_time() {
        "to come; no cursor moved by it"
    } else {
        "not believed as a cursor, until others come near it"
    };
    Some(format!("a record has {value} in {field}: {what}"))
}

/// What is said where nothing stands at the cursor any more, or behind it. `sweeps`: all of it is read now and then.
pub(super) fn lost(
    rule: &CursorRule,
    cursor: &str,
    feed: &FeedId,
    refused: u64,
    sweeps: bool,
) -> String {
    let whose = if refused > 0 {
        "it is among the rows that were refused, was deleted"
    } else {
        "it was deleted"
    };
    let then = if sweeps {
        format!(
            "What it has instead comes, and what it lost goes, with the next read of all there is (`sweep`), or now: marsad resync {feed} --full"
        )
    } else {
        format!(
            "What it has instead comes with marsad resync {feed} --full, and what it lost stays in the bank: \
             only where each read is all there is (mode = \"snapshot\"), or all is read now and then (`sweep`), is that told"
        )
    };
    format!(
        "the record that stood at {} no longer comes, nor one behind it: {whose}, or the partner went back to \
         an earlier state; ask it. {then}",
        rule.shown(cursor)
    )
}

/// What is said of totals that changed, or that are not what came.
pub(super) fn totals(walker: &Walker<'_>) -> Option<String> {
    let changed = walker.shifted().map(|(from, to)| {
        format!(
            "the total changed from {from} to {to} while it was read; records that moved meanwhile come with the next run"
        )
    });
    changed.or_else(|| {
        let (said, got) = walker.contradicted()?;
        Some(format!(
            "the partner says that there are {said} and gave {got}: mend `pagination` if nothing led on to the others; \
             if it counts otherwise, tell the partner, or take its total out"
        ))
    })
}

fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_are_kept_and_all_are_counted() {
        let mut seen = Seen::default();
        for words in [None, Some("quota"), Some("late")] {
            seen.answer(&Said { failed: words.map(str::to_owned), ..Said::default() });
        }
        assert_eq!((seen.ignored, seen.first.as_deref()), (2, Some("quota")));
    }
}
