//! From one page to the next: pure, so that every way of paging is tested without a partner.
//!
//! A walk ends where its stop rule says so, and nowhere else; a partner that leads it in a circle, to another origin or
//! on for ever is stopped (security T9, T11).

use std::collections::{HashMap, HashSet};

use marsad_shared::request::{More, Paging, Request, Stop, Total};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::link;
use crate::decode::Scalar;

mod error;
mod joint;
mod place;

pub use error::WalkError;
use joint::{Joined, Joint, Last};
pub use joint::{Marks, Stand};

/// How often the same page may come before its partner is taken to stand still.
const SAME_MAX: u8 = 3;
/// So many pages in a row with the records of the one before are one page, in whose rows something changes all the time: of a
/// log, whose records come again and again, a few pages may have the same ones by chance.
const ALIKE_MAX: u8 = 10;
/// So many pages in a row without a record, each leading on, are no walk.
const EMPTY_MAX: u32 = 1_000;

/// What stands where nothing leads on: some say so with a flag, or with nothing in brackets.
const NOWHERE: [&str; 3] = ["false", "[]", "{}"];

/// How to ask for a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    First,
    /// A page's number, or how many records came before it.
    Number(u64),
    /// What the partner gave us to ask on.
    Token(String),
    /// The same where it is another value of JSON than a text, and goes back as such.
    Value(String),
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
    /// Its flag, where there is one.
    pub more: Scalar,
    pub total: Scalar,
    /// The `Link` header.
    pub link: Option<String>,
    /// A hash of its rows.
    pub content: u64,
    /// A hash of the keys of its rows, where each is there once; only where pages are counted.
    pub keys: Option<u64>,
    /// Marks of its rows; only where pages overlap.
    pub marks: Marks,
    /// The answer itself says that there are no records: nothing can lead on from it.
    pub nothing: bool,
    /// It says that it failed, and is left out.
    pub left_out: bool,
}

impl Facts {
    fn is_broken(&self) -> bool {
        self.link.as_deref().is_some_and(link::is_broken)
    }
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that the walk comes upon"
)]
pub struct Walker<'a> {
    request: &'a Request,
    asked: HashSet<u64>,
    /// How often each page came, by the hash of its rows.
    came: HashMap<u64, u8>,
    last_content: Option<u64>,
    /// The keys of the last page, and how many pages in a row had them before.
    last_keys: (Option<u64>, u8),
    /// Pages in a row without a record.
    empty: u32,
    /// Whether the last one led on to itself.
    stays: bool,
    /// How far this leg has come, as a place among its records; and whether the last page begins before that, because the walk
    /// had gone back.
    furthest: u64,
    again: bool,
    /// Whether it goes on behind the end by the partner's count, and whether that has come.
    beyond: bool,
    counted: bool,
    /// Pages read so far, of all legs.
    pub pages: u64,
    /// Records read so far, of all legs.
    pub rows: u64,
    /// Where this leg stands.
    stand: Stand,
    joint: Joint,
}

impl<'a> Walker<'a> {
    /// A walk from its first page.
    pub fn new(request: &'a Request) -> Self {
        Self {
            request,
            asked: HashSet::new(),
            came: HashMap::new(),
            last_content: None,
            last_keys: (None, 0),
            empty: 0,
            stays: false,
            furthest: 0,
            again: false,
            beyond: false,
            counted: false,
            pages: 0,
            rows: 0,
            stand: Stand::default(),
            joint: Joint::new(request),
        }
    }

    /// A walk that is gone on with behind `pages` pages and `rows` records, from where its leg stood. Gives how to ask
    /// on: where pages do not overlap, for the last page again, to see whether anything moved since.
    pub fn resume(
        request: &'a Request,
        pages: u64,
        rows: u64,
        stand: Stand,
        ask: Ask,
    ) -> (Self, Ask) {
        let mut walker = Self { pages, rows, stand, ..Self::new(request) };
        let ask = walker.joint.resume(&walker.stand).unwrap_or(ask);
        (walker, ask)
    }

