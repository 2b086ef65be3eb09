//! What partners drop into folders, read as somebody would configure it.

use std::fs;

use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    build::workspace,
    daemon::{Daemon, Home},
    partner::{Cell, PartnerFile},
};

use crate::waits;

mod again;
mod calendars;
mod complete;
mod encodings;
mod retention;
mod snapshots;
mod together;

/// A folder that a daemon imports from, with its feeds.
struct Folder {
    daemon: Daemon,
    path: std::path::PathBuf,
}

impl Folder {
    /// A daemon with feeds of one folder: each an id with its keys.
    async fn with(feeds: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::marked("", feeds).await
    }

    /// The same, with a further key of the connection.
    async fn marked(key: &str, feeds: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let path = home.join("in");
        fs::create_dir(&path)?;
        let mut file = PartnerFile::new("office");
        let keys = format!("import = \"{}\"\nsettle = \"2s\"\n{key}\n", path.display());
        file.connection("drop", &keys);
        for (id, keys) in feeds {
            file.add(&format!("\n[[feed]]\nid = \"{id}\"\nconnection = \"drop\"\n{keys}"));
        }
        home.partner(&file)?;
        Ok(Self { daemon: Daemon::start(home).await?, path })
    }

    /// Puts a whole file in place, and gives the run that it became, once it has ended.
    async fn drop(&self, feed: &str, name: &str, content: &[u8]) -> anyhow::Result<RunRow> {
        let before = waits::last(&self.daemon, &format!("office/{feed}")).await?;
        let temporary = self.path.join(format!(".{name}.part"));
        fs::write(&temporary, content)?;
        fs::rename(&temporary, self.path.join(name))?;
        self.ended(feed, before, name).await
    }

    /// The run of a file, once it has ended, with a number above `after`.
    async fn ended(&self, feed: &str, after: u64, name: &str) -> anyhow::Result<RunRow> {
        let ended =
            |run: &RunRow| run.file.as_deref() == Some(name) && run.outcome != Outcome::Running;
        waits::run(&self.daemon, &format!("office/{feed}"), after, name, ended).await
    }

    /// The bytes of a file that is held, once it has been put there.
    async fn held(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path.join("held").join(name);
        self.daemon.until(&format!("{name} in held/"), async |_| Ok(fs::read(&path).ok())).await
    }

    /// The live rows of a feed, the cells of each as one text.
    fn rows(&self, feed: &str, columns: &[&str]) -> anyhow::Result<Vec<String>> {
        let rows = bank::rows(&self.daemon.state_dir(), &format!("office/{feed}"), columns)?;
        let text = |cell: Cell| match cell {
            Cell::Null => "·".to_owned(),
            Cell::Integer(number) => number.to_string(),
            Cell::Text(text) => text,
        };
        Ok(rows
            .into_iter()
            .map(|row| row.into_iter().map(text).collect::<Vec<_>>().join("|"))
            .collect())
    }
}

/// The bytes of a sample.
fn sample(file: &str) -> anyhow::Result<Vec<u8>> {
    Ok(fs::read(workspace().join("tests/samples").join(file))?)
}
