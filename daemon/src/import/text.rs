//! The text of a file, as UTF-8: by its mark, else in the feed's encoding, else in UTF-8, and never by a guess
//! (sources.md 3.1). A table that does not stand that test is held whole, with what it seems to be.

use std::io::{self, Chain, Cursor, Read};

use marsad_shared::{
    feed::{Feed, Format},
    record::Layout,
};

use super::proposal::{self, Wanted};
use crate::decode::{DecodeError, charset, charset::Charset, letters::Letters};

/// As much of a file's begin is kept, in bytes, to tell what else it may be.
const HEAD: usize = 64 * 1024;

/// A file's text, on its way to the decoder.
pub(super) struct FileText<'f, R> {
    feed: &'f Feed,
    format: Format,
    head: Vec<u8>,
    /// `None`: the document says itself in which encoding it is.
    charset: Option<Charset>,
    bytes: Bytes<'f, R>,
}

type Whole<'f, R> = Chain<Cursor<Vec<u8>>, &'f mut R>;

enum Bytes<'f, R> {
    AsTheyAre(Whole<'f, R>),
    Text(charset::Utf8<Probe<Whole<'f, R>>>),
}

impl<'f, R: Read> FileText<'f, R> {
    /// The text of `bytes`, a file of `feed` in `format`.
    ///
    /// # Errors
    /// [`DecodeError::Io`] if its begin cannot be read.
    pub(super) fn new(
        feed: &'f Feed,
        format: Format,
        bytes: &'f mut R,
    ) -> Result<Self, DecodeError> {
        let mut head = Vec::new();
        bytes.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(DecodeError::Io)?;
        let charset = Charset::of_document(format, &head, feed.encoding.as_deref(), None);
        let whole = Cursor::new(head.clone()).chain(bytes);
        let bytes = match charset {
            None => Bytes::AsTheyAre(whole),
            Some(charset) => Bytes::Text(charset.read(Probe::new(whole, charset))),
        };
        Ok(Self { feed, format, head, charset, bytes })
    }

    /// The encoding that it is in, if another than UTF-8.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        self.charset.filter(|charset| charset.plain().is_none()).map(Charset::name)
    }

    /// What becomes of a reading that ended like `read`, of a feed with the columns of `layout`, or whose columns are not
    /// known yet: where the encoding is in doubt, the reason says what the file seems to be.
    pub(super) fn judge<T>(
        self,
        read: Result<T, DecodeError>,
        layout: Option<&Layout>,
    ) -> Result<T, DecodeError> {
        let (Some(charset), Format::Csv) = (self.charset, self.format) else { return read };
        let read = match self.bytes {
            // Only of a file that was read to its end is that known.
            Bytes::Text(text) if read.is_ok() && text.inner().is_utf8() => {
                Err(DecodeError::Encoding(format!(
                    "all of it is UTF-8, and none of it {}",
                    charset.name()
                )))
            }
            _ => read,
        };
        let wanted = Wanted::of(self.feed, layout);
        read.map_err(|error| match error {
            DecodeError::Encoding(what) => {
                let remedy = proposal::for_encoding(&wanted, &self.head, charset);
                DecodeError::Encoding(format!("{what}; {remedy}"))
            }
            DecodeError::Layout(ref what) | DecodeError::Drift { text: ref what, .. } => {
                match proposal::for_layout(&wanted, &self.head, charset) {
                    Some(remedy) => DecodeError::Encoding(format!("{what}; {remedy}")),
                    None => error,
                }
            }
            error => error,
        })
    }
}

impl<R: Read> Read for FileText<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Bytes::AsTheyAre(bytes) => bytes.read(buffer),
            Bytes::Text(text) => text.read(buffer),
        }
    }
}

/// Bytes of a text in an encoding in which nearly every byte is a letter, looked at on their way: whether they are UTF-8
/// after all.
struct Probe<R> {
    bytes: R,
    /// `None`: nothing is to be told, or it is no UTF-8.
    letters: Option<Letters>,
}

impl<R: Read> Probe<R> {
    fn new(bytes: R, charset: Charset) -> Self {
        Self { bytes, letters: charset.is_legacy().then(Letters::default) }
    }

    fn is_utf8(&self) -> bool {
        self.letters.as_ref().is_some_and(Letters::is_utf8)
    }
}

impl<R: Read> Read for Probe<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        self.letters = self.letters.take().and_then(|letters| letters.with(piece));
        Ok(read)
    }
}
