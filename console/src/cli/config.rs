//! `marsad config`: the configuration before any daemon reads it. Needs no daemon.

use std::path::Path;

use marsad_shared::{
    config::{self, Config, ConfigError, Environment},
    untrusted::show,
};
use serde::Serialize;

use super::{
    fail::{Done, FAILED, Fail},
    out::Out,
};
use crate::client::chain;

/// Names every mistake of all files, a line each: `FILE:LINE: KEY: PROBLEM; REMEDY`. As JSON an array of
/// `{file line key problem remedy}`, empty where all is well. Exit 1 if there is one.
pub(super) fn check(file: &Path, environment: &Environment, out: &mut Out) -> Done {
    match Config::load(file, environment) {
        Ok(config) => {
            let sound = |_: &_| {
                let (partners, connections, feeds) =
                    (config.partners.len(), config.connections.len(), config.feeds.len());
                let file = file.to_string_lossy();
                let file = show(&file);
                format!(
                    "{file}: sound; partners {partners}, connections {connections}, feeds {feeds}\n"
                )
            };
            Ok(out.answer(&[(); 0], sound)?)
        }
        Err(errors) => {
            let mistakes: Vec<_> = errors.iter().map(Mistake::of).collect();
            out.answer(&mistakes, |_| format!("{errors}\n"))?;
            Err(Fail::Said(FAILED))
        }
    }
}

/// One mistake, as JSON.
#[derive(Serialize)]
struct Mistake<'a> {
    file: String,
    line: usize,
    key: &'a str,
    problem: &'a str,
    remedy: &'a str,
}

impl<'a> Mistake<'a> {
    fn of(error: &'a ConfigError) -> Self {
        let ConfigError { file, line, key, problem, remedy } = error;
        Self { file: file.to_string_lossy().into_owned(), line: *line, key, problem, remedy }
    }
}

/// Writes a start into `dir`. As JSON an array of the files' names.
pub(super) fn init(dir: &Path, out: &mut Out) -> Done {
    let written = config::init(dir).map_err(|error| {
        let what = format!("cannot write a configuration into {}", dir.display());
        Fail::here(what, &chain(&error), "name another folder")
    })?;
    let names: Vec<_> = written.iter().map(|file| file.to_string_lossy()).collect();
    let text = |_: &_| {
        let dir = dir.join("marsad.toml");
        let dir = dir.to_string_lossy();
        let lines: Vec<_> = names.iter().map(|name| format!("{}\n", show(name))).collect();
        format!("{}go on with: marsad up --config {}\n", lines.concat(), show(&dir))
    };
    Ok(out.answer(&names, text)?)
}

/// Prints the JSON schema of both kinds of files: laid out for eyes, because it is kept in a file; with `--json` in one line.
pub(super) fn schema(out: &mut Out) -> Done {
    let schema = config::schema();
    Ok(out.answer(&schema, |_| format!("{schema:#}\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{out::tests::Paper, samples::look};

    fn said(json: bool, ask: impl FnOnce(&mut Out) -> Done) -> (u8, String) {
        let paper = Paper::default();
        let mut out = Out::new(paper.clone(), json, look(None));
        let code = ask(&mut out).map_or_else(|fail| fail.code(), |()| 0);
        (code, paper.read())
    }

    #[test]
    fn a_start_is_written_once_and_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marsad.toml");
        let (code, text) = said(false, |out| init(folder.path(), out));
        assert_eq!(code, 0);
        assert!(text.contains("marsad.toml\n"), "{text}");
        assert_eq!(said(false, |out| init(folder.path(), out)).0, 1, "nothing is written over");
        let (code, text) = said(false, |out| check(&file, &Environment::empty(), out));
        assert_eq!(code, 0, "{text}");
        assert_eq!(
            said(true, |out| check(&file, &Environment::empty(), out)),
            (0, "[]\n".to_owned())
        );
    }

    #[test]
    fn every_mistake_is_named_and_the_exit_code_is_1() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marsad.toml");
        std::fs::create_dir(folder.path().join("partners.d")).unwrap();
        std::fs::write(&file, "nonsense = 1\ntimezone = \"Mars/Olympus\"\n").unwrap();
        let (code, text) = said(false, |out| check(&file, &Environment::empty(), out));
        assert_eq!(code, 1);
        for (line, key) in [(1, "nonsense"), (2, "timezone")] {
            let place = format!("{}:{line}: {key}: ", file.display());
            assert!(
                text.lines().any(|text| text.starts_with(&place) && text.contains("; ")),
                "{place}\n{text}"
            );
        }
        let (code, json) = said(true, |out| check(&file, &Environment::empty(), out));
        let mistakes: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(code, 1);
        for key in ["file", "line", "key", "problem", "remedy"] {
            assert!(mistakes[0].get(key).is_some(), "{key}");
        }
    }
}
