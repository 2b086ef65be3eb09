//! What a run met that came otherwise than the columns say: noted in the ledger, once a name, and told once.

use std::{
    collections::HashSet,
    fmt::Write as _,
    sync::{MutexGuard, PoisonError},
};

use marsad_shared::{
    drift::{Change, Decision, Drift},
    feed::{Feed, FieldType},
    protocol::DriftRow,
    store::StoreError,
    untrusted::settled_at_most,
};
use xxhash_rust::xxh3::xxh3_64;

use super::Columns;
use crate::{
    run::Run,
    services::Services,
    shape::{Approved, Beside},
};

/// So many names are said, in [`NAME_MAX`] characters each.
const NAMED: usize = 8;
const NAME_MAX: usize = 60;

/// What the ledger knows of a feed already, so that most runs need not ask it.
#[derive(Debug)]
pub(super) struct Told {
    /// What was decided.
    decided: HashSet<(String, Change)>,
    /// Whether something holds the feed that nobody has decided.
    holds: bool,
    /// The declared fields that it is watched with, as a hash.
    watched: Option<String>,
}

impl Told {
    pub(super) fn of(rows: &[DriftRow], watched: Option<String>) -> Self {
        let decided =
            rows.iter().filter(|row| !matches!(row.decision, Decision::Open | Decision::Passed));
        let decided = decided.map(|row| (row.field.clone(), row.change)).collect();
        let open = |row: &DriftRow| row.decision == Decision::Open && row.change.holds();
        Self { decided, holds: rows.iter().any(open), watched }
    }

    fn knows(&self, drift: &Drift) -> bool {
        self.decided.contains(&(drift.field.clone(), drift.change))
    }
}

/// What a person approved, for the rows to come.
pub(super) fn approved(rows: &[DriftRow]) -> Approved {
    let of = |change: Change| {
        let wanted = |row: &&DriftRow| (row.decision, row.change) == (Decision::Approved, change);
        rows.iter().filter(wanted).map(|row| row.field.clone()).collect()
    };
    Approved { gone: of(Change::Gone), retyped: of(Change::Retyped) }
}

impl Columns {
    /// Notes what a run met beside the columns, and what `held` it; gives what somebody should know and has not been told. A
    /// run has its end even if this cannot be written down: that is said then, and the next run that meets it notes it.
    pub async fn note(&self, services: &Services, run: &Run, held: &[Drift]) -> Option<String> {
        self.try_note(services, run, held).await.unwrap_or_else(|error| {
            Some(format!(
                "what came otherwise than declared could not be noted: {error}; the next run that meets it notes it"
            ))
        })
    }

    /// Notes what a run met beside the columns, and what `held` it: a person decides by what is noted.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written down.
    pub async fn try_note(
        &self,
        services: &Services,
        run: &Run,
        held: &[Drift],
    ) -> Result<Option<String>, StoreError> {
        let counts = run.counts();
        // Rows came through all columns: what held the feed has passed.
        let well = held.is_empty() && counts.received > counts.quarantined;
        let (drift, passes) = {
            let told = self.told();
            let Some(told) = told.as_ref() else { return Ok(None) };
            let mut drift = met(&self.feed, &run.beside, held);
            drift.retain(|drift| !told.knows(drift));
            let passes = well && told.holds;
            // A feed is watched from its first rows on.
            let fields = &self.fields;
            let begins = told.watched != *fields && fields.is_some() && counts.received > 0;
            if drift.is_empty() && !passes && !begins {
                return Ok(None);
            }
            (drift, passes)
        };
        let (feed, id, at) = (self.feed.id.clone(), run.id, services.clock.now());
        let fields = self.fields.clone();
        let noted = services.store.ledger.call(move |ledger| {
            let fresh = ledger.note_drift(&feed, id, &drift, fields.as_deref(), at)?;
            if passes {
                ledger.drift_passed(&feed)?;
            }
            Ok((fresh, ledger.drift(&feed)?))
        });
        let (fresh, (rows, watched)) = noted.await?;
        *self.told() = Some(Box::new(Told::of(&rows, watched)));
        let is_new = fresh.iter().any(|drift| drift.change == Change::New);
        let renamed = match self.known().filter(|_| is_new) {
            // It is noted by now, and is told whatever becomes of this.
            Some(shaper) => run.renamed(services, shaper).await.unwrap_or_default(),
            None => None,
        };
        let said: Vec<_> = words(&fresh).into_iter().chain(renamed).collect();
        Ok((!said.is_empty()).then(|| said.join("; ")))
    }

