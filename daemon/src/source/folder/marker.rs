//! The small file that a partner puts beside a file once that is complete: `a.csv.done`, or `a.done`.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io::Read as _,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{TakeError, Taken};
use crate::hex::hex;

/// The ending of markers that hold the SHA-256 of their file, as `sha256sum` writes it.
const SUMS: &str = ".sha256";
/// A marker that has no sum yet, and is younger than this, is still being written.
const YOUNG: Duration = Duration::from_secs(10);
/// The longest marker that is read, in bytes.
const MARKER_MAX: u64 = 64 * 1024;
/// A SHA-256, in hexadecimal digits.
const SUM_LEN: usize = 64;

/// When something of a file was changed last, its name too: seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed(i64, i64);

impl Changed {
    pub fn of(about: &Metadata) -> Self {
        Self(about.ctime(), about.ctime_nsec())
    }
}

/// What a marker says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    Yes,
    /// Nothing: the file was changed since the marker was put there, and may still be written. It is complete once it is
    /// still.
    OnceStill,
    /// There is none.
    Unmarked,
}

impl Completed {
    /// Of a file that was changed last then, as its marker was, if there is one.
    pub fn of(file: Changed, marker: Option<Changed>) -> Self {
        match marker {
            None => Self::Unmarked,
            Some(marker) if marker >= file => Self::Yes,
            Some(_) => Self::OnceStill,
        }
    }
}

/// How markers are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// Markers with that ending, such as `.done`. Those that end in `.sha256` hold the sum of their file.
    pub fn new(ending: &str) -> Self {
        Self(ending.to_owned())
    }

    /// Whether a file of that name is a marker.
    pub fn is(&self, name: &OsStr) -> bool {
        name.as_bytes().ends_with(self.0.as_bytes())
    }

    /// What the marker of a file may be called: after its name, or after its stem.
    pub fn names(&self, file: &OsStr) -> [OsString; 2] {
        let stem = Path::new(file).file_stem().unwrap_or(file);
        [file, stem].map(|name| {
            let mut name = name.to_owned();
            name.push(&self.0);
            name
        })
    }

    /// The marker of the file `name` in `folder`, if it is there.
    pub fn of(&self, folder: &Path, name: &OsStr) -> Option<PathBuf> {
        let mut there = self.names(name).into_iter().map(|name| folder.join(name));
        there.find(|path| fs::symlink_metadata(path).is_ok_and(|about| about.is_file()))
    }

    /// What the marker of the file `name` in `folder`, which is `about`, says of it.
    pub fn says(&self, folder: &Path, name: &OsStr, about: &Metadata) -> Completed {
        let marker = self.of(folder, name).and_then(|path| fs::symlink_metadata(path).ok());
        Completed::of(Changed::of(about), marker.as_ref().map(Changed::of))
    }

    /// Checks the SHA-256 of the file at `path`, where its marker holds one.
    ///
    /// # Errors
    /// [`TakeError::PutOff`] if the marker is gone or still being written, [`TakeError::Unlike`] if it holds another sum, or
    /// none.
    pub fn check(&self, path: &Path, sum: &[u8]) -> Result<(), TakeError> {
        if self.0 != SUMS {
            return Ok(());
        }
        let (folder, name) = (path.parent(), path.file_name());
        let marker = folder.zip(name).and_then(|(folder, name)| self.of(folder, name));
        let taken = Taken::open(&marker.ok_or(TakeError::PutOff)?)?;
        let written = taken.file.metadata().and_then(|about| about.modified());
        let age = written.ok().and_then(|written| written.elapsed().ok());
        let mut text = Vec::new();
        let read = taken.file.take(MARKER_MAX).read_to_end(&mut text);
        // By its mark, which shells of Windows write, else as UTF-8.
        let text = read.map_or_else(|_| "".into(), |_| encoding_rs::UTF_8.decode(&text).0);
        let name = name.unwrap_or_default().to_string_lossy();
        let said = sum_of(&name, &text);
        if !matches!(said, Said::Sum(_)) && age.is_some_and(|age| age < YOUNG) {
            return Err(TakeError::PutOff);
        }
        match said {
            Said::Sum(says) if says == hex(sum) => Ok(()),
            Said::Sum(_) => Err(TakeError::Unlike(
                "its content is not what its .sha256 says: it was changed or cut on the way; have it sent again",
            )),
            Said::OfOthers => Err(TakeError::Unlike(
                "its .sha256 names another file; have it written for this one",
            )),
            Said::Nothing => Err(TakeError::Unlike(
                "its .sha256 holds no SHA-256; have it written as sha256sum does",
            )),
        }
    }

    /// Whether the marker at `path` belongs to another file of its folder too, which is still there.
    pub fn is_shared(&self, path: &Path, file: &OsStr) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let Ok(entries) = fs::read_dir(folder) else { return false };
        entries.flatten().map(|entry| entry.file_name()).any(|other| {
            other != file
                && !self.is(&other)
                && self.names(&other).iter().any(|marker| marker == name)
        })
    }
}

/// What a list of sums says of a file.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Sum(String),
    /// There are sums, each of another file.
    OfOthers,
    Nothing,
}