    /// Another leg begins: its pages are new ones.
    pub fn begin_leg(&mut self) {
        self.joint.begin_leg();
        self.forget();
        // A leg that is done is progress, however little it held.
        self.empty = 0;
    }

    /// Forgets what is known of the pages of this leg.
    fn forget(&mut self) {
        self.asked.clear();
        self.came.clear();
        self.last_content = None;
        self.last_keys = (None, 0);
        self.furthest = 0;
        self.stand = Stand::default();
    }

    /// Where this leg stands.
    pub fn stand(&self) -> &Stand {
        &self.stand
    }

    /// Whether [`Facts::marks`] are looked at.
    pub fn overlaps(&self) -> bool {
        self.joint.overlaps()
    }

    /// Whether [`Facts::keys`] are looked at.
    pub fn counts_pages(&self) -> bool {
        let kind = &self.request.pagination.kind;
        matches!(kind, Paging::Page { .. } | Paging::Offset { .. }) && !self.overlaps()
    }

    /// Whether the last page was asked for by going back, or sends the walk back.
    pub fn is_going_back(&self) -> bool {
        self.joint.is_going_back()
    }

    /// Whether the last page begins before the end of what came, because the walk had gone back.
    pub fn is_again(&self) -> bool {
        self.again
    }

    /// Rows of the last page that had come with the one before, as [`Facts::marks`] names them.
    pub fn repeats(&self) -> &[u64] {
        self.joint.repeats()
    }

    /// Whether records may have moved from page to page of this leg without being seen: the partner had fewer of them
    /// while it was read, and nothing shows that its pages join.
    pub fn is_in_doubt(&self) -> bool {
        self.stand.dipped && self.is_blind()
    }

    /// Whether nothing shows that the pages of this leg join, and a cursor would pass what was lost between two.
    pub fn is_blind(&self) -> bool {
        let Stand { places, apart, filled, full, pages, .. } = self.stand;
        let by_place = self.joint.is_blind() || places.is_any() || apart;
        by_place && (filled > 1 || full && pages > 1)
    }

    /// Whether the order changed while this leg was read: a page that joins had records that had come behind others that had
    /// not, so that the ones before may have been anywhere.
    pub fn is_loose(&self) -> bool {
        self.stand.loose
    }

    /// Whether the partner said all through this leg that there are more than it gave, and a cursor would pass what is missing.
    pub fn is_short(&self) -> bool {
        let is_less = |(said, got): (u64, u64)| said > got;
        self.request.incremental.is_some()
            && self.shifted().is_none()
            && self.contradicted().is_some_and(is_less)
    }

    /// Whether this leg has pages that were read one after the other and do not overlap, so that whatever leads from one to the
    /// next may be a number; or whether only the partner's count tells where it ends.
    pub fn is_parted(&self) -> bool {
        self.ends_by_count() || !self.joint.overlaps() && self.stand.pages > 1
    }

    fn ends_by_count(&self) -> bool {
        let pagination = &self.request.pagination;
        let counts = matches!(pagination.kind, Paging::Page { .. } | Paging::Offset { .. });
        counts && pagination.stop == Stop::Total
    }

    /// The same walk, which takes the partner's count for no end: it ends with a page that has nothing, or is refused.
    #[must_use]
    pub fn beyond_count(self) -> Self {
        Self { beyond: true, ..self }
    }

    /// Whether it has come to the end by the partner's count, and beyond it.
    pub fn is_beyond(&self) -> bool {
        self.beyond && self.counted
    }

    /// The totals that the partner named first and last, where they differ: it changed while it was read.
    pub fn shifted(&self) -> Option<(u64, u64)> {
        self.stand.totals.filter(|(first, last)| first != last)
    }

    /// How many rows the partner said last that there are; `None` where it counts pages, or nothing.
    pub fn total(&self) -> Option<u64> {
        let counts_rows = !matches!(self.request.pagination.total, Some(Total::Pages(_)));
        self.stand.totals.map(|(_, last)| last).filter(|_| counts_rows)
    }

