//! Mistakes in a feed of files.

use super::{DROP, FILES, HTTP, PARTNER, said_of};

#[test]
fn of_a_feed_of_files() {
    for (line, expected) in [
        (
            "encoding = \"arabic-indic\"",
            "encoding: \"arabic-indic\" is no encoding; use one of the WHATWG's labels, such as \"utf-8\", \"windows-1256\" or \"utf-16le\"",
        ),
        (
            "format = \"ndjson\"\nrecords = \"$[*]\"",
            "records: means nothing to a format that is neither JSON nor XML; take it out",
        ),
        (
            "format = \"csv\"\ndeletes = \"$.gone[*]\"",
            "deletes: means nothing to a format that is neither JSON nor XML; take it out",
        ),
        (
            "format = \"sdmx\"\ndecimal = \",\"",
            "decimal: means nothing to SDMX, whose numbers have a point; take it out",
        ),
        (
            "format = \"sdmx\"\ndeleted = { field = \"ACTION\", values = [\"D\"] }",
            "deleted: means nothing to SDMX, whose data sets say it themselves; take it out",
        ),
        (
            "format = \"xml\"\nrecords = \"soap:Envelope/Body\"",
            "records: \"soap:Envelope/Body\" has a prefix, which means nothing: write local names (see character 5); write local names such as \"Envelope/Body/Reply/Case\"",
        ),
        (
            "format = \"xml\"\nrecords = \"A/B/@id\"",
            "records: \"A/B/@id\" ends in an attribute (see character 7); write local names such as \"Envelope/Body/Reply/Case\"",
        ),
        (
            "format = \"xml\"\nrecords = \"A/B\"\nfields = { no = { type = \"text\", from = \"$.a\" } }",
            "fields.no.from: \"$.a\" is not a path of local names (see character 1); write one such as \"Kind\", \"@id\", \"Area/@code\", \"Date[@calendar='hijri']\" or \"#text\" (the record's own text)",
        ),
        (
            "schedule = { every = \"1h\" }",
            "schedule: means nothing to files, which are taken when they come; take it out",
        ),
        (
            "pagination = { kind = \"link\" }",
            "pagination: means nothing to files, which are taken when they come; take it out",
        ),
        (
            "format = \"json\"\ndelimiter = \";\"",
            "delimiter: means nothing to a format that is not CSV; take it out",
        ),
        (
            "format = \"csv\"\nsheet = 1",
            "sheet: means nothing to a format that is not XLSX; take it out",
        ),
        (
            "format = \"xlsx\"\nsheet = 0",
            "sheet: 0 is not the number of a sheet; write its number, from 1, or its name in quotes",
        ),
        (
            "format = \"xlsx\"\nstop = \"empty_row\"",
            "stop: \"empty_row\" is unknown; use \"empty_key\"",
        ),
        (
            "format = \"xlsx\"\ndelimiter = \";\"",
            "delimiter: means nothing to a format that is not CSV; take it out",
        ),
        (
            "format = \"json\"\nheader_row = 2",
            "header_row: means nothing to a format that is neither CSV nor XLSX; take it out",
        ),
        (
            "entries = \"[a\"",
            "entries: \"[a\" is not a pattern (unclosed character class, missing ']'); write one such as \"transfers-*.csv\"",
        ),
    ] {
        let said = said_of(&format!("{PARTNER}{DROP}{FILES}{line}\n"));
        let at = 10 + line.lines().count();
        assert_eq!(said, [format!("{at}: feed.cases.{expected}")], "{line}");
    }
    let feed = |connection: &str, origin: &str| {
        said_of(&format!(
            "{PARTNER}{HTTP}{DROP}[[feed]]\nid = \"f\"\nkey = [\"no\"]\nconnection = \"{connection}\"\n{origin}"
        ))
    };
    for (connection, origin, expected) in [
        (
            "api",
            "files = \"*.csv\"",
            "13: feed.f.files: needs a connection with import; use `path`, or name another connection",
        ),
        (
            "drop",
            "path = \"/x\"",
            "13: feed.f.path: needs a connection with base_url; use `files`, or name another connection",
        ),
        (
            "drop",
            "files = \"a/*.csv\"",
            "13: feed.f.files: \"a/*.csv\" leads into folders; write the names of files in the import folder itself",
        ),
        (
            "drop",
            "files = \"[a\"",
            "13: feed.f.files: \"[a\" is not a pattern (unclosed character class, missing ']'); write one such as \"transfers-*.csv\"",
        ),
        (
            "drop",
            "",
            "9: feed.f: has neither path nor files; say where its data is: path over HTTP, files in an import folder",
        ),
        (
            "apj",
            "path = \"/x\"",
            "12: feed.f.connection: there is no connection \"apj\"; did you mean api?",
        ),
        (
            "zz",
            "path = \"/x\"",
            "12: feed.f.connection: there is no connection \"zz\"; the connections of this partner are: api, drop",
        ),
    ] {
        assert_eq!(feed(connection, origin), [expected], "{connection} {origin}");
    }
    for (one, other, is_taken) in [
        ("", "", true),
        ("sheet = 1", "sheet = 1", true),
        ("entries = \"a*\"", "entries = \"a*\"", true),
        ("sheet = 1", "sheet = \"1\"", false),
        ("sheet = 1", "", false),
        ("entries = \"a*\"", "entries = \"b*\"", false),
    ] {
        let second = format!(
            "files = \"*\"\n{one}\n[[feed]]\nid = \"g\"\nkey = [\"no\"]\nconnection = \"drop\"\nfiles = \"*\"\n{other}"
        );
        let said = feed("drop", &second);
        let found = said.iter().filter(|said| said.contains("already the files of feed f"));
        assert_eq!((found.count(), said.len()), (is_taken.into(), is_taken.into()), "{said:?}");
    }
}
