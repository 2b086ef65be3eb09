//! Secrets: taken from their source, never quoted. An error here names where the secret should be, not what it is.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use secrecy::SecretString;

use super::{Scope, shown};
use crate::config::{
    raw::RawSecret,
    source::{Place, Report, quoted, read_file},
    table::At,
};

/// The most bytes of a secret.
const SECRET_MAX: u64 = 64 * 1024;

/// What a secret may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Line,
    /// PEM has many.
    Lines,
}

/// The secret behind `{ file | env | credential }`.
pub(super) fn secret(
    at: &At<RawSecret>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    secret_of(&at.value, &at.place, scope, report)
}

/// The same, of one whose place is known apart.
pub(super) fn secret_of(
    raw: &RawSecret,
    place: &Place,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    of(raw, Shape::Line, place, scope, report)
}

/// The same, of one that may have many lines.
pub(super) fn secret_lines(
    at: &At<RawSecret>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    of(&at.value, Shape::Lines, &at.place, scope, report)
}

fn of(
    raw: &RawSecret,
    shape: Shape,
    place: &Place,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    let given = [!raw.file.is_absent(), !raw.env.is_absent(), !raw.credential.is_absent()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let problem = "must have exactly one of file, env and credential";
        let remedy = "write { file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }";
        report.missing(place, problem, remedy);
        return None;
    }
    if let Some(at) = raw.file.here() {
        return of_file(&at.value.0, 0o077, shape, &at.place, report);
    }
    if let Some(at) = raw.env.here() {
        return of_variable(at, shape, scope, report);
    }
    of_credential(raw.credential.here()?, shape, scope, report)
}

fn of_variable(
    at: &At<String>,
    shape: Shape,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    let name = &at.value;
    // What is no name may be the secret itself, put in the wrong place.
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        report.wrong(
            &at.place,
            "is not the name of a variable",
            "name one with letters, digits and _",
        );
        return None;
    }
    let Some(text) = scope.environment.variable(name) else {
        let problem = format!("{} is not set", quoted(name));
        report.wrong(&at.place, problem, "set it where the daemon is started");
        return None;
    };
    shaped(text, shape, &format!("the variable {}", quoted(name)), &at.place, report)
}

fn of_credential(
    at: &At<String>,
    shape: Shape,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    let name = &at.value;
    if name.contains('/') || name.starts_with('.') {
        let remedy = "name the credential as LoadCredential= does";
        report.wrong(&at.place, format!("{} is a path", quoted(name)), remedy);
        return None;
    }
    let Some(folder) = scope.environment.credentials() else {
        let remedy = "start the daemon by systemd with LoadCredential=, or use { file = \"…\" }";
        report.wrong(&at.place, "there is no $CREDENTIALS_DIRECTORY", remedy);
        return None;
    };
    // systemd lets a user that is not root in by an access list, whose mask looks like a group's right.
    of_file(&folder.join(name), 0o007, shape, &at.place, report)
}

fn of_file(
    path: &Path,
    closed: u32,
    shape: Shape,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    let named = shown(path);
    let (bytes, about) = match read_file(path, SECRET_MAX) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let remedy = format!("put the secret there, then: chmod 600 {named}");
            report.wrong(place, format!("{named} does not exist"), remedy);
            return None;
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let remedy = "name the file in it that holds the secret";
            report.wrong(place, format!("{named} is a folder"), remedy);
            return None;
        }
        Err(error) => {
            let remedy = format!("let the daemon read it; it should be its own: chmod 600 {named}");
            report.wrong(place, format!("{named} cannot be read ({error})"), remedy);
            return None;
        }
    };
    let mode = about.permissions().mode() & 0o7777;
    if mode & closed != 0 {
        let problem = format!("{named} is open to others (mode {mode:04o})");
        report.wrong(place, problem, format!("run: chmod 600 {named}"));
        return None;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        report.wrong(place, format!("{named} is not UTF-8 text"), "write the secret as text");
        return None;
    };
    shaped(text, shape, &named, place, report)
}

/// A secret is one line, unless it is PEM; the end of the last line does not belong to it.
fn shaped(
    mut text: String,
    shape: Shape,
    whence: &str,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        report.wrong(place, format!("{whence} is empty"), "put the secret there");
        return None;
    }
    if shape == Shape::Line && text.chars().any(char::is_control) {
        let problem = format!("{whence} holds more than one line, or control characters");
        report.wrong(place, problem, "leave the secret alone in it, on one line");
        return None;
    }
    Some(text.into())
}
