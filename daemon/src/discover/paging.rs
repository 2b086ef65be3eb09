//! How one page seems to lead to the next. What the answer itself says is known; the name of a parameter that no answer
//! can tell is a guess, and is marked as one.

use url::Url;

use self::{
    numbers::of_query,
    words::{END, LAST, MAPS, MORE, PAGES, PART, TOTAL, folded},
};
use super::{
    node::Node,
    style::{Spot, path},
};

mod header;
mod leads;
mod numbers;
mod words;

/// How to page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) kind: Kind,
    /// Whether the names of parameters were guessed.
    pub(super) guessed: bool,
    /// Where a flag says that there is more.
    pub(super) more: Option<String>,
    /// Where a flag says that this is the end, whatever leads on from it.
    pub(super) end: Option<String>,
    /// Where the number of all records stands.
    pub(super) total: Option<Count>,
    /// Where the number of all pages stands.
    pub(super) total_pages: Option<String>,
    /// The parameter for the size, and the size to ask for.
    pub(super) size: Option<(String, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The `Link` header.
    Link,
    NextUrl {
        next: Next,
    },
    Cursor {
        param: String,
        next: Next,
        /// Parameters of the address for which it stands.
        replaces: Vec<String>,
    },
    /// In a body of GraphQL.
    BodyCursor {
        next: String,
    },
    Page {
        param: String,
        start: i64,
    },
    Offset {
        param: String,
        /// The number of the first record.
        start: i64,
    },
}

/// Where an answer says what leads on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A path into its body.
    Body(String),
    /// A header, by its name.
    Header(String),
}

/// Where the number of all records stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A path into the body.
    Body(String),
    /// A header, by its name.
    Header(String),
}

/// What the answer came with, beside its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About<'a> {
    /// Its headers, by names in small letters.
    pub(super) headers: &'a [(String, String)],
    pub(super) url: Option<&'a Url>,
}

