//! Partners that compare the times of their rows as texts.

use marsad_tests::partner::{Cell, Reply};
use serde_json::json;

use super::{Agency, Case, incremental::data};

/// What each row was changed at, and from which run on it is there: each but the first of the second that the cursor stands in.
type Rows = [(&'static str, usize)];

/// A partner that gives what stands at `since` or behind it, as texts are compared.
fn case(feed: &'static str, rows: &'static Rows) -> Case {
    let keys = "incremental = { field = \"at\", param = \"since\" }";
    Case::new(feed, keys, move |asked| {
        let since = asked.param("since").unwrap_or_default();
        let there = rows.iter().enumerate();
        let there = there.filter(|(_, (at, from))| *from <= asked.before && *at >= since);
        data(there.map(|(n, (at, _))| json!({ "id": n.to_string(), "n": n, "at": at })).collect())
    })
}

#[tokio::test]
async fn who_compares_texts_is_asked_in_its_own_spelling() -> anyhow::Result<()> {
    let cases: [(&str, &Rows, &str); 10] = [
        (
            "millis",
            &[
                ("2020-03-01T00:00:07.000Z", 0),
                ("2020-03-01T00:00:07.000Z", 1),
                ("2020-03-01T00:00:07.500Z", 1),
                ("2020-03-01T00:00:07.510Z", 2),
            ],
            "2020-03-01T00:00:07.500Z",
        ),
        (
            "offset",
            &[
                ("2020-03-01T00:00:07+00:00", 0),
                ("2020-03-01T00:00:07+00:00", 1),
                ("2020-03-01T00:00:08+00:00", 2),
            ],
            "2020-03-01T00:00:07+00:00",
        ),
        // As Python's `isoformat` writes: no fraction where there is none.
        (
            "some",
            &[
                ("2020-03-01T00:00:06.250000+00:00", 0),
                ("2020-03-01T00:00:07+00:00", 0),
                ("2020-03-01T00:00:07+00:00", 1),
                ("2020-03-01T00:00:07.000001+00:00", 2),
            ],
            "2020-03-01T00:00:07+00:00",
        ),
        // As SQLite's `datetime` and MySQL write: no zone, and a space.
        (
            "local",
            &[("2020-03-01 00:00:07", 0), ("2020-03-01 00:00:07", 1), ("2020-03-01 00:00:08", 2)],
            "2020-03-01 00:00:07",
        ),
        (
            "whole",
            &[("2020-03-01T00:00:07Z", 0), ("2020-03-01T00:00:07Z", 1)],
            "2020-03-01T00:00:07Z",
        ),
        // As Java's `SimpleDateFormat` writes: in UTC it would be asked for what stands behind that whole second.
        (
            "plain",
            &[
                ("2020-03-01T00:00:07.000+0000", 0),
                ("2020-03-01T00:00:07.000+0000", 1),
                ("2020-03-01T00:00:07.500+0000", 1),
            ],
            "2020-03-01T00:00:07.500+0000",
        ),
        // Five hours would be passed over.
        (
            "behind",
            &[("2020-03-01T19:00:07-05:00", 0), ("2020-03-01T19:00:08-05:00", 1)],
            "2020-03-01T18:00:08-06:00",
        ),
        // As Go and Java write: as many digits as there are.
        (
            "loose",
            &[
                ("2020-03-01T00:00:58Z", 0),
                ("2020-03-01T00:00:58.5Z", 0),
                ("2020-03-01T00:00:59.25Z", 0),
                ("2020-03-01T00:00:59.250001Z", 1),
            ],
            "2020-03-01T00:00:58.000000Z",
        ),
        // Clocks are set back: what comes later shows less.
        (
            "set",
            &[
                ("2020-10-25T02:45:00+02:00", 0),
                ("2020-10-25T02:10:00+01:00", 1),
                ("2020-10-25T02:50:00+01:00", 1),
            ],
            // Once more from where it stood, as what came was written otherwise than it was asked for.
            "2020-10-25T00:45:00+00:00",
        ),
        // Who always writes six digits may take nothing else.
        (
            "even",
            &[
                ("2020-03-01T00:00:07.500000+00:00", 0),
                ("2020-03-01T00:00:07.500000+00:00", 1),
                ("2020-03-01T00:00:08.250000+00:00", 1),
            ],
            "2020-03-01T00:00:08.250000+00:00",
        ),
    ];
    let agency = Agency::start(cases.iter().map(|(feed, rows, _)| case(feed, rows)).collect());
    let agency = agency.await?;
    for (feed, rows, last) in cases {
        agency.first(feed).await?;
        agency.again(feed).await?;
        agency.again(feed).await?;
        let wanted: Vec<_> = (0..rows.len()).map(|n| vec![Cell::Text(n.to_string())]).collect();
        assert_eq!(agency.rows(feed, &["id"])?, wanted, "{feed}");
        let asked = agency.asked(feed);
        assert_eq!(asked.last().unwrap().param("since"), Some(last), "{feed}");
    }
    Ok(())
}

/// A partner that writes the time of its own zone, and knows no other.
#[tokio::test]
async fn who_names_no_zone_is_asked_in_that_of_its_field() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"at\", param = \"since\" }\n\
                fields = { id = \"text\", n = \"integer\", at = { type = \"timestamp\", zone = \"America/New_York\" } }";
    // Five hours behind UTC then: what is asked for in UTC passes over all that comes.
    let case = Case::new("local", keys, |asked| {
        let since = asked.param("since").unwrap_or_default();
        let rows = ["2020-03-01T00:00:07.5", "2020-03-01T00:10:00"];
        let there = rows.iter().take(asked.before + 1).enumerate();
        let there = there.filter(|(_, at)| **at >= since);
        data(there.map(|(n, at)| json!({ "id": n.to_string(), "n": n, "at": at })).collect())
    });
    let agency = Agency::start(vec![case]).await?;
    agency.first("local").await?;
    agency.again("local").await?;
    let at = |text: &str| vec![Cell::Text(text.to_owned())];
    let wanted = vec![at("2020-03-01T05:00:07.5Z"), at("2020-03-01T05:10:00Z")];
    assert_eq!(agency.rows("local", &["at"])?, wanted);
    let asked = agency.asked("local");
    assert_eq!(asked.last().unwrap().param("since"), Some("2020-03-01T00:00:07.5"));
    Ok(())
}

/// Nobody knows how a partner writes its times before it has.
#[tokio::test]
async fn what_was_asked_for_otherwise_is_asked_for_again() -> anyhow::Result<()> {
    let keys = |more: &str| {
        format!(
            "incremental = {{ field = \"at\", param = \"since\", start = \"2020-03-01T00:00:00Z\"{more} }}"
        )
    };
    let window = ", until_param = \"until\", step = \"365d\", granularity = \"1ms\"";
    let case = |feed, more: &str, rows: &'static [&'static str]| {
        Case::new(feed, &keys(more), move |asked| {
            let since = asked.param("since").unwrap_or_default();
            let until = asked.param("until").unwrap_or("9");
            let there = rows.iter().enumerate();
            let there = there.filter(|(_, at)| **at >= since && **at < until);
            data(there.map(|(n, at)| json!({ "id": n.to_string(), "n": n, "at": at })).collect())
        })
    };
    let behind: &[_] = &["2020-02-29T19:30:00-05:00", "2020-03-01T01:00:00-05:00"];
    let millis: &[_] = &[
        "2020-03-01T00:00:00.000Z",
        "2021-03-01T00:00:00.000Z",
        "2022-03-01T00:00:00.500Z",
        "2023-03-01T20:00:00.000Z",
    ];
    let cases = [("start", "", behind), ("stretches", window, millis)];
    // What differs by no more than a second costs no second reading.
    let near: &[_] = &["2020-03-01T00:00:01.5Z", "2020-03-02T01:00:00.25Z"];
    let near = case("near", "", near);
    let all = cases.iter().map(|(feed, more, rows)| case(feed, more, rows)).chain([near]);
    let agency = Agency::start(all.collect()).await?;
    let run = agency.first("near").await?;
    assert_eq!((run.counts.inserted, run.reason), (2, None));
    assert_eq!(agency.cursor("near").await?.as_deref(), Some("2020-03-02T01:00:00.25Z"));
    for (feed, _, rows) in cases {
        let run = agency.first(feed).await?;
        let reason = run.reason.unwrap_or_default();
        assert!(reason.contains("writes its times otherwise"), "{feed}: {reason}");
        let run = agency.again(feed).await?;
        let wanted: Vec<_> = (0..rows.len()).map(|n| vec![Cell::Text(n.to_string())]).collect();
        assert_eq!(agency.rows(feed, &["id"])?, wanted, "{feed}");
        let reason = run.reason.unwrap_or_default();
        assert!(!reason.contains("otherwise"), "{feed}: {reason}");
    }
    Ok(())
}

