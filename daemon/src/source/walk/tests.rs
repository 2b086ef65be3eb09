use std::time::Duration;

use marsad_shared::{
    feed::{Feed, Field, FieldType, Origin, RecordsPath, ScalarPath},
    request::{
        By, Carrier, Incremental, Missing, NextAt, PageSize, Pagination, Param, Says, TimeFormat,
        Writing,
    },
    schedule::Schedule,
};

use super::*;
use crate::source::asking::{Asker, Leg};

mod guards;

pub(in crate::source) fn request(kind: Paging, stop: Stop) -> Request {
    let pagination = Pagination {
        kind,
        size: None,
        carrier: Carrier::Query,
        replaces: Vec::new(),
        more: None,
        total: None,
        stop,
        max_pages: 5,
        max_records: 100,
    };
    Request {
        path: "/v1/x?open=1".to_owned(),
        says: Says::default(),
        pagination,
        incremental: None,
        success: None,
        statuses: Vec::new(),
        each: None,
        export: None,
        changed: None,
        schedule: Schedule::Every { every: Duration::from_mins(1) },
        sweep: None,
    }
}

pub(in crate::source) fn feed(request: &Request) -> Feed {
    let id: marsad_shared::id::FeedId = "p/f".to_owned().try_into().unwrap();
    Feed {
        id,
        name: marsad_shared::partner::Name { en: "f".to_owned(), ar: None },
        connection: "p/api".to_owned().try_into().unwrap(),
        origin: Origin::Http(request.clone()),
        format: None,
        may_lack: false,
        deletes: None,
        deleted: None,
        records: RecordsPath::Plain(Vec::new()),
        delimiter: b',',
        cover: marsad_shared::partner::Cover::All,
        unlisted: &[],
        encoding: None,
        header_row: 1,
        sheet: None,
        stop: Vec::new(),
        entries: None,
        decimal: marsad_shared::feed::DecimalSign::Point,
        key: vec!["id".to_owned()],
        version: None,
        fields: vec![Field {
            from: vec!["$.meta.ModifiedOn".to_owned()],
            ..Field::new("updated_at", FieldType::Timestamp)
        }],
        keeping: marsad_shared::feed::Keeping::default(),
        promise: None,
        zone: jiff::tz::TimeZone::UTC,
    }
}

