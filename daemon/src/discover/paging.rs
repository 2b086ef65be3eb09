//! How one page seems to lead to the next. What the answer itself says is known; the name of a parameter that no answer
//! can tell is a guess, and is marked as one.

use url::Url;

use super::{
    node::Node,
    style::{Spot, path},
};

/// How to page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) kind: Kind,
    /// Whether the names of parameters were guessed.
    pub(super) guessed: bool,
    /// Where a flag says that there is more.
    pub(super) more: Option<String>,
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
        next: String,
    },
    Cursor {
        param: String,
        next: String,
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
    },
}

/// What the answer came with, beside its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About<'a> {
    pub(super) link: Option<&'a str>,
    pub(super) url: Option<&'a Url>,
}

/// How the document's next page is asked for; `None`: nothing says that there is one.
pub(super) fn paging(root: &Node, spot: &Spot, about: About<'_>) -> Option<Paging> {
    let envelope = Envelope::of(root, spot);
    let mut paging = of_link(about.link)
        .or_else(|| envelope.graphql(spot))
        .or_else(|| envelope.away(about.url))
        .or_else(|| envelope.next())
        .or_else(|| envelope.listed())
        .or_else(|| envelope.numbers(about.url))
        .or_else(|| of_query(about.url))?;
    paging.more = envelope.find(MORE).map(|(names, _)| path(names));
    if matches!(paging.kind, Kind::Page { .. } | Kind::Offset { .. }) {
        let count = |names| envelope.number(names).map(|(names, _)| path(names));
        paging.total = count(TOTAL);
        paging.total_pages = count(PAGES);
    }
    Some(paging)
}

/// How many records there are in all, if the document says so.
pub(super) fn total(root: &Node, spot: &Spot) -> Option<u64> {
    let envelope = Envelope::of(root, spot);
    let inside = || {
        // As search engines have it: a number, and how exact that is.
        let is = |(names, _): &&(Vec<&str>, &Node)| matches!(names.as_slice(), [.., total, "value"] if folded(total) == "total");
        match envelope.entries.iter().find(is)? {
            (_, Node::Integer(number)) => Some(*number),
            _ => None,
        }
    };
    let total = envelope.number(TOTAL).map(|(_, total)| total).or_else(inside)?;
    u64::try_from(total).ok()
}

/// Where the document says that there is more, or that this is not the end.
pub(super) fn says_more(root: &Node, spot: &Spot) -> Option<String> {
    let envelope = Envelope::of(root, spot);
    let says = |names: &[&str], word: bool| {
        names.iter().find_map(|name| match envelope.find(&[name])? {
            (names, Node::Bool(said)) if *said == word => Some(path(names)),
            _ => None,
        })
    };
    says(MORE, true)
        .or_else(|| says(&["exceededtransferlimit", "truncated", "partial"], true))
        .or_else(|| says(&["done", "islast", "lastpage", "complete", "end"], false))
}

/// Names are compared without case, `_`, `-` and `$`.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

const MORE: &[&str] = &["hasmore", "hasnext", "hasnextpage", "more", "moreavailable"];
const URLS: &[&str] = &[
    "nextlink",
    "odatanextlink",
    "nexturl",
    "nextpageurl",
    "nextrecordsurl",
    "nextpage",
    "nexthref",
    "next",
];
const CURSORS: &[&str] = &[
    "nextcursor",
    "nexttoken",
    "nextpagetoken",
    "continuationtoken",
    "continuation",
    "endcursor",
    "nextmarker",
    "resumptiontoken",
    "scrollid",
    "bookmark",
    "next",
    "nextpage",
    "after",
    "cursor",
];
const OFFSETS: &[&str] = &["offset", "skip", "startindex", "startat", "start", "from"];
const NUMBERS: &[&str] =
    &["page", "pagenumber", "pageno", "currentpage", "pageindex", "pagenum", "number"];
