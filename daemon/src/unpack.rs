//! Answers and files as they were before they were packed: one layer, and only so much of it.
//!
//! How bytes begin says more than a header does: what is packed and does not say so is unpacked all the same, and what
//! says so and is not is taken as it is. Only where bytes have no beginning of their own does the header count, unless they
//! do not unpack and are plain text.

use std::{
    io::{self, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use flate2::{
    bufread::{DeflateDecoder, ZlibDecoder},
    read::MultiGzDecoder,
};

use whole::{Brotli, Whole};

mod whole;

/// What an answer may be packed in.
pub const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// What servers write of a body that is not packed: what is meant for that, and what is not.
const UNPACKED: [&str; 4] = ["", "identity", "none", "utf-8"];
/// How `gzip` begins.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// How `zstd` begins.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The largest window of `zstd`, as a power of two of bytes: 8 MiB (RFC 9659).
pub const WINDOW: u32 = 23;
/// As many bytes tell text from what is packed, if there are so many; and so many at least.
const TEXT: usize = 512;
const TEXT_LEAST: usize = 12;
/// So many bytes may come out at any ratio: a small file of one letter is no bomb.
pub const FREE: u64 = 1024 * 1024;

/// Why an answer cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// In a way that we do not know, or twice: it would come the same way again.
    #[error("the answer is packed in a way that is not read ({0})")]
    Unread(String),
    #[error(
        "the answer is packed ({0}) and does not unpack to its end, or more stands behind that"
    )]
    Broken(&'static str),
    #[error("the answer is larger than {} MiB once it is unpacked", .0 / (1024 * 1024))]
    TooLarge(u64),
    #[error("the answer unpacks to more than {0} times its size")]
    TooDense(u64),
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    /// `deflate` as the standard has it: in a frame of zlib.
    Zlib,
    /// `deflate` as some servers have it: without one.
    Deflate,
    Brotli,
    Zstd,
}

/// A body that says of itself that it is packed in `says` (`Content-Encoding`; empty: nothing), as it was before; at most
/// `most` bytes. All members of a `gzip` are read (security section 1.6), and of the others one stream that is all there is.
///
/// # Errors
/// [`UnpackError`]: then there is no answer that could be used.
pub fn unpack(body: Bytes, says: &str, most: usize) -> Result<Bytes, UnpackError> {
    let Some(packing) = Packing::of(&body, says)? else { return Ok(body) };
    let mut plain = Vec::new();
    let mut unpacked = Unpacked::new(io::Cursor::new(body.clone()), Some(packing), most as u64);
    if unpacked.read_to_end(&mut plain).is_err() {
        let fault = unpacked.fault().unwrap_or(UnpackError::Broken(packing.word()));
        return if packing.is_mere_word(&body, &fault) { Ok(body) } else { Err(fault) };
    }
    packing.holds(&plain)?;
    Ok(plain.into())
}

/// A body on its way to what it was before it was packed.
pub struct Unpacked<'b> {
    bytes: Box<dyn Read + Send + 'b>,
    packing: Option<Packing>,
    /// How many bytes there were, and how many there may be.
    read: u64,
    most: u64,
    /// How many went in, and how many times as many may come out; `None`: any number.
    packed: Arc<AtomicU64>,
    ratio: Option<u64>,
    fault: Option<UnpackError>,
}

