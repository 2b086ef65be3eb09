//! Where a walk that was read to its end leaves the cursor, and why it leaves it where it is.
//!
//! A record that is changed or deleted while pages are read moves the ones behind it, and one of them may slip from the page
//! that comes next to the one that was just read: a cursor that went on would pass it for good (sources.md row 17). How the
//! pages of a leg joined is what [`Walker`] says; what follows from it is decided here.

use marsad_shared::{run::Counts, store::cache::Look};
use serde::{Deserialize, Serialize};

use crate::source::walk::Walker;

/// Whether a record may have slipped between two pages of a walk that ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is seen for itself, and none excludes another"
)]
pub(super) struct Slips {
    /// The partner had fewer of them while it was read: see [`Walker::is_in_doubt`].
    dipped: bool,
    /// Nothing shows that its pages join: see [`Walker::is_blind`].
    blind: bool,
    /// Its pages do not overlap, or end by a count: see [`Walker::is_parted`].
    parted: bool,
    /// Its order changed while it was read: see [`Walker::is_loose`].
    loose: bool,
    /// The partner said throughout that there are more than it gave: see [`Walker::is_short`].
    short: bool,
    /// A value of the cursor's field was smaller than one that came before it: see [`Self::climb`].
    sank: bool,
    /// A page had a greater value of it than the pages before.
    rose: bool,
    /// A record came twice in an earlier run of the walk.
    twice: bool,
    /// So many records came twice because we asked for them twice: the parts of a walk that is split join where they stand.
    #[serde(skip)]
    asked_twice: u64,
    /// A page ended with what is no record of the feed.
    strange: bool,
    /// An earlier run began the walk: what it wrote looks like an old record to this one.
    resumed: bool,
}

/// Why a cursor stays behind a walk that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// Records moved while they were read, and one may have slipped.
    Moved,
    /// Their order changed while they were read.
    Loose,
    /// There are more than came.
    Short,
    /// What came at the end of a page may have been something else, and cut it short.
    Strange,
    /// Nothing shows whether one slipped, and it is looked at once more.
    Unproven,
    /// Nothing shows whether one was changed behind the page that was being read, and it is looked at once more.
    Unordered,
    /// Times were asked for otherwise than the partner writes its own, as it turned out, and it is looked at once more.
    Respelled,
}

/// What decides where the cursor goes, before it is known what the walk brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Landing {
    pub(super) slips: Slips,
    /// Whether something was changed since the walk began, by the partner's times; `None`: nobody knows.
    pub(super) fresh: Option<bool>,
    /// Whether this is the first read, and of nothing less than all there is.
    pub(super) all: bool,
    /// Where the cursor stood.
    pub(super) stood: Option<String>,
    /// Where it would go, if nothing speaks against it.
    pub(super) moved: Option<String>,
    /// Whether it may wait for a second look, which comes of itself.
    pub(super) waits: bool,
    /// Whether the partner writes its times otherwise than they were asked for: who compares texts may have left some out.
    pub(super) respelled: bool,
    /// Where the first look had led, if this is the second from the same place.
    pub(super) looked: Option<String>,
}

/// Where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Landed {
    pub(super) cursor: Option<String>,
    pub(super) stay: Option<Stay>,
    /// What waits for the second look.
    pub(super) look: Option<Look>,
}

impl Landing {
    /// Where it goes behind a walk of `counts`. What nothing bears out is read from the same place once more; then the cursor
    /// goes as far as the first look came, and all the way if the second brought nothing.
    pub(super) fn of(&self, counts: &Counts) -> Landed {
        let Self { slips, stood, moved, looked, .. } = self;
        let goes = |cursor: &Option<String>| Landed { cursor: cursor.clone(), ..Landed::default() };
        let stays = |stay| {
            let to = looked.as_ref().or(moved.as_ref()).filter(|_| self.waits && moved != stood);
            let look = to.map(|to| Look { from: stood.clone(), to: to.clone() });
            Landed { stay: Some(stay), look, ..goes(stood) }
        };
        if slips.strange {
            return Landed { stay: Some(Stay::Strange), ..goes(stood) };
        }
        if let Some(stay) = slips.holds(self.fresh, counts) {
            return stays(stay);
        }
        if slips.short && self.all {
            // Elsewhere a total may count more than what was asked for.
            return stays(Stay::Short);
        }
        if self.respelled && self.waits && looked.is_none() && moved != stood {
            return stays(Stay::Respelled);
        }
        let proven = !slips.changed(counts) || moved == stood;
        match slips.unproven().filter(|_| self.waits && !proven) {
            None => goes(moved),
            Some(_) if looked.is_some() => goes(looked),
            Some(stay) => stays(stay),
        }
    }
}

