//! A start for somebody new: a configuration that checks clean and works at once, without a network.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::untrusted::show;

/// What is written, each under its path within the folder.
const FILES: [(&str, &str); 3] = [
    ("marsad.toml", include_str!("init/marsad.toml")),
    ("partners.d/example.toml", include_str!("init/example.toml")),
    ("example/in/visits-1.csv", include_str!("init/visits-1.csv")),
];

/// Why no start could be made. Nothing that was there before has been touched.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{} is there already, and is not overwritten; name another folder", shown(.0))]
    Exists(PathBuf),
    #[error("cannot write {}; choose a folder that you may write to", shown(path))]
    Write { path: PathBuf, source: io::Error },
}

fn shown(path: &Path) -> String {
    show(&path.to_string_lossy()).into_owned()
}

/// Writes a commented start into `folder`, which is made if it is not there: `marsad.toml`, a partner that consists of
/// a folder, and a file for it to take. Gives the paths of what was written.
///
/// # Errors
/// [`InitError`]; if one of the files is there already, before anything is written.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>, InitError> {
    let files = FILES.map(|(name, text)| (folder.join(name), text));
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(InitError::Exists(path.clone()));
    }
    for (path, text) in &files {
        let write = || -> io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|source| InitError::Write { path: path.clone(), source })?;
    }
    Ok(files.map(|(path, _)| path).into())
}
