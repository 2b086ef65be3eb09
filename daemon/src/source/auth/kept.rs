//! A refresh token that its server replaces: the new one is on the disk before anything else is done with the answer, and
//! one connection at a time asks with it, of all that were given the same one: who shows one that was replaced is taken for
//! a thief, and all that came of it is revoked (RFC 9700 section 4.14.2).

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use marsad_shared::{connection::Grant, health::Reason};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::super::fault::FetchError;

/// The folder where such tokens are kept, and the tokens of all connections.
#[derive(Debug)]
pub struct Vault {
    folder: PathBuf,
    tokens: std::sync::Mutex<HashMap<PathBuf, Arc<Mutex<Kept>>>>,
}

/// A refresh token: the one that was configured, or the last that the server gave.
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
    token: SecretString,
    read: bool,
    /// Whether the disk does not have it yet.
    unsaved: bool,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Saved {
    refresh_token: String,
}

impl Vault {
    /// The tokens in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), tokens: std::sync::Mutex::default() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// For the grant that needs it. Connections that were given the same one share it.
    pub(super) fn kept(&self, grant: &Grant) -> Option<Arc<Mutex<Kept>>> {
        let Grant::RefreshToken(first) = grant else { return None };
        // By the configured one: when a person puts another one there, what came of this one is not used any more.
        let name = blake3::hash(first.expose_secret().as_bytes()).to_hex();
        let file = self.folder.join(format!("{name}.refresh"));
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tokens.entry(file.clone()).or_insert_with(|| {
            let token = first.clone();
            Arc::new(Mutex::new(Kept { file, token, read: false, unsaved: false }))
        });
        Some(Arc::clone(kept))
    }
}

impl Kept {
    /// The one to use next. What could not be saved before is saved now, or nothing goes on.
    pub(super) async fn current(&mut self, url: &Url) -> Result<SecretString, FetchError> {
        if !self.read {
            let file = self.file.clone();
            let found = blocking(move || load(&file)).await;
            if let Some(token) = found.map_err(|error| self.disk(url, "read", &error))? {
                self.token = token;
            }
            self.read = true;
        }
        if self.unsaved {
            self.save(url).await?;
        }
        Ok(self.token.clone())
    }

    /// Takes a new one in place of the last, for good.
    pub(super) async fn replace(
        &mut self,
        token: SecretString,
        url: &Url,
    ) -> Result<(), FetchError> {
        self.token = token;
        self.unsaved = true;
        self.save(url).await
    }

    async fn save(&mut self, url: &Url) -> Result<(), FetchError> {
        let file = self.file.clone();
        let saved = Saved { refresh_token: self.token.expose_secret().to_owned() };
        let stored = blocking(move || store(&file, &saved)).await;
        stored.map_err(|error| self.disk(url, "written down", &error))?;
        self.unsaved = false;
        Ok(())
    }

    fn disk(&self, url: &Url, what: &str, error: &io::Error) -> FetchError {
        let name = self.file.file_name().unwrap_or_default().display();
        let what =
            format!("the refresh token in state_dir/secrets/{name} could not be {what} ({error})");
        FetchError::of(Reason::Disk, url, &what)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("broken off")))
}

/// What the server gave last.
fn load(file: &Path) -> io::Result<Option<SecretString>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // It was renamed there whole: what cannot be read was put there by somebody.
    let saved: Saved = serde_json::from_slice(&text)
        .map_err(|_| io::Error::other("the file is not as Marsad writes it; remove it"))?;
    Ok(Some(saved.refresh_token.into()))
}

/// The whole file or none of it, whatever happens.
fn store(file: &Path, saved: &Saved) -> io::Result<()> {
    let part = file.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut written = options.open(&part)?;
    written.write_all(&serde_json::to_vec(saved)?)?;
    written.sync_all()?;
    fs::rename(&part, file)?;
    File::open(file.parent().unwrap_or(file))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn kept(folder: &Path, first: &str) -> Arc<Mutex<Kept>> {
        Vault::new(folder).kept(&Grant::RefreshToken(first.into())).unwrap()
    }

    #[tokio::test]
    async fn the_last_one_given_is_used_after_a_restart_until_a_person_configures_another() {
        let temp = tempfile::tempdir().unwrap();
        let url = "https://p.example/token".parse().unwrap();
        let first = kept(temp.path(), "one");
        let mut first = first.lock().await;
        assert_eq!(first.current(&url).await.unwrap().expose_secret(), "one");
        first.replace("two".into(), &url).await.unwrap();
        let file = first.file.clone();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1, "and no part of it");
        assert!(!format!("{first:?}").contains("two"));

        let next = async |first: &str| kept(temp.path(), first).lock().await.current(&url).await;
        assert_eq!(next("one").await.unwrap().expose_secret(), "two");
        assert_eq!(next("three").await.unwrap().expose_secret(), "three");
        // A file that nobody can read is not passed over: the token in it may be the only good one.
        fs::write(&file, "{").unwrap();
        let error = next("one").await.unwrap_err();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(error.reason() == Some(Reason::Disk) && error.to_string().contains(name));
    }

    #[tokio::test]
    async fn what_could_not_be_saved_is_saved_before_anything_else_happens() {
        let temp = tempfile::tempdir().unwrap();
        let url = "https://p.example/token".parse().unwrap();
        let folder = temp.path().join("secrets");
        let kept = kept(&folder, "one");
        let mut kept = kept.lock().await;
        let error = kept.replace("two".into(), &url).await.unwrap_err();
        assert!(error.reason() == Some(Reason::Disk) && !error.to_string().contains("two"));
        assert!(kept.current(&url).await.is_err(), "still nowhere to save it");
        fs::create_dir(&folder).unwrap();
        assert_eq!(kept.current(&url).await.unwrap().expose_secret(), "two");
        assert!(fs::read_to_string(&kept.file).unwrap().contains("two"));
    }
}
