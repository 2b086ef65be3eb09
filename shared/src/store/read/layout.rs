//! A feed's columns, since when they are, and what came otherwise.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Reader;
use crate::{
    id::{FeedId, RunId},
    protocol::{ColumnRow, SchemaRow},
    record::Layout,
    store::{
        StoreError,
        cache::table::Table,
        ledger::{drift::drift_of, time_at},
    },
};

impl Reader {
    /// The columns of a feed as its table has them, and what came otherwise; a feed that has read nothing has none.
    pub fn schema(&self, feed: &FeedId) -> Result<SchemaRow, StoreError> {
        let since = self.frozen(feed)?;
        let columns = Table::find_of(&self.cache, feed)?.map_or_else(Vec::new, |table| {
            let layout = table.layout();
            let fields = layout.fields.iter().enumerate();
            fields
                .map(|(at, field)| {
                    let since = since.get(&field.name);
                    ColumnRow {
                        name: field.name.clone(),
                        r#type: field.kind,
                        key: layout.key.contains(&at),
                        required: layout.is_required(at),
                        sensitive: field.sensitive,
                        since_at: since.map(|(at, _)| *at),
                        since_run: since.map(|(_, run)| *run),
                    }
                })
                .collect()
        });
        let (frozen, drift) = (!since.is_empty(), drift_of(&self.ledger, feed)?);
        Ok(SchemaRow { feed: feed.clone(), frozen, columns, drift })
    }

    /// When each column was frozen, and by the data of which run.
    fn frozen(&self, feed: &FeedId) -> Result<HashMap<String, (Timestamp, RunId)>, StoreError> {
        let sql = "SELECT layout, run, at FROM layouts WHERE feed = ? ORDER BY id";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let mut rows = statement.query([feed.as_str()])?;
        let mut since = HashMap::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get("layout")?;
            let layout: Layout = serde_json::from_str(&text).map_err(|error| {
                StoreError::Layout(format!("the layout of {feed} cannot be read: {error}"))
            })?;
            let (at, run) = (time_at(row, "at")?, RunId(row.get("run")?));
            for field in layout.fields {
                since.entry(field.name).or_insert((at, run));
            }
        }
        Ok(since)
    }
}
