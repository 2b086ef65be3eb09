//! From one page to the next: pure, so that every way of paging is tested without a partner.
//!
//! A walk ends where its stop rule says so, and nowhere else; a partner that leads it in a circle, to another origin or
//! on for ever is stopped (security T9, T11).

use std::collections::{HashMap, HashSet};

use marsad_shared::request::{Paging, Request, Stop, Total};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::link;
use crate::decode::Scalar;

/// How often the same page may come before its partner is taken to stand still.
const SAME_MAX: u8 = 3;
/// So many pages in a row without a record, each leading on, are no walk.
const EMPTY_MAX: u32 = 1_000;

/// How to ask for a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    First,
    /// A page's number, or how many records came before it.
    Number(u64),
    /// What the partner gave us to ask on.
    Token(String),
    Url(String),
    /// An export that was ordered: is it ready?
    Job(String),
    /// An export that is ready: what it is called, and where it is.
    File {
        id: String,
        at: String,
    },
}

/// What the walk needs to know of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub rows: u64,
    /// What stands at `next`, where the paging has one.
    pub next: Scalar,
    pub more: Scalar,
    pub total: Scalar,
    /// The `Link` header.
    pub link: Option<String>,
    /// A hash of its rows.
    pub content: u64,
    /// The answer itself says that there are no records: nothing can lead on from it.
    pub nothing: bool,
}

impl Facts {
    fn is_broken(&self) -> bool {
        self.link.as_deref().is_some_and(link::is_broken)
    }
}

/// Why a walk cannot go on. The partner's doing, each of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    #[error(
        "page {page} leads back to one already read: the partner's paging runs in a circle; tell the partner"
    )]
    Circle { page: u64 },
    #[error(
        "page {page} is the same as the one before: the partner ignores {param:?}; mend `pagination`"
    )]
    SamePage { page: u64, param: String },
    #[error(
        "{pages} pages in a row held no record and led on: the partner's paging has no end; tell the partner"
    )]
    Endless { pages: u32 },
    #[error(
        "page {page} has a `Link` header that cannot be read, so that nobody knows whether more follows; tell the partner"
    )]
    NoLink { page: u64 },
    #[error("there are more than {most} pages; raise `max_pages` if that is right")]
    TooMany { most: u64 },
    #[error("there are more than {most} records; raise `max_records` if that is right")]
    TooManyRecords { most: u64 },
    #[error(
        "a page leads to another origin ({origin}), where our credentials must not go; tell the partner"
    )]
    OtherOrigin { origin: String },
    #[error("a page leads to something that is no URL; tell the partner")]
    NoUrl,
    #[error(
        "page {page} does not say whether more follows; mend `pagination.more`, or tell the partner"
    )]
    NoFlag { page: u64 },
    #[error(
        "page {page} does not say how much there is; mend `pagination.total`, or tell the partner"
    )]
    NoTotal { page: u64 },
    #[error(
        "page {page} lacks what leads on; mend `pagination.next`, or use stop = \"next\" if the last page has none"
    )]
    NoNext { page: u64 },
    #[error(
        "page {page} says that more follows and not where; mend `pagination`, or tell the partner"
    )]
    NoWay { page: u64 },
    #[error(
        "the partner says that there are {said} and gave {got}: the rest is missing; it is read again, tell the partner if it stays"
    )]
    Short { said: u64, got: u64 },
    #[error(
        "{most} records share one value of the incremental field: the walk cannot be split there; raise `split`"
    )]
    NoSplit { most: u64 },
    #[error(
        "the walk was begun again at its greatest value so far, and what stands there did not come again: the partner leaves it out, so that records of one moment would be lost; write bound = \"exclusive\" in `incremental`"
    )]
    LeftOut,
    #[error(
        "page {page} goes back behind the one before: the feed is not in ascending order, so that splitting it would lose records; ask for it sorted"
    )]
    Unsorted { page: u64 },
    #[error("the other feed has more than {most} records; raise `each.max` if that is right")]
    TooManyParents { most: u64 },
    #[error("the other feed's records cannot be read: {problem}")]
    Parents { problem: String },
}

/// Where a walk goes behind a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    Page(Ask),
    /// The partner would refuse to page on here: the walk begins again at the greatest value so far.
    Split,
    End,
}

