//! Where a field stands in its record, and what it holds there.

use marsad_shared::run::Outcome;
use marsad_tests::partner::{Asked, Cell, Reply};
use serde_json::{Value, json};

use super::{Agency, Case};

#[tokio::test]
async fn a_catalogue_of_dcat_is_read_by_paths() -> anyhow::Result<()> {
    let keys = "records = \"$['dcat:dataset'][*]['dcat:distribution'][*]\"\nkey = [\"id\"]\n\
                fields = { id = { type = \"text\", from = \"dct:identifier\" }, url = { type = \"text\", from = \"$.dcat:downloadURL.@id\" }, modified = { type = \"date\", from = \"$.dct:modified.@value\" } }\n\
                incremental = { by = \"here\", field = \"modified\" }";
    let distribution = |id: &str, day: &str| {
        json!({
            "@type": "dcat:Distribution",
            "dct:identifier": id,
            "dcat:downloadURL": { "@id": format!("https://data.example/{id}.csv") },
            "dct:modified": { "@type": "xsd:date", "@value": day },
        })
    };
    let agency = Agency::start(vec![Case::new("dcat", keys, move |asked| {
        let day = if asked.before == 0 { "2026-01-05" } else { "2026-02-05" };
        Reply::json(&json!({
            "@type": "dcat:Catalog",
            "dcat:dataset": [
                { "dct:title": "تعداد", "dcat:distribution": [distribution("census", day)] },
                { "dcat:distribution": [distribution("births", "2026-01-02"), distribution("deaths", "2026-01-05")] },
            ],
        }))
    })])
    .await?;
    agency.first("dcat").await?;
    let run = agency.again("dcat").await?;
    assert_eq!(
        (run.counts.updated, run.counts.unchanged, run.counts.filtered),
        (1, 1, 1),
        "{run:#?}"
    );
    let rows = agency.rows("dcat", &["id", "url", "modified"])?;
    let row = |id: &str, day: &str| {
        [id.to_owned(), format!("https://data.example/{id}.csv"), day.to_owned()]
            .map(Cell::Text)
            .to_vec()
    };
    let wanted =
        [row("births", "2026-01-02"), row("census", "2026-02-05"), row("deaths", "2026-01-05")];
    assert_eq!(rows, wanted);
    Ok(())
}

#[tokio::test]
async fn what_a_field_holds_may_stand_in_a_list_and_nothing_may_be_a_word() -> anyhow::Result<()> {
    let record = |n: u64, beside: Value| {
        let mut record = json!({ "id": format!("r{n}"), "partner": [n, "Azure"], "at": "/Date(1794816000000+0400)/" });
        record.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        record
    };
    let card = |system: &str, value: &str| json!({ "system": system, "value": value });
    let answer = move |_: &Asked| {
        Reply::json(&json!({ "data": [
            record(
                1,
                json!({ "ids": [card("mrn", "77"), card("eid", "784000000000001")], "phone": "N/A", "open": false,
                        "address": [{ "city": "Kalba" }, { "city": "Dibba" }] }),
            ),
            record(
                2,
                json!({ "partner": false, "ids": [], "phone": false, "note": " - ", "open": true }),
            ),
            record(3, json!({ "ids": [card("eid", "1"), card("eid", "2")] })),
        ] }))
    };
    let keys = r#"nothing = ["N/A", "-", "false"]
fields = { id = "text", partner = { type = "integer", from = "$.partner[0]" }, eid = { type = "text", from = "$.ids[?@.system == 'eid'].value" }, city = { type = "text", from = "$.address[-1].city" }, phone = "text", note = "text", open = "boolean", at = { type = "timestamp", format = "unix_ms" } }"#;
    let agency = Agency::start(vec![Case::new("lists", keys, answer)]).await?;
    let run = agency.ended("lists", 0).await?;
    assert_eq!(
        (run.outcome, run.counts.inserted, run.counts.quarantined),
        (Outcome::Partial, 2, 1),
        "{run:#?}"
    );
    let columns = ["id", "partner", "eid", "city", "phone", "note", "open", "at"];
    let text = |text: &str| Cell::Text(text.to_owned());
    let at = || text("2026-11-16T08:00:00Z");
    let one = vec![
        text("r1"),
        Cell::Integer(1),
        text("784000000000001"),
        text("Dibba"),
        Cell::Null,
        Cell::Null,
        Cell::Integer(0),
        at(),
    ];
    let two = vec![
        text("r2"),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Integer(1),
        at(),
    ];
    assert_eq!(agency.rows("lists", &columns)?, [one, two]);
    let said = agency.daemon.cli(&["quarantine", "--json"]).await?;
    assert!(said.out.contains("several elements of its list"), "{}", said.out);
    Ok(())
}
