use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn the_definition_of_the_command_line_holds() {
    Cli::command().debug_assert();
}

#[test]
fn right_command_lines_are_taken() {
    for line in [
        "marsad status",
        "marsad --socket /s status --json",
        "marsad status --socket /s",
        "marsad check",
        "marsad check feed:courts/orders -w 600 -c @10:20 -t 5 -vv --handled ok --json",
        "marsad check -w -5:10",
        "marsad feeds --partner courts --state late --limit 0",
        "marsad feed --json show courts/orders",
        "marsad feed show courts/orders --json",
        "marsad connections --state down --after a/b",
        "marsad runs --partner courts --feed courts/orders --state failed --after r7",
        "marsad run show r7",
        "marsad records courts/orders --limit 5 --after E-1",
        "marsad record show courts/orders [\"a\",1]",
        "marsad quarantine --partner courts --state file --after q1",
        "marsad exchanges --partner courts --connection courts/referrals --state in_doubt",
        "marsad exchange retry x1 x2 --reason mended",
        "marsad audit --after 12",
        "marsad audit verify",
        "marsad audit show 12",
        "marsad partners show courts",
        "marsad resync courts/orders --full --dry-run --reason why",
        "marsad resync courts/orders --wait",
        "marsad cursor show courts/orders --limit 5 --after c7",
        "marsad cursor rewind courts/orders --to c7 --dry-run",
        "marsad cursors rewind courts/orders --to -5 --reason why",
        "marsad cursor rewind courts/orders --start",
        "marsad reveal courts/orders E-1 --field child_eid --field name --reason why",
        "marsad schema show courts/orders --json",
        "marsad schema approve courts/orders kind sort --reason why",
        "marsad schema refuse courts/orders",
        "marsad send courts/referrals a.json --reason why",
        "marsad --offline /state feeds",
        "marsad",
    ] {
        if let Err(error) = Cli::try_parse_from(words(line)) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_command_lines_are_refused_with_2_and_inside_check_with_3() {
    let code = |number: u8| format!("{:?}", ExitCode::from(number));
    for (line, number, why) in [
        ("marsad nonsense", 2, "no such command"),
        ("marsad feeds --state green", 2, "no freshness"),
        ("marsad feeds show courts", 2, "no feed's id"),
        ("marsad runs --after 7", 2, "no run's id"),
        ("marsad runs --state succeded", 2, "no outcome"),
        ("marsad records", 2, "of which feed?"),
        ("marsad exchange retry", 2, "which ones?"),
        ("marsad exchange retry r1", 2, "that is a run"),
        ("marsad resync courts/orders --dry-run --wait", 2, "nothing to wait for"),
        ("marsad cursor rewind courts/orders", 2, "to where?"),
        ("marsad cursor rewind courts/orders --start --to c7", 2, "two places"),
        ("marsad cursor show courts/orders --after r7", 2, "that is a run"),
        ("marsad reveal courts/orders E-1", 2, "why?"),
        ("marsad schema approve", 2, "of which feed?"),
        ("marsad schema courts/orders", 2, "what of it?"),
        ("marsad send courts/referrals", 2, "which file?"),
        ("marsad check a/b/c", 3, "no subject"),
        ("marsad check -w 20:10", 3, "no range"),
        ("marsad --json check --nonsense", 3, "no such flag"),
        ("marsad --socket /s check -t 0", 3, "no time at all"),
        ("marsad check --help", 3, "monitoring asked, and has no answer"),
        ("marsad feeds --help", 0, "help is an answer"),
        ("marsad --version", 0, "so is the version"),
    ] {
        let words = words(line);
        let error = Cli::try_parse_from(&words).unwrap_err();
        assert_eq!(
            format!("{:?}", refused(&error, is_check(&words))),
            code(number),
            "{line}: {why}"
        );
    }
}
