//! Files of a folder: which may be taken, taking them safely, and putting them away.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

pub mod away;
mod look;
pub mod marker;
mod waiting;
pub mod watch;

pub use away::{settle, settle_all};
pub use marker::Marker;
pub use watch::{News, Watch};

/// The largest file that is taken from a folder or put into one, in bytes.
pub const FILE_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Beginnings and endings of names that programs give to what they have not finished (security T8).
const UNFINISHED: ([&str; 3], [&str; 4]) =
    ([".", "~$", "_tmp_"], [".part", ".tmp", ".filepart", ".crdownload"]);

/// What tells a file that has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified_ns: i128,
}

impl Stamp {
    pub fn of(about: &Metadata) -> Self {
        let modified_ns =
            i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
        Self { inode: about.ino(), size: about.size(), modified_ns }
    }

    /// Its length, in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Inode and time of change as one text: which of all files of this name it is.
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.inode, self.size, self.modified_ns)
    }
}

/// Whether programs use such names for what they have not finished.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    UNFINISHED.0.iter().any(|start| name.starts_with(start))
        || UNFINISHED.1.iter().any(|end| name.ends_with(end))
}

/// Why a file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Gone, or still being written: it will be seen again if it is there.
    #[error("the file changed while it was read")]
    PutOff,
    /// A link, a device, a file with other names: never read (security T7).
    #[error("it is {0}, not a regular file of its own; copy the content here")]
    Odd(&'static str),
    /// It is not what its marker says.
    #[error("{0}")]
    Unlike(&'static str),
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
}

/// An open file of a folder, with what it was when it was opened.
#[derive(Debug)]
pub struct Taken {
    pub file: File,
    pub stamp: Stamp,
    pub bytes: u64,
}

impl Taken {
    /// Opens `path`, which must be a regular file without other names.
    pub fn open(path: &Path) -> Result<Self, TakeError> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TakeError::PutOff),
            Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {
                return Err(TakeError::Odd("a link"));
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENXIO) => {
                return Err(TakeError::Odd("a socket or pipe"));
            }
            Err(error) => return Err(TakeError::Unreadable(error)),
        };
        let about = file.metadata().map_err(TakeError::Unreadable)?;
        if !about.is_file() {
            return Err(TakeError::Odd("a pipe, socket or device"));
        }
        if about.nlink() > 1 {
            return Err(TakeError::Odd("a file with other names (hard links)"));
        }
        Ok(Self { file, stamp: Stamp::of(&about), bytes: about.len() })
    }

    /// Whether it is still what it was when it was opened, and still what stands at `path`.
    pub fn is_unchanged(&self, path: &Path) -> bool {
        let same =
            |about: io::Result<Metadata>| about.is_ok_and(|about| Stamp::of(&about) == self.stamp);
        same(self.file.metadata()) && same(fs::symlink_metadata(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_known_by_its_name() {
        for (name, unfinished) in [
            ("a.csv", false),
            (".a.csv", true),
            ("a.csv.part", true),
            ("~$a.xlsx", true),
            ("a.tmp", true),
            ("قيد.csv", false),
        ] {
            assert_eq!(is_unfinished(OsStr::new(name)), unfinished, "{name}");
        }
    }

    #[test]
    fn links_and_pipes_are_never_read() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("real"), b"x").unwrap();
        assert!(Taken::open(&path("real")).is_ok());
        std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
        assert!(matches!(Taken::open(&path("link")), Err(TakeError::Odd(_))));
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Taken::open(&path("pipe")), Err(TakeError::Odd(_))));
        fs::hard_link(path("real"), path("twin")).unwrap();
        assert!(matches!(Taken::open(&path("twin")), Err(TakeError::Odd(_))));
        assert!(matches!(Taken::open(&path("gone")), Err(TakeError::PutOff)));
    }
}
