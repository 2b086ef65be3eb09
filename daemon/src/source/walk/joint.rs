//! Whether a page joins the one before. Where a partner counts its records for us, one that is changed or deleted while
//! they are read moves the others, and the next page begins too far on: what slipped between the two would be passed by
//! the cursor for good (sources.md row 17).
//!
//! By offset a page is asked for so that it begins with what the last one ended with. If it does not, the walk goes back
//! until it finds a record that it has, in the worst case to the leg's beginning. Numbered pages cannot overlap: of them
//! only a walk that is gone on with is made sure of, by its last page.

use marsad_shared::request::{Paging, Request};
use serde::{Deserialize, Serialize};

use super::{Ask, Facts, place::Places};

/// How many rows of a page are remembered: the last that were taken, and the last that were refused.
const TAIL: usize = 16;
/// How often a leg is begun anew before its partner's order is taken to be none.
const ANEW_MAX: u8 = 3;

/// Where a leg stands, to be gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is seen for itself, and none excludes another"
)]
pub struct Stand {
    /// Records so far, each once.
    pub rows: u64,
    /// Pages so far that joined.
    pub pages: u64,
    /// Marks of the last rows, where pages overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tail: Vec<u64>,
    /// The most rows that a page had, there: how far one step back is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) reach: u64,
    /// The last page, where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
    /// What the partner said that there is, first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) totals: Option<(u64, u64)>,
    /// Whether it once said less than before.
    #[serde(default)]
    pub(super) dipped: bool,
    /// Whether a page had records that had come behind others that had not.
    #[serde(default)]
    pub(super) loose: bool,
    /// Whether what led on was a place among the records.
    #[serde(default)]
    pub(super) places: Places,
    /// Pages so far that had records, and whether one that led on was as full as was asked for: behind one that is not,
    /// there was nothing.
    #[serde(default)]
    pub(super) filled: u64,
    #[serde(default)]
    pub(super) full: bool,
    /// Whether a page with records was asked for by its place, and could not repeat what the one before ended with.
    #[serde(default)]
    pub(super) apart: bool,
    /// Whether the walk went back for a page that did not join.
    #[serde(default)]
    pub(super) moved: bool,
}

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) ask: Ask,
    pub(super) content: u64,
    pub(super) rows: u64,
}

/// Hashes of a page's rows, by which they are known again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// In the partner's order.
    pub taken: Vec<u64>,
    pub refused: Vec<u64>,
}

impl Marks {
    fn iter(&self) -> impl Iterator<Item = &u64> {
        self.taken.iter().chain(&self.refused)
    }

    /// Those of the last rows: whichever was the last, it is among them.
    fn tail(&self) -> Vec<u64> {
        let (taken, refused) = (last(&self.taken), last(&self.refused));
        taken.chain(refused).copied().collect()
    }
}

/// Whether a page joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// With so many rows that had come before.
    Yes {
        repeated: u64,
    },
    /// It is the last page of a walk that is gone on with, the same as it was; it held so many rows.
    Again {
        rows: u64,
    },
    No,
}

/// How the pages of a walk are made sure to join.
#[derive(Debug)]
pub(super) struct Joint {
    /// By how many records pages overlap.
    overlap: u64,
    /// Whether pages are counted, do not overlap, and a cursor moves behind them.
    blind: bool,
    /// The page that a walk which is gone on with begins with.
    expected: Option<Last>,
    /// How many such steps the next way back has.
    steps: u64,
    /// How often this leg was begun anew.
    anew: u8,
    repeats: Vec<u64>,
    going_back: bool,
}

impl Joint {
    pub(super) fn new(request: &Request) -> Self {
        let (overlap, counts) = match request.pagination.kind {
            Paging::Offset { overlap, .. } => (overlap, true),
            Paging::Page { .. } => (0, true),
            Paging::None | Paging::Cursor { .. } | Paging::Link | Paging::NextUrl { .. } => {
                (0, false)
            }
        };
        let blind = counts && overlap == 0;
        Self {
            overlap,
            blind,
            expected: None,
            steps: 1,
            anew: 0,
            repeats: Vec::new(),
            going_back: false,
        }
    }

