//! A list: the window of rows that is held, the one that is selected, and what has to be fetched next.
//!
//! A list of the daemon may have any length. Only a window of it is held; it grows at the side towards which the
//! selection moves and is cut at the other, and every page stands behind or before a key.

use std::collections::BTreeSet;

use marsad_shared::{
    id::RunId,
    protocol::{ListQuery, Problem},
};

use super::{Filter, Row, Sort};

/// Rows of one page.
pub const PAGE: usize = 200;
/// Rows of one page while a filter looks for some.
pub const SCAN: usize = 1_000;
/// The most rows that are held; more than two pages, so that turning round costs nothing.
pub const HELD: usize = 3 * PAGE;
/// Pages that a filter may read without being asked again, so that a word that is nowhere does not read a whole bank.
const PATIENCE: u32 = 20;

/// A page that the list wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    First,
    Last,
    After(String),
    Before(String),
    /// The rows that are held, as they are now.
    Again,
}

/// Where the selection stays when rows come before the first, and that is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// The first, whatever row that is, so that what comes is seen.
    #[default]
    OnTop,
    /// Its row: something in front is about it.
    OnItsRow,
}

/// What a list stands on, and the place in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    pub rows: Vec<Row>,
    pub selected: usize,
    /// The first row on the screen.
    pub top: usize,
    pub filter: Filter,
    /// Of quarantine, only what this run refused: the daemon cannot be asked for that.
    pub only: Option<RunId>,
    pub sort: Sort,
    /// Rows that an act is about, by their keys.
    pub marks: BTreeSet<String>,
    /// Whether the first row held is the first of all, and the last held the last.
    pub begins: bool,
    pub ends: bool,
    /// Rows looked at for the filter.
    pub scanned: usize,
    /// Whether it was ever read.
    pub loaded: bool,
    pub problem: Option<Problem>,
    /// The row to select as soon as it is there.
    pub seek: Option<String>,
    pub stay: Stay,
    /// How far the window has been looked through, where a filter keeps but some.
    tail: Option<String>,
    want: Option<Want>,
    flight: Option<(u64, Want)>,
    patience: u32,
}

impl List {
    pub fn new(filter: Filter, sort: Sort) -> Self {
        Self { filter, sort, patience: PATIENCE, ..Self::default() }
    }

    /// Whether it keeps but some of the rows that it is given.
    fn sifts(&self) -> bool {
        !self.filter.is_empty() || self.only.is_some()
    }

    fn passes(&self, row: &Row) -> bool {
        let of_run = match (self.only, row) {
            (Some(run), Row::Quarantine(item)) => item.run == run,
            _ => true,
        };
        of_run && self.filter.passes(row)
    }

    pub fn selected_row(&self) -> Option<&Row> {
        self.rows.get(self.selected)
    }

    /// Marks the selected row, or takes its mark away, and goes on to the next; `false`: such rows bear none.
    pub fn mark(&mut self, height: usize) -> bool {
        let Some(Row::Quarantine(row)) = self.selected_row() else { return false };
        let key = row.id.to_string();
        if !self.marks.remove(&key) {
            self.marks.insert(key);
        }
        self.select(self.selected + 1, height);
        true
    }

    /// Puts all rows in place of those held; the selection stays on its row, or near where it was. On the first row it
    /// stays the first, so that something worse that comes is seen and not scrolled out of sight.
    pub fn hold_all(&mut self, rows: Vec<Row>) {
        let row = if self.on_top() { None } else { self.selected_row().map(Row::key) };
        let was = self.seek.take().or(row);
        self.rows = rows;
        (self.begins, self.ends, self.loaded) = (true, true, true);
        self.select_key(was.as_deref());
    }

    /// Whether the selection stays the first whatever comes, and does not go with its row.
    const fn on_top(&self) -> bool {
        self.selected == 0 && matches!(self.stay, Stay::OnTop)
    }

    /// Moves the selection, and the screen's first row with it as far as it must.
    pub fn select(&mut self, index: usize, height: usize) {
        self.selected = index.min(self.rows.len().saturating_sub(1));
        self.patience = PATIENCE;
        self.reveal(height);
    }

    /// Scrolls so that the selection is on a screen of `height` rows, and no further.
    pub fn reveal(&mut self, height: usize) {
        let height = height.max(1);
        let last_top = self.rows.len().saturating_sub(height);
        self.top = self
            .top
            .min(last_top)
            .min(self.selected)
            .max((self.selected + 1).saturating_sub(height));
    }

    /// To the very first row, or the very last, wherever those are.
    pub fn to_end(&mut self, last: bool, height: usize) {
        if last && !self.ends {
            self.want = Some(Want::Last);
        } else if !last && !self.begins {
            self.want = Some(Want::First);
        }
        let index = if last { self.rows.len() } else { 0 };
        self.select(index, height);
    }

    /// Asks for the rows anew, from the beginning.
    pub fn restart(&mut self) {
        (self.want, self.scanned, self.patience) = (Some(Want::First), 0, PATIENCE);
        (self.flight, self.problem) = (None, None);
    }

    /// The daemon says that some of them changed.
    pub fn refresh(&mut self) {
        let scanning = self.sifts() && self.scanned > SCAN;
        if self.loaded && !scanning {
            self.want.get_or_insert(Want::Again);
        }
    }

