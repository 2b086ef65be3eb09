//! Every way in which a partner's HTTP interface may behave, against the real `marsadd`: scripted partners, a feed for
//! each behaviour, and rows at the partner and in the bank compared one by one.

mod bodies;
mod caches;
mod clocks;
mod conformance;
mod disorder;
mod each_and_body;
mod envelopes;
mod exports;
mod fields;
mod incremental;
mod marks;
mod moving;
mod paging;
mod presets;
mod rules;
mod spelling;

use std::collections::BTreeMap;

use marsad_shared::{health::Reason, protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Asked, Cell, PartnerFile, Reply, Row, Script},
};
use serde_json::{Value, json};

use crate::waits;

/// The columns of a feed that names no others.
const COLUMNS: [&str; 3] = ["id", "n", "at"];
/// When row 0 was changed; each later one a second later.
const BEGAN: &str = "2020-03-01T00:00:00Z";

/// The partner's answer to a request.
type Answer = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A feed of the scripted partner.
struct Case {
    feed: &'static str,
    keys: String,
    answer: Answer,
}

impl Case {
    /// A feed that is asked for at its own name. `keys` are lines of its block beside those that every feed here has, or in
    /// place of them.
    fn new(
        feed: &'static str,
        keys: &str,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self { feed, keys: keys.to_owned(), answer: Box::new(answer) }
    }
}

/// The scripted partner and the daemon that reads it.
struct Agency {
    daemon: Daemon,
    script: Script,
}

impl Agency {
    async fn start(cases: Vec<Case>) -> anyhow::Result<Self> {
        Self::start_with("", cases).await
    }

    /// With these lines in each of its connections.
    async fn start_with(connection: &str, cases: Vec<Case>) -> anyhow::Result<Self> {
        let (feeds, answers): (Vec<_>, BTreeMap<&str, Answer>) = cases
            .into_iter()
            .map(|case| ((case.feed, case.keys), (case.feed, case.answer)))
            .unzip();
        let script = Script::start(move |asked| {
            let name = asked.path.trim_start_matches('/').split('/').next().unwrap_or_default();
            answers.get(name).map_or_else(|| Reply::status(404), |answer| answer(asked))
        })
        .await?;
        let base = format!("http://{}", script.address());
        let mut file = PartnerFile::new("agency");
        for (feed, keys) in feeds {
            file.add(&block(feed, &keys, &base, connection));
        }
        let daemon = Daemon::start(Home::with(&[&file])?).await?;
        Ok(Self { daemon, script })
    }

    /// The first run of `feed` after number `after` that has ended.
    async fn ended(&self, feed: &str, after: u64) -> anyhow::Result<RunRow> {
        let over = |run: &RunRow| run.outcome != Outcome::Running;
        waits::run(&self.daemon, &id(feed), after, "ended", over).await
    }

    /// The first run of `feed`, which has to end well.
    async fn first(&self, feed: &str) -> anyhow::Result<RunRow> {
        let run = self.ended(feed, 0).await?;
        assert!(run.outcome.is_good() && run.counts.balances(), "{feed}: {run:#?}");
        Ok(run)
    }

    /// Another run of `feed`, ordered now, once it has ended.
    async fn order(&self, feed: &str, full: bool) -> anyhow::Result<RunRow> {
        let after = waits::last(&self.daemon, &id(feed)).await?;
        self.daemon.client.resync(&id(feed), full).await?;
        self.ended(feed, after).await
    }

    /// As [`Self::order`], of one that has to end well.
    async fn again(&self, feed: &str) -> anyhow::Result<RunRow> {
        let run = self.order(feed, false).await?;
        assert!(run.outcome.is_good() && run.counts.balances(), "{feed}: {run:#?}");
        Ok(run)
    }

    /// A run that failed with `cause` and says all of `words`.
    async fn fails(&self, feed: &str, cause: Reason, words: &[&str]) -> anyhow::Result<RunRow> {
        let run = self.ended(feed, 0).await?;
        failed(feed, &run, cause, words);
        Ok(run)
    }

