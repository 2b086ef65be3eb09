//! Every sample that a partner's HTTP interface may answer with, served over HTTP and read by a feed as somebody would
//! write it: what comes into the bank is what the manifest says, and what is wrong is called by the name that it gives.

use std::{collections::BTreeSet, fs, path::PathBuf};

use marsad_shared::{health::Reason, protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    build::workspace,
    daemon::{Daemon, Home},
    partner::{Asked, Cell, PartnerFile, Reply, Script},
};
use serde_json::Value;

use super::id;
use crate::waits;

/// Samples that do not come over HTTP as text in UTF-8, and why they are not here.
const ELSEWHERE: [(&str, &str); 7] = [
    ("council-activities.xlsx", "a workbook, of which two sheets are read: `workbooks.rs`"),
    ("csv-windows-1256-semicolon.csv", "another encoding"),
    ("csv-iso-8859-6.csv", "another encoding"),
    ("txt-utf16le-excel-unicode.txt", "another encoding"),
    ("faulty/csv-utf8-one-bad-byte.csv", "held as a file"),
    ("faulty/csv-mixed-encodings.csv", "held as a file"),
    ("faulty/csv-schema-changed.csv", "another encoding"),
];

/// A feed of samples.
struct Sample {
    feed: &'static str,
    keys: &'static str,
    /// What is answered, one after the other.
    files: &'static [&'static str],
    /// What is answered then, and how many records that has.
    end: (&'static str, u64),
    /// How many runs read all of it.
    runs: usize,
    /// Where each request after the first has to lead.
    ways: &'static [&'static str],
    /// How many records live in the bank then.
    live: usize,
}

const SDMX: &str =
    "preset = \"sdmx\"\nkey = [\"FREQ\", \"REF_AREA\", \"INDICATOR\", \"TIME_PERIOD\"]";
const ODATA: &str = "preset = \"odata\"\nkey = [\"EnrolmentId\"]";
const BUS: &str = r#"preset = "bus"
records = "Envelope/Body/GetRegistrationsResponse/Registration"
deletes = "Envelope/Body/GetRegistrationsResponse/Cancelled"
pagination = { kind = "cursor", param = "token", next = "Envelope/Body/GetRegistrationsResponse/Batch/@nextToken" }
key = ["no"]
fields = { no = { type = "text", from = "@id" }, kind = { type = "text", from = "Kind" }, day = { type = "date", from = "Date[@calendar='gregorian']" } }"#;

impl Sample {
    /// One answer, which is all there is.
    const fn one(
        feed: &'static str,
        keys: &'static str,
        files: &'static [&'static str],
        live: usize,
    ) -> Self {
        Self { feed, keys, files, end: ("", 0), runs: 1, ways: &[], live }
    }
}

