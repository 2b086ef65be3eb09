//! Mistakes in what an agreement covers.

use super::{HTTP, said_of};

const CASES: &str =
    "[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nkey = [\"no\"]\n";

/// What is said of an agreement's `entries` where `feeds` stand below it, from line 8 on.
fn said(entries: &str, feeds: &str) -> Vec<String> {
    let partner = format!(
        "[partner]\nid = \"courts\"\nagreement = {{ reference = \"M\", fields = [{entries}] }}\n"
    );
    said_of(&format!("{partner}{HTTP}\n{feeds}"))
}

#[test]
fn each_entry_is_about_something() {
    let fields = "fields = { no = \"text\", kind = \"text\" }\n";
    let (declared, open) = (format!("{CASES}{fields}"), CASES);
    let visits = open.replace("cases", "visits");
    let at = "3: partner.agreement.fields";
    for (entries, feeds, expected) in [
        ("\"cases.*\"", &declared, vec![]),
        ("\"no\", \"cases.kind\"", &declared, vec![]),
        ("\"no\", \"cases.whatever the data has\"", &open.to_owned(), vec![]),
        ("\"no\", \"kindd\"", &format!("{declared}{visits}"), vec![]),
        (
            "\"no\", \"kindd\"",
            &declared,
            vec![format!("{at}[2]: \"kindd\" is no field of any feed; did you mean kind?")],
        ),
        (
            "\"no\", \"cases.zzz\"",
            &format!("{declared}{visits}"),
            vec![format!(
                "{at}[2]: \"zzz\" is no field of feed cases; name one that is there, or take it out"
            )],
        ),
        (
            "\"no\", \"case.kind\"",
            &declared,
            vec![format!("{at}[2]: \"case\" is no feed of this partner; did you mean cases?")],
        ),
        (
            "\"no\", \"families.*\"",
            &declared,
            vec![format!(
                "{at}[2]: \"families\" is no feed of this partner; write \"feed.column\", \"feed.*\" or \"column\""
            )],
        ),
        (
            "\"no\", \"no\"",
            &declared,
            vec![format!("{at}[2]: \"no\" stands there twice; name it once")],
        ),
        (
            "\"*\"",
            &declared,
            vec![format!(
                "{at}[1]: \"*\" would cover all there is; take `fields` out, or name feeds: \"feed.*\""
            )],
        ),
        (
            "\"cases.\", \" \"",
            &declared,
            vec![
                format!(
                    "{at}[1]: \"cases.\" names no column; write \"feed.column\", \"feed.*\" or \"column\""
                ),
                format!(
                    "{at}[2]: \" \" names no column; write \"feed.column\", \"feed.*\" or \"column\""
                ),
            ],
        ),
    ] {
        assert_eq!(said(entries, feeds), expected, "{entries}");
    }
}

#[test]
fn what_a_feed_cannot_do_without_is_covered() {
    let uncovered = |place: &str, feed: &str, column: &str| {
        format!(
            "{place}: \"{column}\" is not covered by the agreement; add \"{feed}.{column}\" to agreement.fields once it is agreed, or name another column"
        )
    };
    let days = "fields = { no = \"text\", at = \"date\", h = { type = \"hijri_date\", gregorian = \"at\" } }\n";
    let parent =
        "[[feed]]\nid = \"homes\"\nconnection = \"api\"\npath = \"/h\"\nkey = [\"home\"]\n";
    let each = format!(
        "{}each = {{ feed = \"homes\", column = \"home\" }}\n{parent}",
        CASES.replace("/cases", "/{home}")
    );
    for (entries, feeds, expected) in [
        ("\"cases.kind\"", CASES.to_owned(), vec![uncovered("12: feed.cases.key", "cases", "no")]),
        (
            "\"no\"",
            format!("{CASES}version = \"seq\"\n"),
            vec![uncovered("13: feed.cases.version", "cases", "seq")],
        ),
        (
            "\"no\"",
            format!("{CASES}incremental = {{ field = \"at\", param = \"since\" }}\n"),
            vec![uncovered("13: feed.cases.incremental.field", "cases", "at")],
        ),
        (
            "\"no\", \"h\"",
            format!("{CASES}{days}"),
            vec![uncovered("13: feed.cases.fields.h.gregorian", "cases", "at")],
        ),
        ("\"no\", \"at\"", format!("{CASES}{days}"), vec![]),
        (
            "\"cases.*\"",
            each,
            vec![
                uncovered("13: feed.cases.each.column", "homes", "home"),
                uncovered("18: feed.homes.key", "homes", "home"),
            ],
        ),
    ] {
        assert_eq!(said(entries, &feeds), expected, "{entries}");
    }
}
