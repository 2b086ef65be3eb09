//! What a file holds, whatever it is packed in: itself, the one file in it, or the members of an archive in their order.
//!
//! How it begins tells how it is packed; what it is called tells only the format of what is inside. One layer is undone,
//! streamed, and never to a path (security T5).

use std::{
    fs::File,
    io::{self, Read, Seek as _},
    path::Path,
};

use globset::GlobMatcher;
use marsad_shared::feed::{Feed, Format};

use crate::{
    archive::{self, Archive, Member, RATIO_MAX, WHOLE_MAX},
    decode::{DecodeError, Flow, xlsx},
    unpack::{Packing, UnpackError, Unpacked},
};

/// As much of a file tells how it is packed, in bytes.
const BEGIN: usize = 8;
/// Endings of packed files' names.
const ENDINGS: [&str; 4] = [".gz", ".gzip", ".zst", ".zstd"];

/// One file that is to be read.
pub(super) struct Inner<'b> {
    /// What it is called: of a member, behind the archive's own name.
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) bytes: Contents<'b>,
}

/// The bytes of a file that is to be read.
pub(super) enum Contents<'b> {
    /// As they stream by.
    Stream(&'b mut dyn Read),
    /// All of them, put aside already.
    Aside(File),
}

impl Contents<'_> {
    /// All of them, put aside in `folder`.
    pub(super) fn aside(self, folder: &Path) -> Result<File, DecodeError> {
        match self {
            Self::Stream(bytes) => aside(bytes, folder),
            Self::Aside(file) => Ok(file),
        }
    }

    /// As they stream by.
    pub(super) fn stream(&mut self) -> &mut dyn Read {
        match self {
            Self::Stream(bytes) => bytes,
            Self::Aside(file) => file,
        }
    }
}

/// A file that cannot be read to its end.
#[derive(Debug)]
pub(super) struct Unread {
    /// Which one: of a member, behind the archive's own name.
    pub(super) file: String,
    pub(super) error: DecodeError,
}