const SAMPLES: [Sample; 18] = [
    Sample::one("sdmx-series", SDMX, &["sdmx-json-2.0-series.json"], 12),
    Sample::one("sdmx-flat", SDMX, &["sdmx-json-2.0-flat.json"], 11),
    Sample::one("sdmx-old", SDMX, &["sdmx-json-1.0-flat.json"], 12),
    Sample::one("sdmx-csv", SDMX, &["sdmx-csv-1.0.csv"], 12),
    Sample::one("sdmx-labels", SDMX, &["sdmx-csv-2.0-labels-both.csv"], 3),
    Sample::one("sdmx-ml", SDMX, &["sdmx-ml-2.1-generic.xml"], 12),
    // Then what changed, of which one is a deletion of a record that lives.
    Sample {
        runs: 2,
        ..Sample::one(
            "sdmx-changes",
            SDMX,
            &["sdmx-json-2.0-series.json", "sdmx-json-2.0-updated-after.json"],
            11,
        )
    },
    Sample {
        runs: 2,
        ways: &[
            "/odata/Enrolments?$skiptoken=103",
            "/odata/Enrolments?$deltatoken=2026-09-15T07%3A05%3A00Z",
        ],
        ..Sample::one(
            "odata",
            ODATA,
            &["odata-v4-page.json", "odata-v4-last-page.json", "odata-v4-delta.json"],
            3,
        )
    },
    Sample {
        end: (
            r#"{"success": true, "result": {"total": 7, "records": [{"السنة": "2026", "المنطقة": "أ"}, {"السنة": "2026", "المنطقة": "ب"}, {"السنة": "2026", "المنطقة": "ج"}, {"السنة": "2026", "المنطقة": "د"}]}}"#,
            4,
        ),
        ways: &["/ckan?offset=3&limit=1000"],
        ..Sample::one(
            "ckan",
            "preset = \"ckan\"\nkey = [\"year\", \"area\"]\nfields = { year = { type = \"integer\", from = \"السنة\" }, area = { type = \"text\", from = \"المنطقة\" }, size = { type = \"decimal\", from = \"متوسط حجم الأسرة\" } }",
            &["ckan-datastore-search.json"],
            7,
        )
    },
    Sample::one(
        "ckan-package",
        "records = \"$.result.resources[*]\"\nkey = [\"id\"]\nsuccess = { path = \"$.success\", equals = [true] }",
        &["ckan-package-show.json"],
        1,
    ),
    Sample {
        end: (r#"{"total_count": 4, "results": [{"period": "2026-06", "area": "Kalba"}]}"#, 1),
        ways: &["/opendatasoft?offset=3&limit=100"],
        ..Sample::one(
            "opendatasoft",
            "preset = \"opendatasoft\"\nkey = [\"period\", \"area\"]",
            &["opendatasoft-v2.1-records.json"],
            4,
        )
    },
    Sample {
        end: (r#"{"data": [], "links": {"next": null}}"#, 0),
        ways: &["/api/case-referrals?page[size]=3&page[after]=UkYtMDAxMjU"],
        ..Sample::one(
            "jsonapi",
            "preset = \"jsonapi\"\nkey = [\"type\", \"id\"]\nfields = { type = \"text\", id = \"text\", family = { type = \"text\", from = \"$.relationships.family.data.id\", required = true } }",
            &["jsonapi-page.json"],
            3,
        )
    },
    Sample {
        ways: &["/offset?offset=3"],
        ..Sample::one(
            "offset",
            "records = \"$.items[*]\"\nkey = [\"notice_id\"]\nversion = \"version\"\npagination = { kind = \"offset\", param = \"offset\", first = false, total = \"$.total\" }",
            &["rest-offset-page.json", "rest-offset-last-page.json"],
            4,
        )
    },
    Sample {
        ways: &["/cursor?after=eyJpZCI6OTAyfQ"],
        ..Sample::one(
            "cursor",
            "records = \"$.data.visits[*]\"\nkey = [\"visitId\"]\npagination = { kind = \"cursor\", param = \"after\", next = \"$.paging.next_cursor\", more = \"$.paging.has_more\" }\nfields = { visitId = \"text\", modified = { type = \"timestamp\", format = \"unix\" } }\nincremental = { field = \"modified\", param = \"since\", format = \"unix\" }",
            &["rest-cursor-page.json", "rest-cursor-last-page.json"],
            3,
        )
    },
    Sample {
        end: ("[]", 0),
        ways: &["/api/applications?page=3&per_page=2"],
        ..Sample::one(
            "link",
            "key = [\"id\"]\npagination = { kind = \"link\" }",
            &["rest-link-header.json"],
            2,
        )
    },
    Sample::one("csv", "key = [\"رقم المعاملة\"]", &["csv-utf8-bom-arabic-headers.csv"], 4),
    Sample::one(
        "ndjson",
        "key = [\"id\"]\nversion = \"seq\"\ndeleted = { field = \"op\", values = [\"delete\"] }\nfields = { id = { type = \"text\", from = \"$.referral.id\" }, seq = \"integer\", state = { type = \"text\", from = \"$.referral.state\" } }",
        &["referrals.ndjson"],
        2,
    ),
    Sample {
        end: (
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><GetRegistrationsResponse><Batch number=\"119\" last=\"true\"/></GetRegistrationsResponse></e:Body></e:Envelope>",
            0,
        ),
        ways: &["/bus?token=118%3A2"],
        ..Sample::one("bus", BUS, &["bus-envelope.xml"], 2)
    },
];

/// A sample that is a fault: how it is served, and what is said of it.
struct Fault {
    feed: &'static str,
    keys: &'static str,
    file: &'static str,
    status: u16,
    words: &'static [&'static str],
}

const ITEMS: &str = "records = \"$.items[*]\"\nkey = [\"notice_id\"]";

const FAULTS: [Fault; 10] = [
    Fault {
        feed: "login",
        keys: ITEMS,
        file: "faulty/html-login-200.json",
        status: 200,
        words: &["login or error page"],
    },
    Fault {
        feed: "login-bus",
        keys: BUS,
        file: "faulty/html-login-200.json",
        status: 200,
        words: &[],
    },
    Fault {
        feed: "truncated",
        keys: ITEMS,
        file: "faulty/truncated.json",
        status: 200,
        words: &["cut off"],
    },
    Fault {
        feed: "dimension-added",
        keys: SDMX_FIELDS,
        file: "faulty/sdmx-dimension-added.json",
        status: 200,
        words: &["NATIONALITY"],
    },
    Fault {
        feed: "fault-200",
        keys: BUS,
        file: "bus-fault.xml",
        status: 200,
        words: &["BUS-504", "Provider timed out"],
    },
    Fault {
        feed: "fault-500",
        keys: BUS,
        file: "bus-fault.xml",
        status: 500,
        words: &["Provider timed out"],
    },
    Fault {
        feed: "ckan-error",
        keys: "preset = \"ckan\"\nkey = [\"no\"]",
        file: "ckan-error.json",
        status: 200,
        words: &["failed (false)"],
    },
    Fault {
        feed: "throttled",
        keys: "preset = \"jsonapi\"\nkey = [\"id\"]",
        file: "jsonapi-error-429.json",
        status: 429,
        words: &["60 requests a minute"],
    },
    Fault {
        feed: "problem",
        keys: ITEMS,
        file: "rest-problem-503.json",
        status: 503,
        words: &["Nightly maintenance"],
    },
    Fault {
        feed: "x-road",
        keys: ITEMS,
        file: "xroad-error.json",
        status: 500,
        words: &["Server.ClientProxy.NetworkError"],
    },
];

const SDMX_FIELDS: &str = "preset = \"sdmx\"\nkey = [\"FREQ\", \"REF_AREA\", \"INDICATOR\", \"TIME_PERIOD\"]\nfields = { FREQ = \"text\", REF_AREA = \"text\", INDICATOR = \"text\", TIME_PERIOD = \"text\", OBS_VALUE = \"decimal\" }";

/// The text of a sample.
pub(super) fn sample(file: &str) -> String {
    let path: PathBuf = workspace().join("tests/samples").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the manifest says, file by file.
fn manifest() -> Vec<Value> {
    let manifest: Value = serde_json::from_str(&sample("manifest.json")).unwrap();
    manifest["samples"].as_array().unwrap().clone()
}

fn said_of(file: &str) -> Value {
    manifest().into_iter().find(|said| said["file"] == file).unwrap_or_else(|| panic!("{file}"))
}

/// A text whose invented hosts are this partner.
fn at_home(text: &str, host: &str) -> String {
    let mut parts = text.split("https://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once(".example.invalid") {
        Some((name, rest)) if name.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!("{text}http://{host}{rest}")
        }
        _ => format!("{text}https://{part}"),
    })
}

