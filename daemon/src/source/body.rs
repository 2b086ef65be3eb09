//! The body of an answer: whole, within limits of time and size. A small one is held as it was before it was packed; of a
//! large one there is never more in memory than a buffer: it lies, as it came, in a file that has no name.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use marsad_shared::{health::Reason, untrusted::show};
use reqwest::{
    Response, Version,
    header::{CONTENT_ENCODING, HeaderMap},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use url::Url;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::fault::{FetchError, shown};
use crate::{
    archive::is_archive,
    decode::DecodeError,
    unpack::{self, Packing, UnpackError, Unpacked},
};

mod zipped;

/// The largest page, in bytes as it comes and as it is decoded (DESIGN section 6).
pub const PAGE_MAX: u64 = 256 * 1024 * 1024;
/// The largest body that is held, in bytes as it is decoded: most pages are far smaller, and so many feeds may hold one at
/// the same time.
pub const HELD_MAX: usize = 1024 * 1024;
/// As much of a body's begin is known without reading it, in bytes.
const BEGIN: usize = 4096;

/// The lowest rate at which an answer may come, in bytes a second: a modem of the nineties was faster. Who comes slower
/// holds a run for as long as it likes (security T10).
const RATE_LEAST: u64 = 1024;
/// Over so long at least that rate is measured, so that a pause is not taken for it.
const RATE_OVER: Duration = Duration::from_secs(30);

/// The body of an answer.
#[derive(Clone, Debug)]
pub struct Body {
    stored: Stored,
    packing: Option<Packing>,
    begin: Bytes,
    len: u64,
    hash: Option<u64>,
    /// It came packed, and so its end is known to be its end.
    sealed: bool,
}

#[derive(Clone, Debug)]
enum Stored {
    /// As it was before it was packed.
    Held(Bytes),
    /// As it came: small while it is packed, and large once it is not.
    Packed(Bytes),
    /// As it came.
    Aside(Arc<File>),
    /// It was read, and let go.
    Gone,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let (begin, len) = (bytes.slice(..bytes.len().min(BEGIN)), bytes.len() as u64);
        Self { stored: Stored::Held(bytes), packing: None, begin, len, hash: None, sealed: false }
    }
}

