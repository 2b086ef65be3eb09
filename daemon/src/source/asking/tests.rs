//! What is asked for, as it leaves: URLs, parameters and cursors, and what nobody may see of them.

use std::time::Duration;

use FieldType::{Integer, Text, Timestamp};
use marsad_shared::{
    feed::Field,
    request::{Carrier, Stop, TimeFormat, Window, Writing},
};
use serde_json::json;

use super::*;
use crate::source::walk::tests::{
    asked_of, by_cursor, by_offset, by_url, feed, incremental, request,
};

#[test]
fn a_link_does_not_say_who_we_are() {
    let (request, base) = (by_url(), "http://p.example/api/".parse().unwrap());
    let feed = feed(&request);
    let asker = Asker::new(&base, &feed, &request);
    let given = Ask::Url("http://me:secret@p.example/api/x?page=2".to_owned());
    let clean = Ask::Url("http://p.example/api/x?page=2".to_owned());
    let leg = Leg::default();
    assert_eq!(
        asker.onward(&leg, &Ask::First, None, given.clone()).as_ref(),
        Ok(&clean),
        "what is kept"
    );
    let moved = base.join("/v2/items").unwrap();
    let next = asker.onward(&leg, &Ask::First, Some(&moved), Ask::Url("?page=2".to_owned()));
    let there = Ask::Url("http://p.example/v2/items?page=2".to_owned());
    assert_eq!(next, Ok(there), "from where the page stood");
    assert_eq!(asker.call(&leg, &given).unwrap().url.as_str(), "http://p.example/api/x?page=2");
}

#[test]
fn the_cursor_is_written_as_the_partner_takes_it() {
    let since = |at: &str| Leg { since: Some(at.to_owned()), ..Leg::default() };
    let dubai = || TimeZone::get("Asia/Dubai").unwrap();
    let writing = |template: Option<&str>, time, zone| Writing {
        template: template.map(str::to_owned),
        time,
        zone,
    };
    let utc = TimeZone::UTC;
    let noon = "2026-11-24T12:00:00Z";
    for (writing, cursor, expected) in [
        (writing(None, TimeFormat::Rfc3339, utc.clone()), noon, "2026-11-24T12%3A00%3A00Z"),
        (writing(None, TimeFormat::Rfc3339, dubai()), noon, "2026-11-24T16%3A00%3A00%2B04%3A00"),
        (writing(None, TimeFormat::UnixSeconds, utc.clone()), noon, "1795521600"),
        (writing(None, TimeFormat::UnixMillis, utc.clone()), noon, "1795521600000"),
        (
            writing(None, TimeFormat::Pattern("%d/%m/%Y %H:%M".to_owned()), dubai()),
            noon,
            "24%2F11%2F2026%2016%3A00",
        ),
        (
            writing(Some("{field} ge {cursor}"), TimeFormat::Rfc3339, utc.clone()),
            noon,
            "ModifiedOn%20ge%202026-11-24T12%3A00%3A00Z",
        ),
        (writing(None, TimeFormat::UnixSeconds, utc), "4711", "4711"),
    ] {
        let mut request = by_offset(Stop::Empty);
        request.incremental = Some(Incremental { writing, ..incremental() });
        let asked = asked_of(&request, &since(cursor), &Ask::Number(4)).unwrap();
        assert_eq!(asked, format!("/api/v1/x?open=1&since={expected}&p=4"));
    }
}

#[test]
fn a_condition_of_the_feeds_own_goes_on_beside_the_cursor() {
    let since = Leg { since: Some("2026-11-24T12:00:00Z".to_owned()), ..Leg::default() };
    let first = Leg::default();
    let writing = Writing {
        template: Some("{field} ge {cursor}".to_owned()),
        time: TimeFormat::Rfc3339,
        zone: TimeZone::UTC,
    };
    let own = "open%20eq%201%20or%20a%20eq%202";
    let ours = "ModifiedOn%20ge%202026-11-24T12%3A00%3A00Z";
    for (path, join, leg, expected) in [
        (
            format!("/x?since={own}&b=1"),
            Join::And,
            &since,
            format!("b=1&since=%28{own}%29%20and%20%28{ours}%29"),
        ),
        (format!("/x?since={own}&b=1"), Join::And, &first, format!("since={own}&b=1")),
        (
            format!("/x?since={own}&b=1"),
            Join::Repeat,
            &since,
            format!("since={own}&b=1&since={ours}"),
        ),
        ("/x?since=&b=1".to_owned(), Join::And, &since, format!("b=1&since={ours}")),
        ("/x?b=1".to_owned(), Join::And, &since, format!("b=1&since={ours}")),
    ] {
        let incremental =
            Incremental { join: Some(join), writing: writing.clone(), ..incremental() };
        let request = Request { path, incremental: Some(incremental), ..by_url() };
        let asked = asked_of(&request, leg, &Ask::First).unwrap();
        assert_eq!(asked, format!("/api/x?{expected}"), "{join:?}");
        let on = Ask::Url(format!("http://p.example/api/x?{expected}&skip=2"));
        let asked = asked_of(&request, leg, &on).unwrap();
        assert_eq!(asked, format!("/api/x?{expected}&skip=2"), "the partner's own link says all");
    }
}