impl Slips {
    /// A walk is gone on with that an earlier run began; `twice`: a record came twice in that.
    pub(super) fn resume(&mut self, twice: bool) {
        self.resumed = true;
        self.twice |= twice;
    }

    /// Heeds a leg that was read to its end.
    pub(super) fn heed(&mut self, walker: &Walker<'_>) {
        self.short |= walker.is_short();
        self.heed_cut(walker);
    }

    /// Heeds a leg that was cut short on purpose: what it lacks comes with the next.
    pub(super) fn heed_cut(&mut self, walker: &Walker<'_>) {
        self.dipped |= walker.is_in_doubt();
        self.blind |= walker.is_blind();
        self.parted |= walker.is_parted();
        self.loose |= walker.is_loose();
    }

    /// So many records of a part came with the part before it too, which ended with them.
    pub(super) const fn ask_twice(&mut self, records: u64) {
        self.asked_twice += records;
    }

    /// A page ended with what is no record of the feed.
    pub(super) const fn end_strangely(&mut self) {
        self.strange = true;
    }

    /// Heeds how the values of a page stand to the greatest one before it, where they are no times: a time later than the walk's
    /// begin is not believed anyway, and a count has no such limit. Where records come in another order than that of their
    /// changes, one that is changed behind the page that is read has a greater value than all before, and is met by the next
    /// walk, unless this one comes upon a greater value still.
    pub(super) fn climb(&mut self, sank: bool, rose: bool) {
        self.sank |= sank;
        self.rose |= rose;
    }

    /// Whether a record may have slipped without a trace.
    pub(super) const fn may_be(self) -> bool {
        self.parted
    }

    /// Why a cursor behind such a walk would be taken on trust. A total is no proof that pages join: what comes while another
    /// goes leaves it as it was.
    pub(super) fn unproven(self) -> Option<Stay> {
        if self.blind {
            Some(Stay::Unproven)
        } else {
            (self.sank && self.rose).then_some(Stay::Unordered)
        }
    }

    /// Whether such a walk may not be all there is, where `duplicates` came.
    pub(super) fn doubts(self, duplicates: u64) -> bool {
        self.dipped || self.blind && duplicates > self.asked_twice
    }

    /// Whether a walk of `counts` brought anything to what the bank has.
    fn changed(self, counts: &Counts) -> bool {
        self.resumed || counts.changed() > 0
    }

