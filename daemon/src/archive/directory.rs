//! The directory of an archive, and whether it may be believed (APPNOTE 6.3.10, sections 4.3.7 to 4.3.16).

use std::{collections::HashSet, fmt::Write as _, fs::File, io, os::unix::fs::FileExt as _};

use super::{MEMBERS_MAX, Member, Packing, RATIO_MAX, WHOLE_MAX};
use crate::{decode::DecodeError, unpack::FREE};

/// How each part begins.
const HEAD: u32 = 0x0403_4b50;
const ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
/// How long each is without what is of any length, in bytes.
const HEAD_LEN: usize = 30;
const ENTRY_LEN: usize = 46;
const END_LEN: usize = 22;
const END_64_LEN: usize = 56;
const LOCATOR_64_LEN: usize = 20;
/// The longest directory, in bytes: ten thousand members with long names.
const DIRECTORY_MAX: u64 = 16 * 1024 * 1024;
/// The longest path of a member, in bytes.
const NAME_MAX: usize = 4096;
/// What stands where a number did not fit and is among what is extra.
const ELSEWHERE_32: u64 = 0xffff_ffff;
const ELSEWHERE_16: u64 = 0xffff;
/// Bits of a member: it is encrypted, in one way or another; its lengths stand behind its bytes.
const FLAG_ENCRYPTED: u16 = 1;
const FLAG_LATER: u16 = 1 << 3;
const FLAG_STRONG: u16 = 1 << 6;
const FLAG_HIDDEN: u16 = 1 << 13;
/// Unix and its kin: the mode stands in the upper half of the attributes.
const UNIX: [u16; 2] = [3, 19];
const MODE_KIND: u32 = 0o170_000;
const MODE_FILE: u32 = 0o100_000;
const MODE_FOLDER: u32 = 0o040_000;

/// Where the directory lies, and how many members it has.
struct End {
    /// Where the records behind it begin.
    behind: u64,
    at: u64,
    size: u64,
    members: u64,
}

/// The members of `file`, in the order of its directory.
pub(super) fn read(file: &File) -> Result<Vec<Member>, DecodeError> {
    let end = end(file)?;
    if end.members > MEMBERS_MAX as u64 || end.size > DIRECTORY_MAX {
        return Err(DecodeError::TooLarge(format!(
            "it has more than {MEMBERS_MAX} members; have it split"
        )));
    }
    if end.at.checked_add(end.size) != Some(end.behind) {
        return Err(broken("its directory is not where it should be"));
    }
    let directory = bytes(file, end.at, usize::try_from(end.size).unwrap_or(usize::MAX))?;
    let (mut members, mut spans, mut names) = (Vec::new(), Vec::new(), HashSet::new());
    let (mut rest, mut total) = (&directory[..], 0_u64);
    for _ in 0..end.members {
        let (entry, behind) = Entry::read(rest)?;
        rest = behind;
        entry.check()?;
        if !names.insert(entry.name) {
            return Err(entry.refuse("is there twice"));
        }
        total = total.saturating_add(entry.size);
        if total > WHOLE_MAX {
            return Err(DecodeError::TooLarge(
                "it unpacks to more than 512 MiB; have it split".to_owned(),
            ));
        }
        let at = entry.begin(file)?;
        let packed_end = at.checked_add(entry.packed).filter(|packed_end| *packed_end <= end.at);
        let packed_end = packed_end.ok_or_else(|| entry.refuse("leads behind its end"))?;
        spans.push((entry.at, packed_end, members.len()));
        members.push(entry.member(at));
    }
    if !rest.is_empty() {
        return Err(broken("its directory is longer than it says"));
    }
    apart(&mut spans, &members)?;
    members.retain(|member| !member.name.ends_with('/'));
    Ok(members)
}

/// Members may not lie one in another: so a small archive would unpack to a large one.
fn apart(spans: &mut [(u64, u64, usize)], members: &[Member]) -> Result<(), DecodeError> {
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let [(_, end, _), (begin, _, which)] = pair else { continue };
        if end > begin {
            let name = members.get(*which).map_or("", |member| &member.name);
            return Err(hostile(name, "lies on top of another one"));
        }
    }
    Ok(())
}

/// Looks for the end record, which is the last thing in the file.
fn end(file: &File) -> Result<End, DecodeError> {
    let len = file.metadata().map_err(DecodeError::Io)?.len();
    let tail_len = len.min((END_LEN + usize::from(u16::MAX)) as u64);
    let tail_at = len - tail_len;
    let tail = bytes(file, tail_at, usize::try_from(tail_len).unwrap_or(usize::MAX))?;
    let is_end = |at: &usize| {
        let record = tail.get(*at..).unwrap_or_default();
        u32_at(record, 0) == Some(END)
            && u16_at(record, 20).is_some_and(|note| END_LEN + usize::from(note) == record.len())
    };
    let last = tail.len().checked_sub(END_LEN);
    let found = last.and_then(|last| (0..=last).rev().find(is_end));
    let at = found.ok_or_else(|| {
        DecodeError::Broken(
            "it is an archive without an end; it was cut off: fetch it again".to_owned(),
        )
    })?;
    let record = tail.get(at..).unwrap_or_default();
    let short = |at: usize| u16_at(record, at).map(u64::from).unwrap_or_default();
    let long = |at: usize| u32_at(record, at).map(u64::from).unwrap_or_default();
    let behind = tail_at + at as u64;
    let plain = End { behind, members: short(10), size: long(12), at: long(16) };
    let elsewhere = [short(4), short(6), short(8), short(10)].contains(&ELSEWHERE_16)
        || [plain.size, plain.at].contains(&ELSEWHERE_32);
    if elsewhere && let Some(end) = end_64(file, behind)? {
        return Ok(end);
    }
    if short(4) != 0 || short(6) != 0 || short(8) != short(10) {
        return Err(DecodeError::Format(
            "it is one part of an archive of several; have it packed into one file".to_owned(),
        ));
    }
    Ok(plain)
}

