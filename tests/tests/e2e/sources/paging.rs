//! From page to page: each way of asking, each way of ending, and what must not be taken for an end.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use marsad_shared::health::Reason;
use serde_json::json;

use super::{Agency, Case, rows, some};
use marsad_tests::partner::{Asked, Reply};

/// How many rows the partner has, and how many a page of it.
const ALL: u64 = 25;
const SIZE: u64 = 10;

fn data(numbers: std::ops::Range<u64>) -> Reply {
    Reply::json(&json!({ "data": rows(numbers) }))
}

/// What a partner answers to who asks for something that it does not have.
fn refused() -> Reply {
    Reply::status(400)
}

/// The rows of page `page`, counted from 0.
fn page(page: u64) -> std::ops::Range<u64> {
    some(page * SIZE, SIZE, ALL)
}

/// The rows behind a cursor that is a number, and the cursor behind them.
fn behind(cursor: Option<&str>) -> (std::ops::Range<u64>, Option<String>) {
    let from = cursor.map_or(0, |cursor| cursor.trim_start_matches("c-").parse().unwrap());
    let rows = some(from, SIZE, ALL);
    let next = (rows.end < ALL).then(|| format!("c-{}", rows.end));
    (rows, next)
}

fn pages() -> Vec<Case> {
    let number = |asked: &Asked| asked.number("page");
    vec![
        Case::new(
            "page-from-1",
            "pagination = { kind = \"page\", param = \"page\" }",
            move |asked| number(asked).map_or_else(refused, |n| data(page(n - 1))),
        ),
        Case::new(
            "page-from-0",
            "pagination = { kind = \"page\", param = \"page\", start = 0 }",
            move |asked| number(asked).map_or_else(refused, |n| data(page(n))),
        ),
        Case::new(
            "page-implicit",
            "pagination = { kind = \"page\", param = \"page\", first = false }",
            move |asked| match number(asked) {
                None => data(page(0)),
                Some(0 | 1) => refused(),
                Some(n) => data(page(n - 1)),
            },
        ),
        Case::new(
            "page-short",
            "pagination = { kind = \"page\", param = \"page\", size_param = \"limit\", size = 10, stop = \"short\" }",
            move |asked| match number(asked) {
                Some(n @ 1..=3) => data(page(n - 1)),
                _ => refused(),
            },
        ),
        Case::new(
            "offset-from-1",
            "pagination = { kind = \"offset\", param = \"startIndex\", start = 1, total = \"$.totalResults\" }",
            |asked| match asked.number("startIndex") {
                Some(first @ 1..=ALL) => Reply::json(
                    &json!({ "totalResults": ALL, "data": rows(some(first - 1, SIZE, ALL)) }),
                ),
                _ => refused(),
            },
        ),
        Case::new(
            "page-total-pages",
            "pagination = { kind = \"page\", param = \"page\", total_pages = \"$.pages\" }",
            move |asked| match number(asked) {
                Some(n @ 1..=3) => Reply::json(&json!({ "pages": 3, "data": rows(page(n - 1)) })),
                _ => refused(),
            },
        ),
        Case::new(
            "page-empty-inside",
            "pagination = { kind = \"page\", param = \"page\", more = \"$.more\" }",
            move |asked| match number(asked) {
                Some(2) => Reply::json(&json!({ "more": true, "data": [] })),
                Some(n @ 1..=4) => {
                    let page = page(if n == 1 { 0 } else { n - 2 });
                    Reply::json(&json!({ "more": n < 4, "data": rows(page) }))
                }
                _ => refused(),
            },
        ),
    ]
}