    /// What the partner says that there is and what it gave, where they differ at the end of a leg in which nothing moved.
    pub fn contradicted(&self) -> Option<(u64, u64)> {
        if self.stand.moved {
            return None;
        }
        let (_, said) = self.stand.totals?;
        let got = match &self.request.pagination.total {
            // Behind the last one there may have been a look at a page that held nothing.
            Some(Total::Pages(_)) => said.clamp(self.stand.filled, self.stand.pages),
            _ => self.stand.rows,
        };
        (got != said).then_some((said, got))
    }

    /// Where to go behind a page that was asked for with `ask`.
    ///
    /// # Errors
    /// [`WalkError`] if there is no going on.
    pub fn next(&mut self, ask: &Ask, facts: &Facts) -> Result<Onward, WalkError> {
        self.pages += 1;
        self.asked.insert(hash(ask));
        self.guard_content(facts)?;
        let begin = if let Ask::Number(number) = ask { *number } else { 0 };
        self.again =
            self.joint.overlaps() && begin + self.joint.overlap(facts, &self.stand) < self.furthest;
        let joined = self.joint.join(ask, facts, &mut self.stand);
        let repeated = match joined {
            Joined::Yes { repeated } => repeated,
            Joined::Again { rows } => {
                // It was counted when it came first.
                self.rows = self.rows.saturating_sub(rows);
                self.pages = self.pages.saturating_sub(1);
                0
            }
            Joined::No => return self.back(ask, facts),
        };
        self.furthest = self.furthest.max(begin + facts.rows);
        let fresh = facts.rows.saturating_sub(repeated);
        self.rows += fresh;
        self.stand.rows += fresh;
        self.stand.pages += 1;
        self.stand.filled += u64::from(fresh > 0);
        self.stand.last = Some(Last { ask: ask.clone(), content: facts.content, rows: fresh });
        if self.is_last(ask, facts, fresh)? {
            return Ok(Onward::End);
        }
        self.onward(ask, facts)
    }

    /// Where to go behind a page that is not the last.
    fn onward(&mut self, ask: &Ask, facts: &Facts) -> Result<Onward, WalkError> {
        let pagination = &self.request.pagination;
        // Where only an empty page is an end, this may have been all.
        let open = pagination.stop == Stop::Empty;
        let split = self.request.incremental.as_ref().and_then(|incremental| incremental.split);
        // What is cut into parts has as many in each.
        let rows = if split.is_some() { self.stand.rows } else { self.rows };
        if rows > pagination.max_records || (rows == pagination.max_records && !open) {
            return Err(WalkError::TooManyRecords { most: pagination.max_records });
        }
        let size = pagination.size.as_ref().map_or(facts.rows, |size| size.size);
        let from = self.come(ask, facts) - self.joint.overlap(facts, &self.stand);
        if split.is_some_and(|split| from + size > split) {
            return Ok(Onward::Split);
        }
        let next = self.lead(ask, facts)?;
        // It is asked for once more, and no oftener.
        self.stays = !self.stays && self.leads_to_itself(ask, facts);
        if !self.stays && self.asked.contains(&hash(&next)) {
            return Err(WalkError::Circle { page: self.pages });
        }
        let Stand { pages, rows, .. } = self.stand;
        match &next {
            Ask::Url(url) => self.stand.places.url(url, pages, rows),
            Ask::Token(token) | Ask::Value(token) => {
                if let Paging::Cursor { param, .. } = &pagination.kind {
                    self.stand.places.token(param, token, pages, rows);
                }
            }
            _ => {}
        }
        let size = pagination.size.as_ref().map(|size| size.size);
        self.stand.full |= size.is_some_and(|size| facts.rows >= size);
        self.page(next)
    }