impl Body {
    /// All of it, as it was before it was packed, if it is small.
    pub fn held(&self) -> Option<&Bytes> {
        match &self.stored {
            Stored::Held(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// How it begins, as it was before it was packed: 4 KiB of it.
    pub fn begin(&self) -> &[u8] {
        &self.begin
    }

    /// Its last bytes; `None` of one that came packed: that unpacks to its end, or is no answer.
    pub fn tail(&self) -> Option<[u8; 2]> {
        let mut tail = [0; 2];
        match &self.stored {
            _ if self.sealed => return None,
            Stored::Held(bytes) => {
                let from = bytes.get(bytes.len().saturating_sub(2)..)?;
                tail.get_mut(2 - from.len()..)?.copy_from_slice(from);
            }
            Stored::Aside(file) => {
                file.read_exact_at(&mut tail, self.len.checked_sub(2)?).ok()?;
            }
            _ => return None,
        }
        Some(tail)
    }

    /// How long it is, in bytes: as it was before it was packed, once that is known.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How long it may be about, in bytes as it was before it was packed.
    pub fn guess(&self) -> u64 {
        if self.packing.is_some() { self.len.saturating_mul(8) } else { self.len }
    }

    /// A hash of it: two of one hash are the same, packed and unpacked. Packed otherwise, the same body has another.
    pub fn hash(&self) -> u64 {
        let bytes = match &self.stored {
            Stored::Held(bytes) | Stored::Packed(bytes) => bytes.as_ref(),
            Stored::Aside(_) | Stored::Gone => &[],
        };
        self.hash.unwrap_or_else(|| xxh3_64(bytes))
    }

    /// Reads it from its begin, as it was before it was packed; at most [`PAGE_MAX`]. It may block.
    pub fn open(&self) -> Unpacked<'static> {
        match &self.stored {
            Stored::Held(bytes) => Unpacked::new(io::Cursor::new(bytes.clone()), None, PAGE_MAX),
            Stored::Packed(bytes) => {
                Unpacked::new(io::Cursor::new(bytes.clone()), self.packing, PAGE_MAX)
            }
            Stored::Aside(file) => {
                let reader = io::BufReader::new(Reader { file: Arc::clone(file), at: 0 });
                Unpacked::new(reader, self.packing, PAGE_MAX)
            }
            Stored::Gone => Unpacked::new(io::empty(), None, PAGE_MAX),
        }
    }

    /// The same, which is not packed after all.
    fn plain(self) -> Self {
        match self.stored {
            Stored::Packed(bytes) => Self::from(bytes),
            _ => Self { packing: None, sealed: false, ..self },
        }
    }

    /// Lets go of one that is not held, now that it was read and turned out to be `len` bytes long.
    pub fn let_go(&mut self, len: u64) {
        if self.held().is_none() {
            self.hash = Some(self.hash());
            (self.stored, self.len) = (Stored::Gone, len);
        }
    }
}

/// Reads a file from its begin, whoever else reads it.
struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A body on its way: the last piece, and what was put aside before it.
#[derive(Default)]
struct Coming {
    piece: BytesMut,
    aside: Option<Aside>,
    len: u64,
}

/// What was put aside.
struct Aside {
    file: File,
    begin: Bytes,
    hash: Box<Xxh3Default>,
}

impl Coming {
    /// Puts the piece aside, into a file of `folder`.
    async fn put(&mut self, folder: &Path, url: &Url) -> Result<(), FetchError> {
        let (piece, aside, folder) =
            (self.piece.split().freeze(), self.aside.take(), folder.to_owned());
        let put = spawn_blocking(move || {
            let mut aside = match aside {
                Some(aside) => aside,
                None => Aside {
                    file: tempfile::tempfile_in(folder)?,
                    begin: Bytes::copy_from_slice(piece.get(..BEGIN).unwrap_or(&piece)),
                    hash: Box::default(),
                },
            };
            aside.hash.update(&piece);
            aside.file.write_all(&piece).map(|()| aside)
        });
        let put = put.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.aside = Some(put.map_err(|error| {
            let what = format!("the answer cannot be put aside in state_dir ({error})");
            FetchError::of(Reason::Disk, url, &what)
        })?);
        Ok(())
    }
}

/// The body of an answer of `url` whose head had these `headers`, with pauses of at most `idle`, until `until`: whole, or
/// none of it. A large one is put aside in `folder`. Of an archive it is the one file in there.
///
/// # Errors
/// [`FetchError`] if it stops coming, drips, is cut, is larger than [`PAGE_MAX`], or cannot be put aside or unpacked.
pub async fn read(
    mut response: Response,
    headers: &HeaderMap,
    url: &Url,
    idle: Duration,
    until: Instant,
    folder: &Path,
) -> Result<Body, FetchError> {
    let says = packing(headers);
    let mut coming = Coming::default();
    // What it says of its length saves moving what came to ever larger places; if it lies, nothing is lost but room.
    let says_len = response.content_length().and_then(|len| usize::try_from(len).ok());
    coming.piece.reserve(says_len.unwrap_or(0).min(HELD_MAX));
    // Pauses are the business of `idle`: where those may be long, the rate has longer to recover.
    let over = RATE_OVER.max(idle);
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        let chunk = timeout_at(until.min(Instant::now() + idle), response.chunk()).await;
        let Ok(chunk) = chunk else {
            let what = if Instant::now() < until {
                "the answer stopped coming"
            } else {
                "the answer was not there whole when its time was over (`timeouts.total`); raise that if it is so large"
            };
            return Err(FetchError::of(Reason::ReadTimeout, url, what));
        };
        match chunk.map_err(|error| FetchError::of_transport(&error.without_url(), url, true))? {
            None => break,
            Some(chunk) if coming.len + chunk.len() as u64 > PAGE_MAX => {
                let what = "the answer is larger than 256 MiB";
                return Err(FetchError::of(Reason::TooLarge, url, what));
            }
            // Most answers are one piece, which is then taken as it is.
            Some(chunk) => {
                coming.len += chunk.len() as u64;
                coming.piece.extend_from_slice(&chunk);
            }
        }
        if coming.piece.len() > HELD_MAX {
            coming.put(folder, url).await?;
        }
        if since.elapsed() >= over {
            if coming.len - before < RATE_LEAST * over.as_secs() {
                let what = format!("the answer came at less than {RATE_LEAST} bytes a second");
                return Err(FetchError::of(Reason::ReadTimeout, url, &what));
            }
            (since, before) = (Instant::now(), coming.len);
        }
    }
    if response.version() == Version::HTTP_2 && !reqwest::Body::from(response).is_end_stream() {
        // A stream that is given up without an error (RFC 9113 section 8.1) looks like one that ended.
        return Err(FetchError::of(Reason::Truncated, url, "the answer was broken off"));
    }
    if coming.aside.is_some() && !coming.piece.is_empty() {
        coming.put(folder, url).await?;
    }
    let body = settled(coming, &says).await.map_err(|error| fault(&error, url))?;
    if !is_archive(body.begin()) {
        return Ok(body);
    }
    let folder = folder.to_owned();
    let file = spawn_blocking(move || zipped::only_file(body, &folder)).await;
    // A reader that panics has read something that it cannot.
    let file = file.unwrap_or_else(|_| Err(DecodeError::Broken("it cannot be read".to_owned())));
    file.map_err(|error| FetchError::of(error.reason(), url, &show(&error.to_string())))
}

/// What came, as a body: what is small is unpacked at once.
async fn settled(coming: Coming, says: &str) -> Result<Body, UnpackError> {
    let Coming { piece, aside, len } = coming;
    let mut body = match aside {
        None => Body::from(piece.freeze()),
        Some(Aside { file, begin, hash }) => Body {
            stored: Stored::Aside(Arc::new(file)),
            packing: None,
            begin,
            len,
            hash: Some(hash.digest()),
            sealed: false,
        },
    };
    let Some(packing) = Packing::of(body.begin(), says)? else { return Ok(body) };
    (body.packing, body.sealed) = (Some(packing), true);
    if let Stored::Held(bytes) = body.stored {
        body.stored = Stored::Packed(bytes);
    }
    let unpacked = spawn_blocking(move || {
        let most = if matches!(body.stored, Stored::Packed(_)) { HELD_MAX } else { BEGIN };
        let mut plain = Vec::new();
        let mut unpacked = body.open();
        let read = unpacked.by_ref().take(most as u64 + 1).read_to_end(&mut plain);
        if let Some(fault) = unpacked.fault() {
            let mere_word = packing.is_mere_word(body.begin(), &fault);
            return if mere_word { Ok(body.plain()) } else { Err(fault) };
        }
        packing.holds(&plain)?;
        // The disk's own trouble comes again, and is told, when the body is read.
        if read.is_ok() && plain.len() <= most && most == HELD_MAX {
            return Ok(Body { sealed: true, ..Body::from(Bytes::from(plain)) });
        }
        plain.truncate(BEGIN);
        body.begin = plain.into();
        Ok(body)
    });
    // A decoder that panics has read something that it cannot.
    unpacked.await.unwrap_or(Err(UnpackError::Broken("unknown")))
}

/// What an answer says that it is packed in, over all lines of the header.
pub fn packing(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let says: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    says.join(",")
}

/// What it means that a body cannot be unpacked.
pub fn fault(error: &UnpackError, url: &Url) -> FetchError {
    let what = error.to_string();
    let what = show(&what);
    match error {
        UnpackError::Broken(_) => FetchError::of(Reason::Truncated, url, &what),
        UnpackError::TooLarge(_) | UnpackError::TooDense(_) => {
            FetchError::of(Reason::TooLarge, url, &what)
        }
        UnpackError::Unread(_) => FetchError::Final {
            reason: Reason::Encoding,
            text: format!("{}: {what}; ask the partner for {}", shown(url), unpack::ACCEPTED),
        },
    }
}

#[cfg(test)]
mod tests;
