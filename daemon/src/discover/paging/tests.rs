//! What leads on in answers, and what only looks like it.

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
    let next = |text: &str, about| match found(text, about).map(|found| (found.kind, found.guessed))
    {
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
        (r#"{"results":[{"id":1}],"next":"http://10.0.0.7/x?limit=1&offset=1"}"#, "offset 0 true"),
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
    let text = r#"{"total":5,"offset":0,"limit":3,"pages":2,"has_more":true,"items":[{"a":1}]}"#;
    let found = found(text, About::default()).unwrap();
    assert_eq!(found.total, Some(Count::Body("$.total".to_owned())));
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

#[test]
fn what_feathers_asks_by_has_a_sign_before_its_name() {
    for (text, param, size) in [
        (r#"{"total":5,"limit":3,"skip":0,"data":[{"a":1}]}"#, "$skip", "$limit"),
        (r#"{"total":5,"limit":3,"skip":0,"posts":[{"a":1}]}"#, "skip", "limit"),
    ] {
        let paging = found(text, About::default()).unwrap();
        assert_eq!(paging.kind, Kind::Offset { param: param.to_owned(), start: 0 }, "{text}");
        assert_eq!(paging.size, Some((size.to_owned(), 3)), "{text}");
    }
}