/// A token may be good for the very same parameters alone: a walk is asked for as it began.
#[tokio::test]
async fn a_walk_under_way_is_asked_for_as_it_began() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"at\", param = \"since\", start = \"2020-01-01T00:00:00Z\" }\n\
                pagination = { kind = \"cursor\", param = \"p\", next = \"$.next\" }";
    let case = Case::new("pages", keys, |asked| {
        let row = |n: &str| json!({ "id": n, "n": 1, "at": format!("2020-03-01T00:00:0{n}.123Z") });
        match asked.param("p") {
            None => Reply::json(&json!({ "data": [row("1")], "next": "two" })),
            Some(_) if asked.param("since") != Some("2020-01-01T00:00:00Z") => Reply::status(400),
            Some(_) => Reply::json(&json!({ "data": [row("2")] })),
        }
    });
    let agency = Agency::start(vec![case]).await?;
    let run = agency.first("pages").await?;
    assert_eq!(run.counts.inserted, 2, "{run:#?}");
    Ok(())
}

#[tokio::test]
async fn a_token_goes_back_as_it_came_whatever_it_looks_like() -> anyhow::Result<()> {
    let token = "2020-03-01T04:00:07.000+04:00";
    let keys = "incremental = { by = \"token\", token = \"$.token\", param = \"since\" }";
    let text = "incremental = { field = \"text\", param = \"since\" }\nfields = { id = \"text\", n = \"integer\", text = \"text\" }";
    let agency = Agency::start(vec![
        Case::new("token", keys, move |_| {
            Reply::json(&json!({ "token": token, "data": [{ "id": "a", "n": 1, "at": "2020-03-01T00:00:07Z" }] }))
        }),
        Case::new("text", text, move |_| data(vec![json!({ "id": "a", "n": 1, "text": token })])),
    ])
    .await?;
    for feed in ["token", "text"] {
        agency.first(feed).await?;
        agency.again(feed).await?;
        let asked = agency.asked(feed);
        assert_eq!(asked.last().unwrap().param("since"), Some(token), "{feed}");
    }
    Ok(())
}