/// The names and values around the records, and what the answer came with.
pub(super) struct Envelope<'n> {
    entries: Vec<(Vec<&'n str>, &'n Node)>,
    about: About<'n>,
    /// Writes the path to an entry.
    path: fn(&[&'n str]) -> String,
    /// Whether the records are nodes of GraphQL.
    nodes: bool,
}

/// As deep as the words of an envelope are looked for.
const DEPTH: usize = 6;

impl<'n> Envelope<'n> {
    /// What is around the records of a JSON document.
    pub(super) fn of_json(root: &'n Node, spot: &Spot, about: About<'n>) -> Self {
        let entries = if spot.single { Vec::new() } else { entries(root) };
        Self { entries, about, path: path::<&'n str>, nodes: spot.within.is_some() }
    }

    /// What is around the records of an XML document, given as a tree of names as a path has them.
    pub(super) fn of_xml(around: &'n Node, about: About<'n>) -> Self {
        Self { entries: entries(around), about, path: |names| names.join("/"), nodes: false }
    }

    /// Nothing is around the records of a table or of lines.
    pub(super) fn none(about: About<'n>) -> Self {
        Self { entries: Vec::new(), about, path: path::<&'n str>, nodes: false }
    }

    /// How the page behind one of `here` records is asked for; `None`: nothing says that there is one.
    pub(super) fn paging(&self, here: usize) -> Option<Paging> {
        let mut paging = header::link(self.about)
            .or_else(|| self.graphql())
            .or_else(|| self.away())
            .or_else(|| header::next(self.about))
            .or_else(|| header::numbers(self.about))
            .or_else(|| self.next())
            .or_else(|| self.listed())
            .or_else(|| self.arcgis())
            .or_else(|| self.stripe())
            .or_else(|| self.spring())
            .or_else(|| self.numbers())
            .or_else(|| of_query(self.about.url))
            .or_else(|| self.next_number())?;
        let at = |found: Option<(&[&'n str], bool)>| found.map(|(names, _)| (self.path)(names));
        paging.more = at(self.flag(MORE));
        if matches!(paging.kind, Kind::Page { .. } | Kind::Offset { .. }) {
            // A count that is no more than what came may be that of the page.
            let here = i64::try_from(here).unwrap_or(i64::MAX);
            let counts = |(names, count): &(&[&str], i64)| {
                *count > here && !names.iter().any(|name| ["summary", "facets"].contains(name))
            };
            let total = TOTAL.iter().find_map(|name| self.number(&[name]).filter(counts));
            let headed = || header::total(self.about).filter(|(_, count)| *count > here);
            paging.total = total
                .map(|(names, _)| Count::Body((self.path)(names)))
                .or_else(|| headed().and_then(|(name, _)| name).map(Count::Header));
            paging.total_pages = self.number(PAGES).map(|(names, _)| (self.path)(names));
        } else if paging.more.is_none() {
            paging.end = at(self.flag(LAST).filter(|(_, is_last)| !is_last));
        }
        Some(paging)
    }

    /// How many records there are in all, if the answer says so.
    pub(super) fn total(&self) -> Option<u64> {
        // What a body counts may be the page alone.
        let said = self.counts().map(|(_, total)| total);
        let headed = header::total(self.about).map(|(_, total)| total);
        u64::try_from(said.max(headed)?).ok()
    }

    /// Where the answer says how many records there are in all.
    pub(super) fn counted(&self) -> Option<Count> {
        let said = self.counts();
        let headed = header::total(self.about);
        let headed = headed.filter(|(_, total)| said.is_none_or(|(_, said)| *total > said));
        match headed {
            Some((name, _)) => name.map(Count::Header),
            None => said.map(|(names, _)| Count::Body((self.path)(names))),
        }
    }

    fn counts(&self) -> Option<(&[&'n str], i64)> {
        // As search engines have it: a number, and how exact that is. What else they count so are parts of themselves.
        let is = |(names, _): &&(Vec<&str>, &Node)| matches!(names.as_slice(), [.., total, "value"] if folded(total) == "total");
        match self.entries.iter().find(is) {
            Some((names, Node::Integer(number))) => Some((names, *number)),
            _ => self.number(TOTAL),
        }
    }

    /// Where the document says that there is more, or that this is not the end.
    pub(super) fn says_more(&self) -> Option<String> {
        let says = |names: &[&str], word: bool| {
            names.iter().find_map(|name| self.flag(&[name]).filter(|(_, said)| *said == word))
        };
        let said = says(MORE, true).or_else(|| says(PART, true)).or_else(|| says(END, false));
        let names = said.map(|(names, _)| names).or_else(|| {
            self.entries.iter().find_map(|(names, _)| {
                let map = names.iter().position(|name| MAPS.contains(&folded(name).as_str()))?;
                names.get(..=map).filter(|map| map.len() < names.len())
            })
        });
        names.map(|names| (self.path)(names))
    }

    /// The first entry that bears one of the names, in the order of `names`.
    fn find(&self, names: &[&str]) -> Option<(&[&'n str], &'n Node)> {
        names.iter().find_map(|name| {
            let found = self.entries.iter().find(|(entry, value)| {
                entry.last().is_some_and(|last| folded(last) == *name) && !value.is_nested()
            });
            found.map(|(entry, value)| (entry.as_slice(), *value))
        })
    }

    fn number(&self, names: &[&str]) -> Option<(&[&'n str], i64)> {
        names.iter().find_map(|name| match self.find(&[name])? {
            (names, Node::Integer(number)) => Some((names, *number)),
            _ => None,
        })
    }

    fn flag(&self, names: &[&str]) -> Option<(&[&'n str], bool)> {
        names.iter().find_map(|name| match self.find(&[name])? {
            (names, Node::Bool(said)) => Some((names, *said)),
            _ => None,
        })
    }
}

/// How many records the address asked for at most, if it says so.
pub(super) fn most_asked(url: Option<&Url>) -> Option<i64> {
    numbers::asked(url, words::SIZES).map(|(_, most)| most)
}

/// All names and values down to [`DEPTH`], those further out first.
fn entries(root: &Node) -> Vec<(Vec<&str>, &Node)> {
    let mut entries = Vec::new();
    let mut level = vec![(Vec::new(), root)];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for (names, node) in level {
            for (name, value) in node.members() {
                let mut names: Vec<&str> = names.clone();
                names.push(name);
                if value.is_map() {
                    below.push((names, value));
                } else {
                    entries.push((names, value));
                }
            }
        }
        level = below;
    }
    entries
}

impl Paging {
    fn known(kind: Kind) -> Self {
        Self {
            kind,
            guessed: false,
            more: None,
            end: None,
            total: None,
            total_pages: None,
            size: None,
        }
    }

    fn guess(kind: Kind) -> Self {
        Self { guessed: true, ..Self::known(kind) }
    }

    /// The parameters that paging itself writes into the address.
    pub(super) fn params(&self) -> impl Iterator<Item = &str> {
        let param = match &self.kind {
            Kind::Cursor { param, .. } | Kind::Page { param, .. } | Kind::Offset { param, .. } => {
                Some(param.as_str())
            }
            Kind::Link | Kind::NextUrl { .. } | Kind::BodyCursor { .. } => None,
        };
        param.into_iter().chain(self.size.as_ref().map(|(name, _)| name.as_str()))
    }
}

#[cfg(test)]
mod tests;