fn answer(asked: &Asked, file: &str, status: u16) -> Reply {
    let host = asked.header("host").unwrap_or_default();
    let kind = match file.rsplit('.').next() {
        Some("xml") => "text/xml; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        Some("ndjson") => "application/x-ndjson",
        _ if file.contains("html") => "text/html; charset=utf-8",
        _ => "application/json",
    };
    let reply = Reply::text(kind, &at_home(&sample(file), host)).with_status(status);
    let said = said_of(file);
    let Some(headers) = said["headers"].as_str() else { return reply };
    sample(headers).lines().filter_map(|line| line.split_once(": ")).fold(
        reply,
        |reply, (name, value)| match name.to_ascii_lowercase().as_str() {
            // One of each is there already; and a wait of nothing asks nothing.
            "content-type" | "retry-after" => reply,
            _ => reply.header(name, &at_home(value, host)),
        },
    )
}

fn block(file: &mut PartnerFile, feed: &str, keys: &str, script: &Script) {
    file.add(&format!(
        "\n[[connection]]\nid = \"to-{feed}\"\nbase_url = \"http://{}\"\n\
         \n[[feed]]\nid = \"{feed}\"\nconnection = \"to-{feed}\"\npath = \"/{feed}\"\n\
         schedule = {{ every = \"1h\" }}\n{keys}\n",
        script.address()
    ));
}