/// The paths asked for.
pub(in crate::source) fn asked_of(
    request: &Request,
    leg: &Leg,
    ask: &Ask,
) -> Result<String, WalkError> {
    let (base, feed) = ("http://p.example/api/".parse().unwrap(), feed(request));
    let call = Asker::new(&base, &feed, request).call(leg, ask)?;
    let query = call.url.query().map_or_else(String::new, |query| format!("?{query}"));
    Ok(format!("{}{query}", call.url.path()))
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

pub(in crate::source) fn page(rows: u64) -> Facts {
    Facts { rows, ..Facts::default() }
}

fn lead(rows: u64, next: Scalar) -> Facts {
    let link = next.text().map(str::to_owned);
    Facts { rows, next, link, ..Facts::default() }
}

/// Walks over pages; gives the paths asked for, and how it ended.
fn walk(request: &Request, pages: &[Facts]) -> (Vec<String>, Result<(), WalkError>) {
    let mut walker = Walker::new(request);
    let (mut ask, mut asked) = (Ask::First, Vec::new());
    for (at, facts) in pages.iter().enumerate() {
        match asked_of(request, &Leg::default(), &ask) {
            Ok(path) => asked.push(path),
            Err(error) => return (asked, Err(error)),
        }
        let content = if facts.content == 0 { at as u64 + 100 } else { facts.content };
        match walker.next(&ask, &Facts { content, ..facts.clone() }) {
            Ok(Onward::Page(next)) => ask = next,
            Ok(Onward::Split | Onward::End) => return (asked, Ok(())),
            Err(error) => return (asked, Err(error)),
        }
    }
    asked.push("…".to_owned());
    (asked, Ok(()))
}

pub(in crate::source) fn by_page(stop: Stop) -> Request {
    request(Paging::Page { param: "p".to_owned(), start: 1, first: true }, stop)
}

pub(in crate::source) fn by_offset(stop: Stop) -> Request {
    request(Paging::Offset { param: "p".to_owned(), start: 0, first: true, overlap: 0 }, stop)
}

pub(in crate::source) fn by_cursor(stop: Stop) -> Request {
    let next = NextAt::Body(ScalarPath::parse("$.n").unwrap());
    request(Paging::Cursor { param: "p".to_owned(), next }, stop)
}

/// By a cursor, to the page that says that it is the last.
fn until_its_end() -> Request {
    let mut request = by_cursor(Stop::More);
    request.pagination.more = Some(More::Ends(ScalarPath::parse("$.end").unwrap()));
    request
}

pub(in crate::source) fn by_url() -> Request {
    let next = NextAt::Body(ScalarPath::parse("$.n").unwrap());
    request(Paging::NextUrl { next }, Stop::Next)
}

#[test]
fn each_kind_of_paging_asks_for_what_comes_next_and_ends_where_it_ends() {
    let sized = |mut request: Request| {
        request.pagination.size = Some(PageSize { param: "limit".to_owned(), size: 2 });
        request
    };
    let silent_first =
        request(Paging::Page { param: "p".to_owned(), start: 0, first: false }, Stop::Empty);
    for (request, pages, expected, why) in vec![
        (request(Paging::None, Stop::Next), vec![page(2)], vec![""], "one page"),
        (
            sized(by_page(Stop::Empty)),
            vec![page(2), page(1), page(0)],
            vec!["&p=1&limit=2", "&p=2&limit=2", "&p=3&limit=2"],
            "a short page is not the last, an empty one is",
        ),
        (
            sized(by_page(Stop::Short)),
            vec![page(2), page(1), page(0)],
            vec!["&p=1&limit=2", "&p=2&limit=2"],
            "where it is said, a short page is the last",
        ),
        (silent_first, vec![page(2), page(0)], vec!["", "&p=1"], "the first page is implied"),
        (
            by_offset(Stop::Empty),
            vec![page(2), page(3), page(0)],
            vec!["&p=0", "&p=2", "&p=5"],
            "advances by what came, not by what was asked",
        ),
        (
            by_offset(Stop::More),
            vec![
                Facts { more: text("true"), ..page(2) },
                Facts { more: text("1"), ..page(1) },
                Facts { more: text("False"), ..page(1) },
            ],
            vec!["&p=0", "&p=2", "&p=3"],
            "a flag, however it is written",
        ),
        (
            by_offset(Stop::Total),
            vec![Facts { total: text("3"), ..page(2) }, Facts { total: text("3"), ..page(1) }],
            vec!["&p=0", "&p=2"],
            "no page is asked for beyond the total",
        ),
        (
            by_offset(Stop::Total),
            [2, 2, 0].map(|rows| Facts { total: text("3"), ..page(rows) }).into(),
            vec!["&p=0", "&p=2", "&p=4"],
            "a total that was passed is no end",
        ),
        (
            by_cursor(Stop::Next),
            vec![lead(2, text("a+b c")), lead(0, text("c")), lead(1, Scalar::Absent)],
            vec!["", "&p=a%2Bb%20c", "&p=c"],
            "an empty page with a cursor goes on",
        ),
        (
            by_cursor(Stop::Next),
            vec![lead(2, text("a")), lead(2, text("false"))],
            vec!["", "&p=a"],
            "a flag in place of a cursor",
        ),
        (
            by_cursor(Stop::Null),
            vec![lead(2, text("a")), lead(2, Scalar::Null)],
            vec!["", "&p=a"],
            "null is the end",
        ),
        (
            by_cursor(Stop::More),
            vec![
                Facts { more: text("true"), ..lead(2, text("a")) },
                Facts { more: text("false"), ..lead(2, text("b")) },
            ],
            vec!["", "&p=a"],
            "the flag decides, whatever cursor stands beside it",
        ),
        (
            until_its_end(),
            vec![
                Facts { more: text("false"), ..lead(2, text("a")) },
                Facts { more: text("true"), ..lead(2, text("a")) },
            ],
            vec!["", "&p=a"],
            "the last page leads on to itself, and says that it is the last",
        ),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|end| format!("/api/v1/x?open=1{end}")).collect();
        assert_eq!(walk(&request, &pages), (expected, Ok(())), "{why}");
    }
    let link = request(Paging::Link, Stop::Next);
    let (asked, _) = walk(&link, &[lead(2, text("</api/v1/x?p=9>; rel=\"next\"")), page(1)]);
    assert_eq!(asked, ["/api/v1/x?open=1", "/api/v1/x?p=9"], "relative targets");
    let (asked, _) = walk(&by_url(), &[lead(2, text("{\"href\":\"?p=9\"}")), page(1)]);
    assert_eq!(asked, ["/api/v1/x?open=1", "/api/v1/x?p=9"], "a link that is an object");
}

