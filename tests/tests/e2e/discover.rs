//! `marsad feed discover`: what is printed for a partner goes into its file as it is, checks clean, and reads all rows.

use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Api, Cell, Paging, PartnerFile, Reply, Script, api::Plan, data::VISITS},
};
use serde_json::json;

use crate::{
    book::{self, Book},
    waits,
    zip::{Member, zip},
};

/// The partner's file with its connection alone.
fn connection(api: &Api, partner: &str) -> PartnerFile {
    let mut file = PartnerFile::new(partner);
    file.connection("api", &format!("base_url = \"http://{}\"\n", api.address()));
    file.add("auth = { kind = \"bearer\", token = { file = \"token.secret\" } }\n");
    file.secret("token.secret", "t0p-s3cret");
    file
}

#[tokio::test]
async fn a_discovered_feed_reads_all_that_the_partner_has() -> anyhow::Result<()> {
    for (paging, query) in [
        (Paging::Cursor, "?limit=100"),
        (Paging::Offset, "?offset=0&limit=100"),
        (Paging::Page, "?page=1&limit=100"),
        (Paging::Link, "?limit=100"),
        (Paging::NextUrl, "?limit=100"),
    ] {
        let plan = Plan::new("health", &VISITS, paging).token("t0p-s3cret");
        let api = plan.start().await?;
        let mut file = connection(&api, "health");
        let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
        let url = format!("http://{}/v1/visits{query}", api.address());
        let said = daemon.cli(&["feed", "discover", &url]).await?;
        assert_eq!(said.code, 0, "{paging:?}: {}", said.err);
        assert!(said.err.contains("recognised"), "{paging:?}: {}", said.err);
        let whole = said.out.clone() + &said.err + &daemon.log();
        let (key, secret) = (api.truth().key(0), "t0p-s3cret");
        assert!(!whole.contains(&key) && !whole.contains(secret), "no value is shown: {whole}");

        daemon.sigterm().await?;
        daemon.home.partner(file.add(&said.out))?;
        let checked = daemon.cli(&["config", "check"]).await?;
        assert_eq!(checked.code, 0, "{paging:?}: {}\n{}", checked.out, said.out);
        daemon.go().await?;
        waits::good_run(&daemon, &api.feed(), 0).await?;
        waits::same(&daemon, &api).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_address_outside_every_connection_is_not_asked() -> anyhow::Result<()> {
    let plan = Plan::new("health", &VISITS, Paging::Cursor).token("t0p-s3cret");
    let (api, other) = (plan.clone().start().await?, plan.start().await?);
    let daemon = Daemon::start(Home::with(&[&connection(&api, "health")])?).await?;
    let asked = other.switch().asked();
    let url = format!("http://{}/v1/visits", other.address());
    for arguments in [
        vec!["feed", "discover", &url],
        vec!["feed", "discover", &url, "--connection", "health/api"],
    ] {
        let said = daemon.cli(&arguments).await?;
        assert_eq!(said.code, 1, "{}", said.out);
        assert!(
            said.err.contains("base_url") && said.err.contains("[[connection]]"),
            "{}",
            said.err
        );
    }
    assert_eq!(other.switch().asked(), asked, "our credentials went nowhere else");
    Ok(())
}

#[tokio::test]
async fn a_file_is_sampled_as_it_lies_there() -> anyhow::Result<()> {
    let mut file = PartnerFile::new("education");
    file.connection("drop", "import = \"in\"\n");
    let home = Home::with(&[&file])?;
    std::fs::create_dir(home.path().join("partners.d/in"))?;
    let mut daemon = Daemon::start(home).await?;
    let sample = daemon.path().join("transfers-2026-11.csv");
    let rows = "transfer_no;child_eid;school;moved_on\n\
                T-1;784-0000-0000021-8;Al Noor;05/11/2026\nT-2;784-0000-0000022-6;Al Rahma;25/11/2026\n";
    std::fs::write(&sample, rows)?;
    let said = daemon.cli(&["feed", "discover", &sample.to_string_lossy()]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    for line in [
        "files = \"transfers-*.csv\"",
        "delimiter = \";\"",
        "child_eid = { type = \"emirates_id\", sensitive = true }",
        "moved_on = { type = \"date\", format = \"%d/%m/%Y\" }",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
    assert!(!said.out.contains("784-") && !said.out.contains("Noor"), "{}", said.out);

    daemon.sigterm().await?;
    daemon.home.partner(file.add(&said.out))?;
    daemon.go().await?;
    std::fs::write(daemon.path().join("partners.d/in/new.part"), rows)?;
    std::fs::rename(
        daemon.path().join("partners.d/in/new.part"),
        daemon.path().join("partners.d/in/transfers-2026-12.csv"),
    )?;
    let run = waits::good_run(&daemon, "education/transfers", 0).await?;
    assert_eq!(run.counts.inserted, 2, "{run:?}");

    for (name, text, expected) in [
        ("login.html", "<html><body>login</body></html>", "HTML"),
        ("cut.json", "{\"data\":[{\"id\":1},", "not whole JSON"),
    ] {
        let path = daemon.path().join(name);
        std::fs::write(&path, text)?;
        let said = daemon.cli(&["feed", "discover", &path.to_string_lossy()]).await?;
        assert_eq!(said.code, 1, "{}", said.out);
        assert!(said.err.contains(expected) && said.out.is_empty(), "{}", said.err);
    }
    Ok(())
}

#[tokio::test]
async fn a_packed_file_and_a_workbook_are_sampled_as_what_is_in_them() -> anyhow::Result<()> {
    let rows = "transfer_no;moved_on\nT-1;05/11/2026\nT-2;25/11/2026\n";
    let book = Book::new(&(book::row(1, &["A report"]) + &book::row(3, &["transfer_no", "n"])))
        .sheet(
            "Data",
            &(book::row(3, &["transfer_no", "n"])
                + &book::row(4, &["T-1", "5"])
                + &book::row(5, &["T-2", "6"])),
        );
    let mut one = book.clone();
    one.sheets.remove(0);
    let csv = ["delimiter = \";\"", "moved_on = { type = \"date\", format = \"%d/%m/%Y\" }"];
    let sheet = ["format = \"xlsx\"", "header_row = 3", "n = \"integer\""];
    let members = [Member::new("__MACOSX/x", b"no"), Member::new("in/b.csv", rows.as_bytes())];
    for (name, bytes, lines, more) in [
        (
            "transfers-1.csv.zst",
            zstd::encode_all(rows.as_bytes(), 1)?,
            &csv[..],
            "files = \"transfers-*.csv.zst\"",
        ),
        ("transfers-1.zip", zip(&members), &csv[..], "entries = \"*.csv\""),
        ("transfers-1.xlsx", one.bytes(), &sheet[..], "files = \"transfers-*.xlsx\""),
        ("transfers-2.xlsx", book.bytes(), &sheet[..2], "sheet = 1"),
        (
            "transfers-2.zip",
            zip(&[Member::stored("a.xlsx", &one.bytes())]),
            &sheet[..],
            "entries = \"*.xlsx\"",
        ),
    ] {
        let mut file = PartnerFile::new("education");
        file.connection("drop", "import = \"in\"\nsettle = \"1s\"\n");
        let home = Home::with(&[&file])?;
        std::fs::create_dir(home.path().join("partners.d/in"))?;
        let mut daemon = Daemon::start(home).await?;
        let sample = daemon.path().join(name);
        std::fs::write(&sample, &bytes)?;
        let said = daemon.cli(&["feed", "discover", &sample.to_string_lossy()]).await?;
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        for line in lines.iter().chain(&[more]) {
            assert!(said.out.contains(line), "{name}: {line}\n{}", said.out);
        }
        assert!(!said.out.contains("T-1") && !said.err.contains("T-1"), "{name}: {}", said.out);
        daemon.sigterm().await?;
        daemon.home.partner(file.add(&said.out))?;
        daemon.go().await?;
        if name == "transfers-2.xlsx" {
            // Its first sheet has a header and nothing else, which is a good file too.
            continue;
        }
        let folder = daemon.path().join("partners.d/in");
        std::fs::copy(&sample, folder.join("new.part"))?;
        std::fs::rename(folder.join("new.part"), folder.join(name))?;
        let run = waits::good_run(&daemon, "education/transfers", 0).await?;
        assert_eq!(run.counts.inserted, 2, "{name}: {run:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_not_what_it_says_is_sampled_as_what_it_is() -> anyhow::Result<()> {
    let book = Book::new(&(book::row(1, &["id", "n"]) + &book::row(2, &["a", "5"]))).bytes();
    let archive = zip(&[Member::new("a.csv", b"id,n\na,5\n")]);
    let two = zip(&[Member::new("a.csv", b"id,n\n"), Member::new("b.csv", b"id,n\n")]);
    let partner = Script::start(move |asked| match asked.path.as_str() {
        "/book" => Reply::bytes("application/octet-stream", book.clone()),
        "/archive" => Reply::bytes("application/zip", archive.clone()),
        "/two" => Reply::bytes("application/zip", two.clone()),
        _ => Reply::text("application/json; charset=iso-8859-6", r#"[{"id":"قيد","n":5}]"#),
    })
    .await?;
    let mut file = PartnerFile::new("health");
    file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    let url = |name: &str| format!("http://{}/{name}", partner.address());
    let refused = daemon.cli(&["feed", "discover", &url("two")]).await?;
    assert_eq!(refused.code, 1, "{}", refused.out);
    assert!(refused.err.contains("an archive (ZIP) of 2 files"), "{}", refused.err);
    for (name, line) in [
        ("book", "format = \"xlsx\""),
        ("archive", "format = \"csv\""),
        ("letters", "encoding = \"utf-8\""),
    ] {
        let said = daemon.cli(&["feed", "discover", &url(name)]).await?;
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        assert!(said.out.contains(line), "{name}: {}", said.out);
        file.add(&said.out);
    }
    daemon.sigterm().await?;
    daemon.home.partner(&file)?;
    daemon.go().await?;
    for (feed, id) in [("health/book", "a"), ("health/archive", "a"), ("health/letters", "قيد")]
    {
        waits::good_run(&daemon, feed, 0).await?;
        let rows = bank::rows(&daemon.state_dir(), feed, &["id", "n"])?;
        assert_eq!(rows, [[Cell::Text(id.to_owned()), Cell::Integer(5)]], "{feed}");
    }
    Ok(())
}

/// Two records of a page from 1 to 3, as JSON.
fn page(number: u64) -> serde_json::Value {
    json!([{ "id": number * 2 - 1, "no": number }, { "id": number * 2, "no": number }])
}

/// The same in XML, with what leads on from it.
fn xml_page(number: u64, next: &str) -> Reply {
    let row = |id: u64| format!("<Row><id>{id}</id><meta><dc><no>{number}</no></dc></meta></Row>");
    let rows = row(number * 2 - 1) + &row(number * 2);
    Reply::text("text/xml", &format!("<R><Rows>{rows}</Rows>{next}</R>"))
}

#[tokio::test]
async fn what_leads_on_in_a_header_or_in_xml_is_followed_to_its_end() -> anyhow::Result<()> {
    let partner = Script::start(|asked| {
        let token = asked.number("token").or(asked.number("NextToken"));
        let number = token.or(asked.number("page")).or(asked.number("resumptionToken")).unwrap_or(1);
        let next = (number < 3).then(|| (number + 1).to_string());
        let tag = |name: &str| next.as_ref().map(|next| format!("<{name}>{next}</{name}>")).unwrap_or_default();
        match asked.path.as_str() {
            // As Kinto has it.
            "/addresses" => match &next {
                Some(next) => Reply::json(&page(number)).header("Next-Page", &format!("/addresses?token={next}")),
                None => Reply::json(&page(number)),
            },
            // As GitLab has it.
            "/numbers" => Reply::json(&page(number)).header("X-Next-Page", &next.unwrap_or_default()),
            // As Spring Data has it, which counts from 0.
            "/spring" => {
                let number = asked.number("page").unwrap_or(0);
                Reply::json(&json!({
                    "content": page(number + 1), "pageable": { "offset": number * 2, "pageSize": 2 },
                    "number": number, "size": 2, "totalPages": 3, "totalElements": 6,
                }))
            }
            "/tokens" => xml_page(number, &tag("NextToken")),
            // As OAI-PMH has it: a token goes with nothing else.
            "/oai" if asked.param("resumptionToken").is_some() == asked.param("metadataPrefix").is_some() => {
                Reply::status(400)
            }
            "/oai" => xml_page(number, &tag("resumptionToken")),
            _ => {
                let link = next.map(|next| format!("<link rel='self' href='/x'/><link rel='next' href='/links?page={next}'/>"));
                xml_page(number, &link.unwrap_or_default())
            }
        }
    })
    .await?;
    let mut file = PartnerFile::new("health");
    file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    for query in [
        "addresses",
        "numbers?page=1",
        "spring",
        "tokens",
        "oai?verb=ListRecords&metadataPrefix=dc",
        "links",
    ] {
        let url = format!("http://{}/{query}", partner.address());
        let said = daemon.cli(&["feed", "discover", &url]).await?;
        assert_eq!(said.code, 0, "{query}: {}", said.err);
        assert!(said.out.contains("\npagination = "), "{query}: {}", said.out);
        file.add(&said.out);
    }
    daemon.sigterm().await?;
    daemon.home.partner(&file)?;
    daemon.go().await?;
    for (feed, no) in [
        ("addresses", "no"),
        ("numbers", "no"),
        ("spring", "no"),
        ("tokens", "meta_dc_no"),
        ("oai", "meta_dc_no"),
        ("links", "meta_dc_no"),
    ] {
        let feed = format!("health/{feed}");
        waits::good_run(&daemon, &feed, 0).await?;
        let rows = bank::rows(&daemon.state_dir(), &feed, &["id", no])?;
        let all = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)];
        // What is written as text, as all of XML is, stays a name where it is the key.
        let written = feed.ends_with("tokens") || feed.ends_with("oai") || feed.ends_with("links");
        let name = |id: i64| if written { Cell::Text(id.to_string()) } else { Cell::Integer(id) };
        let all = all.map(|(id, no)| [name(id), Cell::Integer(no)]);
        assert_eq!(rows, all, "{feed}");
    }
    Ok(())
}
