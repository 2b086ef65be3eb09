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
fn the_same_records_page_after_page_are_one_page_whatever_changes_in_them() {
    let endless = |mut request: Request| {
        request.pagination.max_pages = 100;
        request
    };
    let offset = |overlap| {
        let (param, start, first) = ("p".to_owned(), 0, true);
        endless(request(Paging::Offset { param, start, first, overlap }, Stop::Empty))
    };
    let pages = |keys: &dyn Fn(u64) -> Option<u64>| -> Vec<_> {
        (0..20).map(|at| Facts { keys: keys(at), ..page(2) }).collect()
    };
    let stopped = || Err(WalkError::SameRecords { page: 11, alike: 10, param: "p".to_owned() });
    let by_page = || endless(by_page(Stop::Empty));
    for (request, pages, expected, why) in [
        (by_page(), pages(&|_| Some(7)), stopped(), "ten times over"),
        (offset(0), pages(&|_| Some(7)), stopped(), "by offset too"),
        (by_page(), pages(&|at| Some(at / 10)), Ok(()), "a log that comes on"),
        (by_page(), pages(&|_| None), Ok(()), "records that come again and again within a page"),
    ] {
        assert_eq!(walk(&request, &pages).1, expected, "{why}");
    }
    assert!(!Walker::new(&offset(1)).counts_pages(), "where pages overlap, they are known by that");
}

#[test]
fn a_walk_that_leads_nowhere_is_stopped() {
    let tokens =
        |tokens: &[&str]| tokens.iter().map(|token| lead(1, text(token))).collect::<Vec<_>>();
    let same = |rows| Facts { content: 7, ..page(rows) };
    let cases = vec![
        (
            by_cursor(Stop::Next),
            tokens(&["a", "b", "a"]),
            WalkError::Circle { page: 3 },
            "a cursor that came before",
        ),
        (
            until_its_end(),
            vec![Facts { more: text("false"), ..lead(1, text("a")) }; 2],
            WalkError::Circle { page: 2 },
            "one that leads on to itself and is not the last",
        ),
        (
            by_cursor(Stop::Next),
            tokens(&["a", "b", "c", "d", "e"]),
            WalkError::TooMany { most: 5 },
            "pages without end",
        ),
        (
            by_url(),
            vec![lead(1, text("http://p.example:8080/x"))],
            WalkError::OtherOrigin { origin: "http://p.example:8080".to_owned() },
            "another port is another origin",
        ),
        (
            by_page(Stop::Empty),
            vec![same(2), same(2)],
            WalkError::SamePage { page: 2, param: "p".to_owned() },
            "the partner ignores the page",
        ),
        (
            by_cursor(Stop::Next),
            ["a", "b", "c"].map(|token| Facts { content: 7, ..lead(1, text(token)) }).to_vec(),
            WalkError::Circle { page: 3 },
            "the same rows under ever new cursors",
        ),
        (
            by_page(Stop::More),
            vec![page(2)],
            WalkError::NoFlag { page: 1 },
            "no flag is not the end",
        ),
        (
            by_page(Stop::More),
            vec![Facts { more: text("perhaps"), ..page(2) }],
            WalkError::NoFlag { page: 1 },
            "nor is one that says nothing",
        ),
        (by_page(Stop::Total), vec![page(2)], WalkError::NoTotal { page: 1 }, "no total"),
        (
            by_offset(Stop::Total),
            vec![Facts { total: text("9"), ..page(2) }, Facts { total: text("9"), ..page(0) }],
            WalkError::Short { said: 9, got: 2 },
            "less than the partner said",
        ),
        (
            by_cursor(Stop::Null),
            vec![lead(1, Scalar::Absent)],
            WalkError::NoNext { page: 1 },
            "a cursor that is not there is not null",
        ),
        (
            request(Paging::Link, Stop::Next),
            vec![Facts { link: Some("<http://p.example/2; rel=next".to_owned()), ..page(2) }],
            WalkError::NoLink { page: 1 },
            "a header that is cut may have led on",
        ),
        (
            by_cursor(Stop::More),
            vec![Facts { more: text("true"), ..lead(1, Scalar::Null) }],
            WalkError::NoWay { page: 1 },
            "more, and not where",
        ),
        (
            by_cursor(Stop::Next),
            vec![lead(101, text("a"))],
            WalkError::TooManyRecords { most: 100 },
            "records without end",
        ),
    ];
    for (request, pages, expected, why) in cases {
        let (_, ended) = walk(&request, &pages);
        let leads = |error: &WalkError| matches!(error, WalkError::OtherOrigin { .. });
        if leads(&expected) {
            let ask = Ask::Url(pages[0].next.text().unwrap().to_owned());
            assert_eq!(asked_of(&request, &Leg::default(), &ask), Err(expected), "{why}");
        } else {
            assert_eq!(ended, Err(expected), "{why}");
        }
    }
}

