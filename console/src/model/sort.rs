//! The orders of lists that are held whole.

use std::cmp::{Ordering, Reverse};

use jiff::Timestamp;

use super::Row;

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The worst first, among equals the one that has been so for longest.
    #[default]
    Worst,
    Name,
    /// What was read last.
    Newest,
    /// The most records, or feeds.
    Size,
}

/// A list's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    pub by: By,
    pub reversed: bool,
}

impl By {
    pub const ALL: [Self; 4] = [Self::Worst, Self::Name, Self::Newest, Self::Size];

    /// The key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Worst => "sort-worst",
            Self::Name => "sort-name",
            Self::Newest => "sort-newest",
            Self::Size => "sort-size",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Worst => Self::Name,
            Self::Name => Self::Newest,
            Self::Newest => Self::Size,
            Self::Size => Self::Worst,
        }
    }
}

impl Sort {
    /// The next order, from its beginning.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { by: self.by.next(), reversed: false }
    }

    #[must_use]
    pub const fn reverse(self) -> Self {
        Self { by: self.by, reversed: !self.reversed }
    }

    pub fn apply(self, rows: &mut [Row]) {
        rows.sort_by(|a, b| {
            let order = match self.by {
                By::Worst => b.weight().cmp(&a.weight()).then_with(|| since(a).cmp(&since(b))),
                By::Name => Ordering::Equal,
                By::Newest => read_at(b).cmp(&read_at(a)),
                By::Size => Reverse(size(a)).cmp(&Reverse(size(b))),
            };
            let order = order.then_with(|| name(a).cmp(name(b)));
            if self.reversed { order.reverse() } else { order }
        });
    }
}

/// What it is called, for lists of thousands without a copy of each.
fn name(row: &Row) -> &str {
    match row {
        Row::Connection(row) => row.id.as_str(),
        Row::Feed(row) => row.id.as_str(),
        _ => "",
    }
}

/// Since when it stands as it does; what never began comes last.
fn since(row: &Row) -> Timestamp {
    let since = match row {
        Row::Connection(row) => Some(row.since_at),
        Row::Feed(row) => row.since_at,
        _ => None,
    };
    since.unwrap_or(Timestamp::MAX)
}

fn read_at(row: &Row) -> Option<Timestamp> {
    match row {
        Row::Connection(row) => row.last_ok_at,
        Row::Feed(row) => row.checked_at,
        _ => None,
    }
}

fn size(row: &Row) -> u64 {
    match row {
        Row::Connection(row) => row.feeds,
        Row::Feed(row) => row.rows,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::freshness::Freshness;

    use super::*;
    use crate::model::build;

    #[test]
    fn each_order_has_its_first_row() {
        let mut late = build::feed("b/late", Freshness::Late);
        (late.rows, late.checked_at) = (5, None);
        let mut stale = build::feed("c/stale", Freshness::Stale);
        stale.rows = 1;
        let fresh = build::feed("a/fresh", Freshness::Fresh);
        let rows = [late, stale, fresh].map(|row| Row::Feed(row.into()));
        for (sort, expected) in [
            (Sort::default(), "c/stale"),
            (Sort::default().reverse(), "a/fresh"),
            (Sort { by: By::Name, reversed: false }, "a/fresh"),
            (Sort { by: By::Name, reversed: true }, "c/stale"),
            (Sort { by: By::Newest, reversed: true }, "b/late"),
            (Sort { by: By::Size, reversed: true }, "c/stale"),
        ] {
            let mut rows = rows.clone();
            sort.apply(&mut rows);
            assert_eq!(rows.first().map(Row::key).as_deref(), Some(expected), "{sort:?}");
        }
        let all: Vec<By> = std::iter::successors(Some(By::default()), |by| Some(by.next()))
            .take(By::ALL.len())
            .collect();
        assert_eq!(all, By::ALL, "s goes through all of them");
    }
}