const SIZES: &[&str] =
    &["limit", "pagesize", "perpage", "size", "top", "rows", "maxresults", "itemsperpage", "count"];
const TOTAL: &[&str] = &[
    "total",
    "totalcount",
    "totalresults",
    "totalitems",
    "totalrecords",
    "totalelements",
    "totalrows",
    "numbermatched",
    "numfound",
    "recordcount",
    "odatacount",
    "count",
];
const PAGES: &[&str] = &["totalpages", "pages", "pagecount", "lastpage", "numpages"];

fn of_link(link: Option<&str>) -> Option<Paging> {
    // A server that names the first, the last or the previous page there names the next one there too.
    let rels = ["next", "prev", "first", "last"];
    let named = |rel: &&str| {
        link.is_some_and(|link| {
            let link = link.to_ascii_lowercase();
            link.contains(&format!("rel=\"{rel}\"")) || link.contains(&format!("rel={rel}"))
        })
    };
    rels.iter().any(named).then(|| Paging::known(Kind::Link))
}

/// The names and values around the records.
struct Envelope<'n> {
    entries: Vec<(Vec<&'n str>, &'n Node)>,
}

/// As deep as the words of an envelope are looked for.
const DEPTH: usize = 4;

impl<'n> Envelope<'n> {
    fn of(root: &'n Node, spot: &Spot) -> Self {
        let mut entries = Vec::new();
        if !spot.single {
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
        }
        Self { entries }
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

    /// A link written as an object with `href`.
    fn href(&self) -> Option<&[&'n str]> {
        let is = |(names, _): &&(Vec<&str>, &Node)| matches!(names.as_slice(), [.., next, href] if folded(next) == "next" && *href == "href");
        self.entries.iter().find(is).map(|(names, _)| names.as_slice())
    }

    /// One of the links in a list of them, each with what it is (`OGC API`, FHIR).
    fn listed(&self) -> Option<Paging> {
        let lists = self.entries.iter().filter(|(names, value)| {
            names.last().is_some_and(|name| ["links", "link"].contains(name)) && value.is_records()
        });
        let of = |value: &Node, rel: &str, what: &[&str]| {
            let is = |item: &&Node| {
                item.member(rel).and_then(Node::text).is_some_and(|is| what.contains(&is))
            };
            value.items().iter().any(|item| is(&item))
        };
        for (names, value) in lists {
            for (rel, to) in [("rel", "href"), ("relation", "url")] {
                let next = format!("{}[?(@.{rel} == 'next')].{to}", path(names));
                if of(value, rel, &["next"]) {
                    return Some(Paging::known(Kind::NextUrl { next }));
                }
                if of(value, rel, &["prev", "previous", "first", "last"]) {
                    return Some(Paging::guess(Kind::NextUrl { next }));
                }
            }
        }
        None
    }

    /// A link to another origin, where our credentials never go: its parameters tell how to ask ourselves.
    fn away(&self, asked: Option<&Url>) -> Option<Paging> {
        let asked = asked?;
        let links = self.href().into_iter().filter_map(|names| self.at(names));
        let urls = URLS.iter().filter_map(|name| Some(self.find(&[name])?.1));
        let next: Url = links.chain(urls).find_map(|value| value.text()?.parse().ok())?;
        if next.origin() == asked.origin() {
            return None;
        }
        let mut paging = of_query(Some(&next))?;
        if let Kind::Page { start, .. } = &mut paging.kind {
            // The link is to the second page.
            let first = self::asked(Some(&next), NUMBERS).is_some_and(|(_, value)| value == "1");
            *start = i64::from(!first);
        }
        paging.guessed = true;
        Some(paging)
    }

    fn at(&self, names: &[&str]) -> Option<&'n Node> {
        self.entries.iter().find(|(entry, _)| entry == names).map(|(_, value)| *value)
    }