/// The same for one whose numbers did not fit.
fn end_64(file: &File, behind: u64) -> Result<Option<End>, DecodeError> {
    let Some(at) = behind.checked_sub(LOCATOR_64_LEN as u64) else { return Ok(None) };
    let locator = bytes(file, at, LOCATOR_64_LEN)?;
    if u32_at(&locator, 0) != Some(LOCATOR_64) {
        return Ok(None);
    }
    let misplaced = || broken("its directory is not where it should be");
    let record_at =
        u64_at(&locator, 8).filter(|record_at| *record_at < at).ok_or_else(misplaced)?;
    if u32_at(&locator, 4) != Some(0) || u32_at(&locator, 16) != Some(1) {
        return Err(misplaced());
    }
    let record = bytes(file, record_at, END_64_LEN)?;
    let long = |place: usize| u64_at(&record, place).unwrap_or_default();
    let one = u32_at(&record, 16) == Some(0) && u32_at(&record, 20) == Some(0);
    let whole = u32_at(&record, 0) == Some(END_64)
        && long(4).checked_add(12).and_then(|len| len.checked_add(record_at)) == Some(at);
    if !one || !whole || long(24) != long(32) {
        return Err(misplaced());
    }
    Ok(Some(End { behind: record_at, members: long(32), size: long(40), at: long(48) }))
}

/// What the directory says of one member.
struct Entry<'d> {
    name: &'d [u8],
    host: u16,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    mode: u32,
    /// Where its head begins.
    at: u64,
}

impl<'d> Entry<'d> {
    /// The first entry of `directory`, and what stands behind it.
    fn read(directory: &'d [u8]) -> Result<(Self, &'d [u8]), DecodeError> {
        let cut = || broken("its directory is cut off");
        if u32_at(directory, 0) != Some(ENTRY) {
            return Err(cut());
        }
        let short = |at: usize| u16_at(directory, at).ok_or_else(cut);
        let long = |at: usize| u32_at(directory, at).ok_or_else(cut);
        let (name, extra, note) = (short(28)?, short(30)?, short(32)?);
        let rest = directory.get(ENTRY_LEN..).ok_or_else(cut)?;
        let (name, rest) = rest.split_at_checked(name.into()).ok_or_else(cut)?;
        let (extra, rest) = rest.split_at_checked(extra.into()).ok_or_else(cut)?;
        let (_, rest) = rest.split_at_checked(note.into()).ok_or_else(cut)?;
        let (packed, size) = (u64::from(long(20)?), u64::from(long(24)?));
        let mut large = Large::of(extra);
        let mut full = |claim: u64| {
            if claim == ELSEWHERE_32 { large.next().ok_or_else(cut) } else { Ok(claim) }
        };
        // In this order they stand among what is extra.
        let (size, packed, at) = (full(size)?, full(packed)?, full(long(42)?.into())?);
        let entry = Self {
            name,
            host: short(4)? >> 8,
            flags: short(8)?,
            method: short(10)?,
            crc: long(16)?,
            packed,
            size,
            mode: long(38)? >> 16,
            at,
        };
        Ok((entry, rest))
    }

    fn refuse(&self, what: &str) -> DecodeError {
        hostile(&text(self.name), what)
    }

