//! From one page to the next: pure, so that every way of paging is tested without a partner.
//!
//! A walk ends where its kind of paging says so, and nowhere else; a partner that leads it in a circle, to another
//! origin or on for ever is stopped (security T9, T11).

use std::collections::HashSet;

use marsad_shared::feed::{PageSize, Pagination, Request};
use serde::{Deserialize, Serialize};
use url::Url;

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
}

/// What the walk needs to know of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub rows: u64,
    /// What stands at `next`, where the paging has one.
    pub next: Option<String>,
    /// The `Link` header.
    pub link: Option<String>,
    /// A hash of its rows.
    pub content: u64,
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
    #[error("there are more than {most} pages; raise `max_pages` if that is right")]
    TooMany { most: u64 },
    #[error(
        "page {page} leads to another origin ({origin}), where our credentials must not go; tell the partner"
    )]
    OtherOrigin { page: u64, origin: String },
    #[error("page {page} leads to something that is no URL; tell the partner")]
    NoUrl { page: u64 },
}

/// A walk over the pages of one feed.
#[derive(Debug)]
pub struct Walker<'a> {
    request: &'a Request,
    first: Url,
    asked: HashSet<u64>,
    last_content: Option<u64>,
    /// Pages read so far.
    pub pages: u64,
}

impl<'a> Walker<'a> {
    /// A walk from `pages` pages on (0: from the first), of rows changed since `since`.
    ///
    /// # Errors
    /// [`WalkError::NoUrl`] if base and path make no URL.
    pub fn new(
        base: &Url,
        request: &'a Request,
        since: Option<&str>,
        pages: u64,
    ) -> Result<Self, WalkError> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), request.path);
        let mut first: Url = text.parse().map_err(|_| WalkError::NoUrl { page: 0 })?;
        if let (Some(incremental), Some(since)) = (&request.incremental, since) {
            first.query_pairs_mut().append_pair(&incremental.param, since);
        }
        Ok(Self { request, first, asked: HashSet::new(), last_content: None, pages })
    }

    /// Where `ask` is asked.
    ///
    /// # Errors
    /// [`WalkError`] if the partner's own words lead nowhere or elsewhere.
    pub fn url(&self, ask: &Ask) -> Result<Url, WalkError> {
        let mut url = self.first.clone();
        let pagination = &self.request.pagination;
        match (ask, pagination) {
            (Ask::Url(text), _) => {
                let url = url.join(text).map_err(|_| WalkError::NoUrl { page: self.pages })?;
                if url.origin() != self.first.origin() {
                    let origin = url.origin().ascii_serialization();
                    return Err(WalkError::OtherOrigin { page: self.pages, origin });
                }
                return Ok(url);
            }
            (Ask::First, Pagination::Page { param, start, .. }) => {
                url.query_pairs_mut().append_pair(param, &start.to_string());
            }
            (Ask::First, Pagination::Offset { param, .. }) => {
                url.query_pairs_mut().append_pair(param, "0");
            }
            (
                Ask::Number(number),
                Pagination::Page { param, .. } | Pagination::Offset { param, .. },
            ) => {
                url.query_pairs_mut().append_pair(param, &number.to_string());
            }
            (Ask::Token(token), Pagination::Cursor { param, .. }) => {
                url.query_pairs_mut().append_pair(param, token);
            }
            _ => {}
        }
        if let Some(PageSize { param, size }) = size_of(pagination) {
            url.query_pairs_mut().append_pair(param, &size.to_string());
        }
        Ok(url)
    }

    /// The next page after one that was asked for with `ask`; `None`: that was the last.
    ///
    /// # Errors
    /// [`WalkError`] if there is no going on.
    pub fn next(&mut self, ask: &Ask, facts: &Facts) -> Result<Option<Ask>, WalkError> {
        self.pages += 1;
        self.asked.insert(hash(ask));
        let same =
            self.last_content.replace(facts.content) == Some(facts.content) && facts.rows > 0;
        let next = match &self.request.pagination {
            Pagination::Page { param, .. } | Pagination::Offset { param, .. } if same => {
                return Err(WalkError::SamePage { page: self.pages, param: param.clone() });
            }
            Pagination::None => None,
            Pagination::Page { start, .. } => {
                let now = if let Ask::Number(number) = ask { *number } else { *start };
                (facts.rows > 0).then(|| Ask::Number(now + 1))
            }
            Pagination::Offset { .. } => {
                let now = if let Ask::Number(number) = ask { *number } else { 0 };
                (facts.rows > 0).then(|| Ask::Number(now + facts.rows))
            }
            Pagination::Cursor { .. } => facts.next.clone().map(Ask::Token),
            Pagination::NextUrl { .. } => facts.next.clone().map(Ask::Url),
            Pagination::Link { .. } => facts.link.as_deref().and_then(next_of_link).map(Ask::Url),
        };
        let Some(next) = next else { return Ok(None) };
        if self.asked.contains(&hash(&next)) {
            return Err(WalkError::Circle { page: self.pages });
        }
        if self.pages >= self.request.max_pages {
            return Err(WalkError::TooMany { most: self.request.max_pages });
        }
        if matches!(next, Ask::Url(_)) {
            self.url(&next)?;
        }
        Ok(Some(next))
    }
}

