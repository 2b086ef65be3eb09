//! `originals/`: what arrived and what is owed, byte for byte, kept by content hash until retention.
//!
//! A file is written under a temporary name, synced, then renamed to its hash, so that a name never stands for half a
//! file. The same content twice is one file.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::StoreError;

/// zstd's fastest ordinary level: the disk is the bound, not the ratio.
const LEVEL: i32 = 1;
const TEMPORARY: &str = ".part";

/// The folder of originals.
#[derive(Clone, Debug)]
pub struct Originals {
    folder: PathBuf,
}

/// An original on its way in. Dropping it leaves nothing.
pub struct Incoming {
    folder: PathBuf,
    temporary: PathBuf,
    encoder: Option<zstd::Encoder<'static, File>>,
    hasher: blake3::Hasher,
    bytes: u64,
}

/// An original that is safe: synced, under its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// BLAKE3 in hex.
    pub hash: String,
    pub bytes: u64,
}

impl Originals {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Removes what a killed daemon left half written.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let entries =
            fs::read_dir(&self.folder).map_err(|source| StoreError::io(&self.folder, source))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|source| StoreError::io(&path, source))?;
            }
        }
        Ok(())
    }

    /// Begins to keep an original.
    pub fn incoming(&self) -> Result<Incoming, StoreError> {
        let temporary = self.folder.join(format!("{}{TEMPORARY}", uuid::Uuid::now_v7().simple()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let encoder = file.and_then(|file| zstd::Encoder::new(file, LEVEL));
        Ok(Incoming {
            folder: self.folder.clone(),
            encoder: Some(encoder.map_err(|source| StoreError::io(&temporary, source))?),
            temporary,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        })
    }

    /// Whether this content is kept already.
    pub fn has(&self, hash: &str) -> bool {
        place(&self.folder, hash).exists()
    }

    /// The content of that hash, as it was.
    pub fn open(&self, hash: &str) -> Result<impl Read + Send + use<>, StoreError> {
        let path = place(&self.folder, hash);
        let open = || zstd::Decoder::new(File::open(&path)?);
        open().map_err(|source| StoreError::io(&path, source))
    }
}

impl Incoming {
    /// Syncs what was written and puts it under its hash.
    pub fn keep(mut self) -> Result<Kept, StoreError> {
        let hash = self.hasher.finalize().to_hex().to_string();
        let path = place(&self.folder, &hash);
        self.settle(&path).map_err(|source| StoreError::io(&path, source))?;
        Ok(Kept { hash, bytes: self.bytes })
    }

    fn settle(&mut self, path: &Path) -> io::Result<()> {
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        encoder.finish()?.sync_all()?;
        let folder = path.parent().unwrap_or(&self.folder);
        if !folder.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        fs::rename(&self.temporary, path)?;
        File::open(folder)?.sync_all()
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let encoder = self.encoder.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = encoder.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Kept: renamed away, so there is nothing to remove. Else what cannot be removed now is swept at the next start.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Two letters of the hash make a folder, so that none grows too long.
fn place(folder: &Path, hash: &str) -> PathBuf {
    folder.join(hash.get(..2).unwrap_or("__")).join(format!("{hash}.zst"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_comes_back_as_it_was_under_its_hash() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let mut incoming = originals.incoming().unwrap();
        incoming.write_all("طلب,1\n".as_bytes()).unwrap();
        let kept = incoming.keep().unwrap();
        assert_eq!(kept.hash, blake3::hash("طلب,1\n".as_bytes()).to_hex().to_string());
        let mut text = String::new();
        originals.open(&kept.hash).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "طلب,1\n");
    }

    #[test]
    fn half_an_original_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let mut incoming = originals.incoming().unwrap();
        incoming.write_all(b"half").unwrap();
        drop(incoming);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
