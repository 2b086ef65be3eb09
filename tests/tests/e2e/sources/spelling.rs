//! Partners that compare the times of their rows as texts.

use marsad_tests::partner::Cell;
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
    let cases: [(&str, &Rows, &str); 4] = [
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
                ("2020-03-01T00:00:07.000001+00:00", 1),
            ],
            "2020-03-01T00:00:07.000001+00:00",
        ),
        (
            "whole",
            &[("2020-03-01T00:00:07Z", 0), ("2020-03-01T00:00:07Z", 1)],
            "2020-03-01T00:00:07Z",
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
