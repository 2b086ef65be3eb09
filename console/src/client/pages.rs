//! A list that is longer than one answer: a page at a time, each behind the last row of the one before.

use marsad_shared::protocol::{LIST_LIMIT, LIST_MAX, ListQuery};

use super::{Answer, Client, Listed};

/// The pages of a list. Holds one page and never the list.
#[derive(Debug)]
pub struct Pages<T: Listed> {
    client: Client,
    of: T::Of,
    query: ListQuery,
    /// How many rows are still wanted; `None`: all there are.
    wanted: Option<u32>,
    next: Next,
}

/// What stands behind the last page.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    More,
    End,
}

impl<T: Listed> Pages<T> {
    /// `query.limit` is here how many rows in all: 0 for every one, none for [`LIST_LIMIT`].
    pub(super) fn new(client: Client, of: T::Of, query: ListQuery) -> Self {
        let wanted = match query.limit {
            Some(0) => None,
            limit => Some(limit.unwrap_or(LIST_LIMIT)),
        };
        Self { client, of, query, wanted, next: Next::More }
    }

    /// The next page, never an empty one; `None` at the end.
    ///
    /// # Errors
    /// Those of [`Client::list`].
    pub async fn next(&mut self) -> Answer<Option<Vec<T>>> {
        match self.next {
            Next::End => return Ok(None),
            Next::More => {}
        }
        let size = self.wanted.unwrap_or(LIST_MAX).min(LIST_MAX);
        self.query.limit = Some(size);
        let page: Vec<T> = self.client.list(&self.of, &self.query).await?;
        let got = u32::try_from(page.len()).unwrap_or(u32::MAX);
        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(got));
        let after = page.last().and_then(Listed::after);
        // A list that does not move on would have no end.
        let over = got < size || self.wanted == Some(0) || after == self.query.after;
        self.next = if over { Next::End } else { Next::More };
        self.query.after = after;
        Ok((!page.is_empty()).then_some(page))
    }
}

#[cfg(test)]
mod tests;