fn offsets() -> Vec<Case> {
    let size = "size_param = \"limit\", size = 100";
    vec![
        Case::new(
            "offset-in-query",
            &format!("pagination = {{ kind = \"offset\", param = \"offset\", {size} }}"),
            |asked| match (asked.number("offset"), asked.number("limit")) {
                // It gives less than it was asked for, and says nothing of that.
                (Some(from), Some(100)) => data(some(from, 7, ALL)),
                _ => refused(),
            },
        ),
        Case::new(
            "offset-in-json",
            "json = { what = \"all\", page = { sort = \"id\" } }\n\
                 pagination = { kind = \"offset\", param = \"page.offset\", place = \"body\", \
                 size_param = \"page.limit\", size = 10 }",
            |asked| {
                let body = asked.json();
                let from = body["page"]["offset"].as_u64().unwrap_or(u64::MAX);
                let wanted = json!({
                    "what": "all", "page": { "sort": "id", "offset": from, "limit": 10 },
                });
                if asked.method != "POST" || body != wanted {
                    return refused();
                }
                data(some(from, SIZE, ALL))
            },
        ),
        Case::new(
            "offset-in-form",
            "form = { what = \"all\" }\n\
             pagination = { kind = \"offset\", param = \"from\", place = \"body\" }",
            |asked| {
                let text = asked.text();
                match text.strip_prefix("what=all&from=").map(str::parse::<u64>) {
                    Some(Ok(from)) if asked.method == "POST" => data(some(from, SIZE, ALL)),
                    _ => refused(),
                }
            },
        ),
        Case::new(
            "offset-total",
            "pagination = { kind = \"offset\", param = \"offset\", total = \"$.total\" }",
            |asked| match asked.number("offset") {
                Some(from) if from < ALL => {
                    let data = rows(some(from, SIZE, ALL));
                    Reply::json(&json!({ "total": ALL, "data": data }))
                }
                _ => refused(),
            },
        ),
        Case::new(
            "offset-flag-as-text",
            "pagination = { kind = \"offset\", param = \"offset\", more = \"$.meta.hasMore\" }",
            |asked| match asked.number("offset") {
                Some(from) if from < ALL => {
                    let page = some(from, SIZE, ALL);
                    let more = if page.end < ALL { "true" } else { "False" };
                    Reply::json(&json!({ "meta": { "hasMore": more }, "data": rows(page) }))
                }
                _ => refused(),
            },
        ),
    ]
}

fn leads() -> Vec<Case> {
    vec![
        Case::new(
            "cursor-in-body",
            "pagination = { kind = \"cursor\", param = \"after\", next = \"$.meta.next\" }",
            |asked| {
                let (page, next) = behind(asked.param("after"));
                Reply::json(&json!({ "meta": { "next": next }, "data": rows(page) }))
            },
        ),
        Case::new(
            "cursor-in-headers",
            "pagination = { kind = \"cursor\", param = \"X-After\", place = \"header\", next_header = \"X-Next\" }",
            |asked| {
                let (page, next) = behind(asked.header("x-after"));
                next.iter().fold(data(page), |reply, next| reply.header("X-Next", next))
            },
        ),
        Case::new(
            "cursor-null-at-the-end",
            "pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\", stop = \"null\" }",
            |asked| {
                let (page, next) = behind(asked.param("after"));
                Reply::json(&json!({ "next": next, "data": rows(page) }))
            },
        ),
        Case::new("link-header", "pagination = { kind = \"link\" }", |asked| {
            let (page, next) = behind(asked.param("c"));
            let reply = data(page).header("Link", "</other>; rel=\"prev\"");
            match next {
                Some(next) => reply.header("Link", &format!("<?c={next}>; rel=\"next\"")),
                None => reply,
            }
        }),
        Case::new(
            "next-url-relative",
            "pagination = { kind = \"next_url\", next = \"$.next\" }",
            |asked| {
                let (page, next) = behind(asked.param("c"));
                let next = next.map(|next| format!("/next-url-relative/more?c={next}"));
                Reply::json(&json!({ "next": next.unwrap_or_default(), "data": rows(page) }))
            },
        ),
        Case::new(
            "next-url-of-a-log",
            "path = \"/next-url-of-a-log?from=0\"\n\
             pagination = { kind = \"next_url\", next = \"$.next_page\", end = \"$.end_of_stream\" }",
            |asked| match asked.number("from") {
                // Behind its last page there is nothing to ask for yet.
                Some(from) if from < ALL => {
                    let page = some(from, SIZE, ALL);
                    let last = page.end == ALL;
                    let on = if last { from } else { page.end };
                    let next = format!("/next-url-of-a-log?from={on}");
                    let data = rows(page);
                    Reply::json(&json!({ "next_page": next, "end_of_stream": last, "data": data }))
                }
                _ => refused(),
            },
        ),
        Case::new(
            "next-url-object",
            "pagination = { kind = \"next_url\", next = \"$.links.next\" }",
            |asked| {
                let (page, next) = behind(asked.param("c"));
                let host = asked.header("host").unwrap_or_default();
                let link = next.map(|next| {
                    json!({ "href": format!("http://{host}/next-url-object?c={next}"), "meta": {} })
                });
                Reply::json(&json!({ "links": { "next": link }, "data": rows(page) }))
            },
        ),
    ]
}