    /// Goes back to where the page that was asked for with `ask` may join, and to the leg's beginning if need be.
    fn back(&mut self, ask: &Ask, facts: &Facts) -> Result<Onward, WalkError> {
        // What is asked for again may come again.
        self.asked.clear();
        self.came.clear();
        self.last_content = None;
        self.last_keys = (None, 0);
        self.stand.moved = true;
        let from = self.joint.back(ask, facts, &self.stand);
        if from > 0 {
            return self.page(Ask::Number(from));
        }
        if let Some(times) = self.joint.begin_anew() {
            return Err(WalkError::Shifting { page: self.pages, times });
        }
        self.rows = self.rows.saturating_sub(self.stand.rows);
        self.forget();
        self.page(Ask::First)
    }

    fn page(&self, next: Ask) -> Result<Onward, WalkError> {
        let most = self.request.pagination.max_pages;
        if self.pages >= most { Err(WalkError::TooMany { most }) } else { Ok(Onward::Page(next)) }
    }

    /// How many records of this leg have come, with this page: by the partner's own count, where it is asked by that.
    fn come(&self, ask: &Ask, facts: &Facts) -> u64 {
        match (&self.request.pagination.kind, ask) {
            (Paging::Offset { .. }, Ask::Number(from)) => from + facts.rows,
            _ => self.stand.rows,
        }
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
        let (before, times) = self.last_keys;
        let is_alike = facts.keys.is_some() && facts.keys == before;
        let alike = if is_alike { times.saturating_add(1) } else { 0 };
        self.last_keys = (facts.keys, alike);
        match &self.request.pagination.kind {
            Paging::None => Ok(()),
            Paging::Page { param, .. } | Paging::Offset { param, .. } if alike >= ALIKE_MAX => {
                let (page, param) = (self.pages, param.clone());
                Err(WalkError::SameRecords { page, alike, param })
            }
            Paging::Page { param, .. } | Paging::Offset { param, .. } if repeated => {
                Err(WalkError::SamePage { page: self.pages, param: param.clone() })
            }
            _ if *came >= SAME_MAX => Err(WalkError::Circle { page: self.pages }),
            _ => Ok(()),
        }
    }

    /// Whether the page is the last; `fresh`: so many of its rows had not come before.
    fn is_last(&mut self, ask: &Ask, facts: &Facts, fresh: u64) -> Result<bool, WalkError> {
        let page = self.pages;
        let pagination = &self.request.pagination;
        if matches!(pagination.kind, Paging::None) || facts.nothing {
            let is_counted = pagination.total.is_some() && !facts.nothing;
            let said = is_counted.then(|| number(&facts.total).ok_or(WalkError::NoTotal { page }));
            let got = facts.rows;
            return match said.transpose()? {
                Some(said) if said > got => Err(WalkError::Unpaged { said, got }),
                _ => Ok(true),
            };
        }
        if pagination.total.is_some()
            && let Some(total) = number(&facts.total)
        {
            self.stand.dipped |= self.stand.totals.is_some_and(|(_, last)| total < last);
            self.stand.totals = Some((self.stand.totals.map_or(total, |(first, _)| first), total));
        }
        let bare = self.joint.is_bare(facts, fresh);
        let counts = matches!(pagination.kind, Paging::Page { .. } | Paging::Offset { .. });
        Ok(match pagination.stop {
            Stop::Empty => bare,
            Stop::Short => pagination.size.as_ref().is_some_and(|size| facts.rows < size.size),
            Stop::More => {
                let says = flag(&facts.more);
                let ends = matches!(pagination.more, Some(More::Ends(_)));
                says.ok_or(WalkError::NoFlag { page })? == ends
            }
            Stop::Total => {
                let said = number(&facts.total).ok_or(WalkError::NoTotal { page })?;
                let got = match &pagination.total {
                    Some(Total::Pages(_)) => self.stand.pages,
                    _ => self.come(ask, facts),
                };
                if got < said && counts && bare {
                    return Err(WalkError::Short { said, got });
                }
                // More came than it said: it is no end, and where records are counted an empty page is one.
                let passed = got > said && matches!(pagination.kind, Paging::Offset { .. });
                self.counted |= got >= said;
                got >= said && (bare || !(passed || self.beyond && counts))
            }
            Stop::Next if matches!(pagination.kind, Paging::Link) && facts.is_broken() => {
                return Err(WalkError::NoLink { page });
            }
            // Where it led on to itself once before, it is a place in a log of changes, behind the last of them.
            Stop::Next => {
                self.way(facts).is_none() || self.stays && self.leads_to_itself(ask, facts)
            }
            Stop::Null => match &facts.next {
                Scalar::Absent => return Err(WalkError::NoNext { page }),
                Scalar::Null => true,
                Scalar::Text(text) | Scalar::Json(text) => {
                    text.is_empty() || NOWHERE.contains(&text.as_str())
                }
            },
        })
    }