/// Hands what `bytes`, a file called `name`, hold to `each`, one file after the other. An archive is put aside in `folder`
/// first, in a file without a name, for its directory stands at its end.
///
/// # Errors
/// [`Unread`] if it cannot be unpacked, or `each` cannot read what is in it; what was handed on before stands.
pub(super) fn read(
    mut bytes: impl Read + Send,
    name: &str,
    feed: &Feed,
    folder: &Path,
    mut each: impl FnMut(Inner<'_>) -> Result<Flow, DecodeError>,
) -> Result<(), Unread> {
    let unread = |error| Unread { file: name.to_owned(), error };
    let mut begin = Vec::with_capacity(BEGIN);
    let read = bytes.by_ref().take(BEGIN as u64).read_to_end(&mut begin);
    read.map_err(|error| unread(DecodeError::Io(error)))?;
    let whole = begin.as_slice().chain(bytes);
    if archive::is_archive(&begin) {
        let archive = aside(whole, folder).and_then(Archive::open).map_err(unread)?;
        if xlsx::is_workbook(&archive) {
            return workbook(archive, name, feed, &mut each).map_err(unread);
        }
        return members(&archive, name, feed, &mut each);
    }
    let packing = Packing::by_magic(&begin);
    let mut plain =
        Unpacked::new(whole, packing, if packing.is_some() { WHOLE_MAX } else { u64::MAX })
            .within(RATIO_MAX);
    let format = format_of(feed, inner_name(name, packing));
    let done = once(&mut plain, packing.is_some(), format, |bytes| {
        each(Inner { name: name.to_owned(), format, bytes: Contents::Stream(bytes) })
    });
    // What could not be unpacked is the cause of whatever else is said of it.
    match (plain.fault(), done) {
        (Some(fault), _) => Err(unread(unpacked(&fault))),
        (None, done) => done.map(drop).map_err(unread),
    }
}

/// Hands a workbook, which is an archive of its own parts, to `each`.
fn workbook(
    archive: Archive,
    name: &str,
    feed: &Feed,
    each: &mut impl FnMut(Inner<'_>) -> Result<Flow, DecodeError>,
) -> Result<(), DecodeError> {
    let format = feed.format.unwrap_or(Format::Xlsx);
    if format != Format::Xlsx {
        return Err(DecodeError::Format(format!(
            "it is a workbook, and the feed reads {}; write format = \"xlsx\", or ask for the right file",
            format.word()
        )));
    }
    let bytes = Contents::Aside(archive.into_file());
    each(Inner { name: name.to_owned(), format, bytes }).map(drop)
}

/// Hands the members of an archive that the feed wants to `each`. The others are read too, so that an archive which is
/// damaged anywhere is found out.
fn members(
    archive: &Archive,
    name: &str,
    feed: &Feed,
    each: &mut impl FnMut(Inner<'_>) -> Result<Flow, DecodeError>,
) -> Result<(), Unread> {
    let mut any = false;
    for member in archive.members() {
        let file = format!("{name}/{}", member.name);
        let unread = |error| Unread { file: file.clone(), error };
        let mut bytes = archive.read(member);
        let mut flow = Ok(Flow::More);
        if is_wanted(member, feed.entries.as_ref()) {
            any = true;
            let format = format_of(feed, &member.name);
            flow = once(&mut bytes, true, format, |bytes| {
                each(Inner { name: file.clone(), format, bytes: Contents::Stream(bytes) })
            });
        }
        if let Some(fault) = bytes.fault() {
            return Err(Unread { file: name.to_owned(), error: fault });
        }
        if flow.map_err(unread)? == Flow::Stop {
            return Ok(());
        }
        bytes.drain().map_err(|error| Unread { file: name.to_owned(), error })?;
    }
    if any { Ok(()) } else { Err(Unread { file: name.to_owned(), error: nothing(archive, feed) }) }
}

/// Hands `bytes` to `read` and reads what that left of them; of what came packed, only what is not packed once more.
fn once(
    mut bytes: impl Read,
    packed: bool,
    format: Format,
    read: impl FnOnce(&mut dyn Read) -> Result<Flow, DecodeError>,
) -> Result<Flow, DecodeError> {
    let mut begin = Vec::new();
    if packed {
        bytes.by_ref().take(BEGIN as u64).read_to_end(&mut begin).map_err(DecodeError::Io)?;
        // A workbook is an archive by itself.
        let is_archive = archive::is_archive(&begin) && format != Format::Xlsx;
        if is_archive || Packing::by_magic(&begin).is_some() {
            let text = "it is packed twice; have it packed once".to_owned();
            return Err(DecodeError::Format(text));
        }
    }
    let mut whole = begin.as_slice().chain(&mut bytes);
    let flow = read(&mut whole)?;
    if flow == Flow::More {
        io::copy(&mut whole, &mut io::sink()).map_err(DecodeError::Io)?;
    }
    Ok(flow)
}

/// Whether a member is one that the feed reads.
fn is_wanted(member: &Member, entries: Option<&GlobMatcher>) -> bool {
    match entries {
        Some(entries) => entries.is_match(&member.name),
        None => !member.is_litter(),
    }
}

/// Why an archive has nothing for the feed.
fn nothing(archive: &Archive, feed: &Feed) -> DecodeError {
    let have = match archive.members() {
        [] => "is empty".to_owned(),
        [first, ..] => format!("has for instance {}", first.name),
    };
    DecodeError::Layout(match &feed.entries {
        Some(entries) => format!(
            "no member of the archive matches `entries` ({}); it {have}: mend `entries`, or ask for the right archive",
            entries.glob()
        ),
        None => format!("the archive holds no file to read; it {have}: ask for the right archive"),
    })
}

/// Puts `bytes` aside, into a file of `folder` that has no name.
fn aside(bytes: impl Read, folder: &Path) -> Result<File, DecodeError> {
    let mut file = tempfile::tempfile_in(folder).map_err(DecodeError::Io)?;
    // Members that all unpack to more than this are none of an archive that is read.
    let most = 2 * WHOLE_MAX;
    let len = io::copy(&mut bytes.take(most + 1), &mut file).map_err(DecodeError::Io)?;
    if len > most {
        let text = "the archive is larger than 1 GiB; have it split".to_owned();
        return Err(DecodeError::TooLarge(text));
    }
    file.rewind().map_err(DecodeError::Io)?;
    Ok(file)
}

/// Why a packed file does not unpack to its end.
fn unpacked(fault: &UnpackError) -> DecodeError {
    match fault {
        UnpackError::Unread(how) => DecodeError::Format(format!(
            "it is packed in a way that is not read ({how}); have it packed as gzip, zstd or zip"
        )),
        UnpackError::Broken(how) => DecodeError::Broken(format!(
            "it is packed ({how}) and does not unpack to its end; it was cut off or damaged: fetch it again"
        )),
        UnpackError::TooLarge(most) => DecodeError::TooLarge(format!(
            "it unpacks to more than {} MiB; have it split",
            most / (1024 * 1024)
        )),
        UnpackError::TooDense(ratio) => DecodeError::TooLarge(format!(
            "it unpacks to more than {ratio} times its size; ask the partner what it is"
        )),
    }
}

/// What a packed file is called once it is unpacked.
fn inner_name(name: &str, packing: Option<Packing>) -> &str {
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|ending| packing.is_some() && lower.ends_with(*ending));
    ending.and_then(|ending| name.get(..name.len() - ending.len())).unwrap_or(name)
}

/// The format that the feed says, or the file's name.
fn format_of(feed: &Feed, name: &str) -> Format {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    feed.format.unwrap_or(match ending.as_str() {
        "json" => Format::Json,
        "ndjson" | "jsonl" => Format::Ndjson,
        "xml" => Format::Xml,
        "xlsx" | "xlsm" | "xls" | "xlsb" => Format::Xlsx,
        _ => Format::Csv,
    })
}
