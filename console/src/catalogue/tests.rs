use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::*;

const GLOSSARY: &str = include_str!("../../i18n/glossary-ar-en.tsv");
/// Keys that are no literal of two parts.
const ALONE: [&str; 3] = ["never", "none", "number"];

/// The string literals of the program's own code, with the file of each: no comments, no tests.
fn literals(folders: &[&str]) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> = folders.iter().map(|folder| src.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(file) = files.pop() {
        if file.is_dir() {
            files.extend(fs::read_dir(&file).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        if file.extension().is_none_or(|kind| kind != "rs")
            || name.ends_with("tests.rs")
            || name == "model/build.rs"
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let line = line.replace("\\\"", "");
            let inside = line.split('"').skip(1).step_by(2).map(|text| (name.clone(), text.into()));
            found.extend(inside);
        }
    }
    assert!(!found.is_empty());
    found
}

fn is_key(text: &str) -> bool {
    text.contains('-')
        && text.split('-').all(|part| !part.is_empty())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

fn keys_used() -> BTreeSet<String> {
    let all = literals(&[
        "keys.rs",
        "model.rs",
        "model",
        "runtime",
        "text.rs",
        "update.rs",
        "update",
        "view.rs",
        "view",
    ]);
    all.into_iter().map(|(_, text)| text).filter(|text| is_key(text)).collect()
}

/// The messages of the file, as they stand there.
fn messages() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut last = String::new();
    for line in ENGLISH.lines() {
        if let Some((key, text)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            last = key.to_owned();
            all.insert(last.clone(), text.to_owned());
        } else if line.starts_with([' ', '}'])
            && let Some(text) = all.get_mut(&last)
        {
            text.push_str(line);
        }
    }
    all
}

#[test]
fn every_key_that_is_used_says_something_and_none_is_left_over() {
    let catalogue = Catalogue::english();
    let used = keys_used();
    let missing: Vec<_> = used.iter().filter(|key| !catalogue.has(key)).collect();
    assert!(missing.is_empty(), "not in en.ftl: {missing:?}");
    let known: BTreeSet<String> = messages().into_keys().collect();
    let unused: Vec<_> =
        known.iter().filter(|key| !used.contains(*key) && !ALONE.contains(&key.as_str())).collect();
    assert!(unused.is_empty(), "nobody says: {unused:?}");
}

#[test]
fn a_key_of_the_glossary_says_what_the_glossary_says() {
    let messages = messages();
    let mut compared = 0;
    for line in GLOSSARY.lines().skip(1) {
        let mut columns = line.split('\t');
        let key = columns.next().unwrap().replace('.', "-");
        let english = columns.next().unwrap();
        if let Some(text) = messages.get(&key) {
            let plain = text.replace("{ $", "{").replace(" }", "}");
            assert_eq!(plain, english, "{key}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} keys are the glossary's");
    let catalogue = Catalogue::english();
    for (n, expected) in [(0, "no exchanges"), (1, "1 exchange"), (1200, "1 200 exchanges")] {
        assert_eq!(catalogue.count("count-exchanges", n), expected, "as the glossary's plurals");
    }
}

#[test]
fn no_view_says_anything_of_its_own() {
    for (file, text) in literals(&["view.rs", "view"]) {
        let mut said = text.clone();
        while let Some((before, rest)) = said.split_once('{') {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            said = format!("{before}{after}");
        }
        let word = said.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() > 1);
        // `ask` is a word of the protocol.
        assert!(
            !word || is_key(&text) || ALONE.contains(&said.as_str()) || is_name(&text),
            "{file} says {text:?}"
        );
    }
}

/// Arguments of messages, and words of the protocol.
fn is_name(text: &str) -> bool {
    let args = [
        "n",
        "id",
        "new",
        "changed",
        "gone",
        "snapshot",
        "left",
        "limit",
        "total",
        "time",
        "age",
        "state",
        "symbol",
        "order",
        "version",
        "site",
        "scanned",
        "feed",
        "rows",
        "pages",
        "from",
        "to",
        "verb",
        "changed",
        "unchanged",
        "received",
        "held",
        "rate",
        "promise",
    ];
    args.contains(&text) || text == "ask"
}

#[test]
fn numbers_are_written_in_groups() {
    let catalogue = Catalogue::english();
    for (n, expected) in [
        (0_u64, "0"),
        (999, "999"),
        (1_000, "1 000"),
        (31_200, "31 200"),
        (10_000_000, "10 000 000"),
    ] {
        assert_eq!(catalogue.count("number", n), expected);
    }
    assert_eq!(grouped("1234.5678"), "1 234.5678", "a fraction is left alone");
}

#[test]
fn an_unknown_key_says_its_name() {
    assert_eq!(Catalogue::english().say("no-such_key"), "no-such_key");
}