/// A walk over the pages of one leg of a feed.
#[derive(Debug)]
pub struct Walker<'a> {
    request: &'a Request,
    asked: HashSet<u64>,
    /// How often each page came, by the hash of its rows.
    came: HashMap<u64, u8>,
    last_content: Option<u64>,
    /// Pages in a row without a record.
    empty: u32,
    /// Pages read so far, of all legs.
    pub pages: u64,
    /// Records read so far, of all legs.
    pub rows: u64,
    /// Records and pages read so far in this leg.
    leg_rows: u64,
    leg_pages: u64,
    /// What the partner said that there is, first and last.
    totals: Option<(u64, u64)>,
}

impl<'a> Walker<'a> {
    /// A walk from `pages` pages and `rows` records on (0: from the first).
    pub fn new(request: &'a Request, pages: u64, rows: u64) -> Self {
        Self {
            request,
            asked: HashSet::new(),
            came: HashMap::new(),
            last_content: None,
            empty: 0,
            pages,
            rows,
            leg_rows: 0,
            leg_pages: 0,
            totals: None,
        }
    }

    /// Another leg begins: its pages are new ones.
    pub fn begin_leg(&mut self) {
        self.asked.clear();
        self.came.clear();
        self.last_content = None;
        self.leg_rows = 0;
        self.leg_pages = 0;
        self.totals = None;
    }

    /// So many records and pages of this leg were read before the walk was gone on with.
    pub fn resume_leg(&mut self, rows: u64, pages: u64) {
        self.leg_rows = rows;
        self.leg_pages = pages;
    }

    /// Pages of this leg so far.
    pub fn leg_pages(&self) -> u64 {
        self.leg_pages
    }

    /// Records of this leg so far.
    pub fn leg_rows(&self) -> u64 {
        self.leg_rows
    }

    /// The totals that the partner named first and last, where they differ: it changed while it was read.
    pub fn shifted(&self) -> Option<(u64, u64)> {
        self.totals.filter(|(first, last)| first != last)
    }

    /// What the partner says that there is and what it gave, where they differ at the end of a leg.
    pub fn contradicted(&self) -> Option<(u64, u64)> {
        let (_, said) = self.totals?;
        let got = match &self.request.pagination.total {
            Some(Total::Pages(_)) => self.leg_pages,
            _ => self.leg_rows,
        };
        (got != said).then_some((said, got))
    }

    /// Where to go behind a page that was asked for with `ask`.
    ///
    /// # Errors
    /// [`WalkError`] if there is no going on.
    pub fn next(&mut self, ask: &Ask, facts: &Facts) -> Result<Onward, WalkError> {
        self.pages += 1;
        self.rows += facts.rows;
        self.leg_rows += facts.rows;
        self.leg_pages += 1;
        self.asked.insert(hash(ask));
        self.guard_content(facts)?;
        let pagination = &self.request.pagination;
        if self.is_last(facts)? {
            return Ok(Onward::End);
        }
        // Where only an empty page is an end, this may have been all.
        let open = pagination.stop == Stop::Empty;
        if self.rows > pagination.max_records || (self.rows == pagination.max_records && !open) {
            return Err(WalkError::TooManyRecords { most: pagination.max_records });
        }
        let split = self.request.incremental.as_ref().and_then(|incremental| incremental.split);
        let size = pagination.size.as_ref().map_or(facts.rows, |size| size.size);
        if split.is_some_and(|split| self.leg_rows + size > split) {
            return Ok(Onward::Split);
        }
        let next = self.lead(ask, facts)?;
        if self.asked.contains(&hash(&next)) {
            return Err(WalkError::Circle { page: self.pages });
        }
        if self.pages >= pagination.max_pages {
            return Err(WalkError::TooMany { most: pagination.max_pages });
        }
        Ok(Onward::Page(next))
    }

