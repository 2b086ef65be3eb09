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
fn of_bounds_and_patterns() {
    for (fields, expected) in [
        ("n = { type = \"integer\", min = 0.5 }", "n.min: \"0.5\" is no integer; write it as 0"),
        (
            "n = { type = \"integer\", max = true }",
            "n.max: is true or false, not a number, a day or a time; write it as 0, \"0.5\" or 2026-01-01",
        ),
        (
            "n = { type = \"decimal\", max = nan }",
            "n.max: \"nan\" is no decimal; write it as \"0.5\"",
        ),
        (
            "n = { type = \"decimal\", min = 0.3, max = 0.29999999999999999999 }",
            "n.max: \"0.29999999999999999999\" is less than min, so that nothing would be taken; write a greater one",
        ),
        (
            "d = { type = \"date\", min = 2026-01-01, max = 2025-12-31 }",
            "d.max: \"2025-12-31\" is less than min, so that nothing would be taken; write a greater one",
        ),
        (
            "d = { type = \"date\", min = \"today\" }",
            "d.min: \"today\" is no date; write it as 2026-11-24",
        ),
        (
            "d = { type = \"hijri_date\", min = \"2026-01-01\" }",
            "d.min: \"2026-01-01\" is no hijri_date; write it as \"1447-09-01\"",
        ),
        (
            "d = { type = \"timestamp\", max = 2026 }",
            "d.max: \"2026\" is no timestamp; write it as 2026-11-24T06:00:00Z",
        ),
        (
            "d = { type = \"period\", max = \"2026-Q5\" }",
            "d.max: \"2026-Q5\" is no period; write it as \"2026-Q1\"",
        ),
        (
            "s = { type = \"text\", min = 3 }",
            "s.min: means nothing to a type that is neither number, day, time nor period; take it out",
        ),
        (
            "n = { type = \"integer\", pattern = \"a\" }",
            "n.pattern: means nothing to a type that is not text; take it out",
        ),
        (
            "s = { type = \"text\", pattern = \"[a\" }",
            "s.pattern: \"[a\" is no pattern (unclosed character class); write a regular expression, such as '[A-Z]{2}-\\d+'",
        ),
        (
            "s = { type = \"text\", pattern = \"(a{1000}){1000}\" }",
            "s.pattern: \"(a{1000}){1000}\" takes more than 1 MiB of memory; write a regular expression, such as '[A-Z]{2}-\\d+'",
        ),
    ] {
        assert_eq!(said_of_fields(fields), [expected], "{fields}");
    }
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