    /// Whether it is something that may be read at all.
    fn check(&self) -> Result<(), DecodeError> {
        let kind = if UNIX.contains(&self.host) { self.mode & MODE_KIND } else { 0 };
        let what = if let Some(what) = name_is_bad(self.name) {
            what
        } else if self.flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_HIDDEN) != 0 {
            "is encrypted"
        } else if !matches!(kind, 0 | MODE_FILE | MODE_FOLDER) {
            "is a link or a device"
        } else if self.name.ends_with(b"/") && self.size != 0 {
            "is a folder with bytes in it"
        } else if Packing::of(self.method).is_none() {
            return Err(unread(&text(self.name), self.method));
        } else if self.method == 0 && self.packed != self.size {
            "has two lengths"
        } else if self.size > FREE && self.size / RATIO_MAX > self.packed {
            return Err(DecodeError::TooLarge(format!(
                "its member {} unpacks to more than {RATIO_MAX} times its size; ask the partner what it is",
                text(self.name)
            )));
        } else {
            return Ok(());
        };
        Err(self.refuse(what))
    }

    /// Where its bytes begin, once its head says the same as the directory.
    fn begin(&self, file: &File) -> Result<u64, DecodeError> {
        let differs = || self.refuse("is another one in its own place than in the directory");
        let head = match bytes(file, self.at, HEAD_LEN) {
            Err(DecodeError::Io(error)) if error.raw_os_error().is_some() => {
                return Err(DecodeError::Io(error));
            }
            head => head.map_err(|_| differs())?,
        };
        let short = |at: usize| u16_at(&head, at).unwrap_or_default();
        let long = |at: usize| u32_at(&head, at).map(u64::from).unwrap_or_default();
        let (name_len, extra_len) = (usize::from(short(26)), usize::from(short(28)));
        let encrypted = FLAG_ENCRYPTED | FLAG_STRONG | FLAG_HIDDEN;
        let same = long(0) == u64::from(HEAD)
            && short(6) & encrypted == 0
            && short(6) & FLAG_LATER == self.flags & FLAG_LATER
            && short(8) == self.method
            && name_len == self.name.len();
        if !same {
            return Err(differs());
        }
        let behind = bytes(file, self.at + HEAD_LEN as u64, name_len + extra_len)
            .map_err(|error| if is_ours(&error) { error } else { differs() })?;
        let (name, extra) = behind.split_at_checked(name_len).ok_or_else(differs)?;
        let mut large = Large::of(extra);
        let mut full = |claim: u64| if claim == ELSEWHERE_32 { large.next() } else { Some(claim) };
        let (size, packed) = (full(long(22)), full(long(18)));
        let told = self.flags & FLAG_LATER == 0;
        let claims = (long(14), size, packed);
        if name != self.name
            || told && claims != (self.crc.into(), Some(self.size), Some(self.packed))
        {
            return Err(differs());
        }
        Ok(self.at + (HEAD_LEN + name_len + extra_len) as u64)
    }

    fn member(&self, at: u64) -> Member {
        Member {
            name: text(self.name),
            // What is packed in another way was refused.
            packing: Packing::of(self.method).unwrap_or(Packing::Stored),
            crc: self.crc,
            packed: self.packed,
            size: self.size,
            at,
        }
    }
}

/// What is wrong with a member's path, if anything is.
fn name_is_bad(name: &[u8]) -> Option<&'static str> {
    let mut steps = name.strip_suffix(b"/").unwrap_or(name).split(|byte| *byte == b'/');
    if name.is_empty() || name.len() > NAME_MAX {
        Some("has no name, or one of more than 4096 bytes")
    } else if name.contains(&0) {
        Some("has a zero byte in its name")
    } else if name.contains(&b'\\') {
        Some("has a backslash in its path")
    } else if name.starts_with(b"/") || name.get(1) == Some(&b':') {
        Some("has an absolute path")
    } else if steps.any(|step| matches!(step, b"" | b"." | b"..")) {
        Some("has a path that leads out of the archive")
    } else {
        None
    }
}

/// The numbers that did not fit, of what is extra (4.5.3).
struct Large<'e>(&'e [u8]);

impl<'e> Large<'e> {
    fn of(mut extra: &'e [u8]) -> Self {
        while let (Some(id), Some(len)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let Some((field, rest)) =
                extra.get(4..).and_then(|rest| rest.split_at_checked(len.into()))
            else {
                break;
            };
            if id == 1 {
                return Self(field);
            }
            extra = rest;
        }
        Self(&[])
    }
}

impl Iterator for Large<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = u64_at(self.0, 0)?;
        self.0 = self.0.get(8..)?;
        Some(number)
    }
}

/// A path as text: what is no UTF-8 in it as `\xNN`.
fn text(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for piece in name.utf8_chunks() {
        text.push_str(piece.valid());
        for byte in piece.invalid() {
            // Writing to a text cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A member that is packed in a way that is not read.
fn unread(name: &str, method: u16) -> DecodeError {
    let how = match method {
        1 | 6 => "as programs did before 1993".to_owned(),
        12 => "with bzip2".to_owned(),
        14 => "with LZMA".to_owned(),
        20 => "with zstd under its old number".to_owned(),
        95 => "with xz".to_owned(),
        98 => "with PPMd".to_owned(),
        other => format!("with method {other}"),
    };
    DecodeError::Format(format!(
        "its member {name} is packed {how}, which is not read; have it packed with deflate, as every program does by default, with deflate64 or with zstd"
    ))
}

fn hostile(name: &str, what: &str) -> DecodeError {
    DecodeError::Format(format!(
        "its member {name} {what}; no such archive is read: have it packed again"
    ))
}

fn broken(what: &str) -> DecodeError {
    DecodeError::Broken(format!("{what}; fetch it again, or have it packed again"))
}

/// Whether it is the disk that is at fault.
fn is_ours(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Io(error) if error.raw_os_error().is_some())
}

fn bytes(file: &File, at: u64, len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = vec![0; len];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(broken("it ends in the middle"))
        }
        Err(error) => Err(DecodeError::Io(error)),
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}