    /// The bank's rows of `feed`.
    fn rows(&self, feed: &str, columns: &[&str]) -> anyhow::Result<Vec<Row>> {
        bank::rows(&self.daemon.state_dir(), &id(feed), columns)
    }

    /// Holds the bank's rows of `feed` against the numbered rows of the partner, one by one.
    fn same(&self, feed: &str, numbers: impl IntoIterator<Item = u64>) -> anyhow::Result<()> {
        let wanted: Vec<Row> = numbers.into_iter().map(kept).collect();
        assert_eq!(self.rows(feed, &COLUMNS)?, wanted, "{feed}");
        Ok(())
    }

    /// What was asked for `feed` so far.
    fn asked(&self, feed: &str) -> Vec<Asked> {
        self.script.asked(&format!("/{feed}"))
    }

    async fn cursor(&self, feed: &str) -> anyhow::Result<Option<String>> {
        Ok(self.daemon.client.feed(&id(feed)).await?.cursor)
    }
}

fn id(feed: &str) -> String {
    format!("agency/{feed}")
}

fn failed(feed: &str, run: &RunRow, cause: Reason, words: &[&str]) {
    let reason = run.reason.as_deref().unwrap_or_default();
    assert_eq!((run.outcome, run.cause), (Outcome::Failed, Some(cause)), "{feed}: {run:#?}");
    for word in words {
        assert!(reason.contains(word), "{feed}: {word:?} is not in {reason:?}");
    }
}

/// When row `n` was changed.
fn at(n: u64) -> String {
    let began: jiff::Timestamp = BEGAN.parse().unwrap();
    let at = began.checked_add(std::time::Duration::from_secs(n)).unwrap();
    at.to_string()
}

/// Row `n`, as the partner writes it.
fn row(n: u64) -> Value {
    json!({ "id": format!("r{n:05}"), "n": n, "at": at(n) })
}

/// Row `n`, as the bank keeps it.
fn kept(n: u64) -> Row {
    vec![Cell::Text(format!("r{n:05}")), Cell::Integer(n.cast_signed()), Cell::Text(at(n))]
}

/// The rows of these numbers, as the partner writes them.
fn rows(numbers: impl IntoIterator<Item = u64>) -> Vec<Value> {
    numbers.into_iter().map(row).collect()
}

/// The same, a line each.
fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    rows(numbers).iter().fold(String::new(), |lines, row| format!("{lines}{row}\n"))
}

/// The numbers from `from` on, at most `size` of them, below `end`.
fn some(from: u64, size: u64, end: u64) -> std::ops::Range<u64> {
    from.min(end)..(from + size).min(end)
}

/// A feed and its connection, which is its own, so that no trouble of another feed holds it up.
fn block(feed: &str, keys: &str, base: &str, connection: &str) -> String {
    let mut block = format!(
        "\n[[connection]]\nid = \"to-{feed}\"\nbase_url = \"{base}\"\n{connection}\n\
         \n[[feed]]\nid = \"{feed}\"\nconnection = \"to-{feed}\"\n"
    );
    for (key, line) in [
        ("path", format!("path = \"/{feed}\"")),
        ("key", "key = [\"id\"]".to_owned()),
        ("records", "records = \"$.data[*]\"".to_owned()),
        ("fields", "fields = { id = \"text\", n = \"integer\", at = \"timestamp\" }".to_owned()),
        ("schedule", "schedule = { every = \"1h\" }".to_owned()),
    ] {
        let says = |line: &str| line.split('=').next().is_some_and(|name| name.trim() == key);
        let elsewhere = keys
            .lines()
            .any(|line| ["preset = ", "format = "].iter().any(|begin| line.starts_with(begin)));
        let given = keys.lines().any(says) || key == "records" && elsewhere;
        if !given {
            block.push_str(&line);
            block.push('\n');
        }
    }
    block + keys + "\n"
}
