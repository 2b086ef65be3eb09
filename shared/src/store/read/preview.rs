//! What a resync would cost, as far as the past and the bank tell.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Reader, runs::run_row};
use crate::{
    feed::FieldType,
    id::FeedId,
    protocol::{Preview, RunRow},
    store::{StoreError, cache::table::Table},
};

/// How much of a feed would be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Incremental,
    Full,
    /// A stretch of time.
    Window {
        since: Timestamp,
        until: Timestamp,
        /// The column that tells when, where there is one.
        column: Option<String>,
        /// Between which times the partner is asked for records: many cannot tell an end, and some no beginning.
        asked: (Option<Timestamp>, Option<Timestamp>),
    },
}

/// Good runs that read pages or a file: no replay, and no undo.
const READ: &str = "outcome IN ('succeeded', 'partial', 'unchanged') AND trigger <> 'replay' \
    AND (pages > 0 OR file IS NOT NULL)";

impl Reader {
    /// What a resync of the feed would do. A full one costs what the last one did, or else the largest run; one of what changed,
    /// what the last one did that was not ordered; a stretch of time, as many records as the bank has there, at the pace of the largest run.
    /// `written` tells how a time is written in a column of that type.
    pub fn preview(
        &self,
        feed: &FeedId,
        reach: &Reach,
        written: impl Fn(FieldType, Timestamp) -> Option<String>,
    ) -> Result<Preview, StoreError> {
        let sql = "SELECT cursor, rows FROM marsad_feed WHERE feed = ?";
        let position = self.cache.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        });
        let (cursor, rows_now) = position.optional()?.unwrap_or_default();
        let whole = "full DESC, received DESC, id DESC";
        let (scope, from, until, run) = match reach {
            // A run that began at no cursor read everything, whoever ordered it; the first good one did.
            Reach::Full => ("full", None, None, self.past_run(feed, "received > 0", whole)?),
            // What a person ordered may have been a stretch of time.
            Reach::Incremental => {
                let run = self.past_run(feed, "true", "trigger = 'person', id DESC")?;
                ("incremental", cursor, None, run)
            }
            Reach::Window { since, until, .. } => {
                let run = self.past_run(feed, "received > 0 AND pages > 0", whole)?;
                ("window", Some(since.to_string()), Some(*until), run)
            }
        };
        let preview = Preview {
            feed: feed.clone(),
            scope: scope.to_owned(),
            from,
            until,
            budget: None,
            after_run: run.as_ref().map(|run| run.id),
            pages: run.as_ref().map(|run| run.pages),
            rows: run.as_ref().map(|run| run.counts.received),
            duration_s: run.as_ref().and_then(duration_s),
            rows_now,
        };
        match reach {
            Reach::Window { column, asked, .. } => {
                let rows =
                    column.as_deref().map(|column| self.rows_within(feed, column, *asked, written));
                Ok(part(preview, rows.transpose()?.flatten()))
            }
            Reach::Incremental | Reach::Full => Ok(preview),
        }
    }

    /// The first of the feed's runs that read something and are `so`, in that order.
    fn past_run(&self, feed: &FeedId, so: &str, order: &str) -> Result<Option<RunRow>, StoreError> {
        let sql = format!(
            "SELECT * FROM runs WHERE feed = ? AND {READ} AND {so} ORDER BY {order} LIMIT 1"
        );
        Ok(self
            .ledger
            .prepare_cached(&sql)?
            .query_row(params![feed.as_str()], run_row)
            .optional()?)
    }

    /// How many records the bank has of a stretch of time; `None`: nobody can tell.
    fn rows_within(
        &self,
        feed: &FeedId,
        column: &str,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        written: impl Fn(FieldType, Timestamp) -> Option<String>,
    ) -> Result<Option<u64>, StoreError> {
        let Some(table) = Table::find_of(&self.cache, feed)? else { return Ok(None) };
        let Some(kind) = table.kind(column) else { return Ok(None) };
        let bound = |at: Option<Timestamp>| match at {
            Some(at) => written(kind, at).map(Some),
            None => Some(None),
        };
        let (Some(since), Some(until)) = (bound(since), bound(until)) else { return Ok(None) };
        self.rows_between(&table, column, since.as_deref(), until.as_deref())
    }
}

/// What so many rows cost, where what `preview` says of one run is known.
fn part(preview: Preview, rows: Option<u64>) -> Preview {
    let of = |figure: Option<u64>| {
        let (rows, of) = (rows?, preview.rows?.max(1));
        let share = u128::from(figure?) * u128::from(rows);
        u64::try_from(share.div_ceil(u128::from(of))).ok()
    };
    // To ask for nothing takes a page too.
    let pages = of(preview.pages).map(|pages| pages.max(1));
    let (duration_s, after_run) =
        (of(preview.duration_s), preview.after_run.filter(|_| rows.is_some()));
    Preview { after_run, pages, rows, duration_s, ..preview }
}

fn duration_s(run: &RunRow) -> Option<u64> {
    let ended: Timestamp = run.ended_at?;
    u64::try_from(ended.duration_since(run.started_at).as_secs()).ok()
}
