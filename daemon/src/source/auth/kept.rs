//! A refresh token that its server replaces: the new one is on the disk before anything else is done with the answer.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use marsad_shared::{connection::Grant, health::Reason, id::ConnectionId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::super::fault::FetchError;

/// The refresh token of a connection: the one that was configured, or the last that the server gave.
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
    /// A hash of the configured one: when it changes, a person has put a new one there.
    configured: String,
    token: SecretString,
    read: bool,
    /// Whether the disk does not have it yet.
    unsaved: bool,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Saved {
    refresh_token: String,
    configured: String,
}

impl Kept {
    /// For the grant that needs it. `secrets` is the folder where such tokens are kept.
    pub(super) fn of(grant: &Grant, secrets: &Path, connection: &ConnectionId) -> Option<Self> {
        let Grant::RefreshToken(first) = grant else { return None };
        // No id has a `_`, so no two connections share a file.
        let name = format!("{}.refresh", connection.as_str().replace('/', "_"));
        Some(Self {
            file: secrets.join(name),
            configured: blake3::hash(first.expose_secret().as_bytes()).to_hex().to_string(),
            token: first.clone(),
            read: false,
            unsaved: false,
        })
    }

    /// The one to use next. What could not be saved before is saved now, or nothing goes on.
    pub(super) async fn current(&mut self, url: &Url) -> Result<SecretString, FetchError> {
        if !self.read {
            let (file, configured) = (self.file.clone(), self.configured.clone());
            let found = blocking(move || load(&file, &configured)).await;
            if let Some(token) = found.map_err(|error| disk(url, "read", &error))? {
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
        let saved = Saved {
            refresh_token: self.token.expose_secret().to_owned(),
            configured: self.configured.clone(),
        };
        let stored = blocking(move || store(&file, &saved)).await;
        stored.map_err(|error| disk(url, "written down", &error))?;
        self.unsaved = false;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("broken off")))
}

fn disk(url: &Url, what: &str, error: &io::Error) -> FetchError {
    let what = format!("the refresh token in state_dir/secrets could not be {what} ({error})");
    FetchError::of(Reason::Disk, url, &what)
}

/// What the server gave last, unless a person has configured another one since.
fn load(file: &Path, configured: &str) -> io::Result<Option<SecretString>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // It was renamed there whole: what cannot be read was put there by somebody.
    let saved: Saved = serde_json::from_slice(&text)
        .map_err(|_| io::Error::other("the file is not as Marsad writes it; remove it"))?;
    Ok((saved.configured == configured).then(|| saved.refresh_token.into()))
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

    fn kept(folder: &Path, first: &str) -> Kept {
        let grant = Grant::RefreshToken(first.into());
        Kept::of(&grant, folder, &"courts/api".parse().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_last_one_given_is_used_after_a_restart_until_a_person_configures_another() {
        let temp = tempfile::tempdir().unwrap();
        let url = "https://p.example/token".parse().unwrap();
        let mut first = kept(temp.path(), "one");
        assert_eq!(first.current(&url).await.unwrap().expose_secret(), "one");
        first.replace("two".into(), &url).await.unwrap();
        let file = temp.path().join("courts_api.refresh");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!temp.path().join("courts_api.part").exists());
        assert!(!format!("{first:?}").contains("two"));

        let mut again = kept(temp.path(), "one");
        assert_eq!(again.current(&url).await.unwrap().expose_secret(), "two");
        let mut another = kept(temp.path(), "three");
        assert_eq!(another.current(&url).await.unwrap().expose_secret(), "three");
        // A file that nobody can read is not passed over: the token in it may be the only good one.
        fs::write(&file, "{").unwrap();
        let error = kept(temp.path(), "one").current(&url).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::Disk));
    }

    #[tokio::test]
    async fn what_could_not_be_saved_is_saved_before_anything_else_happens() {
        let temp = tempfile::tempdir().unwrap();
        let url = "https://p.example/token".parse().unwrap();
        let folder = temp.path().join("secrets");
        let mut kept = kept(&folder, "one");
        let error = kept.replace("two".into(), &url).await.unwrap_err();
        assert!(error.reason() == Some(Reason::Disk) && !error.to_string().contains("two"));
        assert!(kept.current(&url).await.is_err(), "still nowhere to save it");
        fs::create_dir(&folder).unwrap();
        assert_eq!(kept.current(&url).await.unwrap().expose_secret(), "two");
        assert!(fs::read_to_string(folder.join("courts_api.refresh")).unwrap().contains("two"));
    }
}
