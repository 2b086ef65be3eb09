//! A partner that sends files: whole ones under a temporary name, and careless ones written slowly in place.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{config::PartnerFile, data::Truth};

/// The office, its folders and its rows.
#[derive(Debug)]
pub struct Office {
    partner: &'static str,
    /// Where its files go: our import folder.
    folder: PathBuf,
    pub truth: Truth,
}

impl Office {
    /// An office that puts its files into `folder`, which is made.
    pub fn new(partner: &'static str, folder: &Path, truth: Truth) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { partner, folder: folder.to_owned(), truth })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The feed's id.
    pub fn feed(&self) -> String {
        format!("{}/{}", self.partner, self.truth.dataset.feed)
    }

    /// The connection's id.
    pub fn connection(&self) -> String {
        format!("{}/drop", self.partner)
    }

    /// The partner's file for `partners.d`; `settle` as in the configuration.
    pub fn file(&self, settle: &str) -> PartnerFile {
        let mut file = PartnerFile::new(self.partner);
        let folder = self.folder.display();
        file.connection("drop", &format!("import = \"{folder}\"\nsettle = \"{settle}\"\n"));
        file.feed("drop", self.truth.dataset);
        file.add(&format!("files = \"{}-*.csv\"", self.truth.dataset.feed));
        file
    }

    /// All rows as a CSV file with a byte-order mark, as offices send them.
    pub fn csv(&self) -> String {
        let mut text = format!("\u{feff}{}", self.truth.dataset.csv_header());
        for number in 0..self.truth.len() {
            self.truth.dataset.csv_line(&self.truth.row(number), &mut text);
        }
        text
    }

    /// Puts a whole file in place: a temporary name first, then renamed.
    pub fn drop_file(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let (path, temporary) = (self.folder.join(name), self.folder.join(format!(".{name}.part")));
        fs::write(&temporary, content)?;
        fs::rename(&temporary, &path)
            .with_context(|| format!("cannot rename to {}", path.display()))?;
        Ok(path)
    }

    /// Begins a file under its own name; it grows as it is written on.
    pub fn begin(&self, name: &str) -> anyhow::Result<Growing> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Growing { path, file })
    }

    /// The names of files left in the folder, in `done/` and in `held/`.
    pub fn left(&self) -> [Vec<String>; 3] {
        [self.folder.clone(), self.folder.join("done"), self.folder.join("held")]
            .map(|folder| names(&folder))
    }
}

/// A file that is being written. It is complete once nobody writes it any more.
#[derive(Debug)]
pub struct Growing {
    pub path: PathBuf,
    file: File,
}

impl Growing {
    /// Writes some more, down to the disk.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(bytes)?;
        Ok(self.file.sync_all()?)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut names: Vec<_> =
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
