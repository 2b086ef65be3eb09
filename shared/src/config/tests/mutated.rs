//! Good files with random damage: they load or say why not, and nothing else.

use proptest::prelude::*;

use super::*;

/// A way to spoil a text.
#[derive(Clone, Debug)]
enum Damage {
    /// Some characters go.
    Cut { at: usize, len: usize },
    /// Something comes in.
    Insert { at: usize, what: String },
    /// A line stands twice.
    Repeat { line: usize },
    /// A line goes.
    Drop { line: usize },
    /// Two lines change places.
    Swap { one: usize, other: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces = prop::sample::select(
        &[
            "=",
            "\"",
            "'",
            "[",
            "]",
            "[[",
            "{",
            "}",
            ".",
            ",",
            "\n",
            "#",
            "\\",
            "\"\"\"",
            "0",
            "-1",
            "1e9",
            "true",
            "2026-01-01",
            "\u{1b}[2J",
            "\u{202e}",
            "محكمة",
            "\0",
            "\t",
            "$",
            "*",
            "{key}",
            "/",
            "id = \"x\"\n",
            "9223372036854775808",
            "[feed.fields]\n",
            "[[connection]]\n",
            "[partner]\n",
        ][..],
    );
    prop_oneof![
        (any::<usize>(), 1_usize..40).prop_map(|(at, len)| Damage::Cut { at, len }),
        (any::<usize>(), pieces.prop_map(str::to_owned))
            .prop_map(|(at, what)| Damage::Insert { at, what }),
        (any::<usize>(), any::<String>()).prop_map(|(at, what)| Damage::Insert { at, what }),
        any::<usize>().prop_map(|line| Damage::Repeat { line }),
        any::<usize>().prop_map(|line| Damage::Drop { line }),
        any::<(usize, usize)>().prop_map(|(one, other)| Damage::Swap { one, other }),
    ]
}

fn damaged(text: &str, damage: &Damage) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    let (width, height) = (characters.len().max(1), lines.len().max(1));
    if lines.is_empty() {
        return text.to_owned();
    }
    match damage {
        Damage::Cut { at, len } => {
            let at = at % width;
            let end = (at + len).min(width);
            return characters[..at].iter().chain(&characters[end..]).collect();
        }
        Damage::Insert { at, what } => {
            let at = at % width;
            let (before, behind) = characters.split_at(at);
            return before
                .iter()
                .copied()
                .chain(what.chars())
                .chain(behind.iter().copied())
                .collect();
        }
        Damage::Repeat { line } => lines.insert(line % height, lines[line % height]),
        Damage::Drop { line } => drop(lines.remove(line % height)),
        Damage::Swap { one, other } => lines.swap(one % height, other % height),
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_files_load_or_say_why_not(
        of_partner in prop::collection::vec(damage(), 0..4),
        of_daemon in prop::collection::vec(damage(), 0..2),
    ) {
        let partner = of_partner.iter().fold(EDUCATION.to_owned(), |text, each| damaged(&text, each));
        let marsad = of_daemon.iter().fold(MARSAD.to_owned(), |text, each| damaged(&text, each));
        let folder = Folder::new(&marsad, &[("education", &partner)]);
        folder.secret("partners.d/education.secret", "s3cret", 0o600);
        let Err(errors) = folder.load(&Environment::empty()) else { return Ok(()) };
        prop_assert!(errors.len() >= 1);
        for error in errors.iter() {
            let text = if error.file.ends_with("marsad.toml") { &marsad } else { &partner };
            prop_assert!((1..=text.split('\n').count()).contains(&error.line), "{error}");
            let said = error.to_string();
            prop_assert_eq!(said.lines().count(), 1, "{}", said);
            for part in [&error.key, &error.problem, &error.remedy] {
                prop_assert!(!part.is_empty() && !part.contains("s3cret"), "{}", said);
                // What has passed the gate once has nothing left to show.
                let again = show(part).replace("\\u{5c}u{", "\\u{");
                prop_assert_eq!(&again, part, "{}", said);
            }
        }
    }
}