async fn ended(daemon: &Daemon, feed: &str, after: u64) -> anyhow::Result<RunRow> {
    waits::run(daemon, &id(feed), after, "ended", |run| run.outcome != Outcome::Running).await
}

#[test]
fn no_sample_is_forgotten() {
    let read = SAMPLES.iter().flat_map(|sample| sample.files.iter().copied());
    let faults = FAULTS.iter().map(|fault| fault.file);
    let tables = ["faulty/csv-bad-values.csv", "faulty/csv-terminal-escape.csv"];
    let elsewhere = ELSEWHERE.iter().map(|(file, _)| *file);
    let here: BTreeSet<_> =
        read.chain(faults).chain(tables).chain(elsewhere).map(str::to_owned).collect();
    let all = manifest().into_iter().map(|said| said["file"].as_str().unwrap().to_owned());
    assert_eq!(here, all.collect());
}

#[tokio::test]
async fn every_sample_is_read_as_its_manifest_says() -> anyhow::Result<()> {
    let (mut file, mut scripts) = (PartnerFile::new("agency"), Vec::new());
    for sample in &SAMPLES {
        let (files, end) = (sample.files, sample.end.0);
        let count = std::sync::atomic::AtomicUsize::new(0);
        let script = Script::start(move |asked| {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            match files.get(number) {
                Some(file) => answer(asked, file, 200),
                None if end.is_empty() => Reply::status(400),
                None => Reply::text(
                    if end.starts_with('<') { "text/xml" } else { "application/json" },
                    end,
                ),
            }
        })
        .await?;
        block(&mut file, sample.feed, sample.keys, &script);
        scripts.push(script);
    }
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    for (sample, script) in SAMPLES.iter().zip(scripts) {
        let Sample { feed, files, end, runs, ways, live, .. } = sample;
        let (mut received, mut last) = (0, 0);
        for number in 0..*runs {
            if number > 0 {
                daemon.client.resync(&id(feed), false).await?;
            }
            let run = ended(&daemon, feed, last).await?;
            assert!(run.outcome.is_good() && run.counts.quarantined == 0, "{feed}: {run:#?}");
            received += run.counts.received;
            last = waits::number(&run);
        }
        let said = files.iter().map(|file| said_of(file)).map(|said| {
            // Where they stand apart, deletions are not among the records that the manifest counts.
            let beside =
                if said["deletes_at"].is_string() { &said["deletes"] } else { &Value::Null };
            said["records"].as_u64().unwrap() + beside.as_u64().unwrap_or_default()
        });
        assert_eq!(received, said.sum::<u64>() + end.1, "{feed}");
        let sql = format!(
            "SELECT count(*) FROM agency__{} WHERE _deleted IS NULL",
            feed.replace('-', "_")
        );
        let found = bank::number(&daemon.state_dir(), "cache.db", &sql)?;
        assert_eq!(found, i64::try_from(*live)?, "{feed}");
        let asked = script.asked("");
        let on = asked.iter().skip(1).map(|asked| format!("{}?{}", asked.path, asked.query));
        let on: Vec<_> = on.collect();
        if !ways.is_empty() {
            assert_eq!(on, *ways, "{feed}");
        }
    }
    let delta = daemon.client.feed(&id("odata")).await?.cursor.unwrap_or_default();
    assert!(delta.ends_with("/odata/Enrolments?$deltatoken=2026-09-16T08%3A05%3A00Z"), "{delta}");
    let notice =
        bank::rows(&daemon.state_dir(), &id("offset"), &["notice_id", "urgency", "version"])?;
    let newest = ["CPN-000031", "urgent"].map(|text| Cell::Text(text.to_owned()));
    assert_eq!(notice[0], [newest.as_slice(), &[Cell::Integer(2)]].concat(), "the newer one wins");
    Ok(())
}

