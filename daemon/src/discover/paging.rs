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
    pub(super) total: Option<String>,
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
            paging.total = total.map(|(names, _)| (self.path)(names));
            paging.total_pages = self.number(PAGES).map(|(names, _)| (self.path)(names));
        } else if paging.more.is_none() {
            paging.end = at(self.flag(LAST).filter(|(_, is_last)| !is_last));
        }
        Some(paging)
    }

    /// How many records there are in all, if the answer says so.
    pub(super) fn total(&self) -> Option<u64> {
        let inside = || {
            // As search engines have it: a number, and how exact that is.
            let is = |(names, _): &&(Vec<&str>, &Node)| matches!(names.as_slice(), [.., total, "value"] if folded(total) == "total");
            match self.entries.iter().find(is)? {
                (_, Node::Integer(number)) => Some(*number),
                _ => None,
            }
        };
        // What else search engines count so are parts of themselves.
        let total = inside().or_else(|| self.number(TOTAL).map(|(_, total)| total));
        // What a body counts may be the page alone.
        u64::try_from(total.max(header::total(self.about))?).ok()
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
mod tests {
    use super::{super::style::recognise, *};

    fn found(text: &str, about: About<'_>) -> Option<Paging> {
        let root: Node = serde_json::from_str(text).unwrap();
        let (_, spot) = recognise(&root).unwrap();
        Envelope::of_json(&root, &spot, about).paging(spot.records(&root).len())
    }

    fn next_url(next: &str) -> Kind {
        Kind::NextUrl { next: Next::Body(next.to_owned()) }
    }

    fn cursor(param: &str, next: &str) -> Kind {
        let next = Next::Body(next.to_owned());
        Kind::Cursor { param: param.to_owned(), next, replaces: Vec::new() }
    }

    #[test]
    fn a_list_of_links_says_which_leads_on_and_another_origin_how_to_ask_ourselves() {
        let next =
            |text: &str, about| match found(text, about).map(|found| (found.kind, found.guessed)) {
                Some((Kind::NextUrl { next: Next::Body(next) }, guessed)) => {
                    format!("{next} {guessed}")
                }
                Some((Kind::Page { param, start } | Kind::Offset { param, start }, guessed)) => {
                    format!("{param} {start} {guessed}")
                }
                _ => "none".to_owned(),
            };
        let url: Url = "https://p.example/pub/x".parse().unwrap();
        let about = About { url: Some(&url), headers: &[] };
        for (text, expected) in [
            (
                r#"{"features":[{"id":1},{"id":2}],"links":[{"rel":"self","href":"/x"},{"rel":"next","href":"/x?offset=2"}]}"#,
                "$.links[?(@.rel == 'next')].href false",
            ),
            (
                r#"{"entry":[{"id":1},{"id":2}],"link":[{"relation":"previous","url":"/x"}]}"#,
                "$.link[?(@.relation == 'next')].url true",
            ),
            (r#"{"features":[{"id":1}],"links":[{"rel":"self","href":"/x"}]}"#, "none"),
            (r#"{"results":[{"id":1}],"next":"http://10.0.0.7/x?page=2"}"#, "page 1 true"),
            (r#"{"results":[{"id":1}],"next":"http://10.0.0.7/x?page=1"}"#, "page 0 true"),
            (
                r#"{"results":[{"id":1}],"next":"http://10.0.0.7/x?limit=1&offset=1"}"#,
                "offset 0 true",
            ),
            (r#"{"results":[{"id":1}],"next":"https://p.example/x?page=2"}"#, "$.next false"),
        ] {
            assert_eq!(next(text, about), expected, "{text}");
        }
    }

    #[test]
    fn what_leads_on_is_found_where_it_stands() {
        for (text, kind, guessed) in [
            (
                r#"{"value":[{"a":1}],"@odata.nextLink":"https://p/x?$skip=1"}"#,
                next_url("$['@odata.nextLink']"),
                false,
            ),
            (r#"{"data":[{"a":1}],"links":{"next":"/x?p=2"}}"#, next_url("$.links.next"), false),
            (r#"{"data":[{"a":1}],"links":{"next":null}}"#, next_url("$.links.next"), true),
            (
                r#"{"data":[{"a":1}],"_links":{"next":{"href":"/x"}}}"#,
                next_url("$._links.next.href"),
                false,
            ),
            (
                r#"{"count":9,"next":null,"previous":null,"results":[{"a":1}]}"#,
                next_url("$.next"),
                true,
            ),
            (r#"{"data":[{"a":1}],"meta":{"next":"abc"}}"#, cursor("after", "$.meta.next"), true),
            (
                r#"{"data":{"v":[{"a":1}]},"paging":{"next_cursor":null,"has_more":false}}"#,
                cursor("cursor", "$.paging.next_cursor"),
                true,
            ),
            (r#"{"items":[{"a":1}],"nextToken":"t"}"#, cursor("nextToken", "$.nextToken"), true),
            (
                r#"{"items":[{"a":1}],"nextPageToken":"t"}"#,
                cursor("pageToken", "$.nextPageToken"),
                true,
            ),
            (
                r#"{"data":{"f":{"edges":[{"node":{"id":1}}],"pageInfo":{"endCursor":"c","hasNextPage":true}}}}"#,
                Kind::BodyCursor { next: "$.data.f.pageInfo.endCursor".to_owned() },
                true,
            ),
            (
                r#"{"total":5,"offset":0,"limit":3,"items":[{"a":1}]}"#,
                Kind::Offset { param: "offset".to_owned(), start: 0 },
                true,
            ),
            (
                r#"{"content":[{"a":1}],"number":0,"size":20,"totalPages":3}"#,
                Kind::Page { param: "page".to_owned(), start: 0 },
                true,
            ),
            (
                r#"{"content":[{"a":1}],"pageable":{"pageNumber":0,"pageSize":20,"offset":0},"number":0,"size":20,"totalPages":3}"#,
                Kind::Page { param: "page".to_owned(), start: 0 },
                true,
            ),
            (
                r#"{"totalResults":3,"startIndex":1,"itemsPerPage":2,"Resources":[{"a":1}]}"#,
                Kind::Offset { param: "startIndex".to_owned(), start: 1 },
                true,
            ),
            (
                r#"{"number":3,"offset":0,"items":[{"a":1}]}"#,
                Kind::Offset { param: "offset".to_owned(), start: 0 },
                true,
            ),
            (
                r#"{"hydra:member":[{"a":1}],"hydra:view":{"@id":"/x?page=1","hydra:next":"/x?page=2"}}"#,
                next_url("$['hydra:view']['hydra:next']"),
                false,
            ),
            (r#"{"records":[{"a":1}],"offset":"itrX/recY"}"#, cursor("offset", "$.offset"), true),
            (
                r#"{"offset":"20","limit":20,"page":1,"records":[{"a":1}]}"#,
                Kind::Page { param: "page".to_owned(), start: 1 },
                true,
            ),
            (
                r#"{"results":[{"seq":1,"id":"a"}],"last_seq":"1-x","pending":5}"#,
                cursor("since", "$.last_seq"),
                true,
            ),
            (
                r#"{"continue":{"apcontinue":"X","continue":"-||"},"query":{"allpages":[{"a":1}]}}"#,
                cursor("apcontinue", "$.continue.apcontinue"),
                true,
            ),
            (
                r#"{"result":{"data":[{"a":1}],"nextPage":2}}"#,
                cursor("page", "$.result.nextPage"),
                true,
            ),
            (
                r#"{"data":[{"a":1}],"page":1,"nextPage":2}"#,
                Kind::Page { param: "page".to_owned(), start: 1 },
                true,
            ),
        ] {
            let found = found(text, About::default()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.kind, found.guessed), (kind, guessed), "{text}");
        }
        assert_eq!(found(r#"[{"id":1}]"#, About::default()), None, "one page is all there is");
        assert_eq!(found(r#"{"id":1,"next":"abc"}"#, About::default()), None, "a record's own");
    }

    #[test]
    fn what_services_with_a_name_lead_on_by_is_found() {
        for (text, kind, guessed) in [
            (
                r#"{"Contents":[{"a":1}],"IsTruncated":true,"NextContinuationToken":"t"}"#,
                cursor("continuation-token", "$.NextContinuationToken"),
                true,
            ),
            (
                r#"{"tickets":[{"a":1}],"after_url":"https://p/t?start=a%3D","after_cursor":"a=","end_of_stream":false}"#,
                cursor("start", "$.after_cursor"),
                false,
            ),
            (
                r#"{"tickets":[{"a":1}],"after_url":null,"after_cursor":null,"end_of_stream":true}"#,
                cursor("cursor", "$.after_cursor"),
                true,
            ),
            (
                r#"{"tickets":[{"a":1}],"after_url":"https://p/t?c=x","end_of_stream":false}"#,
                next_url("$.after_url"),
                false,
            ),
            (
                r#"{"results":[{"a":1}],"meta":{"has_more":true,"after_cursor":"x"},"links":{"next":"https://p/t?page[after]=x"}}"#,
                next_url("$.links.next"),
                false,
            ),
            (
                r#"{"response":{"numFound":9,"start":0,"docs":[{"a":1}]},"nextCursorMark":"AoE"}"#,
                cursor("cursorMark", "$.nextCursorMark"),
                true,
            ),
            (
                r#"{"data":[{"a":1}],"meta":{"pagination":{"page":1,"pageSize":25,"pageCount":3,"total":60}}}"#,
                Kind::Page { param: "pagination[page]".to_owned(), start: 1 },
                true,
            ),
        ] {
            let found = found(text, About::default()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.kind, found.guessed), (kind, guessed), "{text}");
        }
    }

    #[test]
    fn counts_flags_and_sizes_stand_beside_it() {
        let text =
            r#"{"total":5,"offset":0,"limit":3,"pages":2,"has_more":true,"items":[{"a":1}]}"#;
        let found = found(text, About::default()).unwrap();
        assert_eq!(found.total.as_deref(), Some("$.total"));
        assert_eq!(found.total_pages.as_deref(), Some("$.pages"));
        assert_eq!(found.more.as_deref(), Some("$.has_more"));
        assert_eq!(found.size, Some(("limit".to_owned(), 3)));
    }

    #[test]
    fn what_says_that_there_is_more_is_seen() {
        for (text, more, all) in [
            (r#"{"done":false,"totalSize":60,"records":[{"a":1}]}"#, Some("$.done"), None),
            (r#"{"has_more":true,"data":[{"a":1}]}"#, Some("$.has_more"), None),
            (r#"{"has_more":false,"data":[{"a":1}]}"#, None, None),
            (
                r#"{"exceededTransferLimit":true,"features":[{"a":1}]}"#,
                Some("$.exceededTransferLimit"),
                None,
            ),
            (
                r#"{"Items":[{"a":1}],"Count":1,"LastEvaluatedKey":{"id":"c19"}}"#,
                Some("$.LastEvaluatedKey"),
                Some(1),
            ),
            (
                r#"{"continue":{"a":"X","b":"Y","continue":"-||"},"query":{"v":[{"a":1}]}}"#,
                Some("$.continue"),
                None,
            ),
            (r#"{"hasMoreItems":true,"items":[{"a":1}]}"#, Some("$.hasMoreItems"), None),
            (r#"{"IsTruncated":true,"items":[{"a":1}]}"#, Some("$.IsTruncated"), None),
            (r#"{"more":"/about","items":[{"a":1}]}"#, None, None),
            (r#"{"hydra:totalItems":100,"hydra:member":[{"a":1}]}"#, None, Some(100)),
            (r#"{"total":{"value":35,"relation":"eq"},"items":[{"a":1}]}"#, None, Some(35)),
        ] {
            let root: Node = serde_json::from_str(text).unwrap();
            let (_, spot) = recognise(&root).unwrap();
            let envelope = Envelope::of_json(&root, &spot, About::default());
            assert_eq!(envelope.says_more().as_deref(), more, "{text}");
            assert_eq!(envelope.total(), all, "{text}");
        }
    }

    #[test]
    fn the_address_and_the_link_header_tell_the_rest() {
        let url = "https://p/x?page=3&per_page=50".parse().unwrap();
        let about = About { headers: &[], url: Some(&url) };
        let asked = found(r#"[{"id":1}]"#, about).unwrap();
        assert_eq!(asked.kind, Kind::Page { param: "page".to_owned(), start: 1 });
        assert_eq!(asked.size, Some(("per_page".to_owned(), 50)));
        assert!(!asked.guessed);
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [named("x-next-page", "4"), named("link", "</x?page=4>; rel=\"next\"")];
        let linked = found(r#"[{"id":1}]"#, About { headers: &headers, url: Some(&url) }).unwrap();
        assert_eq!(linked.kind, Kind::Link, "it goes before another header");
        let number = About { headers: headers.get(..1).unwrap(), url: Some(&url) };
        let number = found(r#"[{"id":1}]"#, number).unwrap();
        assert!(matches!(number.kind, Kind::Cursor { next: Next::Header(_), .. }), "{number:?}");
        let url = "https://p/x?from=2026-01-01".parse().unwrap();
        let days = About { headers: &[], url: Some(&url) };
        assert_eq!(found(r#"[{"id":1}]"#, days), None, "a day is no number of records");
    }
}