fn size_of(pagination: &Pagination) -> Option<&PageSize> {
    match pagination {
        Pagination::None => None,
        Pagination::Page { size, .. }
        | Pagination::Offset { size, .. }
        | Pagination::Cursor { size, .. }
        | Pagination::Link { size }
        | Pagination::NextUrl { size, .. } => size.as_ref(),
    }
}

fn hash(ask: &Ask) -> u64 {
    let text = match ask {
        Ask::First => return 0,
        Ask::Number(number) => return *number + 1,
        Ask::Token(text) | Ask::Url(text) => text,
    };
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// The parameters of a link; a `;` in quotes parts none.
fn parameters_of(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_of_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, from)) = rest.split_once('<') {
        let (target, behind) = from.split_once('>')?;
        // Parameters end at the comma before the next target; a quoted one may hold commas of its own.
        let mut quoted = false;
        let end = behind
            .find(|c| {
                quoted ^= c == '"';
                c == ',' && !quoted
            })
            .unwrap_or(behind.len());
        let (parameters, next) = behind.split_at(end);
        let is_next = parameters_of(parameters).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let rels = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && rels.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use marsad_shared::{feed::Incremental, schedule::Schedule};

    fn request(pagination: Pagination) -> Request {
        Request {
            path: "/v1/x?open=1".to_owned(),
            pagination,
            max_pages: 5,
            incremental: None,
            schedule: Schedule::Every { every: Duration::from_mins(1) },
        }
    }

    /// Walks over pages of so many rows each, with what each says of the next; gives the paths asked.
    fn walk(
        pagination: Pagination,
        pages: &[(u64, Option<&str>)],
    ) -> (Vec<String>, Option<WalkError>) {
        let base = "http://p.example/api/".parse().unwrap();
        let request = request(pagination);
        let mut walker = Walker::new(&base, &request, None, 0).unwrap();
        let (mut ask, mut asked) = (Ask::First, Vec::new());
        for (at, (rows, next)) in pages.iter().enumerate() {
            match walker.url(&ask) {
                Ok(url) => {
                    asked.push(format!("{}?{}", url.path(), url.query().unwrap_or_default()));
                }
                Err(error) => return (asked, Some(error)),
            }
            let next = next.map(str::to_owned);
            let facts = Facts { rows: *rows, link: next.clone(), next, content: at as u64 };
            match walker.next(&ask, &facts) {
                Ok(Some(next)) => ask = next,
                Ok(None) => return (asked, None),
                Err(error) => return (asked, Some(error)),
            }
        }
        (asked, None)
    }

    fn path(text: &str) -> serde_json_path::JsonPath {
        serde_json_path::JsonPath::parse(text).unwrap()
    }

    #[test]
    fn each_kind_of_paging_asks_for_what_comes_next_and_ends_where_it_ends() {
        let size = || Some(PageSize { param: "limit".to_owned(), size: 2 });
        let param = || "p".to_owned();
        for (pagination, pages, expected, why) in [
            (Pagination::None, vec![(2, None)], vec!["/api/v1/x?open=1"], "one page"),
            (
                Pagination::Page { param: param(), start: 1, size: size() },
                vec![(2, None), (1, None), (0, None)],
                vec![
                    "/api/v1/x?open=1&p=1&limit=2",
                    "/api/v1/x?open=1&p=2&limit=2",
                    "/api/v1/x?open=1&p=3&limit=2",
                ],
                "a short page is not the last, an empty one is",
            ),
            (
                Pagination::Offset { param: param(), size: None },
                vec![(2, None), (3, None), (0, None)],
                vec!["/api/v1/x?open=1&p=0", "/api/v1/x?open=1&p=2", "/api/v1/x?open=1&p=5"],
                "advances by what came, not by what was asked",
            ),
            (
                Pagination::Cursor { param: param(), next: path("$.n"), size: None },
                vec![(2, Some("a b")), (0, Some("c")), (1, None)],
                vec!["/api/v1/x?open=1", "/api/v1/x?open=1&p=a+b", "/api/v1/x?open=1&p=c"],
                "an empty page with a cursor goes on",
            ),
            (
                Pagination::Link { size: None },
                vec![(2, Some("</api/v1/x?p=9>; rel=\"next\"")), (1, None)],
                vec!["/api/v1/x?open=1", "/api/v1/x?p=9"],
                "relative targets",
            ),
        ] {
            let (asked, error) = walk(pagination, &pages);
            assert_eq!(
                (asked, error),
                (expected.into_iter().map(str::to_owned).collect(), None),
                "{why}"
            );
        }
    }

    #[test]
    fn a_walk_that_leads_nowhere_is_stopped() {
        let cursor = || Pagination::Cursor { param: "p".to_owned(), next: path("$.n"), size: None };
        let url = || Pagination::NextUrl { next: path("$.n"), size: None };
        let (_, error) = walk(cursor(), &[(1, Some("a")), (1, Some("b")), (1, Some("a"))]);
        assert_eq!(error, Some(WalkError::Circle { page: 3 }));
        let (_, error) = walk(
            cursor(),
            &[(1, Some("a")), (1, Some("b")), (1, Some("c")), (1, Some("d")), (1, Some("e"))],
        );
        assert_eq!(error, Some(WalkError::TooMany { most: 5 }));
        let (asked, error) = walk(url(), &[(1, Some("http://p.example:8080/x")), (1, None)]);
        assert!(matches!(error, Some(WalkError::OtherOrigin { .. })));
        assert_eq!(asked.len(), 1, "the other origin is never asked");
    }

    #[test]
    fn a_partner_that_ignores_the_page_is_found_out() {
        let base = "http://p.example".parse().unwrap();
        let request = request(Pagination::Page { param: "p".to_owned(), start: 0, size: None });
        let mut walker = Walker::new(&base, &request, None, 0).unwrap();
        let facts = Facts { rows: 2, content: 7, ..Facts::default() };
        let second = walker.next(&Ask::First, &facts).unwrap().unwrap();
        assert!(matches!(walker.next(&second, &facts), Err(WalkError::SamePage { page: 2, .. })));
    }

    #[test]
    fn the_cursor_of_an_incremental_feed_is_asked_with_every_page() {
        let base = "http://p.example".parse().unwrap();
        let mut request = request(Pagination::Offset { param: "o".to_owned(), size: None });
        request.incremental = Some(Incremental {
            field: "updated_at".to_owned(),
            param: "since".to_owned(),
            lookback: Duration::ZERO,
        });
        let walker = Walker::new(&base, &request, Some("2026-11-24T10:00:00Z"), 0).unwrap();
        let url = walker.url(&Ask::Number(4)).unwrap();
        assert_eq!(url.query(), Some("open=1&since=2026-11-24T10%3A00%3A00Z&o=4"));
    }

    #[test]
    fn the_next_of_a_link_header_is_found_among_others() {
        for (header, expected) in [
            ("<http://a/1>; rel=\"prev\", <http://a/3>; rel=\"next\"", Some("http://a/3")),
            ("<http://a/3>; title=\"a, b\"; rel=next", Some("http://a/3")),
            ("<http://a/3>;REL=\"last next\"", Some("http://a/3")),
            ("<http://a/1>; rel=\"prev\"", None),
            ("<http://a/1", None),
            ("<http://a/1>; title=\"x; rel=next\"", None),
            ("", None),
        ] {
            assert_eq!(next_of_link(header).as_deref(), expected, "{header}");
        }
    }
}