    fn graphql(&self, spot: &Spot) -> Option<Paging> {
        spot.within?;
        let (names, _) = self.find(&["endcursor"])?;
        Some(Paging::guess(Kind::BodyCursor { next: path(names) }))
    }

    fn next(&self) -> Option<Paging> {
        if let Some(names) = self.href() {
            return Some(Paging::known(Kind::NextUrl { next: path(names) }));
        }
        let is_url = |value: &Node| {
            value.text().is_some_and(|text| {
                text.starts_with("http://")
                    || text.starts_with("https://")
                    || text.starts_with(['/', '?'])
            })
        };
        let urls: Vec<_> = URLS.iter().filter_map(|name| self.find(&[name])).collect();
        if let Some((names, _)) = urls.iter().find(|(_, value)| is_url(value)) {
            return Some(Paging::known(Kind::NextUrl { next: path(names) }));
        }
        let cursor = CURSORS.iter().filter_map(|name| self.find(&[name])).find(|(names, value)| {
            let name = names.last().map(|name| folded(name)).unwrap_or_default();
            // Nothing there: the name alone must say what it is.
            let says = name.contains("cursor") || name.contains("token");
            match value {
                Node::Text(text) => !text.is_empty() || says,
                Node::Nothing => says,
                Node::Integer(_) | Node::Long => name != "nextpage",
                _ => false,
            }
        });
        if let Some((names, _)) = cursor {
            let param = param_of(names);
            return Some(Paging::guess(Kind::Cursor { param, next: path(names) }));
        }
        // On a last page the link is null: where it stands, and what stands beside it, tells what it would be.
        let null = urls.into_iter().find(|(names, value)| {
            let beside = |name: &str| {
                self.entries.iter().any(|(entry, _)| {
                    entry.len() == names.len()
                        && entry.last().is_some_and(|last| folded(last) == name)
                })
            };
            value.is_empty()
                && (names.iter().any(|name| folded(name) == "links")
                    || ["previous", "prev", "self", "first"].iter().any(|name| beside(name))
                    || names.last().is_some_and(|name| folded(name) != "next"))
        });
        null.map(|(names, _)| Paging::guess(Kind::NextUrl { next: path(names) }))
    }

    /// Numbers of pages or of records, as the answer repeats them.
    fn numbers(&self, url: Option<&Url>) -> Option<Paging> {
        let asked = |names: &[&str]| asked(url, names);
        let size = self.number(SIZES).filter(|(_, size)| *size > 0);
        let size = asked(SIZES)
            .and_then(|(name, value)| Some((name, value.parse().ok()?)))
            .or_else(|| size.and_then(|(names, size)| Some(((*names.last()?).to_owned(), size))));
        let name = |names: &[&str]| names.last().map(|name| (*name).to_owned());
        let (kind, guessed) = if let Some((names, _)) = self.number(OFFSETS) {
            let known = asked(OFFSETS).map(|(name, _)| name);
            (Kind::Offset { param: known.clone().or_else(|| name(names))? }, known.is_none())
        } else {
            let (names, now) = self.number(NUMBERS)?;
            let known = asked(NUMBERS);
            // Not asked for any page, we were given the first.
            let start = if known.is_none() { now } else { 1 };
            let guessed = known.is_none();
            let param = known.map(|(name, _)| name).or_else(|| name(names))?;
            (Kind::Page { param, start: start.clamp(0, 1) }, guessed)
        };
        Some(Paging { guessed, size, ..Paging::known(kind) })
    }
}

/// Pages that only the address speaks of.
fn of_query(url: Option<&Url>) -> Option<Paging> {
    let size = asked(url, SIZES).and_then(|(name, value)| Some((name, value.parse().ok()?)));
    let offset = asked(url, OFFSETS).map(|(param, _)| Kind::Offset { param });
    let page = || {
        let (param, value) = asked(url, NUMBERS)?;
        Some(Kind::Page { param, start: i64::from(value != "0") })
    };
    Some(Paging { size, ..Paging::known(offset.or_else(page)?) })
}