    pub(super) fn overlaps(&self) -> bool {
        self.overlap > 0
    }

    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    pub(super) fn is_going_back(&self) -> bool {
        self.going_back
    }

    pub(super) fn repeats(&self) -> &[u64] {
        &self.repeats
    }

    pub(super) fn begin_leg(&mut self) {
        (self.expected, self.steps, self.anew) = (None, 1, 0);
    }

    /// How a walk is gone on with, if not as it would have.
    pub(super) fn resume(&mut self, stand: &Stand) -> Option<Ask> {
        let blind = self.blind || stand.places.is_any();
        self.expected = stand.last.clone().filter(|_| blind);
        self.expected.as_ref().map(|last| last.ask.clone())
    }

    /// By how many records the page behind this one overlaps it: always by less than it holds, or the same would be asked
    /// for again.
    pub(super) fn overlap(&self, facts: &Facts, stand: &Stand) -> u64 {
        let can = stand.reach > self.overlap;
        if can { self.overlap.min(facts.rows.saturating_sub(1)) } else { 0 }
    }

    /// Whether a page that joins, with `fresh` rows, holds nothing but the end of the one before: it is no end that a whole
    /// page had come before, where the walk went back.
    pub(super) fn is_bare(&self, facts: &Facts, fresh: u64) -> bool {
        fresh == 0 && facts.rows <= self.overlap
    }

    /// Holds a page against the one before it.
    pub(super) fn join(&mut self, ask: &Ask, facts: &Facts, stand: &mut Stand) -> Joined {
        self.repeats.clear();
        self.going_back = self.steps > 1;
        if let Some(last) = self.expected.take() {
            if last.content != facts.content {
                return Joined::No;
            }
            stand.rows = stand.rows.saturating_sub(last.rows);
            stand.pages = stand.pages.saturating_sub(1);
            return Joined::Again { rows: last.rows };
        }
        // No cursor moves behind a walk in which one was left out.
        if self.overlap == 0 || facts.left_out {
            return Joined::Yes { repeated: 0 };
        }
        let had = |mark: &&u64| stand.tail.contains(mark);
        self.repeats.extend(facts.marks.iter().filter(had));
        let begins = matches!(ask, Ask::First) || stand.tail.is_empty();
        if self.repeats.is_empty() && !begins {
            return Joined::No;
        }
        self.steps = 1;
        let is_first = matches!(ask, Ask::First) || stand.pages == 0;
        stand.apart |= !is_first && stand.tail.is_empty() && facts.rows > 0;
        // A page that was gone back for begins further back than what is remembered.
        if !(begins || self.going_back) {
            let taken = &facts.marks.taken;
            let known = |mark: &u64| stand.tail.contains(mark);
            let last = taken.iter().rposition(known).unwrap_or(0);
            stand.loose |= taken.iter().take(last).any(|mark| !known(mark));
        }
        stand.reach = stand.reach.max(facts.rows);
        if stand.reach <= self.overlap {
            stand.tail.clear();
        } else if facts.marks.iter().next().is_some() {
            stand.tail = facts.marks.tail();
        }
        Joined::Yes { repeated: self.repeats.len() as u64 }
    }

    /// Where to ask again for a page that did not join: each time further back; 0: at the leg's beginning.
    pub(super) fn back(&mut self, ask: &Ask, facts: &Facts, stand: &Stand) -> u64 {
        let Ask::Number(from) = ask else { return 0 };
        if self.blind {
            return 0;
        }
        let step = stand.reach.max(facts.rows).max(1).saturating_mul(self.steps);
        (self.steps, self.going_back) = (self.steps.saturating_mul(2), true);
        from.saturating_sub(step)
    }

    /// The leg begins anew; so many times, if that is too often.
    pub(super) fn begin_anew(&mut self) -> Option<u8> {
        self.anew += 1;
        self.steps = 1;
        (self.anew > ANEW_MAX).then_some(ANEW_MAX)
    }
}

fn last(marks: &[u64]) -> impl Iterator<Item = &u64> {
    marks.iter().skip(marks.len().saturating_sub(TAIL))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