    /// The page to fetch now, if there is one to fetch and none under way. `height`: rows on the screen.
    pub fn next_want(&mut self, height: usize, ticket: u64) -> Option<Want> {
        if self.flight.is_some() {
            return None;
        }
        let want = self.want.take().or_else(|| self.due(height))?;
        let want = if want == Want::Again && self.begins { Want::First } else { want };
        self.flight = Some((ticket, want.clone()));
        Some(want)
    }

    fn due(&mut self, height: usize) -> Option<Want> {
        if self.problem.is_some() {
            return None; // until somebody asks again
        }
        if !self.loaded {
            return Some(Want::First);
        }
        let below = self.rows.len().saturating_sub(self.selected);
        let patient = !self.sifts() || self.patience > 0;
        if !self.ends && below <= height && patient {
            self.patience = self.patience.saturating_sub(1);
            return self.tail.clone().map(Want::After);
        }
        if !self.begins && self.selected <= height && patient {
            self.patience = self.patience.saturating_sub(1);
            return self.rows.first().and_then(Row::cursor).map(Want::Before);
        }
        None
    }

    /// How many rows a page has.
    pub fn page(&self, want: &Want) -> usize {
        let least = if self.sifts() { SCAN } else { PAGE };
        match want {
            Want::First if self.loaded && self.begins => self.rows.len().clamp(least, SCAN),
            Want::Again => self.rows.len().saturating_sub(1).clamp(1, SCAN),
            _ => least,
        }
    }

    /// `query` for the page that is wanted.
    pub fn query(&self, want: &Want, mut query: ListQuery) -> ListQuery {
        query.limit = u32::try_from(self.page(want)).ok();
        match want {
            Want::First => {}
            Want::Last => query.before = Some(String::new()),
            Want::After(key) => query.after = Some(key.clone()),
            Want::Before(key) => query.before = Some(key.clone()),
            Want::Again => query.before = self.rows.last().and_then(Row::cursor),
        }
        query
    }

    /// A page has come. One that nobody waits for any more is passed over.
    pub fn take(&mut self, ticket: u64, page: Result<Vec<Row>, Problem>, height: usize) {
        let Some((_, want)) = self.flight.take_if(|(waited, _)| *waited == ticket) else { return };
        let page = match page {
            Ok(page) => page,
            Err(problem) => {
                self.problem = Some(problem);
                return;
            }
        };
        self.problem = None;
        let short = page.len() < self.page(&want);
        let last = page.last().and_then(Row::cursor);
        self.scanned = match want {
            Want::After(_) | Want::Before(_) => self.scanned + page.len(),
            Want::Again => self.scanned,
            Want::First | Want::Last => page.len(),
        };
        let hits: Vec<Row> = page.into_iter().filter(|row| self.passes(row)).collect();
        match want {
            Want::First => {
                let on_top = self.on_top();
                self.replace(hits, (true, short || last.is_none()), last, on_top);
            }
            Want::Last => {
                self.replace(hits, (short, true), last, false);
                self.selected = self.rows.len().saturating_sub(1);
            }
            Want::After(_) => {
                self.rows.extend(hits);
                self.ends = short || last.is_none();
                self.tail = last.or_else(|| self.tail.take());
                self.drop_front();
            }
            Want::Before(_) => {
                let added = hits.len();
                self.rows.splice(..0, hits);
                self.begins = short;
                (self.selected, self.top) = (self.selected + added, self.top + added);
                self.drop_back();
            }
            Want::Again => {
                let rows = hits.into_iter().chain(self.rows.last().cloned()).collect();
                let (ends, tail) = (self.ends, self.tail.clone());
                self.replace(rows, (short, ends), tail, false);
            }
        }
        self.reveal(height);
    }

    /// `on_top`: the selection stays on the first row, so that news appear under it, and not with its row.
    fn replace(
        &mut self,
        rows: Vec<Row>,
        (begins, ends): (bool, bool),
        tail: Option<String>,
        on_top: bool,
    ) {
        let row = if on_top { None } else { self.selected_row().map(Row::key) };
        let was = self.seek.take().or(row);
        self.rows = rows;
        (self.begins, self.ends, self.tail, self.loaded) = (begins, ends, tail, true);
        self.select_key(was.as_deref());
    }

    fn select_key(&mut self, key: Option<&str>) {
        let found = key.and_then(|key| self.rows.iter().position(|row| row.key() == key));
        let last = self.rows.len().saturating_sub(1);
        self.selected = found.unwrap_or(self.selected).min(last);
    }

    fn drop_front(&mut self) {
        let extra = self.rows.len().saturating_sub(HELD).min(self.selected);
        if extra > 0 {
            self.rows.drain(..extra);
            self.begins = false;
            self.selected -= extra;
            self.top = self.top.saturating_sub(extra);
        }
    }

    fn drop_back(&mut self) {
        if self.rows.len() > HELD && self.selected < HELD {
            self.rows.truncate(HELD);
            self.ends = false;
            self.tail = self.rows.last().and_then(Row::cursor);
        }
    }

    /// The daemon is gone: what was on its way will not come.
    pub fn lost(&mut self) {
        if let Some((_, want)) = self.flight.take() {
            self.want.get_or_insert(want);
        }
    }

    /// Whether a page is on its way.
    pub fn is_waiting(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether the filter has stopped before the list's end and goes on when asked.
    pub fn paused_scan(&self) -> bool {
        self.sifts() && !self.ends && self.patience == 0 && self.flight.is_none()
    }
}

#[cfg(test)]
#[path = "list/tests.rs"]
mod tests;