/// The parameter of the address that bears one of these names, with its value.
fn asked(url: Option<&Url>, names: &[&str]) -> Option<(String, String)> {
    url?.query_pairs()
        .find(|(name, _)| names.contains(&folded(name).as_str()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// The parameter that usually carries what stood under these names.
fn param_of(names: &[&str]) -> String {
    let name = names.last().copied().unwrap_or_default();
    let camel = !name.contains('_') && name.chars().any(char::is_uppercase);
    let of = |snake: &str, camels: &str| if camel { camels.to_owned() } else { snake.to_owned() };
    match folded(name).as_str() {
        "nextcursor" | "cursor" => "cursor".to_owned(),
        "nextpagetoken" => of("page_token", "pageToken"),
        "nextmarker" => "marker".to_owned(),
        "endcursor" | "next" | "nextpage" | "after" => "after".to_owned(),
        _ => name.to_owned(),
    }
}

impl Paging {
    fn known(kind: Kind) -> Self {
        Self { kind, guessed: false, more: None, total: None, total_pages: None, size: None }
    }

    fn guess(kind: Kind) -> Self {
        Self { guessed: true, ..Self::known(kind) }
    }

    /// The parameters that paging itself writes into the address.
    pub(super) fn params(&self) -> impl Iterator<Item = &str> {
        let param = match &self.kind {
            Kind::Cursor { param, .. } | Kind::Page { param, .. } | Kind::Offset { param } => {
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
        paging(&root, &spot, about)
    }

    fn next_url(next: &str) -> Kind {
        Kind::NextUrl { next: next.to_owned() }
    }

    fn cursor(param: &str, next: &str) -> Kind {
        Kind::Cursor { param: param.to_owned(), next: next.to_owned() }
    }

    #[test]
    fn a_list_of_links_says_which_leads_on_and_another_origin_how_to_ask_ourselves() {
        let next = |text: &str, about| match found(text, about)
            .map(|found| (found.kind, found.guessed))
        {
            Some((Kind::NextUrl { next }, guessed)) => format!("{next} {guessed}"),
            Some((Kind::Page { param, start }, guessed)) => format!("{param} {start} {guessed}"),
            Some((Kind::Offset { param }, guessed)) => format!("{param} {guessed}"),
            _ => "none".to_owned(),
        };
        let url: Url = "https://p.example/pub/x".parse().unwrap();
        let about = About { url: Some(&url), link: None };
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
                "offset true",
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
                Kind::Offset { param: "offset".to_owned() },
                true,
            ),
            (
                r#"{"content":[{"a":1}],"number":0,"size":20,"totalPages":3}"#,
                Kind::Page { param: "number".to_owned(), start: 0 },
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
            (r#"{"total":{"value":35,"relation":"eq"},"items":[{"a":1}]}"#, None, Some(35)),
        ] {
            let root: Node = serde_json::from_str(text).unwrap();
            let (_, spot) = recognise(&root).unwrap();
            assert_eq!(says_more(&root, &spot).as_deref(), more, "{text}");
            assert_eq!(total(&root, &spot), all, "{text}");
        }
    }

    #[test]
    fn the_address_and_the_link_header_tell_the_rest() {
        let url = "https://p/x?page=3&per_page=50".parse().unwrap();
        let about = About { link: None, url: Some(&url) };
        let asked = found(r#"[{"id":1}]"#, about).unwrap();
        assert_eq!(asked.kind, Kind::Page { param: "page".to_owned(), start: 1 });
        assert_eq!(asked.size, Some(("per_page".to_owned(), 50)));
        assert!(!asked.guessed);
        let link = Some("</x?page=4>; rel=\"next\"");
        let linked = found(r#"[{"id":1}]"#, About { link, url: Some(&url) }).unwrap();
        assert_eq!(linked.kind, Kind::Link);
    }
}