    /// The same rows again and again are no progress, whatever leads on.
    fn guard_content(&mut self, facts: &Facts) -> Result<(), WalkError> {
        if facts.rows == 0 {
            self.empty += 1;
            let pages = self.empty;
            return if pages > EMPTY_MAX { Err(WalkError::Endless { pages }) } else { Ok(()) };
        }
        self.empty = 0;
        let came = self.came.entry(facts.content).or_insert(0);
        *came = came.saturating_add(1);
        let repeated = self.last_content.replace(facts.content) == Some(facts.content);
        match &self.request.pagination.kind {
            Paging::None => Ok(()),
            Paging::Page { param, .. } | Paging::Offset { param, .. } if repeated => {
                Err(WalkError::SamePage { page: self.pages, param: param.clone() })
            }
            _ if *came >= SAME_MAX => Err(WalkError::Circle { page: self.pages }),
            _ => Ok(()),
        }
    }

    fn is_last(&mut self, facts: &Facts) -> Result<bool, WalkError> {
        let page = self.pages;
        let pagination = &self.request.pagination;
        if matches!(pagination.kind, Paging::None) || facts.nothing {
            return Ok(true);
        }
        if pagination.total.is_some()
            && let Some(total) = number(&facts.total)
        {
            self.totals = Some((self.totals.map_or(total, |(first, _)| first), total));
        }
        let counts = matches!(pagination.kind, Paging::Page { .. } | Paging::Offset { .. });
        Ok(match pagination.stop {
            Stop::Empty => facts.rows == 0,
            Stop::Short => pagination.size.as_ref().is_some_and(|size| facts.rows < size.size),
            Stop::More => !flag(&facts.more).ok_or(WalkError::NoFlag { page })?,
            Stop::Total => {
                let said = number(&facts.total).ok_or(WalkError::NoTotal { page })?;
                let got = match &pagination.total {
                    Some(Total::Pages(_)) => self.leg_pages,
                    _ => self.leg_rows,
                };
                if got < said && counts && facts.rows == 0 {
                    return Err(WalkError::Short { said, got });
                }
                got >= said
            }
            Stop::Next if matches!(pagination.kind, Paging::Link) && facts.is_broken() => {
                return Err(WalkError::NoLink { page });
            }
            Stop::Next => self.way(facts).is_none(),
            Stop::Null => match &facts.next {
                Scalar::Absent => return Err(WalkError::NoNext { page }),
                Scalar::Null => true,
                Scalar::Text(text) => text.is_empty() || text == "false",
            },
        })
    }

    fn lead(&self, ask: &Ask, facts: &Facts) -> Result<Ask, WalkError> {
        let from =
            |ask: &Ask, start: u64| if let Ask::Number(number) = ask { *number } else { start };
        let next = match &self.request.pagination.kind {
            Paging::None => None,
            Paging::Page { start, .. } => Some(Ask::Number(from(ask, *start) + 1)),
            Paging::Offset { .. } => Some(Ask::Number(from(ask, 0) + facts.rows)),
            Paging::Cursor { .. } => self.way(facts).map(Ask::Token),
            Paging::NextUrl { .. } | Paging::Link => self.way(facts).map(Ask::Url),
        };
        next.ok_or(WalkError::NoWay { page: self.pages })
    }

    /// What the page itself says of the next.
    fn way(&self, facts: &Facts) -> Option<String> {
        // Some say so with a flag.
        let said = facts.next.text().filter(|text| *text != "false");
        match &self.request.pagination.kind {
            Paging::Link => facts.link.as_deref().and_then(link::next),
            Paging::Cursor { .. } => said.map(str::to_owned),
            Paging::NextUrl { .. } => said.map(target),
            Paging::None | Paging::Page { .. } | Paging::Offset { .. } => None,
        }
    }
}

/// A link is its URL, or an object that holds it (JSON:API, HAL).
fn target(text: &str) -> String {
    #[derive(Deserialize)]
    struct Link {
        href: String,
    }
    if text.starts_with('{')
        && let Ok(link) = serde_json::from_str::<Link>(text)
    {
        return link.href;
    }
    text.to_owned()
}

/// A flag, however it is written.
fn flag(scalar: &Scalar) -> Option<bool> {
    match scalar.text()?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

fn number(scalar: &Scalar) -> Option<u64> {
    scalar.text()?.trim().parse().ok()
}

fn hash(ask: &Ask) -> u64 {
    match ask {
        Ask::First => 0,
        Ask::Number(number) => *number + 1,
        Ask::Token(text) | Ask::Url(text) | Ask::Job(text) | Ask::File { at: text, .. } => {
            xxh3_64(text.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests;
