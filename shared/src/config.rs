//! The configuration: files as people write them, checked whole into values that everyone else can rely on.

mod check;
mod environment;
mod error;
mod init;
mod preset;
mod raw;
mod schema;
mod source;
mod table;
mod tree;
mod value;

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;

use self::{
    check::{
        Met, Scope,
        references::{Written, resolve},
    },
    raw::{RawDaemon, RawPartnerFile},
    source::{Place, Report, Source},
    table::Value,
};
pub use self::{
    environment::Environment,
    error::{ConfigError, ConfigErrors},
    init::{InitError, init},
    schema::schema,
};
use crate::{
    connection::Connection,
    feed::Feed,
    partner::Partner,
    retention::Retention,
    role::{Grant, Role},
    untrusted::show,
};

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The daemon's file, as it was named.
    pub file: PathBuf,
    /// `marsadd`'s own folder (DESIGN section 3).
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    /// The zone of what names none.
    pub timezone: TimeZone,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; a loopback address.
    pub http: Option<SocketAddr>,
    /// How long a stop may take before what is left is aborted.
    pub grace: Duration,
    /// Who may do what, beside whoever started the daemon, who is admin.
    pub roles: Vec<(Role, Vec<Grant>)>,
    /// How long what came is kept.
    pub retention: Retention,
    pub partners: Vec<Partner>,
    pub connections: Vec<Connection>,
    pub feeds: Vec<Feed>,
    /// BLAKE3 of all files read, in hex: tells one configuration from another.
    pub hash: String,
}

impl Config {
    /// Reads `file` and every partner's file that belongs to it, and checks all of it. Touches neither the network nor
    /// `state_dir`; it does read the files that secrets are kept in.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake of every file, so that one reading mends them all.
    #[expect(clippy::missing_panics_doc, reason = "the top of a TOML file is always a table")]
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut read = Read::default();
        let Some(source) = read.open(file) else { return Err(ConfigErrors::of(read.found)) };
        let (value, mut report) = source.parse();
        let raw = RawDaemon::read(&value, &Place::default(), &mut report);
        let daemon = check::daemon(&raw.expect("the top is a table"), &mut report);
        let files = partner_files(&daemon, &mut report);
        read.note(report);

        let scope = Scope { timezone: &daemon.timezone, environment };
        for file in files {
            read.partner(&file, &scope);
        }
        read.refer();
        if !read.found.is_empty() {
            return Err(ConfigErrors::of(read.found));
        }
        Ok(Self {
            file: file.to_owned(),
            state_dir: daemon.state_dir,
            socket: daemon.socket,
            timezone: daemon.timezone,
            http: daemon.http,
            grace: daemon.grace,
            roles: daemon.roles,
            retention: daemon.retention,
            partners: read.partners,
            connections: read.connections,
            feeds: read.feeds,
            hash: read.hash.finalize().to_hex().to_string(),
        })
    }
}

/// What has been read so far.
#[derive(Default)]
struct Read {
    files: usize,
    found: Vec<(usize, ConfigError)>,
    hash: blake3::Hasher,
    met: Met,
    partners: Vec<Partner>,
    connections: Vec<Connection>,
    feeds: Vec<Feed>,
    /// References, each with the number of its file.
    references: Vec<(usize, Written)>,
    /// Partners of which a file says something that is wrong.
    wrong: HashSet<String>,
}

impl Read {
    /// Reads the next file, or notes why that cannot be.
    fn open(&mut self, file: &Path) -> Option<Source> {
        self.files += 1;
        let error = match Source::read(file) {
            Ok(source) => {
                // Name and text, each with its length, so that no two configurations look alike.
                for part in [source.file.as_os_str().as_encoded_bytes(), source.bytes()] {
                    self.hash.update(&(part.len() as u64).to_le_bytes());
                    self.hash.update(part);
                }
                return Some(source);
            }
            Err(error) => error,
        };
        let remedy = if self.files == 1 && error.kind() == io::ErrorKind::NotFound {
            "name it with --config, or make a start with: marsad config init DIR"
        } else {
            "let it be a text file that the daemon may read"
        };
        let problem = format!("cannot be read ({})", show(&error.to_string()));
        let (key, remedy) = ("file".to_owned(), remedy.to_owned());
        let error = ConfigError { file: file.to_owned(), line: 1, key, problem, remedy };
        self.found.push((self.files, error));
        None
    }

    fn partner(&mut self, file: &Path, scope: &Scope<'_>) {
        let Some(source) = self.open(file) else { return };
        let (mut value, mut report) = source.parse();
        preset::complete(&mut value);
        if let Some(raw) = RawPartnerFile::read(&value, &Place::default(), &mut report) {
            let checked = check::partner_file(&raw, scope, &mut self.met, &mut report);
            let references = checked.references.into_iter();
            self.references.extend(references.map(|written| (self.files, written)));
            if let Some(partner) = checked.partner.as_ref().filter(|_| !report.found.is_empty()) {
                self.wrong.insert(partner.id.to_string());
            }
            self.partners.extend(checked.partner);
            self.connections.extend(checked.connections);
            self.feeds.extend(checked.feeds);
        }
        self.note(report);
    }

    /// Looks for what fields refer to. Where a file says not even whose it is, nobody can say whose feeds are all there.
    fn refer(&mut self) {
        let nameless = self.partners.len() + 1 < self.files;
        let whole = |partner: &str| !nameless && !self.wrong.contains(partner);
        let written = std::mem::take(&mut self.references);
        self.found.extend(resolve(written, &mut self.feeds, whole));
    }

    fn note(&mut self, report: Report<'_>) {
        self.found.extend(report.found.into_iter().map(|error| (self.files, error)));
    }
}

/// The partners' files, sorted by name; those with a leading dot are an editor's, not a person's.
fn partner_files(daemon: &check::Daemon, report: &mut Report<'_>) -> Vec<PathBuf> {
    let listed = fs::read_dir(&daemon.partners)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    match listed {
        Ok(mut files) => {
            let hidden = |path: &Path| {
                path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."))
            };
            files.retain(|path| path.extension() == Some(OsStr::new("toml")) && !hidden(path));
            files.sort();
            files
        }
        Err(error) => {
            let shown = daemon.partners.to_string_lossy();
            let shown = show(&shown);
            let problem = format!("{shown} cannot be read ({error})");
            report.missing(&daemon.partners_place, problem, format!("run: mkdir {shown}"));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
