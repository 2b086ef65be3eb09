//! What is wrong in a configuration, where, and what would be right.

use std::{fmt, path::PathBuf};

use crate::untrusted::show;

/// One thing wrong in a config file, for the person who wrote it:
/// `education.toml:12: connection.api.base_url: "ftp" cannot be polled; use http or https`
///
/// `key`, `problem` and `remedy` have passed the gate for outside text; the file's name passes it here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {key}: {problem}; {remedy}", show(&file.to_string_lossy()))]
pub struct ConfigError {
    /// The file as the user named it: a relative name stays relative.
    pub file: PathBuf,
    /// From 1. What is missing has the line of the block that lacks it.
    pub line: usize,
    /// The way to the value, such as `connection.api.base_url`; `syntax` or `file` where there is none.
    pub key: String,
    pub problem: String,
    pub remedy: String,
}

/// Everything that is wrong in all files: never empty, file by file in the order of reading, then by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// What was found, each with the number of its file, put in order.
    pub(super) fn of(mut found: Vec<(usize, ConfigError)>) -> Self {
        found.sort_by_key(|(file, error)| (*file, error.line));
        Self(found.into_iter().map(|(_, error)| error).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    /// How many there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// One on each line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
