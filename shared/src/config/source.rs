//! A file of the configuration as it was read, and what is found wrong in it.

use std::{
    collections::BTreeSet,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::ConfigError;
use crate::untrusted::{show, show_at_most};

/// The most bytes of one file: configurations are written by people.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source {
    pub file: PathBuf,
    text: String,
    /// Where each line but the first begins, in bytes.
    lines: Vec<usize>,
}

/// The way to a value, and where it begins, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub key: String,
    pub at: usize,
}

impl Place {
    /// What stands, or should stand, under `name` in the table at this place. `name` may be anything.
    pub(super) fn child(&self, name: &str) -> Self {
        let dot = if self.key.is_empty() { "" } else { "." };
        Self { key: format!("{}{dot}{}", self.key, show(name)), at: self.at }
    }

    pub(super) fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }
}

impl Source {
    /// Reads a file; what is no file, too long or no UTF-8 is an error as well.
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        let bytes = read_file(file, FILE_MAX)?.0;
        let text = String::from_utf8(bytes).map_err(|error| {
            io::Error::other(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1))
        })?;
        let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Ok(Self { file: file.to_owned(), text, lines })
    }

    /// The folder where relative paths in this file begin.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or_else(|| Path::new(""))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The file as a table, as far as it can be read, and a report that holds the mistakes of its syntax.
    pub(super) fn parse(&self) -> (Spanned<DeValue<'_>>, Report<'_>) {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let mut report = Report { source: self, broken: BTreeSet::new(), found: Vec::new() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            report.syntax(at, error.message());
        }
        let span = table.span();
        (Spanned::new(span, DeValue::Table(table.into_inner())), report)
    }

    /// The line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at) + 1
    }
}

/// A file's bytes with what the system says of it. Never waits for a pipe's other end.
pub(super) fn read_file(file: &Path, most: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let opened: File =
        OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file)?;
    let about = opened.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    opened.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok((bytes, about))
}

/// What was found wrong in one file.
#[derive(Debug)]
pub(super) struct Report<'s> {
    pub source: &'s Source,
    /// Lines that are no TOML. What else is said of them, or said to be missing, may only follow from that.
    broken: BTreeSet<usize>,
    pub found: Vec<ConfigError>,
}

impl Report<'_> {
    pub(super) fn wrong(
        &mut self,
        place: &Place,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = self.source.line(place.at);
        if !self.broken.contains(&line) {
            self.push(line, place.key.clone(), problem.into(), remedy.into());
        }
    }

    /// Something is not there that must be.
    pub(super) fn missing(
        &mut self,
        place: &Place,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.broken.is_empty() {
            self.wrong(place, problem, remedy);
        }
    }

    /// A place to come back to.
    pub(super) fn spot(&self, place: &Place) -> Spot {
        let (file, line) = (self.source.file.clone(), self.source.line(place.at));
        Spot { file, line, key: place.key.clone() }
    }

    fn syntax(&mut self, at: usize, message: &str) {
        let line = self.source.line(at);
        if self.broken.insert(line) {
            let problem = message.lines().collect::<Vec<_>>().join(", ").replace("; ", ", ");
            let remedy = "mend the line: TOML is `key = value`, with text in quotes";
            self.push(line, "syntax".to_owned(), show_at_most(&problem, 200), remedy.to_owned());
        }
    }

    fn push(&mut self, line: usize, key: String, problem: String, remedy: String) {
        let file = self.source.file.clone();
        self.found.push(ConfigError { file, line, key, problem, remedy });
    }
}

/// A place that is spoken of once its file has been put away.
#[derive(Debug)]
pub(super) struct Spot {
    file: PathBuf,
    line: usize,
    key: String,
}

impl Spot {
    pub(super) fn wrong(self, problem: String, remedy: String) -> ConfigError {
        let Self { file, line, key } = self;
        ConfigError { file, line, key, problem, remedy }
    }
}

/// Text from the file in quotes, as far as an error needs it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", show_at_most(text, 80))
}
