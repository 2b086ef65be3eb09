//! Reads of all there is: what their absence means, what holds them, and how they are released, undone and cancelled.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Asked, PartnerFile, Reply, Script},
};
use serde_json::{Value, json};

use crate::waits;

mod anew;
mod held;
mod resync;
mod snapshot;
mod sweep;

/// How many records a page has.
const PAGE: usize = 10;
const FEED: &str = "registry/cases";

/// What the partner has, shared with the test: a record's number, and what it holds.
#[derive(Clone, Debug)]
struct Shelf(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    records: BTreeMap<u64, Value>,
    /// The page that is not answered.
    stuck: Option<u64>,
    /// What it says there are, if that is not so.
    total: Option<usize>,
}

impl Shelf {
    fn of(records: u64) -> Self {
        let records = (0..records).map(|n| (n, record(n, 0, false))).collect();
        Self(Arc::new(Mutex::new(Held { records, ..Held::default() })))
    }

    fn set(&self, n: u64, value: Value) {
        self.0.lock().unwrap().records.insert(n, value);
    }

    fn take(&self, numbers: impl IntoIterator<Item = u64>) {
        let mut held = self.0.lock().unwrap();
        for n in numbers {
            held.records.remove(&n);
        }
    }

    fn stick(&self, page: impl Into<Option<u64>>) {
        self.0.lock().unwrap().stuck = page.into();
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let held = self.0.lock().unwrap();
        let page = asked.number("page").unwrap_or(1);
        if held.stuck == Some(page) {
            return Reply::never();
        }
        let since = asked.param("since").unwrap_or_default();
        let all = held.records.values().filter(|row| row["at"].as_str().unwrap_or("~") >= since);
        let all: Vec<_> = all.collect();
        let from = usize::try_from(page - 1).unwrap() * PAGE;
        let rows: Vec<_> = all.iter().skip(from).take(PAGE).collect();
        let total = held.total.unwrap_or(all.len());
        Reply::json(&json!({ "data": rows, "total": total, "more": from + PAGE < all.len() }))
    }
}

/// A record: it holds `what`, was changed `what` hours into its day, and may say that it is deleted.
fn record(n: u64, what: u64, gone: bool) -> Value {
    json!({ "id": format!("c{n:04}"), "what": what, "at": at(n, what), "gone": gone })
}

fn at(n: u64, what: u64) -> String {
    format!("2026-01-{:02}T{:02}:00:00Z", 1 + n % 28, what % 24)
}

/// A daemon that reads a partner's shelf.
struct Reading {
    shelf: Shelf,
    daemon: Daemon,
    partner: Script,
}

impl Reading {
    /// With `keys` of the feed beside its pages and fields; it is read once before this returns.
    async fn with(records: u64, keys: &str) -> anyhow::Result<Self> {
        let shelf = Shelf::of(records);
        let asked = shelf.clone();
        let partner = Script::start(move |ask| asked.answer(ask)).await?;
        let schedule = if keys.contains("schedule") { "" } else { "schedule = { every = \"1h\" }" };
        let mut file = PartnerFile::new("registry");
        file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
        file.add(&format!(
            "\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nrecords = \"$.data[*]\"\nkey = [\"id\"]\n\
             pagination = {{ kind = \"page\", param = \"page\", more = \"$.more\", total = \"$.total\" }}\n\
             {schedule}\n\
             fields = {{ id = \"text\", what = \"integer\", at = \"timestamp\" }}\n{keys}\n"
        ));
        let daemon = Daemon::start(Home::with(&[&file])?).await?;
        let read = Self { shelf, daemon, partner };
        waits::good_run(&read.daemon, FEED, 0).await?;
        if keys.contains("incremental") {
            // Numbered pages are read once more before a cursor passes them.
            read.read(false).await?;
        }
        Ok(read)
    }

    /// Reads it now, and gives the run once it has ended.
    async fn read(&self, full: bool) -> anyhow::Result<RunRow> {
        let reply = self.daemon.client.resync(FEED, full).await?;
        self.ended(&reply.run.unwrap().to_string()).await
    }

    /// A run, once it has ended.
    async fn ended(&self, id: &str) -> anyhow::Result<RunRow> {
        let ended = |run: &RunRow| run.id.to_string() == id && run.outcome != Outcome::Running;
        waits::run(&self.daemon, FEED, 0, id, ended).await
    }

    /// Everything that the bank's table and its side index hold, as text.
    fn bytes(&self) -> anyhow::Result<String> {
        let db = bank::open(&self.daemon.state_dir(), "cache.db")?;
        let sql = "SELECT json_array(t.rowid, id, what, at, _first_seen, _changed, _run, _deleted, k, h) \
                   FROM registry__cases t LEFT JOIN registry__cases__seen s ON s.rid = t.rowid ORDER BY t.rowid";
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
    }

    /// The living records: number and what they hold.
    fn living(&self) -> anyhow::Result<BTreeMap<u64, i64>> {
        let db = bank::open(&self.daemon.state_dir(), "cache.db")?;
        let sql = "SELECT CAST(substr(id, 2) AS INTEGER), what FROM registry__cases WHERE _deleted IS NULL";
        let mut statement = db.prepare(sql)?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// As the partner has them.
    fn truth(&self) -> BTreeMap<u64, i64> {
        let held = self.shelf.0.lock().unwrap();
        let living = held.records.iter().filter(|(_, row)| row["gone"] != true);
        living.map(|(n, row)| (*n, row["what"].as_i64().unwrap())).collect()
    }
}