    /// The same answer came as before the feed was held: what held it has passed.
    ///
    /// # Errors
    /// As [`Self::try_note`].
    pub async fn pass(&self, services: &Services) -> Result<(), StoreError> {
        let holds = |told: &mut Box<Told>| std::mem::take(&mut told.holds);
        let held = self.told().as_mut().map(holds);
        let feed = self.feed.id.clone();
        match held {
            Some(false) => return Ok(()),
            Some(true) => {}
            // Nothing was read since the daemon began, and it may have been held before.
            None => {
                let id = feed.clone();
                let drift = services.store.ledger.call_unhurried(move |ledger| ledger.drift(&id));
                let (rows, watched) = drift.await?;
                let mut told = Told::of(&rows, watched);
                let held = std::mem::take(&mut told.holds);
                *self.told() = Some(Box::new(told));
                if !held {
                    return Ok(());
                }
            }
        }
        services.store.ledger.call(move |ledger| ledger.drift_passed(&feed)).await
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Option<Box<Told>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields that a feed declares, as a hash; `None`: it takes them from its data.
pub(super) fn declared(feed: &Feed) -> Option<String> {
    if feed.fields.is_empty() {
        return None;
    }
    let mut text = String::new();
    for field in &feed.fields {
        let _ = write!(text, "{:?}{:?}", field.name, field.from);
    }
    Some(format!("{:016x}", xxh3_64(text.as_bytes())))
}

/// The line of `fields` that makes a column of what is new.
pub(super) fn declares(row: &DriftRow) -> String {
    let kind = row.kind.unwrap_or(FieldType::Text);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = &row.field;
    if name.chars().all(plain) {
        return format!("{name} = \"{kind}\"");
    }
    let mut key = String::new();
    for c in name.chars() {
        match c {
            '"' | '\\' => key.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(key, "\\u{:04x}", u32::from(c));
            }
            c => key.push(c),
        }
    }
    format!("\"{key}\" = \"{kind}\"")
}

/// All that came otherwise, each once.
fn met(feed: &Feed, beside: &Beside, held: &[Drift]) -> Vec<Drift> {
    let mut drift = held.to_vec();
    for (field, met) in beside.names() {
        let is_met = |drift: &Drift| drift.field == field && drift.change == Change::New;
        if feed.cover.has(field) && !drift.iter().any(is_met) {
            drift.push(Drift { field: field.to_owned(), change: Change::New, kind: met.kind });
        }
    }
    let structure =
        |name: &String| Drift { field: name.clone(), change: Change::Structure, kind: None };
    drift.extend(beside.structures().iter().map(structure));
    drift
}

/// What is new, in words; what holds a run is its reason already.
fn words(fresh: &[Drift]) -> Option<String> {
    let names = |change: Change| {
        let new: Vec<_> = fresh.iter().filter(|drift| drift.change == change).collect();
        let said = new.iter().take(NAMED).map(|drift| settled_at_most(&drift.field, NAME_MAX));
        let more = if new.len() > NAMED { ", …" } else { "" };
        (new.len(), said.collect::<Vec<_>>().join(", ") + more)
    };
    let columns = match names(Change::New) {
        (0, _) => None,
        (many, names) => {
            let many =
                if many == 1 { "1 new column".to_owned() } else { format!("{many} new columns") };
            Some(format!("{many}, passed over until decided (marsad schema show FEED): {names}"))
        }
    };
    let structures = match names(Change::Structure) {
        (0, _) => None,
        (_, names) => Some(format!(
            "its structure is {names} now, which had not come before; its columns are still the feed's (marsad schema show FEED)"
        )),
    };
    let said: Vec<_> = columns.into_iter().chain(structures).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use marsad_shared::id::RunId;

    use super::*;

    #[test]
    fn a_line_for_fields_names_any_column() {
        let awkward = ("رقم \"أ\"\\\u{7}", r#""رقم \"أ\"\\\u0007" = "text""#);
        for (name, expected) in [("tel", r#"tel = "text""#), awkward] {
            let row = DriftRow {
                field: name.to_owned(),
                change: Change::New,
                kind: None,
                first_run: RunId(1),
                last_run: RunId(1),
                runs: 1,
                first_at: Timestamp::UNIX_EPOCH,
                last_at: Timestamp::UNIX_EPOCH,
                decision: Decision::Open,
                decided_at: None,
                actor: None,
                reason: None,
            };
            assert_eq!(declares(&row), expected);
        }
    }

    #[test]
    fn what_is_new_is_said_by_its_names_and_what_holds_is_not_said_twice() {
        let drift = |field: &str, change| Drift { field: field.to_owned(), change, kind: None };
        assert_eq!(words(&[drift("a", Change::Gone)]), None);
        let new = |names: &[&str]| -> Vec<_> {
            names.iter().map(|name| drift(name, Change::New)).collect()
        };
        assert_eq!(
            words(&new(&["t\u{1b}l"])).unwrap(),
            "1 new column, passed over until decided (marsad schema show FEED): t<U+1B>l"
        );
        let both = [drift("a", Change::New), drift("X:D(1.1)", Change::Structure)];
        let both = words(&both).unwrap();
        assert!(both.contains(": a; its structure is X:D(1.1) now"), "{both}");
        let many = words(&new(&["a", "b", "c", "d", "e", "f", "g", "h", "i"])).unwrap();
        assert!(
            many.starts_with("9 new columns, ") && many.ends_with(": a, b, c, d, e, f, g, h, …")
        );
    }
}
