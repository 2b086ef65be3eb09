//! Mistakes in what is said of a column beside its type.

use super::{FEED, HTTP, PARTNER, said_of};

/// What is said of a feed with these columns beside its key, without the place of the block.
fn said_of_fields(fields: &str) -> Vec<String> {
    let text = format!("{PARTNER}{HTTP}{FEED}fields = {{ no = \"text\", {fields} }}\n");
    let said = said_of(&text).into_iter();
    said.map(|line| line.strip_prefix("11: feed.cases.fields.").unwrap_or(&line).to_owned())
        .collect()
}

#[test]
fn of_rules() {
    for (fields, expected) in [
        (
            "d = { type = \"hijri_date\", format = \"%d/%m/%y\" }",
            "d.format: \"%d/%m/%y\" does not say year, month and day once each; write it with %Y, %m and %d, such as \"%d/%m/%Y\"",
        ),
        (
            "d = { type = \"hijri_date\", gregorian = \"day\" }",
            "d.gregorian: \"day\" is no field of type date; name the field that has the same day as a date",
        ),
        (
            "day = \"timestamp\", d = { type = \"hijri_date\", gregorian = \"day\" }",
            "d.gregorian: \"day\" is no field of type date; name the field that has the same day as a date",
        ),
        (
            "d = { type = \"date\", gregorian = \"no\" }",
            "d.gregorian: means nothing to a type that is not hijri_date; take it out",
        ),
        (
            "p = { type = \"phone\", region = \"UAE\" }",
            "p.region: \"UAE\" names no country whose numbers are known; write its two letters, such as \"AE\"",
        ),
        (
            "p = { type = \"text\", region = \"AE\" }",
            "p.region: means nothing to a type that is not phone; take it out",
        ),
        (
            "s = \"enum\"",
            "s: does not say which values there are; write { type = \"enum\", values = [\"…\", \"…\"] }",
        ),
        (
            "s = { type = \"enum\" }",
            "s: does not say which values there are; write { type = \"enum\", values = [\"…\", \"…\"] }",
        ),
        (
            "s = { type = \"enum\", values = [] }",
            "s.values: names no value; name all that may stand there",
        ),
        (
            "s = { type = \"enum\", values = [\"a\", \" \"] }",
            "s.values: names an empty value; take it out: where nothing stands, nothing is compared",
        ),
        (
            "s = { type = \"enum\", values = [\"a\", \"b\", \" a\"] }",
            "s.values: names \"a\" twice; name it once",
        ),
        (
            "s = { type = \"text\", values = [\"a\"] }",
            "s.values: means nothing to a type that is not enum; take it out",
        ),
        (
            "s = { type = \"date\", values = [] }",
            "s.values: means nothing to a type that is not enum; take it out",
        ),
    ] {
        assert_eq!(said_of_fields(fields), [expected], "{fields}");
    }
    let many: Vec<_> = (0..=1_000).map(|n| format!("\"{n}\"")).collect();
    let said =
        said_of_fields(&format!("s = {{ type = \"enum\", values = [{}] }}", many.join(", ")));
    assert_eq!(said, ["s.values: names 1001 values, and 1000 are read; type the field \"text\""]);
}

#[test]
fn of_columns_without_an_order() {
    let said = |line: &str| said_of(&format!("{PARTNER}{HTTP}{FEED}{line}\n"));
    for (kind, column) in
        [("phone", "\"phone\""), ("enum", "{ type = \"enum\", values = [\"a\"] }")]
    {
        let fields = format!("fields = {{ no = \"text\", x = {column} }}");
        let line = format!("incremental = {{ field = \"x\", param = \"t\" }}\n{fields}");
        let expected = format!(
            "11: feed.cases.incremental.field: \"x\" of type {kind} has no greatest value; name a timestamp or a number that grows"
        );
        assert_eq!(said(&line), [expected]);
        let expected = "11: feed.cases.version: \"x\" is of a type that does not tell newer from older; name a number, a time or a text that grows";
        assert_eq!(said(&format!("version = \"x\"\n{fields}")), [expected]);
    }
    for kind in ["hijri_date", "period"] {
        let line = format!(
            "incremental = {{ field = \"x\", param = \"t\", bound = \"exclusive\" }}\nfields = {{ no = \"text\", x = \"{kind}\" }}"
        );
        let expected = format!(
            "11: feed.cases.incremental.bound: \"x\" of type {kind} has no step to go back by; have the partner include the bound, or type the field as a time or a whole number"
        );
        assert_eq!(said(&line), [expected]);
    }
}