/// The SHA-256 of the file `name` in `text`, as people's tools write it: the sum alone, before a name (`sha256sum`), behind it
/// (`SHA256 (name) = sum`), or behind the word `SHA256` (`Get-FileHash`). Where none is the file's own, one counts without a
/// name, or with one that cannot be read.
fn sum_of(name: &str, text: &str) -> Said {
    let (mut unnamed, mut said) = (None, Said::Nothing);
    for line in text.lines() {
        let word =
            |word: &&str| word.len() == SUM_LEN && word.bytes().all(|b| b.is_ascii_hexdigit());
        let Some(sum) = line.split(|c: char| !c.is_ascii_alphanumeric()).find(word) else {
            continue;
        };
        let (before, behind) = line.split_once(sum).unwrap_or_default();
        let named = [behind.trim_matches(is_sign), bare(before)].map(in_folder);
        let named = named.into_iter().find(|named| !named.is_empty());
        let sum = sum.to_ascii_lowercase();
        match named {
            Some(named) if named == name => return Said::Sum(sum),
            Some(named) if !named.contains(char::REPLACEMENT_CHARACTER) => said = Said::OfOthers,
            _ => drop(unnamed.get_or_insert(sum)),
        }
    }
    unnamed.map_or(said, Said::Sum)
}

/// What stands between a sum and the name of its file.
fn is_sign(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '\\' | '=' | ':')
}

/// What stands before a sum, without the word that says what it is.
fn bare(text: &str) -> &str {
    let text = text.trim_matches(is_sign);
    let mut words = ["sha256", "sha2-256", "hash"].into_iter();
    let text = words.find_map(|word| {
        let (begin, rest) = text.split_at_checked(word.len())?;
        begin.eq_ignore_ascii_case(word).then_some(rest.trim_matches(is_sign))
    });
    let text = text.unwrap_or_default();
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text)
}

/// The name of a file without its folders.
fn in_folder(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_found_as_peoples_tools_write_it() {
        let sum = "5b5ee0cc9dbb6c7a3a1d5a8dd0a0ee6be4e57d0e2f9a0a5f1f0b5c0b6a0f3b10";
        let other = sum.replace("5b5", "000");
        let found = Said::Sum(sum.to_owned());
        for (text, why) in [
            (sum.to_owned(), "alone"),
            (format!("{sum}  a.csv\n"), "sha256sum"),
            (format!("{sum} *a.csv\r\n"), "of a binary file, by Windows' lines"),
            (format!("\u{feff}{}  out/to/a.csv\n", sum.to_uppercase()), "in capitals"),
            (format!("\\{sum}  C:\\out\\a.csv\n"), "escaped"),
            (format!("SHA256 (a.csv) = {sum}\n"), "as BSD does"),
            (format!("sha256:{sum}"), "as containers do"),
            (
                format!(
                    "Algorithm  Hash  Path\n---------  ----  ----\nSHA256     {sum}       C:\\out\\a.csv\n"
                ),
                "by a shell of Windows",
            ),
            (format!("{other}  b.csv\n{sum}  a.csv\n"), "among others"),
            (format!("{sum}  \u{fffd}\u{fffd}.csv\n"), "with a name in another encoding"),
            (format!("{other}  \u{fffd}.csv\n{sum}  a.csv\n"), "behind such a name"),
            (format!("SHA2-256(a.csv)= {sum}\n"), "as OpenSSL does"),
            (
                format!("Algorithm : SHA256\r\nHash      : {sum}\r\nPath      : C:\\a.csv\r\n"),
                "as a list",
            ),
        ] {
            assert_eq!(sum_of("a.csv", &text), found, "{why}");
        }
        let own = format!("{sum}  sha256-list.csv");
        assert_eq!(sum_of("sha256-list.csv", &own), found, "whatever its name begins with");
        assert_eq!(sum_of("a.csv", &format!("{sum}  b.csv\n{other} *aa.csv\n")), Said::OfOthers);
        for text in ["", "id,name\n", &format!("{sum}0  a.csv"), "a.csv"] {
            assert_eq!(sum_of("a.csv", text), Said::Nothing, "{text}");
        }
    }

    #[test]
    fn a_sum_that_is_not_the_files_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.csv");
        let sum = ring::digest::digest(&ring::digest::SHA256, b"id\n1\n");
        let good = "5b5ee0cc9dbb6c7a3a1d5a8dd0a0ee6be4e57d0e2f9a0a5f1f0b5c0b6a0f3b10";
        let is = hex(sum.as_ref());
        let marker = Marker::new(".sha256");
        let beside = temp.path().join("a.csv.sha256");
        let check = |text: &str| {
            fs::write(&beside, text).unwrap();
            let old = std::time::SystemTime::UNIX_EPOCH;
            fs::File::options().write(true).open(&beside).unwrap().set_modified(old).unwrap();
            marker.check(&path, sum.as_ref())
        };
        assert!(check(&format!("{is}  a.csv\n")).is_ok(), "as sha256sum writes it");
        assert!(check(&is.to_ascii_uppercase()).is_ok(), "alone, in capitals");
        for text in [good, "", "id,name"] {
            assert!(matches!(check(text), Err(TakeError::Unlike(_))), "{text:?}");
        }
        let mut wide = vec![0xff, 0xfe];
        wide.extend(format!("{is}\r\n").encode_utf16().flat_map(u16::to_le_bytes));
        fs::write(&beside, wide).unwrap();
        assert!(marker.check(&path, sum.as_ref()).is_ok(), "in UTF-16, with its mark");
        fs::write(&beside, format!("{good}  b.csv\n")).unwrap();
        let others = marker.check(&path, sum.as_ref());
        assert!(matches!(others, Err(TakeError::PutOff)), "a list that may go on");
        fs::write(&beside, "5b5ee0").unwrap();
        let half = marker.check(&path, sum.as_ref());
        assert!(matches!(half, Err(TakeError::PutOff)), "it is still being written");
        fs::remove_file(&beside).unwrap();
        assert!(matches!(marker.check(&path, sum.as_ref()), Err(TakeError::PutOff)));
        assert!(Marker::new(".done").check(&path, sum.as_ref()).is_ok(), "nothing to be checked");
    }
}