#[test]
fn a_stretch_of_time_has_an_end_that_belongs_to_it_or_not() {
    let mut request = request(Paging::None, Stop::Next);
    let window = |granularity| Window {
        until: "until".to_owned(),
        step: None,
        settle: Duration::ZERO,
        granularity,
    };
    let leg = Leg {
        since: Some("2026-11-24T00:00:00Z".to_owned()),
        until: Some("2026-11-25T00:00:00Z".parse().unwrap()),
        ..Leg::default()
    };
    for (granularity, end) in [(0, "2026-11-25T00%3A00%3A00Z"), (1, "2026-11-24T23%3A59%3A59Z")] {
        let window = Some(window(Duration::from_secs(granularity)));
        request.incremental = Some(Incremental { window, ..incremental() });
        let asked = asked_of(&request, &leg, &Ask::First).unwrap();
        assert_eq!(asked, format!("/api/v1/x?open=1&since=2026-11-24T00%3A00%3A00Z&until={end}"));
    }
}

/// A server takes the first of two, or the last, or refuses both.
#[test]
fn where_a_walk_goes_on_is_asked_once_and_in_place_of_what_it_stands_for() {
    let token = || Ask::Token("t/2".to_owned());
    let leg = Leg { since: Some("4711".to_owned()), ..Leg::default() };
    for (path, param, replaces, ask, expected, why) in [
        ("/x?open=1", "since", &[][..], Ask::First, "/x?open=1&since=4711", "from the cursor"),
        ("/x?open=1", "since", &[], token(), "/x?open=1&since=t%2F2", "and then from the page"),
        ("/x?limit=5&a=%41&p=", "p", &[], token(), "/x?a=%41&since=4711&p=t%2F2", "the path's own"),
        ("/x?v=L&from=d", "p", &["from", "since"], token(), "/x?v=L&p=t%2F2", "OAI-PMH"),
        ("/x?v=L&from=d", "p", &["from"], Ask::First, "/x?v=L&from=d&since=4711", "from its start"),
    ] {
        let mut request = Request { incremental: Some(incremental()), ..by_cursor(Stop::Next) };
        path.clone_into(&mut request.path);
        request.pagination.replaces = replaces.iter().map(|&name| name.to_owned()).collect();
        if let Paging::Cursor { param: own, .. } = &mut request.pagination.kind {
            param.clone_into(own);
        }
        request.pagination.size =
            path.contains("limit").then(|| PageSize { param: "limit".to_owned(), size: 9 });
        let limit = if path.contains("limit") { "&limit=9" } else { "" };
        let asked = asked_of(&request, &leg, &ask).unwrap();
        assert_eq!(asked, format!("/api{expected}{limit}"), "{why}");
    }
}

#[test]
fn parameters_travel_in_bodies_and_headers_too() {
    let base = "http://p.example".parse().unwrap();
    let mut request = by_cursor(Stop::Next);
    request.pagination.carrier = Carrier::Body;
    let Paging::Cursor { param, .. } = &mut request.pagination.kind else { unreachable!() };
    "variables.after".clone_into(param);
    request.pagination.size = Some(PageSize { param: "variables.first".to_owned(), size: 2 });
    let token = Ask::Token("<a&b>".to_owned());
    for (body, expected) in [
        (
            Body::Json(serde_json::json!({ "query": "{x}", "variables": { "lang": "ar" } })),
            Body::Json(serde_json::json!({
                "query": "{x}",
                "variables": { "lang": "ar", "after": "<a&b>", "first": 2 }
            })),
        ),
        (
            Body::Form(vec![("variables.after".to_owned(), String::new())]),
            Body::Form(vec![
                ("variables.after".to_owned(), "<a&b>".to_owned()),
                ("variables.first".to_owned(), "2".to_owned()),
            ]),
        ),
        (
            Body::Text("<q after=\"{variables.after}\"/>".to_owned()),
            Body::Text("<q after=\"&lt;a&amp;b&gt;\"/>".to_owned()),
        ),
    ] {
        request.says.body = body;
        let feed = feed(&request);
        let call = Asker::new(&base, &feed, &request).call(&Leg::default(), &token).unwrap();
        assert_eq!(call.body, expected);
        assert_eq!(call.url.query(), Some("open=1"));
    }
    request.pagination.carrier = Carrier::Header;
    let Paging::Cursor { param, .. } = &mut request.pagination.kind else { unreachable!() };
    "X-After".clone_into(param);
    request.pagination.size = None;
    let feed = feed(&request);
    let call = Asker::new(&base, &feed, &request).call(&Leg::default(), &token).unwrap();
    assert_eq!(call.headers.get("x-after").unwrap(), "<a&b>");
}

