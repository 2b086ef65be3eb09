//! A person's decision of columns that came otherwise, taken up between two runs.

use std::{collections::BTreeSet, sync::Arc};

use marsad_shared::{
    drift::{Change, Decision},
    feed::{COLUMNS_MAX, Feed, Field, FieldType},
    id::RunId,
    protocol::{DriftRow, Problem, SchemaReply, SchemaVerb},
    record::Layout,
    store::ledger::Decided,
};

use super::{Columns, drift::declares, kept};
use crate::{
    decode::KEYLESS,
    services::{Services, Settle},
    shape::infer,
    socket::problem::{conflict, failed},
};

/// What was not done.
const UNDECIDED: &str = "nothing was decided";

/// The columns of a feed that grows by what was approved.
struct Grown {
    layout: Layout,
    /// The run that first had one of them.
    run: RunId,
    added: Vec<String>,
}

impl Columns {
    /// Takes a decision up: what was approved counts from the next run on. Whoever ordered it is told how it went.
    pub async fn decide(&mut self, services: &Services, order: Settle) {
        let Settle { verb, columns, reason, actor, reply, .. } = order;
        let decision = match verb {
            SchemaVerb::Approve => Decision::Approved,
            SchemaVerb::Refuse => Decision::Refused,
        };
        let decided = Decided { decision, actor, reason, at: services.clock.now() };
        let done = self.decided(services, &columns, decided).await;
        // What is known of the columns is read anew, whatever came of it.
        *self = Self::new(Arc::clone(&self.feed));
        // Whoever went away has no use for the answer.
        let _ = reply.send(done);
    }

    async fn decided(
        &self,
        services: &Services,
        columns: &[String],
        decided: Decided,
    ) -> Result<SchemaReply, Problem> {
        let feed = &self.feed;
        let wrong = |error| failed(UNDECIDED, &error);
        let id = feed.id.clone();
        let known = services
            .store
            .ledger
            .call(move |ledger| Ok((ledger.drift(&id)?.0, ledger.layout(&id)?)));
        let (rows, frozen) = known.await.map_err(wrong)?;
        let rows = chosen(rows, columns)?;
        let approves = decided.decision == Decision::Approved;
        if approves {
            can_do_without(feed, &rows)?;
        }
        let grown = match frozen.filter(|_| approves && feed.fields.is_empty()) {
            Some(layout) => grown(layout, &rows)?,
            None => None,
        };
        let table = grown.as_ref().map(|grown| kept(feed, grown.layout.clone())).transpose();
        let table = table.map_err(|why| conflict(UNDECIDED, why, "mend agreement.fields"))?;
        let (id, at) = (feed.id.clone(), decided.at);
        let about: Vec<_> = rows.iter().map(|row| (row.field.clone(), row.change)).collect();
        let (freeze, added) = grown
            .map_or((None, Vec::new()), |grown| (Some((grown.layout, grown.run)), grown.added));
        let written = services.store.ledger.call(move |ledger| {
            ledger.decide_drift(&id, &about, &decided)?;
            if let Some((layout, run)) = freeze {
                ledger.freeze_layout(&id, run, &layout, at)?;
            }
            Ok(ledger.drift(&id)?.0)
        });
        let mut all = written.await.map_err(wrong)?;
        if let Some((layout, _)) = table {
            let id = feed.id.clone();
            let prepared = services.store.cache.call(move |cache| cache.prepare(&id, &layout));
            let late = "it is decided, and the table has the new columns with the next run only";
            prepared.await.map_err(|error| failed(late, &error))?;
        }
        all.retain(|row| {
            rows.iter().any(|one| (&one.field, one.change) == (&row.field, row.change))
        });
        let new = rows.iter().filter(|row| row.change == Change::New);
        let declares_them = approves && !feed.fields.is_empty();
        let declare = if declares_them { new.map(declares).collect() } else { Vec::new() };
        Ok(SchemaReply { feed: feed.id.clone(), decided: all, added, declare })
    }
}

/// Whether the feed can be read without the columns that are gone.
fn can_do_without(feed: &Feed, rows: &[DriftRow]) -> Result<(), Problem> {
    let needed = |field: &str| {
        feed.key.iter().any(|key| key == field)
            || feed.version.as_deref() == Some(field)
            || feed.fields.iter().any(|known| known.name == field && known.required)
    };
    let gone = rows.iter().filter(|row| row.change == Change::Gone);
    match gone.map(|row| row.field.as_str()).find(|field| needed(field)) {
        None => Ok(()),
        Some(field) => {
            let why = format!("no row of {} is taken without {field:?}", feed.id);
            Err(conflict(UNDECIDED, why, KEYLESS))
        }
    }
}

/// The rows that a decision is about: those of the `columns`, or all that are open.
fn chosen(rows: Vec<DriftRow>, columns: &[String]) -> Result<Vec<DriftRow>, Problem> {
    let show = "what there is: marsad schema show FEED";
    let strange = columns.iter().find(|name| rows.iter().all(|row| row.field != **name));
    if let Some(name) = strange {
        return Err(conflict(UNDECIDED, format!("{name:?} never came otherwise"), show));
    }
    let is_meant = |row: &DriftRow| match columns {
        [] => row.decision == Decision::Open,
        columns => columns.contains(&row.field),
    };
    let chosen: Vec<_> = rows.into_iter().filter(is_meant).collect();
    if chosen.is_empty() {
        return Err(conflict(UNDECIDED, "nothing is open", show));
    }
    Ok(chosen)
}

/// The layout with what is new; `None`: nothing is.
fn grown(mut layout: Layout, rows: &[DriftRow]) -> Result<Option<Grown>, Problem> {
    let mut taken: BTreeSet<_> =
        layout.fields.iter().map(|field| field.name.to_lowercase()).collect();
    let (mut first, mut added) = (None, Vec::new());
    for row in rows.iter().filter(|row| row.change == Change::New) {
        if layout.position(&row.field).is_some() {
            continue;
        }
        let name = row.field.to_lowercase();
        if infer::is_reserved(&name) || !taken.insert(name) || layout.fields.len() >= COLUMNS_MAX {
            let why = format!("the bank can have no column {:?} beside the others", row.field);
            let remedy = "declare `fields`, and give it another name with `from`";
            return Err(conflict(UNDECIDED, why, remedy));
        }
        layout.fields.push(Field::new(&row.field, row.kind.unwrap_or(FieldType::Text)));
        first = first.or(Some(row.first_run));
        added.push(row.field.clone());
    }
    Ok(first.map(|run| Grown { layout, run, added }))
}
