//! Workbooks, read by the real process: what stands in them, what is wrong with them, and what nobody should have made.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "these are tests, with what they share"
)]

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use book::{Book, row};
use marsad_daemon::{
    decode::{DecodeError, Flow, xlsx},
    intake::{Intake, Origins, Piece, infer_workbook},
    shape::Shaper,
    source::ours::Mask,
};
use marsad_shared::{
    feed::{Feed, Format},
    health::Reason,
    record::Layout,
};
use zip::{Member, zip as pack};

#[path = "../../tests/tests/e2e/book.rs"]
mod book;
#[expect(dead_code, reason = "other tests use more of it")]
mod reading;
#[path = "../../tests/tests/e2e/zip.rs"]
mod zip;

/// A feed of workbooks.
fn feed(keys: &str) -> Feed {
    reading::configured(
        "import = \"/nowhere\"",
        &format!("files = \"*\"\nformat = \"xlsx\"\n{keys}"),
    )
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// What was read of a workbook: its rows, and for each refused one its line, its field and why.
#[derive(Debug, Default)]
struct Read {
    rows: Vec<String>,
    refused: Vec<(u64, Option<String>, String)>,
}

fn read(keys: &str, bytes: &[u8]) -> Result<Read, DecodeError> {
    xlsx::read_by(Path::new(env!("CARGO_BIN_EXE_marsadd")));
    let feed = feed(keys);
    let layout = if feed.fields.is_empty() {
        infer_workbook(&feed, file(bytes), None)?
    } else {
        Layout::new(feed.fields.clone(), &feed.key).unwrap()
    };
    let shaper = Shaper::new(&feed, layout, Vec::new());
    let (format, origins) = (Format::Xlsx, Origins::default());
    let intake = Intake {
        feed: &feed,
        shaper: &shaper,
        format,
        seed: 7,
        origins,
        references: None,
        recall: None,
    };
    let mut read = Read::default();
    intake.workbook(file(bytes), |piece: Piece| {
        read.rows.extend(reading::lines(&piece.batch));
        let refused = piece.refused.into_iter();
        read.refused.extend(refused.map(|r| (r.place.line.unwrap(), r.place.field, r.reason)));
        Flow::More
    })?;
    Ok(read)
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/samples").join(name)).unwrap()
}

const ACTIVITIES: &str = r#"key = ["no"]
sheet = "الأنشطة"
header_row = 3
stop = ["الإجمالي"]
[feed.fields]
no = { type = "text", from = "رقم النشاط" }
begins = { type = "timestamp", from = "تاريخ البدء", format = "%d/%m/%Y" }
ends = { type = "date", from = "تاريخ الانتهاء", format = "%d/%m/%Y" }
people = { type = "integer", from = "عدد المستفيدين" }
done = { type = "decimal", from = "نسبة الإنجاز" }"#;

#[test]
fn the_sample_has_the_records_that_its_manifest_says_in_both_sheets() {
    let book = sample("council-activities.xlsx");
    let activities = read(ACTIVITIES, &book).unwrap();
    assert_eq!(activities.refused, []);
    assert_eq!(activities.rows.len(), 4, "{activities:#?}");
    assert_eq!(activities.rows[0], "ACT-001|2026-09-06T20:00:00Z|2026-09-10|120|1");
    assert_eq!(activities.rows[2], "ACT-003|2026-10-14T20:00:00Z|2026-10-18|85|0.5", "as text");
    assert_eq!(activities.rows[3], "ACT-004|2026-11-02T05:00:00Z|·|·|0", "with a time");
    // Without that word the total is a row like any other, whose formula was never calculated.
    let total = read(&ACTIVITIES.replace("stop = [\"الإجمالي\"]", ""), &book).unwrap();
    assert_eq!(total.refused.iter().map(|refused| refused.0).collect::<Vec<_>>(), [8]);
    let results = read("key = [\"الرمز\"]\nsheet = 2", &book).unwrap();
    assert_eq!((results.rows.len(), results.refused.len()), (3, 0), "{results:#?}");
    // The file has 0.9340000000000001, which is the same number of 64 bits.
    assert!(results.rows[1].contains("|0.934|"), "{results:#?}");
    let text = read("key = [\"الرمز\"]", &book).unwrap_err().to_string();
    assert!(text.contains("الأنشطة") && text.contains("`sheet`"), "{text}");
}

const FIELDS: &str = r#"key = ["id"]
fields = { id = "text", day = { type = "date", format = "%d/%m/%Y" }, at = "timestamp", n = "decimal", ok = "boolean" }"#;

#[test]
fn cells_come_as_what_they_are() {
    let rows = [
        row(1, &["id", "day", "at", "n", "ok", "note"]),
        row(
            2,
            &[
                "A1",
                r#"<s="1"><v>46272</v>"#,
                r#"<s="3"><v>46272.25</v>"#,
                "1",
                r#"<t="b"><v>1</v>"#,
            ],
        ),
        // Blank rows are passed over, and so is what stands beside the header.
        row(5, &["7", "07/09/2026", "2026-09-07T06:00:00", "0.5", "no", "x", "beside"]),
        row(6, &["A3", "٠٧/٠٩/٢٠٢٦", "", "٨٥", ""]),
        row(7, &["", "", "", "86.5", ""]),
        row(8, &["note: no row", "", "", "", ""]),
    ];
    let found = read(FIELDS, &Book::new(&rows.concat()).bytes()).unwrap();
    assert_eq!(found.refused, []);
    let expected = [
        "A1|2026-09-07|2026-09-07T02:00:00Z|1|1",
        "7|2026-09-07|2026-09-07T02:00:00Z|0.5|0",
        "A3|2026-09-07|·|85|·",
    ];
    assert_eq!(found.rows, expected, "a row without a key ends them");
    let more = [&rows[..], &[row(9, &["A9", "", "", "2"])]].concat().concat();
    let held = read(FIELDS, &Book::new(&more).bytes()).unwrap_err();
    let text = held.to_string();
    assert!(text.contains("row 7 of the sheet has no key, and row 9 below it has one"), "{text}");
    let stop = format!("stop = [\"note: no row\"]\n{FIELDS}");
    assert_eq!(read(&stop, &Book::new(&more).bytes()).unwrap().rows, expected, "a word ends them");
    let old = Book {
        is_1904: true,
        ..Book::new(
            &(row(1, &["id", "day", "at", "n", "ok"]) + &row(2, &["A", r#"<s="1"><v>44810</v>"#])),
        )
    };
    assert_eq!(read(FIELDS, &old.bytes()).unwrap().rows, ["A|2026-09-07|·|·|·"]);
}

#[test]
fn a_cell_that_has_no_value_refuses_its_row_by_name_and_no_other() {
    let rows = [
        row(1, &["id", "day", "at", "n", "ok"]),
        row(2, &["A1", "", "", r#"<t="e"><v>#N/A</v>"#]),
        row(3, &["A2", "", "", "<><f>SUM(D1:D2)</f>"]),
        row(4, &["A3", "", "", "<><f>SUM(D1:D2)</f><v>12</v>"]),
        row(5, &["A4", "", "", "12345678901234567890"]),
        row(6, &["A5", r#"<s="1"><v>60</v>"#]),
    ];
    let found = read(FIELDS, &Book::new(&rows.concat()).bytes()).unwrap();
    assert_eq!(found.rows, ["A3|·|·|12|·"]);
    let said: Vec<_> =
        found.refused.iter().map(|(line, field, _)| (*line, field.as_deref())).collect();
    let n = Some("n");
    assert_eq!(said, [(2, n), (3, n), (5, n), (6, Some("day"))], "{found:#?}");
    for ((_, _, reason), word) in found.refused.iter().zip(["D2", "D3", "D5", "date"]) {
        assert!(reason.contains(word), "{reason}");
        assert!(!reason.contains("678901"), "it names no content: {reason}");
    }
    // In a column that is not read it is nobody's trouble.
    let keys = "key = [\"id\"]\nfields = { id = \"text\" }";
    assert_eq!(read(keys, &Book::new(&rows.concat()).bytes()).unwrap().rows.len(), 5);
}

#[test]
fn an_error_that_nobody_knows_refuses_its_row_alone() {
    let errors = [
        "#GETTING_DATA",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#UNKNOWN!",
        "#BUSY!",
        "#ERROR!",
        "Err:502",
        "\u{202e}#x, \"y\"",
    ];
    for error in errors {
        let bad = format!("<t=\"e\"><f>X(1)</f><v>{error}</v>");
        let rows = [
            row(1, &["id", "day", "at", "n", "ok", "note"]),
            row(2, &["A1", "", "", "1", "", "x"]),
            row(3, &["A2", "", "", &bad, "yes"]),
            row(5, &["A3", "", "", r#"<t="e"><v>#N/A</v>"#]),
            // Alone in its row, beside what is read, and beside the header.
            row(6, &[&bad]),
            row(7, &["A4", "", "", "2", "", &bad]),
            row(8, &["A5", "", "", "3", "", "", &bad]),
            row(9, &[&bad, "", "", "4"]),
            row(10, &["A6", "", "", "5", "no"]),
        ]
        .concat();
        let found = read(FIELDS, &Book::new(&rows).bytes()).unwrap();
        assert_eq!(found.rows, ["A1|·|·|1|·", "A4|·|·|2|·", "A5|·|·|3|·", "A6|·|·|5|0"], "{error}");
        let said: Vec<_> =
            found.refused.iter().map(|(line, field, _)| (*line, field.as_deref())).collect();
        let n = Some("n");
        assert_eq!(said, [(3, n), (5, n), (6, Some("id")), (9, Some("id"))], "{error}: {found:#?}");
        for ((_, _, reason), place) in found.refused.iter().zip(["D3", "D5", "A6", "A9"]) {
            assert!(reason.contains(place) && reason.contains("holds an error"), "{reason}");
        }
        // Cells that say nothing of their place stand each behind the last.
        let bare = rows.replace(r#"<c r="D3" t="e">"#, r#"<c t="e">"#);
        let bare = bare.replace(r#"<c r="A3""#, "<c").replace(r#"<c r="E3""#, "<c");
        let found = read(FIELDS, &Book::new(&bare).bytes()).unwrap();
        assert!(found.refused[0].2.contains("B3"), "{found:#?}");
        assert_eq!(found.rows.len(), 4, "{found:#?}");
    }
    // In the header it is a name like any other.
    let head = row(1, &["id", r#"<t="e"><v>#SPILL!</v>"#]) + &row(2, &["A", "1"]);
    let keys = "key = [\"id\"]\nfields = { id = \"text\", n = { type = \"integer\", from = \"#SPILL!\" } }";
    assert_eq!(read(keys, &Book::new(&head).bytes()).unwrap().rows, ["A|1"]);
}

#[test]
fn a_day_in_iso_8601_is_one_with_its_first_moment_too() {
    let cell = |time: &str| format!("<t=\"d\"><v>{time}</v>");
    for (time, day, at) in [
        ("2026-03-05", "2026-03-05", "2026-03-04T20:00:00Z"),
        ("2026-03-05T00:00:00", "2026-03-05", "2026-03-04T20:00:00Z"),
        ("2026-03-05T00:00:00.000", "2026-03-05", "2026-03-04T20:00:00Z"),
        // Where a moment is asked for, it is the one that is written.
        ("2026-03-05T00:00:00Z", "2026-03-05", "2026-03-05T00:00:00Z"),
        ("2026-03-05T00:00:00.000Z", "2026-03-05", "2026-03-05T00:00:00Z"),
        ("2026-03-05T06:30:00", "", "2026-03-05T02:30:00Z"),
        ("2026-03-05T06:30:00Z", "", "2026-03-05T06:30:00Z"),
        ("2026-03-05T00:00:00+04:00", "", "2026-03-04T20:00:00Z"),
    ] {
        let rows = row(1, &["id", "day", "at", "n", "ok"])
            + &row(2, &["D", &cell(time)])
            + &row(3, &["T", "", &cell(time)]);
        let found = read(FIELDS, &Book::new(&rows).bytes()).unwrap();
        let moment = format!("T|·|{at}|·|·");
        if day.is_empty() {
            assert_eq!(found.rows, [moment], "{time}");
            assert_eq!(found.refused[0].1.as_deref(), Some("day"), "{time}: {found:#?}");
        } else {
            assert_eq!(found.rows, [format!("D|{day}|·|·|·"), moment], "{time}: {found:#?}");
        }
    }
}

#[test]
fn a_sheet_is_chosen_by_name_number_or_because_it_is_the_only_one_to_be_seen() {
    let rows = |id: &str| row(1, &["id"]) + &row(2, &[id]);
    let mut book = Book::new(&rows("A")).sheet("لوحة", &rows("B"));
    let bytes = book.bytes();
    let chosen =
        |keys: &str| read(&format!("key = [\"id\"]\n{keys}"), &bytes).map(|read| read.rows);
    assert_eq!(chosen("sheet = \"لوحة\"").unwrap(), ["B"]);
    assert_eq!(chosen("sheet = 1").unwrap(), ["A"]);
    for (keys, words) in [
        ("", ["several", "Data, لوحة"]),
        ("sheet = 3", ["number 3", "Data, لوحة"]),
        ("sheet = \"data\"", ["no sheet data", "Data, لوحة"]),
        ("sheet = 1\nheader_row = 9", ["row 9", "header_row"]),
    ] {
        let error = chosen(keys).unwrap_err();
        assert_eq!(error.reason(), Reason::Schema, "{keys}");
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{keys}: {error}");
    }
    book.sheets[0].1 = "hidden";
    assert_eq!(read("key = [\"id\"]", &book.bytes()).unwrap().rows, ["B"]);
}

/// A sheet of so many cells, all of them one.
fn bomb() -> Vec<Member> {
    let mut rows = row(1, &["id"]);
    rows.push_str(
        &r#"<c r="A2" t="inlineStr"><is><t>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</t></is></c>"#
            .repeat(30_000),
    );
    Book::new(&rows).parts()
}

#[test]
fn a_workbook_that_nobody_should_have_made_is_refused_in_words_and_ends_nothing() {
    let good = || Book::new(&(row(1, &["id"]) + &row(2, &["A"])));
    let with = |change: &dyn Fn(&mut Vec<Member>)| {
        let mut parts = good().parts();
        change(&mut parts);
        pack(&parts)
    };
    let strings = |text: &str| Book { strings: Some(text.to_owned()), ..good() }.bytes();
    let count = r#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="4294967295"></sst>"#;
    let nested = (0..60_000).fold(String::new(), |all, n| all + "<x" + &n.to_string() + ">");
    let sheet = |rows: &str| Book::new(rows).bytes();
    for (what, bytes, word, reason) in [
        (
            "an old one",
            [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &[0; 600]].concat(),
            "password",
            Reason::NotJson,
        ),
        ("text", b"id,v\n1,2\n".to_vec(), "no workbook", Reason::NotJson),
        ("nothing", Vec::new(), "no workbook", Reason::NotJson),
        ("an archive", pack(&[Member::new("a.csv", b"id\n")]), "no workbook", Reason::NotJson),
        (
            "a binary one",
            with(&|parts| parts.push(Member::stored("xl/workbook.bin", b""))),
            ".xlsb",
            Reason::NotJson,
        ),
        ("cut off", good().bytes()[..900].to_vec(), "cut off", Reason::Truncated),
        ("a false checksum", with(&|parts| parts[0].crc ^= 1), "checksum", Reason::Checksum),
        ("a part twice", with(&|parts| parts.push(parts[0].clone())), "twice", Reason::NotJson),
        (
            "a part outside",
            with(&|parts| parts.push(Member::stored("../x", b""))),
            "out of",
            Reason::NotJson,
        ),
        (
            "a dense part",
            with(&|parts| parts.push(Member::new("x", &vec![0; 4 << 20]))),
            "200 times",
            Reason::TooLarge,
        ),
        ("strings that are not there", strings(count), "memory", Reason::TooLarge),
        (
            "a part with a DOCTYPE",
            strings("<?xml version='1.0'?>\n<!DOCTYPE sst [<!ENTITY a 'b'>]><sst/>"),
            "its part xl/sharedStrings.xml: it has a DOCTYPE (line 2)",
            Reason::NotJson,
        ),
        ("parts in parts", strings(&format!("<sst><si>{nested}")), "", Reason::NotJson),
        ("no sheet", with(&|parts| drop(parts.remove(0))), "", Reason::NotJson),
        (
            "a cell twice",
            sheet(
                &(row(1, &["id"])
                    + &row(2, &["A"]).replace("</row>", r#"<c r="A2"><v>1</v></c></row>"#)),
            ),
            "A2 is there twice",
            Reason::NotJson,
        ),
        (
            "rows in disorder",
            sheet(&(row(1, &["id"]) + &row(3, &["A"]) + &row(2, &["B"]))),
            "behind row 3",
            Reason::NotJson,
        ),
        (
            "a cell beyond",
            sheet(&(row(1, &["id"]) + r#"<row r="2"><c r="XFE2"><v>1</v></c></row>"#)),
            "",
            Reason::NotJson,
        ),
        ("many cells in one", pack(&bomb()), "", Reason::NotJson),
    ] {
        let error = read("key = [\"id\"]\nfields = { id = \"text\" }", &bytes).unwrap_err();
        assert_eq!(error.reason(), reason, "{what}: {error}");
        let text = error.to_string();
        assert!(text.contains(word) && text.contains(';'), "{what}: {text}");
    }
    // However its parts are packed, a good one is read.
    for form in [Member::streamed, Member::large] {
        let parts: Vec<_> = good().parts().into_iter().map(form).collect();
        assert_eq!(read("key = [\"id\"]", &pack(&parts)).unwrap().rows, ["A"]);
    }
    // The last cell that a sheet can have is one like any other.
    let last = sheet(
        &(row(1, &["id"])
            + &row(2, &["A"])
            + r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#),
    );
    assert_eq!(read("key = [\"id\"]", &last).unwrap().rows, ["A"]);
}

/// The process that reads, as the daemon starts it, with nobody who reads what it says.
fn reader(program: &str, arguments: &[&str], book: File) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(book).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// A sheet of more rows than a pipe holds.
fn long() -> File {
    let rows = (2..20_000).map(|line| row(line, &["A", "a text of some length"]));
    file(&Book::new(&(row(1, &["id", "text"]) + &rows.collect::<String>())).bytes())
}

#[test]
fn the_process_that_reads_limits_itself_before_it_reads() {
    let parent = std::process::id().to_string();
    let arguments = [xlsx::COMMAND, "--header-row", "1", "--parent", &parent];
    let mut child = reader(env!("CARGO_BIN_EXE_marsadd"), &arguments, long()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // Once the first of it is there, it is in the middle of its work, and waits to be read.
    let mut begin = [0; 5];
    out.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"head,");
    let about = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    let limits = about("limits");
    let limit = |what: &str| {
        let line = limits.lines().find(|line| line.starts_with(what)).unwrap();
        let mut words = line[what.len()..].split_whitespace();
        (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
    };
    let both = |n: &str| (n.to_owned(), n.to_owned());
    assert_eq!(limit("Max cpu time"), both("60"));
    assert_eq!(limit("Max core file size"), both("0"));
    assert_eq!(limit("Max file size"), both("0"));
    assert_eq!(limit("Max open files"), both("8"));
    let space: u64 = limit("Max address space").0.parse().unwrap();
    let status = about("status");
    let memory = |what: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    assert!(space <= memory("VmPeak:") + xlsx::MEMORY_MAX, "{space} {status}");
    assert!(memory("VmHWM:") < 256 * 1024 * 1024, "{status}");
    assert!(fs::read(format!("/proc/{}/environ", child.id())).unwrap().is_empty());
    // Whoever asked goes on, and reads the rest of it.
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\nend\n"), "{}", rest.len());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_process_that_reads_ends_with_the_one_that_asked() {
    let program = env!("CARGO_BIN_EXE_marsadd");
    // In the background a shell gives nothing to read by itself.
    let run = format!("{program} {} --header-row 1 --parent $$", xlsx::COMMAND);
    let script = format!("exec 3<&0; {run} <&3 & wait");
    let mut asking = reader("/bin/sh", &["-c", &script], long()).spawn().unwrap();
    let mut out = asking.stdout.take().unwrap();
    let mut begin = [0; 5];
    out.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"head,");
    asking.kill().unwrap();
    asking.wait().unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(!rest.ends_with("\nend\n"), "it went on by itself");

    // One that asks in the name of another is not answered.
    let arguments = [xlsx::COMMAND, "--header-row", "1", "--parent", "1"];
    let answer = reader(program, &arguments, long()).output().unwrap();
    assert!(!answer.status.success() && answer.stdout.is_empty(), "{answer:?}");
}

#[test]
fn a_workbook_that_is_a_page_is_read_without_our_secrets() {
    const KEY: &str = "SECRETKEY-123456";
    xlsx::read_by(Path::new(env!("CARGO_BIN_EXE_marsadd")));
    let (feed, mask) = (feed("key = [\"id\"]"), Mask::of([KEY]).unwrap());
    let rows = [["id", KEY, "self"], ["1", "2", &format!("/f?apikey={KEY};p=\"2\"")]];
    let rows: String = (1..).zip(rows).map(|(at, cells)| row(at, &cells)).collect();
    let book = Book::new(&rows).bytes();
    let layout = infer_workbook(&feed, file(&book), Some(&mask)).unwrap();
    let names: Vec<_> = layout.fields.iter().map(|field| field.from.concat()).collect();
    assert_eq!(names, ["id", "secret-left-out", "self"]);
    let shaper = Shaper::new(&feed, layout, Vec::new());
    let (format, origins) = (Format::Xlsx, Origins::default());
    let intake = Intake {
        feed: &feed,
        shaper: &shaper,
        format,
        seed: 7,
        origins,
        references: None,
        recall: None,
    };
    let piece = intake.sheet(file(&book), usize::MAX, Some(&mask)).unwrap();
    assert_eq!(reading::lines(&piece.batch), ["1|2|/f?apikey=secret-left-out;p=\"2\""]);
}