#[test]
fn a_url_that_numbers_pages_is_known_from_one_that_does_not() {
    for (urls, expected, why) in [
        (["/x?page=2&limit=10", "/x?page=3&limit=10"], true, "pages from 1"),
        (["/x?page=1", "/x?page=2"], true, "pages from 0"),
        (["/x?limit=10&offset=10", "/x?limit=10&offset=20"], true, "how many came"),
        (["/x?$skiptoken=10", "/x?$skiptoken=20"], true, "by another name"),
        (["/x?per_page=10&after=77", "/x?per_page=10&after=91"], false, "what a record has"),
        (["/x?cursor=cGFnZTI", "/x?cursor=cGFnZTM"], false, "a token"),
        (["/x?after=10", "/x?after=93"], false, "it was so by chance, once"),
        (
            ["/x?skipCount=7&maxItems=9", "/x?skipCount=14"],
            true,
            "a place by its name, however it is counted",
        ),
        (["/x/page/2", "/x/page/3"], true, "in the path"),
        (["/x/2026/list?v=3", "/x/2026/list?v=3&z"], false, "numbers that lead nowhere"),
        (["/x?page[after]=31", "/x?page[after]=62"], false, "behind a record"),
    ] {
        let request = by_url();
        let mut walker = Walker::new(&request);
        let mut ask = Ask::First;
        for (number, url) in urls.into_iter().enumerate() {
            let facts = Facts { next: text(url), content: number as u64, ..page(10) };
            let Ok(Onward::Page(next)) = walker.next(&ask, &facts) else { panic!("{why}") };
            ask = next;
        }
        assert_eq!(walker.is_blind(), expected, "{why}");
    }
    for (param, tokens, expected) in [
        ("p", ["2", "3"], true),
        ("p", ["10", "20"], true),
        ("p", ["77", "3"], false),
        ("pageNumber", ["4", "7"], true),
        ("$after", ["10", "20"], false),
    ] {
        let mut request = by_cursor(Stop::Next);
        if let Paging::Cursor { param: own, .. } = &mut request.pagination.kind {
            param.clone_into(own);
        }
        let mut walker = Walker::new(&request);
        let mut ask = Ask::First;
        for (number, token) in tokens.into_iter().enumerate() {
            let facts = Facts { next: text(token), content: number as u64, ..page(10) };
            let Ok(Onward::Page(next)) = walker.next(&ask, &facts) else { panic!("{tokens:?}") };
            ask = next;
        }
        assert_eq!(walker.is_blind(), expected, "{param}: {tokens:?}");
    }
}

#[test]
fn an_empty_page_behind_one_that_was_not_full_hides_nothing() {
    let mut request = by_page(Stop::Empty);
    request.pagination.size = Some(PageSize { param: "n".to_owned(), size: 10 });
    for (rows, expected, why) in [
        ([3, 0], false, "there was nothing behind it"),
        ([10, 0], true, "what was behind it may have moved"),
        ([3, 1], true, "there was"),
    ] {
        let mut walker = Walker::new(&request);
        walker.next(&Ask::First, &Facts { content: 1, ..page(rows[0]) }).unwrap();
        walker.next(&Ask::Number(2), &Facts { content: 2, ..page(rows[1]) }).unwrap();
        assert_eq!(walker.is_blind(), expected, "{why}");
    }
}

/// A page of one record cannot be repeated and led on from at once.
#[test]
fn pages_by_offset_that_cannot_overlap_do_not_show_whether_they_join() {
    let paging = Paging::Offset { param: "p".to_owned(), start: 0, first: true, overlap: 1 };
    let request = request(paging, Stop::Empty);
    let marks = |each: &[u64]| Marks { taken: each.to_vec(), refused: Vec::new() };
    for (pages, expected, why) in [
        ([&[1][..], &[2]], true, "one record, and then another"),
        ([&[1], &[]], false, "one, and nothing"),
        ([&[1, 2], &[2, 3]], false, "joined"),
    ] {
        let mut walker = Walker::new(&request);
        let mut ask = Ask::First;
        for (number, each) in pages.into_iter().enumerate() {
            let facts =
                Facts { marks: marks(each), content: number as u64, ..page(each.len() as u64) };
            match walker.next(&ask, &facts).unwrap() {
                Onward::Page(next) => ask = next,
                _ => break,
            }
        }
        assert_eq!(walker.is_blind(), expected, "{why}");
    }
}

#[test]
fn a_page_that_is_asked_for_again_is_counted_once() {
    let request = Request { incremental: Some(incremental()), ..by_page(Stop::Empty) };
    let facts = |content| Facts { content, ..page(2) };
    let mut walker = Walker::new(&request);
    walker.next(&Ask::First, &facts(1)).unwrap();
    walker.next(&Ask::Number(2), &facts(2)).unwrap();
    for _ in 0..3 {
        let (stand, next) = (walker.stand().clone(), Ask::Number(3));
        let ask;
        (walker, ask) = Walker::resume(&request, walker.pages, walker.rows, stand, next);
        assert_eq!(ask, Ask::Number(2), "to see whether anything moved");
        assert_eq!(walker.next(&ask, &facts(2)), Ok(Onward::Page(Ask::Number(3))));
        assert_eq!((walker.pages, walker.rows), (2, 4));
    }
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