#[test]
fn legs_without_a_record_are_no_endless_walk() {
    let request = by_page(Stop::Empty);
    let mut walker = Walker::new(&request);
    for _ in 0..=EMPTY_MAX {
        assert_eq!(walker.next(&Ask::First, &page(0)), Ok(Onward::End));
        walker.begin_leg();
    }
}

#[test]
fn a_walk_is_split_before_the_partner_refuses_to_page_on() {
    let mut request = by_offset(Stop::Empty);
    request.pagination.size = Some(PageSize { param: "n".to_owned(), size: 2 });
    request.incremental = Some(Incremental { split: Some(4), ..incremental() });
    let mut walker = Walker::new(&request);
    let facts = |content| Facts { content, ..page(2) };
    assert_eq!(walker.next(&Ask::First, &facts(1)), Ok(Onward::Page(Ask::Number(2))));
    assert_eq!(walker.next(&Ask::Number(2), &facts(2)), Ok(Onward::Split));
    walker.begin_leg();
    assert_eq!(walker.next(&Ask::First, &facts(2)), Ok(Onward::Page(Ask::Number(2))));
}

pub(in crate::source) fn incremental() -> Incremental {
    Incremental {
        by: By::Field("updated_at".to_owned()),
        param: Some(Param { name: "since".to_owned(), carrier: Carrier::Query }),
        join: None,
        writing: Writing {
            template: None,
            time: TimeFormat::Rfc3339,
            zone: jiff::tz::TimeZone::UTC,
        },
        start: None,
        lookback: Duration::ZERO,
        window: None,
        bound: marsad_shared::request::Bound::Inclusive,
        split: None,
        missing: Missing::Include,
    }
}

#[test]
fn what_is_cut_into_parts_has_as_many_records_as_a_partner_gives_in_each() {
    let mut request = by_offset(Stop::Empty);
    request.pagination.size = Some(PageSize { param: "n".to_owned(), size: 2 });
    (request.pagination.max_records, request.pagination.max_pages) = (4, 100);
    request.incremental = Some(Incremental { split: Some(4), ..incremental() });
    let mut walker = Walker::new(&request);
    let facts = |content| Facts { content, ..page(2) };
    for part in 0..3 {
        let next = walker.next(&Ask::First, &facts(part * 2 + 1));
        assert_eq!(next, Ok(Onward::Page(Ask::Number(2))), "part {part}");
        assert_eq!(walker.next(&Ask::Number(2), &facts(part * 2 + 2)), Ok(Onward::Split));
        walker.begin_leg();
    }
}

#[test]
fn a_flag_may_say_how_many_follow_and_a_cursor_may_stand_in_a_link() {
    for (said, expected) in
        [("true", Some(true)), ("70", Some(true)), ("0", Some(false)), ("-1", None), ("?", None)]
    {
        assert_eq!(flag(&text(said)), expected, "{said}");
    }
    let (asked, _) = walk(
        &by_cursor(Stop::Next),
        &[
            lead(2, text("http://inner:8000/x?open=1&p=a%2Fb%3D")),
            lead(2, text("/x?p=c")),
            lead(2, text("e?p=d")),
            page(1),
        ],
    );
    let by = |cursor: &str| format!("/api/v1/x?open=1&p={cursor}");
    let first = "/api/v1/x?open=1".to_owned();
    assert_eq!(asked, [first, by("a%2Fb%3D"), by("c"), by("e%3Fp%3Dd")], "the last is no link");
}

#[test]
fn pages_are_counted_by_leg() {
    let mut request = by_page(Stop::Total);
    request.pagination.total = Some(Total::Pages(ScalarPath::parse("$.pages").unwrap()));
    let mut walker = Walker::new(&request);
    let two = |content| Facts { total: text("2"), content, ..page(1) };
    for leg in 0..2 {
        let next = walker.next(&Ask::First, &two(10 * leg + 1));
        assert_eq!(next, Ok(Onward::Page(Ask::Number(2))), "leg {leg}");
        assert_eq!(walker.next(&Ask::Number(2), &two(10 * leg + 2)), Ok(Onward::End), "leg {leg}");
        assert_eq!(walker.contradicted(), None);
        walker.begin_leg();
    }
}