    fn lead(&self, ask: &Ask, facts: &Facts) -> Result<Ask, WalkError> {
        let from =
            |ask: &Ask, start: u64| if let Ask::Number(number) = ask { *number } else { start };
        let next = match &self.request.pagination.kind {
            Paging::None => None,
            Paging::Page { start, .. } => Some(Ask::Number(from(ask, *start) + 1)),
            Paging::Offset { .. } => Some(Ask::Number(
                from(ask, 0) + facts.rows - self.joint.overlap(facts, &self.stand),
            )),
            Paging::Cursor { .. } => {
                let is_value = matches!(facts.next, Scalar::Json(_));
                self.way(facts).map(if is_value { Ask::Value } else { Ask::Token })
            }
            Paging::NextUrl { .. } | Paging::Link => self.way(facts).map(Ask::Url),
        };
        next.ok_or(WalkError::NoWay { page: self.pages })
    }

    /// Whether a page without records gives the very token to go on with that it was asked for with.
    fn leads_to_itself(&self, ask: &Ask, facts: &Facts) -> bool {
        let (Ask::Token(place) | Ask::Value(place)) = ask else { return false };
        facts.rows == 0 && self.way(facts).is_some_and(|way| way == *place)
    }

    /// What the page itself says of the next.
    fn way(&self, facts: &Facts) -> Option<String> {
        let said = facts.next.text().filter(|text| !NOWHERE.contains(text));
        match &self.request.pagination.kind {
            Paging::Link => facts.link.as_deref().and_then(link::next),
            Paging::Cursor { param, .. } => {
                said.map(|said| link::value_of(said, param).unwrap_or_else(|| said.to_owned()))
            }
            Paging::NextUrl { .. } => said.and_then(target),
            Paging::None | Paging::Page { .. } | Paging::Offset { .. } => None,
        }
    }
}

/// A link is its URL, or an object that holds it (JSON:API, HAL); `None`: it says that there is none.
fn target(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Link {
        href: Option<String>,
    }
    let link = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str(text).map(|link: Link| link.href),
        Some(b'[') => serde_json::from_str(text).map(|_: [u8; 0]| None),
        _ => Ok(Some(text.to_owned())),
    };
    link.unwrap_or_else(|_| Some(text.to_owned())).filter(|url| !url.is_empty())
}

/// A flag, however it is written.
fn flag(scalar: &Scalar) -> Option<bool> {
    match scalar.text()?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        // It may say how many follow, as CouchDB does.
        many => many.parse::<u64>().ok().map(|_| true),
    }
}

fn number(scalar: &Scalar) -> Option<u64> {
    scalar.text()?.trim().parse().ok()
}

fn hash(ask: &Ask) -> u64 {
    match ask {
        Ask::First => 0,
        Ask::Number(number) => *number + 1,
        Ask::Token(text)
        | Ask::Value(text)
        | Ask::Url(text)
        | Ask::Job(text)
        | Ask::File { at: text, .. } => xxh3_64(text.as_bytes()),
    }
}

#[cfg(test)]
pub(super) mod tests;