#[tokio::test]
async fn every_fault_is_called_by_the_name_that_its_manifest_gives() -> anyhow::Result<()> {
    let (mut file, mut scripts) = (PartnerFile::new("agency"), Vec::new());
    for Fault { feed, keys, file: sample, status, .. } in &FAULTS {
        let script = Script::start(move |asked| answer(asked, sample, *status)).await?;
        block(&mut file, feed, keys, &script);
        scripts.push(script);
    }
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    for Fault { feed, file, words, .. } in &FAULTS {
        let run = ended(&daemon, feed, 0).await?;
        let reason = run.reason.clone().unwrap_or_default();
        assert!(!run.outcome.is_good() && run.counts.received == 0, "{feed}: {run:#?}");
        let expected = said_of(file)["expect"].as_str().unwrap().to_owned();
        match expected.as_str() {
            // It is no fault: nobody is to blame, and it says until when it waits.
            "throttled" => assert!(run.cause.is_none() && reason.contains("wait"), "{run:#?}"),
            word => assert_eq!(run.cause.map(Reason::word), Some(word), "{feed}: {run:#?}"),
        }
        for word in *words {
            assert!(reason.contains(word), "{feed}: {word:?} is not in {reason:?}");
        }
        let sql = format!(
            "SELECT count(*) FROM sqlite_master WHERE name = 'agency__{}'",
            feed.replace('-', "_")
        );
        if bank::number(&daemon.state_dir(), "cache.db", &sql)? > 0 {
            let sql = format!("SELECT count(*) FROM agency__{}", feed.replace('-', "_"));
            assert_eq!(bank::number(&daemon.state_dir(), "cache.db", &sql)?, 0, "{feed}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn bad_values_are_refused_one_by_one_and_hostile_ones_are_shown_safe() -> anyhow::Result<()> {
    let mut file = PartnerFile::new("agency");
    let bad = Script::start(|asked| answer(asked, "faulty/csv-bad-values.csv", 200)).await?;
    let keys = r#"key = ["no"]
[feed.fields]
no = { type = "text", from = "رقم المعامله", pattern = 'MR-\d{4}-\d{4}' }
eid = { type = "emirates_id", from = "رقم الهويه" }
day = { type = "date", from = "تاريخ التسجيل", format = "%d/%m/%Y", min = 2026-01-01 }
hijri = { type = "hijri_date", from = "التاريخ الهجري", format = "%Y/%m/%d", gregorian = "day" }
state = { type = "enum", from = "الحالة", values = ["مسجل", "ملغى"] }"#;
    block(&mut file, "bad-values", keys, &bad);
    let hostile =
        Script::start(|asked| answer(asked, "faulty/csv-terminal-escape.csv", 200)).await?;
    block(&mut file, "hostile", "key = [\"رقم\"]", &hostile);
    let daemon = Daemon::start(Home::with(&[&file])?).await?;

    let run = ended(&daemon, "bad-values", 0).await?;
    assert_eq!((run.outcome, run.counts.received), (Outcome::Partial, 8), "{run:#?}");
    let refused = daemon.client.quarantine(&id("bad-values")).await?;
    let places: Vec<_> =
        refused.iter().map(|item| (item.place.row, item.place.field.as_deref())).collect();
    let expected = [
        (Some(1), Some("eid")),
        (Some(3), Some("day")),
        (Some(4), Some("hijri")),
        (Some(5), Some("hijri")),
        (Some(7), None),
        (Some(8), Some("no")),
    ];
    assert_eq!(
        places.iter().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from(expected),
        "{refused:#?}"
    );
    let columns = ["no", "eid", "day", "hijri", "state"];
    let mut kept = bank::rows(&daemon.state_dir(), &id("bad-values"), &columns)?;
    kept.sort_by_key(|row| format!("{row:?}"));
    let text = |text: &str| Cell::Text(text.to_owned());
    let no_card =
        [text("MR-2026-0011"), Cell::Null, text("2026-03-06"), text("1447-09-17"), text("مسجل")];
    let other = [
        text("MR-2026-0014"),
        text("784000000000457"),
        text("2026-03-10"),
        text("1447-09-21"),
        text("مسجل"),
    ];
    assert_eq!(kept, [no_card.to_vec(), other.to_vec()], "no card is nothing, and its row is kept");

    let run = ended(&daemon, "hostile", 0).await?;
    assert_eq!(run.counts.inserted, 5, "{run:#?}");
    let kept = bank::rows(&daemon.state_dir(), &id("hostile"), &["رقم", "ملاحظة"])?;
    assert!(
        kept.iter()
            .flatten()
            .any(|cell| matches!(cell, Cell::Text(text) if text.contains('\u{1b}'))),
        "{kept:?}"
    );
    let shown = daemon.cli(&["records", &id("hostile")]).await?;
    assert!(shown.code == 0 && !shown.out.contains(['\u{1b}', '\u{202e}']), "{:?}", shown.out);
    Ok(())
}
