//! What the headers of an answer say: what leads on, and how many records there are in all.

use serde_json::Value;

use super::{
    About, Kind, Next, Paging,
    numbers::asked,
    words::{NUMBERS, SIZES, folded, is_address},
};

/// Headers that lead on, as [`plain`] gives their names, each with the parameter that its value is most likely for.
const NEXT: &[(&str, &str)] = &[
    ("nextpage", "page"),
    ("nextcursor", "cursor"),
    ("nexttoken", "next_token"),
    ("nextpagetoken", "page_token"),
    ("nextoffset", "offset"),
    ("nexturl", "after"),
    ("nextlink", "after"),
    ("next", "after"),
    ("continuationtoken", "continuationToken"),
    ("continuation", "continuation"),
];
/// Headers that say how many records there are in all.
const TOTAL: &[&str] = &[
    "totalcount",
    "total",
    "wptotal",
    "totalrecords",
    "totalitems",
    "totalresults",
    "paginationtotalcount",
];

/// The `Link` header, where it is one of pages.
pub(super) fn link(about: About<'_>) -> Option<Paging> {
    // A server that names the first, the last or the previous page there names the next one there too.
    let rels = ["next", "prev", "first", "last"];
    let link = value(about, "link")?.to_ascii_lowercase();
    let named = |rel: &&str| {
        link.contains(&format!("rel=\"{rel}\"")) || link.contains(&format!("rel={rel}"))
    };
    rels.iter().any(named).then(|| Paging::known(Kind::Link))
}

/// A header whose name says that it leads on: to an address, or with what a parameter takes.
pub(super) fn next(about: About<'_>) -> Option<Paging> {
    let (name, value, param) = leading(about)?;
    let next = Next::Header(titled(name));
    if is_address(value) {
        return Some(Paging::known(Kind::NextUrl { next }));
    }
    let numbered = || asked(about.url, NUMBERS).filter(|_| param == "page");
    let param = numbered().map_or_else(|| param.to_owned(), |(name, _)| name);
    Some(Paging::guess(Kind::Cursor { param, next, replaces: Vec::new() }))
}

/// A header that tells in JSON which page it is (`X-Pagination`).
pub(super) fn numbers(about: About<'_>) -> Option<Paging> {
    let told = in_json(about)?;
    ["page", "next_page"].iter().find_map(|name| told.get(*name)?.as_i64())?;
    let known = asked(about.url, NUMBERS);
    let guessed = known.is_none();
    let param = known.map_or_else(|| "page".to_owned(), |(name, _)| name);
    let start = told.get("first_page").and_then(Value::as_i64).unwrap_or(1).clamp(0, 1);
    let size = asked(about.url, SIZES);
    Some(Paging { guessed, size, ..Paging::known(Kind::Page { param, start }) })
}

fn in_json(about: About<'_>) -> Option<Value> {
    serde_json::from_str(value(about, "x-pagination")?).ok()
}

/// What that header holds.
pub(super) fn next_value(about: About<'_>) -> Option<&str> {
    leading(about).map(|(_, value, _)| value)
}

/// How many records there are in all, and the header that holds nothing else.
pub(super) fn total(about: About<'_>) -> Option<(Option<String>, i64)> {
    let counted = about.headers.iter().find(|(name, _)| TOTAL.contains(&plain(name).as_str()));
    let counted = counted
        .and_then(|(name, value)| Some((Some(titled(name)), value.trim().parse().ok()?)))
        .or_else(|| Some((None, in_json(about)?.get("total")?.as_i64()?)));
    // Of what was given as a part, as in `items 0-19/100`; of bytes it is another count.
    counted.or_else(|| {
        let name = "content-range";
        let range = value(about, name).filter(|range| !range.starts_with("bytes"))?;
        Some((Some(titled(name)), range.rsplit_once('/')?.1.trim().parse().ok()?))
    })
}

fn leading(about: About<'_>) -> Option<(&str, &str, &'static str)> {
    about.headers.iter().find_map(|(name, value)| {
        let plain = plain(name);
        let (_, param) = NEXT.iter().find(|(known, _)| *known == plain)?;
        Some((name.as_str(), value.trim(), *param))
    })
}

fn value<'a>(about: About<'a>, name: &str) -> Option<&'a str> {
    about.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.trim())
}

/// A name without case and without what says that it is nobody's standard.
fn plain(name: &str) -> String {
    let name = name.strip_prefix("x-").unwrap_or(name);
    folded(name.strip_prefix("ms-").unwrap_or(name))
}

/// A name as documentation has it, of one in small letters: `X-Next-Page`.
fn titled(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or(("", word));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_lead_on_by_an_address_or_by_what_a_parameter_takes() {
        let url = "https://p/x?pageNumber=1".parse().unwrap();
        let next_url = |name: &str| Kind::NextUrl { next: Next::Header(name.to_owned()) };
        let cursor = |param: &str, name: &str| Kind::Cursor {
            param: param.to_owned(),
            next: Next::Header(name.to_owned()),
            replaces: Vec::new(),
        };
        for (name, value, url, kind, guessed) in [
            ("next-page", "https://p/x?_token=t", None, next_url("Next-Page"), false),
            ("x-next", "/x?after=7", None, next_url("X-Next"), false),
            ("x-next-page", "2", None, cursor("page", "X-Next-Page"), true),
            ("x-next-page", "", None, cursor("page", "X-Next-Page"), true),
            ("x-next-page", "2", Some(&url), cursor("pageNumber", "X-Next-Page"), true),
            ("x-next-cursor", "c", Some(&url), cursor("cursor", "X-Next-Cursor"), true),
            (
                "x-continuation-token",
                "t",
                None,
                cursor("continuationToken", "X-Continuation-Token"),
                true,
            ),
            ("x-ms-continuation", "t", None, cursor("continuation", "X-Ms-Continuation"), true),
        ] {
            let headers = [(name.to_owned(), value.to_owned())];
            let found = next(About { headers: &headers, url }).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((found.kind, found.guessed), (kind, guessed), "{name}: {value}");
        }
        let told =
            r#"{"total": 133, "total_pages": 14, "first_page": 1, "page": 1, "next_page": 2}"#;
        let headers = [("x-pagination".to_owned(), told.to_owned())];
        let about = About { headers: &headers, url: Some(&url) };
        let page = Kind::Page { param: "pageNumber".to_owned(), start: 1 };
        assert_eq!(numbers(about).map(|found| found.kind), Some(page));
        assert_eq!(total(about), Some((None, 133)), "no header holds that alone");
        let headers = [("next-update".to_owned(), "/x".to_owned())];
        assert_eq!(next(About { headers: &headers, url: None }), None);
    }

    #[test]
    fn headers_say_how_many_there_are() {
        for (name, value, expected) in [
            ("x-total-count", "100", Some(100)),
            ("x-total", "100", Some(100)),
            ("x-wp-total", "100", Some(100)),
            ("total-count", "100", Some(100)),
            ("total-records", " 100", Some(100)),
            ("content-range", "items 0-19/100", Some(100)),
            ("content-range", "0-19/*", None),
            ("content-range", "bytes 0-19/100", None),
            ("x-total-pages", "5", None),
            ("x-total", "many", None),
        ] {
            let headers = [(name.to_owned(), value.to_owned())];
            let about = About { headers: &headers, url: None };
            let found = total(about);
            assert_eq!(found.as_ref().map(|(_, count)| *count), expected, "{name}: {value}");
            let named = found.map(|(header, _)| header.unwrap_or_default().to_lowercase());
            assert!(named.is_none_or(|header| header == name), "{name}");
        }
    }
}