#[tokio::test]
async fn every_way_from_page_to_page_brings_every_row() -> anyhow::Result<()> {
    let cases: Vec<_> = [pages(), offsets(), leads()].into_iter().flatten().collect();
    let feeds: Vec<_> = cases.iter().map(|case| case.feed).collect();
    let agency = Agency::start(cases).await?;
    for feed in feeds {
        let run = agency.first(feed).await?;
        assert_eq!((run.counts.received, run.counts.inserted), (ALL, ALL), "{feed}: {run:#?}");
        agency.same(feed, 0..ALL)?;
    }
    let offsets: Vec<_> =
        agency.asked("offset-in-query").iter().filter_map(|asked| asked.number("offset")).collect();
    assert_eq!(offsets, [0, 7, 14, 21, 25], "on by what came, not by what was asked for");
    Ok(())
}

#[tokio::test]
async fn what_is_no_end_is_not_taken_for_one() -> anyhow::Result<()> {
    let cursor = "kind = \"cursor\", param = \"after\", next = \"$.next\"";
    let offset = "kind = \"offset\", param = \"offset\"";
    let cases = vec![
        Case::new("no-flag", &format!("pagination = {{ {offset}, more = \"$.more\" }}"), |asked| {
            match asked.before {
                0 => Reply::json(&json!({ "more": true, "data": rows(0..10) })),
                _ => data(10..20),
            }
        }),
        Case::new("no-total", &format!("pagination = {{ {offset}, total = \"$.total\" }}"), |_| {
            data(0..10)
        }),
        Case::new(
            "less-than-the-total",
            &format!("pagination = {{ {offset}, total = \"$.total\" }}"),
            |asked| {
                let page = some(asked.number("offset").unwrap(), SIZE, ALL);
                Reply::json(&json!({ "total": 40, "data": rows(page) }))
            },
        ),
        Case::new("no-next", &format!("pagination = {{ {cursor}, stop = \"null\" }}"), |asked| {
            match asked.before {
                0 => Reply::json(&json!({ "next": "c-10", "data": rows(0..10) })),
                _ => data(10..20),
            }
        }),
        Case::new(
            "more-and-no-way",
            &format!("pagination = {{ {cursor}, more = \"$.more\" }}"),
            |_| Reply::json(&json!({ "more": 1, "next": null, "data": rows(0..10) })),
        ),
        Case::new("same-for-ever", &format!("pagination = {{ {cursor} }}"), |asked| {
            let next = format!("new-{}", asked.before);
            Reply::json(&json!({ "next": next, "data": rows(0..10) }))
        }),
        Case::new("circle", &format!("pagination = {{ {cursor} }}"), |asked| {
            let (page, _) = behind(asked.param("after"));
            let next = if page.end == 20 { "c-10".to_owned() } else { format!("c-{}", page.end) };
            Reply::json(&json!({ "next": next, "data": rows(page) }))
        }),
        Case::new(
            "too-many-pages",
            &format!("pagination = {{ {cursor}, max_pages = 2 }}"),
            |asked| {
                let (page, next) = behind(asked.param("after"));
                Reply::json(&json!({ "next": next, "data": rows(page) }))
            },
        ),
        Case::new(
            "too-many-records",
            &format!("pagination = {{ {cursor}, max_records = 15 }}"),
            |asked| {
                let (page, next) = behind(asked.param("after"));
                Reply::json(&json!({ "next": next, "data": rows(page) }))
            },
        ),
        Case::new(
            "other-origin",
            "pagination = { kind = \"next_url\", next = \"$.next\" }",
            |_| Reply::json(&json!({ "next": "http://127.0.0.1:9/x", "data": rows(0..10) })),
        ),
    ];
    let agency = Agency::start(cases).await?;
    for (feed, words, kept) in [
        ("no-flag", "page 2 does not say whether more follows", 20),
        ("no-total", "page 1 does not say how much there is", 10),
        ("less-than-the-total", "says that there are 40 and gave 25", 25),
        ("no-next", "page 2 lacks what leads on", 20),
        ("more-and-no-way", "page 1 says that more follows and not where", 10),
        ("same-for-ever", "page 3 leads back to one already read", 10),
        ("circle", "page 2 leads back to one already read", 20),
        ("too-many-pages", "more than 2 pages; raise `max_pages`", 20),
        ("too-many-records", "more than 15 records; raise `max_records`", 20),
        ("other-origin", "another origin (http://127.0.0.1:9)", 10),
    ] {
        // How much is too much, we say.
        let is_ours = feed.starts_with("too-many");
        let cause = if is_ours { Reason::TooLarge } else { Reason::RemoteFault };
        let run = agency.fails(feed, cause, &[words]).await?;
        assert!(run.counts.balances(), "{feed}: {run:#?}");
        // What came whole is kept; that it was all is not believed.
        agency.same(feed, 0..kept)?;
    }
    Ok(())
}

