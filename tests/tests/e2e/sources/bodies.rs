//! Bodies: packed in every way and under wrong labels, slow, endless, cut, unchanged, and in other notations than JSON.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use encoding_rs::WINDOWS_1256;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::{
    bank,
    partner::{Asked, Cell, Reply},
};
use serde_json::json;

use super::{Agency, Case, at, id, lines, row, rows};
use crate::zip::{Member, zip};

fn plain() -> Vec<u8> {
    json!({ "data": rows(0..40) }).to_string().into_bytes()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A frame of `br` around what stays as it is (RFC 7932 section 9.2); at most 64 KiB.
fn brotli(plain: &[u8]) -> Vec<u8> {
    let head = ((u32::try_from(plain.len()).unwrap() - 1) << 4) | (1 << 20);
    [&head.to_le_bytes()[..3], plain, &[3]].concat()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 1).unwrap()
}

/// A feed whose answer is packed so, and says so.
fn packed(feed: &'static str, body: Vec<u8>, says: &'static str) -> Case {
    Case::new(feed, "", move |_| {
        let reply = Reply::bytes("application/json", body.clone());
        if says.is_empty() { reply } else { reply.header("content-encoding", says) }
    })
}

#[tokio::test]
async fn a_body_is_unpacked_by_what_it_is_and_not_by_what_it_says() -> anyhow::Result<()> {
    let cases = vec![
        packed("gzip", gzip(&plain()), "gzip"),
        packed("gzip-unsaid", gzip(&plain()), ""),
        packed("gzip-said-br", gzip(&plain()), "br"),
        packed("said-gzip", plain(), "gzip"),
        packed("members", [gzip(b"{\"data\":"), gzip(b"[]}")].concat(), "gzip"),
        packed("zlib", zlib(&plain()), "deflate"),
        packed("deflate", deflate(&plain()), "deflate"),
        packed("br", brotli(&plain()), "br"),
        packed("zstd", zstd(&plain()), "zstd"),
        packed("zstd-unsaid", zstd(&plain()), ""),
        packed("identity", plain(), "identity"),
        packed("said-br", plain(), "br"),
        packed("said-deflate", plain(), "deflate"),
        packed("none", plain(), "none"),
        packed("zip", zip(&[Member::new("__MACOSX/a", b"x"), Member::new("a.json", &plain())]), ""),
        packed("zip-in-gzip", gzip(&zip(&[Member::new("a.json", &plain())])), "gzip"),
    ];
    let feeds: Vec<_> = cases.iter().map(|case| case.feed).collect();
    let agency = Agency::start(cases).await?;
    for feed in feeds {
        agency.first(feed).await?;
        agency.same(feed, 0..if feed == "members" { 0 } else { 40 })?;
        let asked = agency.asked(feed);
        assert_eq!(asked[0].header("accept-encoding"), Some("gzip, deflate, br, zstd"), "{feed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_never_stored() -> anyhow::Result<()> {
    let half = |body: Vec<u8>| body[..body.len() / 2].to_vec();
    // Frame behind frame, each a small part of what it becomes: together more than any page may be.
    let bomb = zstd(&vec![b' '; 1024 * 1024]).repeat(257);
    let table = [
        (packed("twice", gzip(&gzip(&plain())), "gzip"), Reason::Encoding, "twice: gzip in gzip"),
        (packed("two-layers", gzip(&plain()), "gzip, br"), Reason::Encoding, "gzip and br"),
        (packed("unknown", plain(), "compress"), Reason::Encoding, "not read (compress)"),
        (packed("cut-gzip", half(gzip(&plain())), "gzip"), Reason::Truncated, "(gzip) and does"),
        (packed("cut-zlib", half(zlib(&plain())), "deflate"), Reason::Truncated, "(deflate) and"),
        (packed("cut-br", half(brotli(&plain())), "br"), Reason::Truncated, "(br) and does not"),
        (packed("cut-zstd", half(zstd(&plain())), "zstd"), Reason::Truncated, "(zstd) and does"),
        (
            packed("two-files", zip(&[Member::new("a", b"[]"), Member::new("b", b"[]")]), ""),
            Reason::NotJson,
            "an archive (ZIP) of 2 files",
        ),
        (packed("cut-zip", half(zip(&[Member::new("a", &plain())])), ""), Reason::Truncated, "end"),
        (
            packed("zip-of-gzip", zip(&[Member::new("a", &gzip(&plain()))]), ""),
            Reason::Encoding,
            "packed once more",
        ),
        (packed("bomb", bomb, "zstd"), Reason::TooLarge, "larger than 256 MiB once it is unpacked"),
    ];
    let (cases, wanted): (Vec<_>, Vec<_>) = table
        .into_iter()
        .map(|(case, cause, words)| {
            let feed = case.feed;
            (case, (feed, cause, words))
        })
        .unzip();
    let agency = Agency::start(cases).await?;
    for (feed, cause, words) in wanted {
        let run = agency.fails(feed, cause, &[words]).await?;
        assert_eq!(run.counts.received, 0, "{feed}: {run:#?}");
        let sql = "SELECT count(*) FROM sqlite_master WHERE name = 'agency__";
        let table = format!("{sql}{}'", feed.replace('-', "_"));
        let tables = bank::number(&agency.daemon.state_dir(), "cache.db", &table)?;
        assert!(tables == 0 || agency.rows(feed, &["id"])?.is_empty(), "{feed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_or_not_whole_is_given_up() -> anyhow::Result<()> {
    let milliseconds = Duration::from_millis;
    let whole = || Reply::bytes("application/json", plain());
    let once = |bad: fn(Reply) -> Reply| {
        move |asked: &Asked| if asked.before == 0 { bad(whole()) } else { whole() }
    };
    let waits = "timeouts = { connect = \"1s\", first_byte = \"300ms\", idle = \"300ms\", total = \"600ms\" }";
    let cases = vec![
        Case::new("never", "", once(|_| Reply::never())),
        Case::new("late", "", once(|whole| whole.late(Duration::from_mins(1)))),
        Case::new("idle", "", once(|whole| whole.drip(100, Duration::from_mins(1)))),
        Case::new("drip", "", once(|whole| whole.drip(1, Duration::from_millis(50)))),
        Case::new("endless", "", once(|whole| whole.endless(1000, Duration::from_millis(20)))),
        Case::new("short-of-its-length", "", once(|whole| whole.promising(10_000))),
    ];
    let feeds: Vec<_> = cases.iter().map(|case| case.feed).collect();
    let slow = Case::new("slow", "", move |_| whole().drip(500, milliseconds(20)));
    let always = [
        Case::new("always-never", "", |_| Reply::never()),
        Case::new("always-idle", "", |_| {
            Reply::text("text/plain", "{").drip(1, Duration::from_mins(1))
        }),
    ];
    let cases = cases.into_iter().chain([slow]).chain(always).collect();
    let agency = Agency::start_with(waits, cases).await?;
    for feed in feeds {
        agency.first(feed).await?;
        assert_eq!(agency.asked(feed).len(), 2, "{feed}: given up once, and then asked again");
        agency.same(feed, 0..40)?;
    }
    agency.first("slow").await?;
    assert_eq!(agency.asked("slow").len(), 1, "slow, and in time");
    agency.same("slow", 0..40)?;
    agency.fails("always-never", Reason::FirstByteTimeout, &["no answer began"]).await?;
    agency.fails("always-idle", Reason::ReadTimeout, &["the answer stopped coming"]).await?;
    Ok(())
}

#[tokio::test]
async fn who_does_not_answer_is_seen_to_be_waited_for() -> anyhow::Result<()> {
    let whole = || Reply::bytes("application/json", plain());
    let agency =
        Agency::start(vec![Case::new("waits", "", move |_| whole().late(Duration::from_secs(4)))])
            .await?;
    let running = async |is: bool| {
        let what = format!("a first look under way: {is}");
        let found = agency.daemon.until(&what, async |client| {
            let running = client.status().await?.running;
            let first = running.into_iter().find(|running| running.run.is_none());
            Ok((first.is_some() == is).then_some(first))
        });
        found.await
    };
    let first = running(true).await?.map(|running| running.feed.to_string());
    assert_eq!(first, Some(id("waits")));
    let said = agency.daemon.cli(&["status"]).await?;
    assert!(said.out.contains("agency/waits  schedule"), "{}", said.out);
    agency.first("waits").await?;
    assert_eq!(running(false).await?, None);
    Ok(())
}

/// Some count the records of a page as a part of all (206): where nothing says how to ask for the others, it is no answer.
#[tokio::test]
async fn a_part_in_records_is_a_page_where_pages_are_asked_for() -> anyhow::Result<()> {
    let part = |asked: &Asked| {
        let from = asked.number("offset").unwrap_or(0);
        let last = (from + 20).min(50);
        let range = format!("{from}-{}/50", last.saturating_sub(1));
        let reply = Reply::json(&json!({ "data": rows(from..last) }));
        reply.with_status(206).header("content-range", &range)
    };
    let paged = "pagination = { kind = \"offset\", param = \"offset\" }";
    let agency =
        Agency::start(vec![Case::new("paged", paged, part), Case::new("part", "", part)]).await?;
    agency.first("paged").await?;
    agency.same("paged", 0..50)?;
    agency.fails("part", Reason::Truncated, &["206", "`pagination`"]).await?;
    assert!(agency.rows("part", &["id"])?.is_empty());
    Ok(())
}

#[tokio::test]
async fn lines_and_tables_come_over_http_too() -> anyhow::Result<()> {
    let lines = lines(0..5);
    let table = rows(0..5).iter().fold("\u{feff}id;n;at\r\n".to_owned(), |table, row| {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        format!("{table}{};{};{}\r\n", text("id"), row["n"], text("at"))
    });
    let (bad, said) = (b"{\"id\": \"\xff\"}\n".to_vec(), lines.clone());
    let latin = b"{\"data\": [{\"id\": \"caf\xe9\", \"n\": 1, \"at\": null}]}".to_vec();
    let agency = Agency::start(vec![
        Case::new("ndjson", "", move |_| Reply::text("application/x-ndjson", &said)),
        Case::new("ndjson-by-name", "format = \"ndjson\"", {
            let lines = lines.clone();
            move |_| Reply::text("text/plain", &lines)
        }),
        Case::new("csv", "delimiter = \";\"", move |_| {
            Reply::text("text/csv; charset=utf-8", &table)
        }),
        Case::new("one-bad-line", "format = \"ndjson\"", move |_| {
            let body = [lines.as_bytes(), &bad].concat();
            Reply::bytes("application/x-ndjson", body)
        }),
        Case::new("not-utf-8", "", move |_| {
            Reply::bytes("application/json; charset=iso-8859-1", latin.clone())
        }),
    ])
    .await?;
    for feed in ["ndjson", "ndjson-by-name", "csv"] {
        agency.first(feed).await?;
        agency.same(feed, 0..5)?;
    }
    let run = agency.first("one-bad-line").await?;
    assert_eq!((run.outcome, run.counts.quarantined), (Outcome::Partial, 1), "{run:#?}");
    agency.same("one-bad-line", 0..5)?;
    let refused = agency.daemon.client.quarantine(&id("one-bad-line")).await?;
    assert_eq!(
        (refused[0].place.line, refused[0].reason.as_str()),
        (Some(6), "the line is not UTF-8")
    );
    agency.first("not-utf-8").await?;
    assert_eq!(agency.rows("not-utf-8", &["id"])?, [[Cell::Text("café".to_owned())]]);
    Ok(())
}

/// Row `n`, with a name in Arabic in windows-1256, as a line of CSV.
fn in_1256(n: u64) -> Vec<u8> {
    let row = row(n);
    let at = row["at"].as_str().unwrap_or_default();
    [b"\xde\xed\xcf-".as_slice(), format!("{n};{n};{at}\n").as_bytes()].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn text_is_read_in_the_encoding_that_it_is_in() -> anyhow::Result<()> {
    let data = json!({ "data": rows(0..5) }).to_string();
    let marked = [b"\xef\xbb\xbf", data.as_bytes()].concat();
    let wide = [b"\xff\xfe".to_vec(), utf16(&data)].concat();
    let bare = utf16(&lines(0..5));
    let table = [b"id;n;at\n".to_vec(), in_1256(1), in_1256(2)].concat();
    let also = table.clone();
    let mut spoilt = data.replacen("r00002", "r0000?", 1).into_bytes();
    if let Some(byte) = spoilt.iter_mut().find(|byte| **byte == b'?') {
        *byte = 0xe9;
    }
    // 0xa1 is no letter of ISO-8859-6.
    let holes = b"id;n;at\nr1;1;\nr\xa1;2;\nr3;3;\n".to_vec();
    let csv = "format = \"csv\"\ndelimiter = \";\"\n";
    let keys = |more: &str| -> &'static str { format!("{csv}{more}").leak() };
    let agency = Agency::start(vec![
        Case::new("marked", "", move |_| Reply::bytes("application/json", marked.clone())),
        Case::new("wide", "", move |_| Reply::bytes("application/json", wide.clone())),
        Case::new("bare", "format = \"ndjson\"\nencoding = \"utf-16le\"", move |_| {
            Reply::bytes("text/plain", bare.clone())
        }),
        Case::new("named", keys("encoding = \"windows-1256\""), move |_| {
            Reply::bytes("text/csv; charset=utf-8", table.clone())
        }),
        Case::new("said", keys(""), move |_| {
            Reply::bytes("text/csv; header=present; charset=\"Windows-1256\"", also.clone())
        }),
        Case::new("spoilt", "", move |_| Reply::bytes("application/json", spoilt.clone())),
        Case::new("holes", keys("encoding = \"iso-8859-6\""), move |_| {
            Reply::bytes("text/csv", holes.clone())
        }),
    ])
    .await?;
    for feed in ["marked", "wide", "bare"] {
        agency.first(feed).await?;
        agency.same(feed, 0..5)?;
    }
    let wanted = ["قيد-1", "قيد-2"].map(|id| vec![Cell::Text(id.to_owned())]);
    for feed in ["named", "said"] {
        agency.first(feed).await?;
        assert_eq!(agency.rows(feed, &["id"])?, wanted, "{feed}");
    }
    for (feed, good, row, reason) in [
        ("spoilt", 4, 3, "the record is not UTF-8"),
        ("holes", 2, 2, "cell 1 is not ISO-8859-6; have it written in ISO-8859-6"),
    ] {
        let run = agency.first(feed).await?;
        assert_eq!((run.outcome, run.counts.quarantined), (Outcome::Partial, 1), "{run:#?}");
        assert_eq!(agency.rows(feed, &["id"])?.len(), good, "{feed}: its neighbours are kept");
        let refused = agency.daemon.client.quarantine(&id(feed)).await?;
        assert_eq!((refused[0].place.row, refused[0].reason.as_str()), (Some(row), reason));
    }
    Ok(())
}

#[tokio::test]
async fn a_charset_that_is_not_the_bodys_own_moves_nothing() -> anyhow::Result<()> {
    let row = |n: u64| json!({ "id": format!("قيد-{n}"), "n": n, "at": at(n) });
    let small = json!({ "data": [row(0), row(1)] }).to_string();
    let large = json!({ "data": (0..30_000).map(row).collect::<Vec<_>>() }).to_string();
    assert!(large.len() > 1024 * 1024, "it is put aside");
    let table = "id,n,at\nقيد-0,0,\nقيد-1,1,\n";
    let latin = |text: &str| {
        let body = text.as_bytes().to_vec();
        move |_: &Asked| Reply::bytes("application/json; charset=ISO-8859-1", body.clone())
    };
    let xml = |letters: &str| {
        format!(
            "<list><visit><id>{letters}-0</id></visit><visit><id>{letters}-1</id></visit></list>"
        )
    };
    let said = WINDOWS_1256.encode(&xml("قيد")).0.into_owned();
    let lying = xml("قيد");
    let of_xml = "format = \"xml\"\nrecords = \"list/visit\"\nfields = { id = \"text\" }";
    let agency = Agency::start(vec![
        Case::new("small", "", latin(&small)),
        Case::new("large", "", latin(&large)),
        Case::new("table", "format = \"csv\"", latin(table)),
        Case::new("feed-says", "encoding = \"windows-1256\"", latin(&small)),
        Case::new("mended", "encoding = \"utf-8\"", latin(&small)),
        Case::new("xml", of_xml, move |_| {
            Reply::bytes("text/xml; charset=windows-1256", said.clone())
        }),
        Case::new("xml-lying", of_xml, move |_| {
            Reply::text("text/xml; charset=windows-1256", &lying)
        }),
    ])
    .await?;
    let words = ["all of it is UTF-8", "set encoding = \"utf-8\""];
    for feed in ["small", "large", "table", "feed-says", "xml-lying"] {
        let run = agency.fails(feed, Reason::Encoding, &words).await?;
        assert_eq!(run.counts.inserted, 0, "{feed}: {run:#?}");
    }
    let wanted = ["قيد-0", "قيد-1"].map(|id| vec![Cell::Text(id.to_owned())]);
    for feed in ["mended", "xml"] {
        agency.first(feed).await?;
        assert_eq!(agency.rows(feed, &["id"])?, wanted, "{feed}");
    }
    Ok(())
}

/// More rows than are held at once, in each notation: what streams by comes to the same as what is held.
#[tokio::test]
async fn large_answers_are_put_aside_and_read_as_they_stream_by() -> anyhow::Result<()> {
    const MANY: u64 = 40_000;
    let data = json!({ "meta": { "ok": true }, "data": rows(0..MANY), "more": false }).to_string();
    let ndjson = rows(0..MANY).iter().fold(String::new(), |mut lines, row| {
        let _ = writeln!(lines, "{row}");
        lines
    });
    let table = rows(0..MANY).iter().fold("id,n,at\n".to_owned(), |mut table, row| {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let _ = writeln!(table, "{},{},{}", text("id"), row["n"], text("at"));
        table
    });
    assert!(data.len() > 1024 * 1024 && ndjson.len() > 1024 * 1024 && table.len() > 1024 * 1024);
    let mut cut = data.clone();
    cut.truncate(data.len() - 40);
    let packed_small = gzip(data.as_bytes());
    assert!(packed_small.len() < 1024 * 1024, "it is small while it is packed");
    let wide = [b"\xff\xfe".to_vec(), utf16(&data)].concat();
    let agency = Agency::start(vec![
        Case::new("json", "success = { path = \"$.meta.ok\", equals = [true] }", {
            let data = data.clone();
            move |_| Reply::text("application/json", &data)
        }),
        Case::new("held-whole", "records = \"$..data[*]\"", move |_| {
            Reply::text("application/json", &data)
        }),
        packed("gzip-large", packed_small, "gzip"),
        Case::new("wide-json", "", move |_| Reply::bytes("application/json", wide.clone())),
        Case::new("ndjson", "", move |_| Reply::text("application/x-ndjson", &ndjson)),
        Case::new("csv", "", move |_| Reply::text("text/csv", &table)),
        Case::new("cut-json", "", move |_| Reply::text("application/json", &cut)),
    ])
    .await?;
    for feed in ["json", "held-whole", "gzip-large", "wide-json", "ndjson", "csv"] {
        let run = agency.first(feed).await?;
        assert_eq!((run.pages, run.counts.inserted), (1, MANY), "{feed}");
        agency.same(feed, 0..MANY)?;
    }
    assert_eq!(agency.again("gzip-large").await?.counts.unchanged, MANY, "nothing is new");
    agency.fails("cut-json", Reason::Truncated, &["ends in the middle (line 1,"]).await?;
    assert!(agency.rows("cut-json", &["id"])?.is_empty(), "a page is kept whole or not at all");
    Ok(())
}