/// A partner that compares a text with its numbers finds nothing, and says so with an empty page.
#[test]
fn what_is_a_number_to_the_partner_goes_into_json_as_one() {
    let base = "http://p.example".parse().unwrap();
    let mut request = by_cursor(Stop::Next);
    let in_body = |name: &str| Param { name: name.to_owned(), carrier: Carrier::Body };
    request.pagination.carrier = Carrier::Body;
    let number = |time| Writing { time, ..incremental().writing };
    let (token, value) =
        (|text: &str| Ask::Token(text.to_owned()), |text: &str| Ask::Value(text.to_owned()));
    let noon = "2026-11-24T12:00:00Z";
    for (kind, time, since, ask, there, expected) in [
        (Integer, TimeFormat::Rfc3339, "60", Ask::First, json!({}), json!({ "since": 60 })),
        (Text, TimeFormat::Rfc3339, "60", Ask::First, json!({}), json!({ "since": "60" })),
        (
            Text,
            TimeFormat::Rfc3339,
            "60",
            Ask::First,
            json!({ "since": 0 }),
            json!({ "since": 60 }),
        ),
        (
            Integer,
            TimeFormat::Rfc3339,
            "60",
            Ask::First,
            json!({ "since": "" }),
            json!({ "since": "60" }),
        ),
        (
            Timestamp,
            TimeFormat::UnixSeconds,
            noon,
            Ask::First,
            json!({}),
            json!({ "since": 1_795_521_600 }),
        ),
        (Timestamp, TimeFormat::Rfc3339, noon, Ask::First, json!({}), json!({ "since": noon })),
        (
            Text,
            TimeFormat::Rfc3339,
            "x",
            token("20"),
            json!({}),
            json!({ "since": "x", "p": "20" }),
        ),
        (Text, TimeFormat::Rfc3339, "x", value("20"), json!({}), json!({ "since": "x", "p": 20 })),
        (
            Text,
            TimeFormat::Rfc3339,
            "x",
            value(r#"[1019, "c"]"#),
            json!({}),
            json!({ "since": "x", "p": [1019, "c"] }),
        ),
    ] {
        request.incremental = Some(Incremental {
            param: Some(in_body("since")),
            writing: number(time),
            ..incremental()
        });
        request.says.body = Body::Json(there);
        let leg = Leg { since: Some(since.to_owned()), ..Leg::default() };
        let fields = vec![Field::new("updated_at", kind)];
        let feed = Feed { fields, ..feed(&request) };
        let call = Asker::new(&base, &feed, &request).call(&leg, &ask).unwrap();
        assert_eq!(call.body, Body::Json(expected), "{kind:?} {since} {ask:?}");
    }
    let path = marsad_shared::feed::ScalarPath::parse("$.token").unwrap();
    for (token, there, expected) in [
        ("6", json!({}), json!("6")),
        ("6", json!({ "since": 0 }), json!(6)),
        (r#"[6, "s"]"#, json!({}), json!([6, "s"])),
        ("[784000000000000000001]", json!({}), json!("[784000000000000000001]")),
    ] {
        request.incremental = Some(Incremental {
            by: By::Token(path.clone()),
            param: Some(in_body("since")),
            ..incremental()
        });
        request.says.body = Body::Json(there);
        let (leg, feed) = (Leg { since: Some(token.to_owned()), ..Leg::default() }, feed(&request));
        let call = Asker::new(&base, &feed, &request).call(&leg, &Ask::First).unwrap();
        assert_eq!(call.body, Body::Json(json!({ "since": expected })), "{token}");
    }
    request.pagination.carrier = Carrier::Query;
    request.incremental = None;
    let asked = asked_of(&request, &Leg::default(), &value("1e3")).unwrap();
    assert_eq!(asked, "/api/v1/x?open=1&p=1e3", "elsewhere as it was written");
}

#[test]
fn a_parent_s_value_is_one_step_of_the_path_whatever_is_in_it() {
    let mut request = request(Paging::None, Stop::Next);
    "/families/{id}/visits".clone_into(&mut request.path);
    request.each = Some(marsad_shared::request::Each {
        feed: "p/families".to_owned().try_into().unwrap(),
        column: "id".to_owned(),
        max: 9,
        delete_by: None,
    });
    let leg = Leg { parent: Some("../a b?x".to_owned()), ..Leg::default() };
    let asked = asked_of(&request, &leg, &Ask::First).unwrap();
    assert_eq!(asked, "/api/families/..%2Fa%20b%3Fx/visits");
    for parent in ["", ".", ".."] {
        let leg = Leg { parent: Some(parent.to_owned()), ..Leg::default() };
        let error = asked_of(&request, &leg, &Ask::First).unwrap_err().to_string();
        assert!(error.contains("of a record of p/") && error.contains("names nothing"), "{error}");
    }
}

#[test]
fn what_a_download_is_signed_with_is_for_nobody_to_see() {
    let (request, base) = (by_url(), "http://p.example/api/".parse().unwrap());
    let feed = feed(&request);
    let at = "http://p.example/f/j1?sig=S3CR3TSIG&n=1".to_owned();
    let ask = Ask::File { id: "j1".to_owned(), at };
    let call = Asker::new(&base, &feed, &request).call(&Leg::default(), &ask).unwrap();
    assert_eq!(
        call.veil("storage S3CR3TSIG of 1 is down".to_owned()),
        "storage {sig} of 1 is down"
    );
}

#[test]
fn a_url_that_no_server_takes_is_not_followed() {
    let request = request(Paging::Link, Stop::Next);
    let long = |more: usize| Ask::Url(format!("/x?{}", "y".repeat(more)));
    assert!(asked_of(&request, &Leg::default(), &long(15_000)).is_ok());
    let error = asked_of(&request, &Leg::default(), &long(300_000)).unwrap_err();
    assert!(matches!(error, WalkError::LongUrl { bytes } if bytes > 300_000), "{error}");
}

#[test]
fn what_is_too_long_to_ask_with_is_not_asked_with() {
    let mut request = by_cursor(Stop::Next);
    let long = |bytes| Ask::Token("y".repeat(bytes));
    for carrier in [Carrier::Query, Carrier::Header] {
        request.pagination.carrier = carrier;
        assert!(asked_of(&request, &Leg::default(), &long(15_000)).is_ok(), "{carrier:?}");
        let error = asked_of(&request, &Leg::default(), &long(200_000)).unwrap_err();
        let expected =
            WalkError::LongAsk { what: "what the partner gave us to ask on with", bytes: 200_000 };
        assert_eq!(error, expected, "{carrier:?}");
        assert!(error.to_string().contains("nothing was asked with it; tell the partner"));
    }
    request.pagination.carrier = Carrier::Body;
    request.says.body = Body::Json(json!({}));
    assert!(asked_of(&request, &Leg::default(), &long(200_000)).is_ok(), "a body takes it");
    let path = marsad_shared::feed::ScalarPath::parse("$.token").unwrap();
    request.incremental = Some(Incremental { by: By::Token(path), ..incremental() });
    let (base, feed) = ("http://p.example/api/".parse().unwrap(), feed(&request));
    let next_time =
        |bytes| Asker::new(&base, &feed, &request).handle(&Leg::default(), &"y".repeat(bytes));
    assert!(next_time(15_000).is_ok());
    let expected =
        WalkError::LongAsk { what: "what the partner gave us as a cursor", bytes: 200_000 };
    assert_eq!(next_time(200_000), Err(expected), "nor is it kept for next time");
}

#[test]
fn a_parents_value_is_not_shown() {
    let each = |column: &str| marsad_shared::request::Each {
        feed: "p/people".to_owned().try_into().unwrap(),
        column: column.to_owned(),
        max: 10,
        delete_by: None,
    };
    let request = Request {
        path: "/v1/{id}/x?open=1".to_owned(),
        each: Some(each("id")),
        ..request(Paging::Link, Stop::Next)
    };
    let (base, feed) = ("https://p.example/api".parse().unwrap(), feed(&request));
    let asker = Asker::new(&base, &feed, &request);
    let person = "784-1990/1234567-1";
    for (parent, ask, expected) in [
        (person, Ask::First, "https://p.example/api/v1/{id}/x"),
        ("1", Ask::First, "https://p.example/api/v1/{id}/x"),
        (
            person,
            Ask::Url("/more/784-1990%2F1234567-1?page=2".to_owned()),
            "https://p.example/more/{id}",
        ),
    ] {
        let leg = Leg { parent: Some(parent.to_owned()), ..Leg::default() };
        let call = asker.call(&leg, &ask).unwrap();
        assert_eq!(call.shown(), expected, "{ask:?}");
        if parent == person {
            assert_eq!(call.veil(format!("no {person} here")), "no {id} here");
        }
    }
    assert_eq!(asker.call(&Leg::default(), &Ask::First).unwrap().veiled, []);
}
