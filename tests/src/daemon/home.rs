//! A daemon's folder: its configuration, its state, its log. Temporary.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::partner::PartnerFile;

/// The folder and how `marsadd` is started in it.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    /// Whole lines for `marsadd.toml`, beside what every daemon has.
    extra: String,
    environment: Vec<(OsString, OsString)>,
    /// What a shell does before it becomes `marsadd`.
    before: Option<String>,
}

impl Home {
    /// A folder with a configuration that names no partner yet.
    pub fn new() -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("marsad-").tempdir().context("no temporary folder")?;
        DirBuilder::new().mode(0o700).create(folder.path().join("partners.d"))?;
        let home = Self { folder, extra: String::new(), environment: Vec::new(), before: None };
        home.write_config()?;
        Ok(home)
    }

    /// A folder with these partners.
    pub fn with(partners: &[&PartnerFile]) -> anyhow::Result<Self> {
        let home = Self::new()?;
        for partner in partners {
            home.partner(partner)?;
        }
        Ok(home)
    }

    /// Writes a partner's file; another of the same partner is replaced.
    pub fn partner(&self, partner: &PartnerFile) -> anyhow::Result<()> {
        partner.write(&self.path().join("partners.d"))
    }

    /// Adds whole lines to `marsad.toml`.
    pub fn extra(mut self, lines: &str) -> anyhow::Result<Self> {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self.write_config()?;
        Ok(self)
    }

    /// Gives `marsadd` a variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has a shell run `script` before it becomes `marsadd`.
    #[must_use]
    pub fn before(mut self, script: &str) -> Self {
        self.before = Some(script.to_owned());
        self
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let text = format!(
            "state_dir = \"state\"\nsocket = \"run/marsad.sock\"\ntimezone = \"Asia/Dubai\"\n\
             partners = \"partners.d\"\n{}",
            self.extra
        );
        fs::write(self.config(), text)
            .with_context(|| format!("cannot write {}", self.config().display()))
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match &self.before {
            None => Command::new(program),
            Some(script) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("{script}\nexec \"$0\" \"$@\"")).arg(program);
                command
            }
        };
        command
            .current_dir(self.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn log_file(&self) -> anyhow::Result<File> {
        let path = self.log_path();
        let file = File::options().create(true).append(true).open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside, for partners' folders.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.join("marsad.toml")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.join("state")
    }

    pub fn socket(&self) -> PathBuf {
        self.join("run/marsad.sock")
    }

    pub fn log_path(&self) -> PathBuf {
        self.join("marsadd.log")
    }
}