impl<'b> Unpacked<'b> {
    /// `bytes`, packed in `packing`, of which at most `most` may come out.
    pub fn new(bytes: impl Read + Send + 'b, packing: Option<Packing>, most: u64) -> Self {
        let packed = Arc::new(AtomicU64::new(0));
        let bytes = Counted { bytes, count: Arc::clone(&packed) };
        let bytes: Box<dyn Read + Send + 'b> = match packing {
            None => Box::new(bytes),
            Some(Packing::Gzip) => Box::new(MultiGzDecoder::new(bytes)),
            Some(Packing::Zlib) => Box::new(Whole(ZlibDecoder::new(BufReader::new(bytes)))),
            Some(Packing::Deflate) => Box::new(Whole(DeflateDecoder::new(BufReader::new(bytes)))),
            Some(Packing::Brotli) => Box::new(Whole(Brotli::new(bytes))),
            Some(Packing::Zstd) => match zstd::Decoder::new(bytes) {
                Ok(mut decoder) => {
                    // What asks for a larger window asks for our memory (RFC 9659).
                    match decoder.window_log_max(WINDOW) {
                        Ok(()) => Box::new(decoder),
                        Err(error) => Box::new(Failed(Some(error))),
                    }
                }
                Err(error) => Box::new(Failed(Some(error))),
            },
        };
        Self { bytes, packing, read: 0, most, packed, ratio: None, fault: None }
    }

    /// The same, of which at most `ratio` times as many bytes may come out as go in, beyond the first [`FREE`].
    #[must_use]
    pub fn within(self, ratio: u64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    /// How many bytes have come out.
    pub fn read_so_far(&self) -> u64 {
        self.read
    }

    /// Why reading failed, where the partner is at fault.
    pub fn fault(&mut self) -> Option<UnpackError> {
        self.fault.take()
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer).inspect_err(|error| {
            // The disk's own errors have a number, and a decoder's have none.
            if let Some(packing) = self.packing.filter(|_| error.raw_os_error().is_none()) {
                self.fault = Some(UnpackError::Broken(packing.word()));
            }
        })?;
        self.read += read as u64;
        if self.read > self.most {
            self.fault = Some(UnpackError::TooLarge(self.most));
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Some(ratio) = self.ratio.filter(|_| self.packing.is_some() && self.read > FREE)
            && self.read / ratio > self.packed.load(Ordering::Relaxed)
        {
            self.fault = Some(UnpackError::TooDense(ratio));
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}

/// Bytes that are counted as they go in.
struct Counted<R> {
    bytes: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A decoder that could not be set up.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Packing {
    /// How a body is packed that begins with `body` and says that it is packed in `says`.
    ///
    /// # Errors
    /// [`UnpackError::Unread`] if it says something that we do not know.
    pub fn of(body: &[u8], says: &str) -> Result<Option<Self>, UnpackError> {
        let is_none = |word: &str| UNPACKED.iter().any(|none| word.eq_ignore_ascii_case(none));
        // As they came, for whoever looks for something secret in them.
        let words: Vec<_> = says.split(',').map(str::trim).filter(|word| !is_none(word)).collect();
        let lower = words.first().map(|word| word.to_ascii_lowercase());
        let said = match words.as_slice() {
            [] => None,
            [_] => lower.as_deref(),
            _ => return Err(UnpackError::Unread(format!("twice: {}", words.join(" and ")))),
        };
        let named = match said {
            None | Some("gzip" | "x-gzip" | "zstd") => None,
            Some("br") => Some(Self::Brotli),
            Some("deflate") if is_zlib(body) => Some(Self::Zlib),
            Some("deflate") => Some(Self::Deflate),
            Some(other) => return Err(UnpackError::Unread(other.to_owned())),
        };
        // An empty body is packed in nothing, whatever it says.
        Ok(Self::by_magic(body).or(named).filter(|_| !body.is_empty()))
    }

    /// Makes sure that what begins with `plain` once it is unpacked is not packed once more.
    ///
    /// # Errors
    /// [`UnpackError::Unread`] if it is.
    pub fn holds(self, plain: &[u8]) -> Result<(), UnpackError> {
        match Self::by_magic(plain) {
            None => Ok(()),
            Some(inner) => {
                Err(UnpackError::Unread(format!("twice: {} in {}", inner.word(), self.word())))
            }
        }
    }

    /// Whether nothing but a header says that a body is packed so: it has that `fault`, and begins as text does.
    pub fn is_mere_word(self, begin: &[u8], fault: &UnpackError) -> bool {
        let marked = matches!(self, Self::Gzip | Self::Zstd | Self::Zlib);
        !marked && matches!(fault, UnpackError::Broken(_)) && is_text(begin)
    }

    /// How bytes are packed that begin so; `None`: in no way that shows there.
    pub fn by_magic(body: &[u8]) -> Option<Self> {
        if body.starts_with(GZIP) {
            Some(Self::Gzip)
        } else {
            body.starts_with(ZSTD).then_some(Self::Zstd)
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib | Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Whether bytes begin as text does: what is packed has bytes among its first that no text has.
fn is_text(begin: &[u8]) -> bool {
    let begin = begin.get(..begin.len().min(TEXT)).unwrap_or_default();
    let text = match std::str::from_utf8(begin) {
        Ok(text) => text,
        // The last letter may be cut.
        Err(error) if error.error_len().is_none() => {
            let whole = begin.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.len() >= TEXT_LEAST && text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

/// Whether two bytes are the head of a zlib frame (RFC 1950): method 8, and a check that divides by 31.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const PLAIN: &[u8] = b"{\"data\": []}";

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(plain: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// A frame of `br` around what stays as it is (RFC 7932 section 9.2).
    fn brotli(plain: &[u8]) -> Vec<u8> {
        let head = (u32::try_from(plain.len()).unwrap() - 1) << 4 | 1 << 20;
        [&head.to_le_bytes()[..3], plain, &[3]].concat()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        zstd::encode_all(plain, 1).unwrap()
    }

    #[test]
    fn what_it_is_counts_and_then_what_it_says() {
        for (body, says, why) in [
            (PLAIN.to_vec(), "", "most answers"),
            (PLAIN.to_vec(), "identity", "it says that it is not packed"),
            (gzip(PLAIN), "gzip", "as it says"),
            (gzip(PLAIN), "x-gzip", "an old name"),
            (gzip(PLAIN), "", "it does not say so"),
            (gzip(PLAIN), "br", "it says something else"),
            (gzip(PLAIN), "deflate", "it says something else"),
            (PLAIN.to_vec(), "gzip", "it says so, and it is not"),
            (zstd(PLAIN), "zstd", "as it says"),
            (zstd(PLAIN), "gzip", "it says something else"),
            (zlib(PLAIN), "deflate", "as the standard has it"),
            (deflate(PLAIN), "Deflate", "as some servers have it"),
            (brotli(PLAIN), "br", "as it says"),
            (PLAIN.to_vec(), "br", "it says so, and it is not"),
            (PLAIN.to_vec(), "deflate", "it says so, and it is not"),
            (PLAIN.to_vec(), "none", "what some servers write"),
            (PLAIN.to_vec(), "UTF-8", "what some servers write"),
        ] {
            let plain = unpack(body.into(), says, 1024);
            assert_eq!(plain.as_deref(), Ok(PLAIN), "{says:?}: {why}");
        }
        assert_eq!(unpack(Bytes::new(), "br", 9).as_deref(), Ok(&b""[..]), "nothing is nothing");
        let both = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(unpack(both.into(), "", 1024).as_deref(), Ok(&b"one\ntwo\n"[..]));
    }

    #[test]
    fn what_grows_out_of_proportion_is_stopped_beyond_its_first_mebibyte() {
        let plain = vec![b' '; 4 * 1024 * 1024];
        for (packed, packing) in [(gzip(&plain), Packing::Gzip), (zstd(&plain), Packing::Zstd)] {
            let mut bytes = Unpacked::new(&packed[..], Some(packing), u64::MAX).within(200);
            let mut out = Vec::new();
            bytes.read_to_end(&mut out).unwrap_err();
            assert_eq!(bytes.fault(), Some(UnpackError::TooDense(200)), "{packing:?}");
            assert!(out.len() as u64 <= FREE, "{packing:?}: {}", out.len());
            let small = vec![b' '; 1024 * 1024];
            let packed = if packing == Packing::Gzip { gzip(&small) } else { zstd(&small) };
            let mut bytes = Unpacked::new(&packed[..], Some(packing), u64::MAX).within(200);
            bytes.read_to_end(&mut Vec::new()).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let cut = |body: Vec<u8>| body[..body.len() - 5].to_vec();
        let unread = |what: &str| UnpackError::Unread(what.to_owned());
        for (body, says, expected) in [
            (gzip(&gzip(PLAIN)), "gzip", unread("twice: gzip in gzip")),
            (gzip(&zstd(PLAIN)), "gzip", unread("twice: zstd in gzip")),
            (gzip(PLAIN), "gzip, br", unread("twice: gzip and br")),
            (PLAIN.to_vec(), "compress", unread("compress")),
            (gzip(PLAIN), "aws-chunked", unread("aws-chunked")),
            (cut(gzip(PLAIN)), "", UnpackError::Broken("gzip")),
            (cut(zlib(PLAIN)), "deflate", UnpackError::Broken("deflate")),
            (cut(deflate(PLAIN)), "deflate", UnpackError::Broken("deflate")),
            (cut(brotli(PLAIN)), "br", UnpackError::Broken("br")),
            (b"{\"a\": 1}".to_vec(), "br", UnpackError::Broken("br")),
            (b"{\"data\": [\0\xff]}".to_vec(), "deflate", UnpackError::Broken("deflate")),
            (cut(zstd(PLAIN)), "zstd", UnpackError::Broken("zstd")),
            ([zlib(PLAIN), zlib(PLAIN)].concat(), "deflate", UnpackError::Broken("deflate")),
            ([zlib(PLAIN), b"x".to_vec()].concat(), "deflate", UnpackError::Broken("deflate")),
            ([deflate(PLAIN), deflate(PLAIN)].concat(), "deflate", UnpackError::Broken("deflate")),
            ([brotli(PLAIN), brotli(PLAIN)].concat(), "br", UnpackError::Broken("br")),
            ([brotli(PLAIN), b"\n".to_vec()].concat(), "br", UnpackError::Broken("br")),
            (gzip(&[b' '; 2_000]), "", UnpackError::TooLarge(1024)),
            (brotli(&[b' '; 2_000]), "br", UnpackError::TooLarge(1024)),
        ] {
            let shown = format!("{says:?} {expected:?}");
            assert_eq!(unpack(body.into(), says, 1024), Err(expected), "{shown}");
        }
    }
}