    /// Why the cursor must stay where it is, behind a walk of `counts`. If a record came twice, it moved while it was read,
    /// or its partner gives it twice whenever it is asked. `fresh`: something was changed since the walk began, by the
    /// partner's times, where that is known; where nothing was by those, they may still have been there late. A walk that
    /// brings nothing to what the bank has is the second look, and lets the cursor go on where nobody can tell more.
    fn holds(self, fresh: Option<bool>, counts: &Counts) -> Option<Stay> {
        let changed = self.changed(counts);
        let twice =
            self.twice || counts.duplicate > self.asked_twice || self.resumed && counts.updated > 0;
        if self.dipped || self.blind && twice && (changed || fresh == Some(true)) {
            Some(Stay::Moved)
        } else if self.loose && changed {
            Some(Stay::Loose)
        } else {
            (self.short && changed).then_some(Stay::Short)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stays_where_a_record_may_have_slipped_and_goes_on_behind_a_second_look() {
        let blind = Slips { blind: true, ..Slips::default() };
        let none = Counts::default();
        let new = Counts { inserted: 1, ..none };
        let again = Counts { duplicate: 1, ..none };
        let new_again = Counts { duplicate: 1, ..new };
        let updated = Counts { updated: 1, ..none };
        let resumed = Slips { resumed: true, ..blind };
        for (slips, fresh, counts, expected, why) in [
            (blind, Some(true), again, Some(Stay::Moved), "changed while it was read"),
            (blind, Some(false), new_again, Some(Stay::Moved), "its times may be late"),
            (blind, Some(false), again, None, "nothing was brought, nothing changed since"),
            (blind, Some(true), new, None, "nothing came twice"),
            (blind, None, new_again, Some(Stay::Moved), "no clock says when it changed"),
            (blind, None, again, None, "the second look brought nothing"),
            (resumed, Some(true), updated, Some(Stay::Moved), "the run before may have brought it"),
            (resumed, None, again, Some(Stay::Moved), "what the run before brought was new"),
            (Slips { twice: true, ..resumed }, Some(true), none, Some(Stay::Moved), "before"),
            (Slips { asked_twice: 1, ..blind }, None, new_again, None, "we asked for it twice"),
            (Slips { dipped: true, ..blind }, Some(false), none, Some(Stay::Moved), "fewer"),
            (Slips { loose: true, ..Slips::default() }, Some(false), new, Some(Stay::Loose), ""),
            (Slips { loose: true, ..Slips::default() }, Some(false), none, None, "second look"),
            (Slips { short: true, ..Slips::default() }, Some(false), new, Some(Stay::Short), ""),
            (Slips { short: true, ..Slips::default() }, Some(true), none, None, "second look"),
        ] {
            assert_eq!(slips.holds(fresh, &counts), expected, "{why}: {slips:?} {counts:?}");
        }
    }
    #[test]
    fn what_nothing_bears_out_is_looked_at_twice_and_no_more() {
        let text = |text: &str| Some(text.to_owned());
        let look = |from, to: &str| Some(Look { from, to: to.to_owned() });
        let blind = Slips { blind: true, ..Slips::default() };
        let (none, new) = (Counts::default(), Counts { inserted: 1, ..Counts::default() });
        let first = Landing { slips: blind, moved: text("9"), waits: true, ..Landing::default() };
        let second = Landing { looked: text("9"), moved: text("12"), ..first.clone() };
        let twice = Counts { duplicate: 1, ..new };
        let joined = Slips::default();
        let behind = Landing { stood: text("4"), ..first.clone() };
        let climbs = |sank, rose| Slips { sank, rose, ..Slips::default() };
        let mixed = Landing { slips: climbs(true, true), ..behind.clone() };
        for (landing, counts, cursor, stay, waiting, why) in [
            (&mixed, new, text("4"), Some(Stay::Unordered), look(text("4"), "9"), "in any order"),
            (&mixed, none, text("9"), None, None, "of which nothing is new"),
            (
                &Landing { looked: text("8"), ..mixed.clone() },
                new,
                text("8"),
                None,
                None,
                "and again, as far as the first came",
            ),
            (
                &Landing { slips: climbs(false, true), ..first.clone() },
                new,
                text("9"),
                None,
                None,
                "oldest first",
            ),
            (
                &Landing { slips: climbs(true, false), ..first.clone() },
                new,
                text("9"),
                None,
                None,
                "newest first",
            ),
            (
                &Landing { slips: Slips { strange: true, ..blind }, ..second.clone() },
                none,
                None,
                Some(Stay::Strange),
                None,
                "as often as it is so",
            ),
            (
                &Landing {
                    slips: Slips { short: true, ..Slips::default() },
                    all: true,
                    ..first.clone()
                },
                none,
                None,
                Some(Stay::Short),
                look(None, "9"),
                "of all there is, however often",
            ),
            (
                &Landing { slips: Slips { short: true, ..Slips::default() }, ..behind.clone() },
                none,
                text("9"),
                None,
                None,
                "of what changed, the second time",
            ),
            (&first, new, None, Some(Stay::Unproven), look(None, "9"), "the first look"),
            (&behind, new, text("4"), Some(Stay::Unproven), look(text("4"), "9"), "from a cursor"),
            (&first, twice, None, Some(Stay::Moved), look(None, "9"), "the first one is spoilt"),
            (&first, none, text("9"), None, None, "it brought nothing: it was the second"),
            (&second, new, text("9"), None, None, "as far as the first one came"),
            (&second, none, text("12"), None, None, "both were alike"),
            (&second, twice, None, Some(Stay::Moved), look(None, "9"), "the second is spoilt"),
            (
                &Landing { slips: joined, ..first.clone() },
                new,
                text("9"),
                None,
                None,
                "its pages join",
            ),
            (&Landing { waits: false, ..first.clone() }, new, text("9"), None, None, "by a person"),
            (&Landing { stood: text("9"), ..first.clone() }, new, text("9"), None, None, "no way"),
        ] {
            let expected = Landed { cursor, stay, look: waiting };
            assert_eq!(landing.of(&counts), expected, "{why}: {landing:?} {counts:?}");
        }
    }

    #[test]
    fn what_was_asked_for_otherwise_than_it_is_written_is_asked_for_twice() {
        let text = |value: &str| Some(value.to_owned());
        let new = Counts { inserted: 1, ..Counts::default() };
        let respelled = Landing {
            respelled: true,
            stood: text("4"),
            moved: text("9"),
            waits: true,
            ..Landing::default()
        };
        let look = || Some(Look { from: text("4"), to: "9".to_owned() });
        for (landing, expected, why) in [
            (
                respelled.clone(),
                Landed { cursor: text("4"), stay: Some(Stay::Respelled), look: look() },
                "once",
            ),
            (
                Landing { looked: text("9"), moved: text("12"), ..respelled.clone() },
                Landed { cursor: text("12"), ..Landed::default() },
                "and then it is known",
            ),
            (
                Landing { moved: text("4"), ..respelled.clone() },
                Landed { cursor: text("4"), ..Landed::default() },
                "it would not go on",
            ),
            (
                Landing { waits: false, ..respelled },
                Landed { cursor: text("9"), ..Landed::default() },
                "by a person",
            ),
        ] {
            assert_eq!(landing.of(&new), expected, "{why}");
        }
    }
}
