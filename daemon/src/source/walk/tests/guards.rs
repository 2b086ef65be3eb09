//! What keeps a walk from going round in a circle, and from taking one end for another.

use super::*;

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
        ("$after", ["10", "20"], true),
        ("$after", ["11", "23"], false),
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
