//! Bodies: packed in every way and under wrong labels, slow, endless, cut, unchanged, and in other notations than JSON.

use std::{io::Write as _, time::Duration};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::{
    bank,
    partner::{Asked, Reply},
};
use serde_json::json;

use super::{Agency, Case, id, lines, rows};
use crate::waits;

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
        (packed("said-br", plain(), "br"), Reason::Truncated, "(br) and does not unpack"),
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

/// A partner that knows its own version, and answers 304 to who has it.
fn versioned(asked: &Asked) -> Reply {
    if asked.header("if-none-match") == Some("\"v1\"") {
        return Reply::status(304).header("etag", "\"v1\"");
    }
    Reply::json(&json!({ "data": rows(0..5) })).header("etag", "\"v1\"")
}

/// The same by time of change.
fn dated(asked: &Asked) -> Reply {
    let changed = "Sun, 01 Mar 2020 00:00:00 GMT";
    if asked.header("if-modified-since") == Some(changed) {
        return Reply::status(304);
    }
    Reply::json(&json!({ "data": rows(0..5) })).header("last-modified", changed)
}

#[tokio::test]
async fn what_has_not_changed_is_remembered_over_a_restart() -> anyhow::Result<()> {
    let often = "schedule = { every = \"1s\" }";
    let mut agency = Agency::start(vec![
        Case::new("tagged", often, versioned),
        Case::new("dated", often, dated),
    ])
    .await?;
    for feed in ["tagged", "dated"] {
        agency.first(feed).await?;
    }
    agency.daemon.kill9().await?;
    let before = ["tagged", "dated"].map(|feed| agency.asked(feed).len());
    agency.daemon.go().await?;
    for (feed, before) in ["tagged", "dated"].into_iter().zip(before) {
        agency.script.until_asked(&format!("/{feed}"), before + 1).await;
        let asked = agency.asked(feed).remove(before);
        let known = asked.header("if-none-match").or(asked.header("if-modified-since"));
        assert!(known.is_some(), "the first request after the restart: {asked:?}");
        let after = waits::last(&agency.daemon, &id(feed)).await?;
        let run = agency.ended(feed, after).await?;
        assert_eq!((run.outcome, run.counts.unchanged), (Outcome::Unchanged, 5), "{run:#?}");
        assert_eq!((run.bytes, run.counts.received), (0, 5), "{run:#?}");
        agency.same(feed, 0..5)?;
    }
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
    agency.fails("not-utf-8", Reason::Encoding, &["UTF-8"]).await?;
    Ok(())
}
