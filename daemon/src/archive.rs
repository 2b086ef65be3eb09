//! A ZIP archive, read member by member and never unpacked to a path.
//!
//! Its directory is looked through whole before any byte of a member is read: what it says of each member has to be so in
//! front of the member too, and members may neither overlap nor share a name (security T5). What is said of a member is a
//! claim until it has been read: then its length and its CRC are compared.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
};

use deflate64::Deflate64Decoder;
use flate2::{Crc, bufread::DeflateDecoder};

use crate::{decode::DecodeError, unpack::WINDOW};

mod directory;

/// The most bytes that come out of one archive or packed file.
pub const WHOLE_MAX: u64 = 512 * 1024 * 1024;
/// The most members of an archive.
pub const MEMBERS_MAX: usize = 10_000;
/// So many times its packed size a member may have, beyond a first mebibyte.
pub const RATIO_MAX: u64 = 200;
/// How an archive begins, and how one without members does.
const BEGINS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// What an archiver of a desktop adds by itself.
const LITTER: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// Where it puts more of it.
const LITTER_FOLDER: &str = "__MACOSX/";

/// Whether bytes that begin so are an archive.
pub fn is_archive(begin: &[u8]) -> bool {
    BEGINS.iter().any(|mark| begin.starts_with(mark))
}

/// An archive whose directory has been looked through.
#[derive(Debug)]
pub struct Archive {
    file: File,
    members: Vec<Member>,
}

/// One member, as the directory and its own head say alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path; what is no UTF-8 in it is written as `\xNN`.
    pub name: String,
    packing: Packing,
    crc: u32,
    /// How long it is as it lies there, and unpacked.
    packed: u64,
    size: u64,
    /// Where its bytes begin.
    at: u64,
}

/// How a member is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Stored,
    Deflate,
    /// As the desktop of Windows packs what is large.
    Deflate64,
    Zstd,
}

impl Packing {
    /// By the number that an archive gives it; `None`: it is not read.
    const fn of(method: u16) -> Option<Self> {
        Some(match method {
            0 => Self::Stored,
            8 => Self::Deflate,
            9 => Self::Deflate64,
            93 => Self::Zstd,
            _ => return None,
        })
    }
}

impl Archive {
    /// Looks through the directory of `file`.
    ///
    /// # Errors
    /// [`DecodeError`] with what is wrong with it, naming the member; [`DecodeError::Io`] if it cannot be read.
    pub fn open(file: File) -> Result<Self, DecodeError> {
        let members = directory::read(&file)?;
        Ok(Self { file, members })
    }

    /// Its members, in the order of the directory; folders are none.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The bytes of a member.
    pub fn read<'a>(&'a self, member: &'a Member) -> Bytes<'a> {
        let stored = Stored { file: &self.file, at: member.at, end: member.at + member.packed };
        let stored = BufReader::with_capacity(CHUNK, stored);
        let inner = match member.packing {
            Packing::Stored => Inner::Stored(stored),
            Packing::Deflate => Inner::Deflate(Box::new(DeflateDecoder::new(stored))),
            Packing::Deflate64 => Inner::Deflate64(Box::new(Deflate64Decoder::with_buffer(stored))),
            Packing::Zstd => zstd::Decoder::with_buffer(stored)
                .and_then(|mut decoder| {
                    // What asks for a larger window asks for our memory.
                    decoder.window_log_max(WINDOW)?;
                    Ok(Inner::Zstd(Box::new(decoder)))
                })
                .unwrap_or_else(|error| Inner::Failed(Some(error))),
        };
        Bytes { member, inner, crc: Crc::new(), read: 0, fault: None }
    }

    /// Gives the file back.
    pub fn into_file(self) -> File {
        self.file
    }
}

impl Member {
    /// Whether an archiver of a desktop added it by itself.
    pub fn is_litter(&self) -> bool {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        self.name.starts_with(LITTER_FOLDER) || LITTER.contains(&name)
    }

    fn broken(&self, what: &str) -> DecodeError {
        DecodeError::Broken(format!("its member {} {what}; have it packed again", self.name))
    }
}

/// A member's bytes, compared with what the directory says of them as they pass.
pub struct Bytes<'a> {
    member: &'a Member,
    inner: Inner<'a>,
    crc: Crc,
    read: u64,
    fault: Option<DecodeError>,
}

enum Inner<'a> {
    Stored(BufReader<Stored<'a>>),
    Deflate(Box<DeflateDecoder<BufReader<Stored<'a>>>>),
    Deflate64(Box<Deflate64Decoder<BufReader<Stored<'a>>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Stored<'a>>>>),
    /// A decoder that could not be set up.
    Failed(Option<io::Error>),
}

/// How many bytes of a member were not taken.
fn left(stored: &BufReader<Stored<'_>>) -> u64 {
    let Stored { at, end, .. } = stored.get_ref();
    end - at + stored.buffer().len() as u64
}

impl Bytes<'_> {
    /// Why reading failed, where the archive is at fault.
    pub fn fault(&mut self) -> Option<DecodeError> {
        self.fault.take()
    }

    /// Reads what is left of it.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not as the directory says.
    pub fn drain(&mut self) -> Result<(), DecodeError> {
        match io::copy(self, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault().unwrap_or(DecodeError::Io(error))),
        }
    }

    fn fail(&mut self, what: &str) -> io::Error {
        self.fault = Some(self.member.broken(what));
        io::ErrorKind::InvalidData.into()
    }

    /// At its end all of it has to be there, and nothing behind it.
    fn end(&mut self) -> io::Result<()> {
        let Member { size, packed, crc, .. } = *self.member;
        let taken = match &self.inner {
            Inner::Stored(_) => self.read,
            Inner::Deflate(decoder) => decoder.total_in(),
            Inner::Deflate64(decoder) => packed - left(decoder.get_ref()),
            Inner::Zstd(decoder) => packed - left(decoder.get_ref()),
            Inner::Failed(_) => 0,
        };
        if self.read != size || taken != packed {
            return Err(self.fail("is not as long as the archive says"));
        }
        if self.crc.sum() != crc {
            self.fault = Some(DecodeError::Checksum(format!(
                "its member {} does not have the checksum that the archive says; have it packed again",
                self.member.name
            )));
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.inner {
            Inner::Stored(bytes) => bytes.read(buffer),
            Inner::Deflate(bytes) => bytes.read(buffer),
            Inner::Deflate64(bytes) => bytes.read(buffer),
            Inner::Zstd(bytes) => bytes.read(buffer),
            Inner::Failed(error) => error.take().map_or(Ok(0), Err),
        };
        let read = match read {
            Ok(read) => read,
            // The disk's own errors have a number, and a decoder's have none.
            Err(error) if error.raw_os_error().is_none() => {
                return Err(self.fail("does not unpack to its end"));
            }
            Err(error) => return Err(error),
        };
        if read == 0 && !buffer.is_empty() {
            self.end()?;
            return Ok(0);
        }
        self.read += read as u64;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        if self.read > self.member.size {
            return Err(self.fail("is longer than the archive says"));
        }
        Ok(read)
    }
}

/// The bytes of a member as they lie there.
struct Stored<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