/// A partner that filters by time, sorts by it, and refuses to page on beyond 20 rows.
fn deep(asked: &Asked, order: impl Fn(u64) -> u64) -> Reply {
    deep_of(asked, 65, order)
}

fn deep_of(asked: &Asked, many: u64, order: impl Fn(u64) -> u64) -> Reply {
    let from = asked.number("offset").unwrap();
    if from + SIZE > 20 {
        return refused();
    }
    let since = asked.param("since").unwrap_or_default().to_owned();
    let all: Vec<u64> = (0..many).map(order).filter(|n| super::at(*n) >= since).collect();
    let total = all.len();
    let page = all.into_iter().skip(usize::try_from(from).unwrap()).take(10);
    Reply::json(&json!({ "total": total, "data": rows(page) }))
}

#[tokio::test]
async fn where_deep_paging_is_refused_the_walk_is_split() -> anyhow::Result<()> {
    let keys = "pagination = { kind = \"offset\", param = \"offset\", size_param = \"limit\", size = 10 }\n\
                incremental = { field = \"at\", param = \"since\", split = 20 }";
    let has = Arc::new(AtomicU64::new(65));
    let list = Arc::clone(&has);
    let cases = vec![
        Case::new("split", keys, |asked| deep(asked, |n| n)),
        Case::new(
            "split-total",
            &keys.replace("size = 10", "size = 10, total = \"$.total\""),
            |asked| deep(asked, |n| n),
        ),
        // It has more each time.
        Case::new("split-live", keys, move |asked| {
            deep_of(asked, list.load(Ordering::SeqCst), |n| n)
        }),
        // Seven at a time are as good as sorted, until the page that begins behind the one before.
        Case::new("split-unsorted", keys, |asked| {
            deep(asked, |n| if n < 15 { n + 40 } else { n - 15 })
        }),
        Case::new("split-one-value", keys, |asked| {
            let from = asked.number("offset").unwrap();
            let same: Vec<_> = (from..from + 10)
                .map(|n| json!({ "id": n.to_string(), "n": n, "at": super::at(3) }))
                .collect();
            Reply::json(&json!({ "data": same }))
        }),
    ];
    let agency = Agency::start(cases).await?;
    agency.first("split").await?;
    agency.same("split", 0..65)?;
    agency.first("split-total").await?;
    for feed in ["split", "split-total"] {
        let second = agency.again(feed).await?;
        assert_eq!(second.counts.inserted + second.counts.updated, 0, "{second:#?}");
        assert_eq!(agency.cursor(feed).await?, Some(super::at(64)), "each part was cut on purpose");
    }
    agency.first("split-live").await?;
    has.store(67, Ordering::SeqCst);
    agency.again("split-live").await?;
    agency.same("split-live", 0..67)?;
    let cursor = agency.cursor("split-live").await?;
    assert_eq!(cursor, Some(super::at(66)), "what we asked for twice has not moved");
    agency.fails("split-unsorted", Reason::RemoteFault, &["not in ascending order"]).await?;
    agency
        .fails("split-one-value", Reason::RemoteFault, &["share one value", "raise `split`"])
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_total_that_changes_while_it_is_read_is_told() -> anyhow::Result<()> {
    let keys = "pagination = { kind = \"offset\", param = \"offset\", total = \"$.total\" }";
    let case = Case::new("moving", keys, |asked| {
        let from = asked.number("offset").unwrap();
        // A row is added in front while the first page is read: the rest moves up by one, and one row comes again.
        let (total, from) = if from == 0 { (ALL - 1, 0) } else { (ALL, from - 1) };
        Reply::json(&json!({ "total": total, "data": rows(some(from, SIZE, total)) }))
    });
    let agency = Agency::start(vec![case]).await?;
    let run = agency.first("moving").await?;
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("the total changed from 24 to 25"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_the_partners() -> anyhow::Result<()> {
    let keys = "pagination = { kind = \"next_url\", next = \"$.next\" }";
    let case = |feed: &'static str, status| {
        Case::new(feed, keys, move |asked: &Asked| match asked.param("p") {
            None => Reply::json(&json!({ "data": rows(0..3), "next": "?p=2" })),
            Some(_) => Reply::status(status),
        })
    };
    let agency = Agency::start(vec![case("lost", 404), case("gone", 410)]).await?;
    for (feed, status) in [("lost", "404"), ("gone", "410")] {
        let words = [status, "the page before led there; tell the partner"];
        agency.fails(feed, Reason::Http4xx, &words).await?;
        agency.same(feed, 0..3)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_one_page_by_its_total_is_no_part_of_more() -> anyhow::Result<()> {
    let keys = "pagination = { kind = \"none\", total = \"$.total\" }";
    let case = |feed, total: Option<u64>| {
        Case::new(feed, keys, move |_| Reply::json(&json!({ "data": rows(0..3), "total": total })))
    };
    let headed = |feed, header: &'static str, value: &'static str| {
        let keys = format!("pagination = {{ kind = \"none\", total_header = \"{header}\" }}");
        let answer =
            move |_: &Asked| Reply::json(&json!({ "data": rows(0..3) })).header(header, value);
        Case::new(feed, &keys, answer)
    };
    let agency = Agency::start(vec![
        case("all", Some(3)),
        case("fewer", Some(2)),
        case("part", Some(250)),
        case("untold", None),
        headed("range", "Content-Range", "items 0-2/3"),
        headed("range-part", "Content-Range", "items 0-2/250"),
        headed("range-untold", "Content-Range", "items 0-2/*"),
        headed("counted", "X-Total-Count", "3"),
    ])
    .await?;
    for feed in ["all", "fewer", "range", "counted"] {
        agency.first(feed).await?;
        agency.same(feed, 0..3)?;
    }
    let words = ["there are 250 and gave 3", "nothing says how to ask for the others"];
    for feed in ["part", "range-part"] {
        agency.fails(feed, Reason::RemoteFault, &words).await?;
    }
    for feed in ["untold", "range-untold"] {
        agency.fails(feed, Reason::RemoteFault, &["does not say how much there is"]).await?;
    }
    Ok(())
}

/// As json-server and many others have it: a list alone, and a header that counts.
#[tokio::test]
async fn pages_end_where_a_header_has_counted_to() -> anyhow::Result<()> {
    let keys = "records = \"$[*]\"\npagination = { kind = \"page\", param = \"_page\", size_param = \"_limit\", size = 2, total_header = \"X-Total-Count\" }";
    let case = |feed, header: &'static str| {
        Case::new(feed, keys, move |asked: &Asked| {
            let page: u64 = asked.param("_page").and_then(|page| page.parse().ok()).unwrap_or(1);
            let from = (page - 1) * 2;
            Reply::json(&json!(rows(from..(from + 2).min(5)))).header(header, "5")
        })
    };
    let agency =
        Agency::start(vec![case("counted", "x-total-count"), case("not", "x-count")]).await?;
    agency.first("counted").await?;
    agency.same("counted", 0..5)?;
    assert_eq!(agency.asked("counted").len(), 3);
    agency.fails("not", Reason::RemoteFault, &["does not say how much there is"]).await?;
    Ok(())
}