#[test]
fn what_leads_on_goes_back_as_what_it_is() {
    let request = by_cursor(Stop::Next);
    for (next, expected) in [
        (text("20"), Ask::Token("20".to_owned())),
        (Scalar::Json("20".to_owned()), Ask::Value("20".to_owned())),
        (Scalar::Json("[7,\"c\"]".to_owned()), Ask::Value("[7,\"c\"]".to_owned())),
    ] {
        let next = Walker::new(&request).next(&Ask::First, &lead(2, next));
        assert_eq!(next, Ok(Onward::Page(expected)));
    }
}

/// As the changes of `CouchDB` have it: behind the last change stands the place that was asked from. A moment's trouble may look
/// like that once.
#[test]
fn an_empty_page_that_stays_where_it_was_asked_from_is_the_end_the_second_time() {
    let (request, place) = (by_cursor(Stop::Next), |text: &str| Ask::Token(text.to_owned()));
    let empty = |next| Facts { content: 9, ..lead(0, text(next)) };
    let more = |next| Facts { content: 7, ..lead(2, text(next)) };
    let page = |token| Ok(Onward::Page(place(token)));
    for (pages, expected) in [
        (vec![empty("7"), empty("7")], vec![page("7"), Ok(Onward::End)]),
        (
            vec![empty("7"), more("8"), empty("8"), empty("8")],
            vec![page("7"), page("8"), page("8"), Ok(Onward::End)],
        ),
        (vec![empty("8")], vec![page("8")]),
        (vec![more("7")], vec![Err(WalkError::Circle { page: 2 })]),
    ] {
        let mut walker = Walker::new(&request);
        let mut next = walker.next(&Ask::First, &lead(3, text("7")));
        for (facts, expected) in pages.iter().zip(expected) {
            let Ok(Onward::Page(ask)) = &next else { panic!("{next:?}") };
            next = walker.next(ask, facts);
            assert_eq!(next, expected, "{pages:?}");
        }
    }
}

#[test]
fn what_is_known_of_a_leg_is_known_behind_a_restart() {
    let total = |rows, total: &str| Facts { total: text(total), ..page(rows) };
    let counted = |kind| {
        let pagination = Pagination {
            total: Some(Total::Records(ScalarPath::parse("$.total").unwrap())),
            ..request(kind, Stop::Empty).pagination
        };
        Request { pagination, incremental: Some(incremental()), ..by_page(Stop::Empty) }
    };
    let request = counted(by_page(Stop::Empty).pagination.kind);
    let mut walker = Walker::new(&request);
    walker.next(&Ask::First, &total(2, "7")).unwrap();
    let kept = serde_json::to_string(walker.stand()).unwrap();
    let stand: Stand = serde_json::from_str(&kept).unwrap();
    let (mut walker, ask) = Walker::resume(&request, 1, 2, stand, Ask::Number(2));
    assert_eq!(ask, Ask::First, "the last page is looked at once more");
    walker.next(&ask, &total(2, "7")).unwrap();
    walker.next(&Ask::Number(2), &Facts { content: 9, ..total(2, "6") }).unwrap();
    assert!(walker.is_in_doubt(), "there were more before the restart");
    assert!(!walker.is_short(), "a total that changed says nothing of what is missing");
}

#[test]
fn a_walk_is_short_where_the_partner_said_all_along_that_there_is_more() {
    for (said, last, cursor, short) in [
        ("12", "12", true, true),
        ("4", "4", true, false),
        ("11", "12", true, false),
        ("12", "12", false, false),
    ] {
        let base = by_cursor(Stop::Next);
        let pagination = Pagination {
            total: Some(Total::Records(ScalarPath::parse("$.total").unwrap())),
            ..base.pagination
        };
        let request =
            Request { pagination, incremental: cursor.then(incremental), ..by_cursor(Stop::Next) };
        let mut walker = Walker::new(&request);
        let first = Facts { total: text(said), ..lead(2, text("b")) };
        walker.next(&Ask::First, &first).unwrap();
        let end = Facts { total: text(last), content: 1, ..page(2) };
        assert_eq!(walker.next(&Ask::Token("b".to_owned()), &end), Ok(Onward::End));
        assert_eq!(walker.is_short(), short, "{said} then {last}, cursor: {cursor}");
    }
}

#[test]
fn an_object_without_a_url_is_no_link() {
    for (next, url) in [
        ("http://p.example/2", Some("http://p.example/2")),
        (r#"{"href":"/2"}"#, Some("/2")),
        (r#"{"href":null}"#, None),
        (r#"{"href":""}"#, None),
        ("{}", None),
        ("[]", None),
        ("", None),
        ("{page}", Some("{page}")),
    ] {
        assert_eq!(target(next).as_deref(), url, "{next}");
    }
}
