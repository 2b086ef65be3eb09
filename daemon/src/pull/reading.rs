//! How an answer is read: in which format, from which encoding, and held or as it streams by.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{self, BufReader, Read as _, Seek as _},
    path::Path,
    sync::Arc,
};

use marsad_shared::{
    feed::{Feed, Format, Origin, RecordsPath, ScalarPath},
    record::Layout,
    request::Request,
};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{page::format_of, room::Size};
use crate::{
    archive,
    decode::{DecodeError, Scalar, charset::Charset, json::error_in, sdmx},
    intake::{self, Intake, Piece, Source},
    shape::odata,
    source::{
        body::{Body, HELD_MAX},
        http::Answer,
        ours::{MARK, Mask},
    },
    unpack::UnpackError,
};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// So many times as long as it is packed a workbook may be about.
const WORKBOOK_RATIO: u64 = 8;

/// An answer on its way into a decoder.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    body: Body,
    /// `None`: the document says itself in which encoding it is.
    charset: Option<Charset>,
    /// What hides our secrets in it; `None`: nothing has to be hidden, or nothing of it is kept.
    mask: Option<Arc<Mask>>,
}

/// What was read of a page.
pub(crate) struct Read {
    /// What stands beside the records.
    pub(crate) found: Vec<Scalar>,
    pub(crate) piece: Result<Piece, DecodeError>,
    /// How long the page is, in bytes, as far as it was read.
    pub(crate) bytes: u64,
    /// As [`Reading::outline`], where it is wanted.
    pub(crate) outline: Vec<u64>,
}

impl Read {
    pub(super) fn of(found: Vec<Scalar>, piece: Result<Piece, DecodeError>, bytes: u64) -> Self {
        Self { found, piece, bytes, outline: Vec::new() }
    }
}

impl Reading {
    /// An answer to `feed`.
    pub(crate) fn of(feed: &Feed, answer: &Answer) -> Self {
        Self::new(feed.format, feed.encoding.as_deref(), answer)
    }

    /// An answer that is in the format and the encoding that it says itself.
    pub(crate) fn as_it_says(answer: &Answer) -> Self {
        Self::new(None, None, answer)
    }

    pub(super) fn new(format: Option<Format>, encoding: Option<&str>, answer: &Answer) -> Self {
        let format = format.unwrap_or_else(|| format_of(answer));
        let said = answer.header(reqwest::header::CONTENT_TYPE);
        let charset = Charset::of_document(format, answer.body.begin(), encoding, said);
        Self { format, body: answer.body.clone(), charset, mask: None }
    }

    /// The same, of which records are read without our secrets.
    pub(crate) fn hiding(self, mask: Option<Arc<Mask>>) -> Self {
        Self { mask, ..self }
    }

    /// The encoding that it is in, if another than UTF-8.
    pub(crate) fn encoding(&self) -> Option<&'static str> {
        self.charset.filter(|charset| charset.plain().is_none()).map(Charset::name)
    }

    /// The set of `OData` that it says it is of.
    pub(crate) fn set(&self) -> Option<String> {
        odata::set_of(self.body.begin())
    }

    /// Whether it is small enough to be held, and needs no thread of its own. A workbook is waited for, however small it is.
    pub(crate) fn is_at_most(&self, bytes: usize) -> bool {
        self.format != Format::Xlsx && self.body.held().is_some_and(|held| held.len() <= bytes)
    }

    /// Whether it may have been cut off where nobody can see it: it is lines, which have no end of their own, does not end
    /// with one, and no packing tells that all of it came.
    pub(crate) fn may_be_cut(&self) -> bool {
        let lines = match self.format {
            Format::Ndjson | Format::Csv => true,
            Format::Sdmx => self.charset.is_some() && !self.is_json(),
            Format::Json | Format::Xml | Format::Xlsx => false,
        };
        let ends = |tail: [u8; 2]| self.charset.is_some_and(|charset| charset.ends_line(&tail));
        lines && self.body.tail().is_some_and(|tail| !ends(tail))
    }

    /// How much room it needs, if those paths are looked for in it.
    pub(crate) fn size(&self, feed: &Feed, wanted: &[ScalarPath]) -> Size {
        let lists = [Some(&feed.records), feed.deletes.as_ref()].into_iter().flatten();
        let built = lists.clone().any(|path| matches!(path, RecordsPath::Path(_)))
            || wanted.iter().any(|path| matches!(path, ScalarPath::Path(_)));
        let held = self.body.held().is_some();
        // SDMX-JSON is held whole, whatever its size.
        let built = built || !held && self.format == Format::Sdmx && self.is_json();
        if self.format == Format::Xlsx {
            // It is packed in itself, and never held.
            return Size::of(self.body.guess().saturating_mul(WORKBOOK_RATIO), false, false);
        }
        Size::of(self.body.guess(), held, built)
    }

    /// Reads a page, whose rows may take `most` bytes of memory. A workbook is put aside in `folder` first. What stands beside
    /// the records is given as it is, for it may lead on. It may block.
    pub(crate) fn page(
        &self,
        intake: &Intake<'_>,
        wanted: &[ScalarPath],
        most: usize,
        folder: &Path,
    ) -> Read {
        if self.format == Format::Xlsx {
            let found = vec![Scalar::Absent; wanted.len()];
            return match self.aside(folder) {
                Ok((file, bytes)) => {
                    Read::of(found, intake.sheet(file, most, self.mask.as_deref()), bytes)
                }
                Err(error) => Read::of(found, Err(error), 0),
            };
        }
        let ((mut found, piece), bytes) = self.bare(|source| intake.page(source, wanted, most));
        if found.iter().filter_map(Scalar::text).any(|text| text.contains(MARK)) {
            found = self.beside(wanted);
        }
        let has_list = piece.as_ref().is_ok_and(|piece| piece.lacking.is_none());
        let is_none = match &piece {
            Ok(piece) => {
                (piece.lacking.is_some() || piece.is_empty()) && is_left_to_it(intake.feed)
            }
            Err(error) => matches!(error, DecodeError::Layout(_) | DecodeError::Lacking(_)),
        };
        let instead = if is_none { self.error(has_list) } else { None };
        let piece = instead.map_or(piece, Err);
        match bytes {
            Ok(bytes) => Read::of(found, piece, bytes),
            Err(error) => Read::of(vec![Scalar::Absent; wanted.len()], Err(error), 0),
        }
    }

    /// The error that it is in place of records, if it says so in JSON: none that is large is one alone.
    /// `has_list`: as [`error_in`].
    pub(super) fn error(&self, has_list: bool) -> Option<DecodeError> {
        let mark = self.charset.and_then(Charset::plain)?;
        let text = self.body.held()?.get(mark..)?;
        (self.format == Format::Json).then(|| error_in(text, has_list))?
    }

    /// Hashes of the names in its outermost object; none of what is no object of JSON. It may block.
    pub(crate) fn outline(&self) -> Vec<u64> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Vec<u64>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<Cow<'_, str>, _>()? {
                    names.push(xxh3_64(name.as_bytes()));
                }
                Ok(names)
            }
        }
        let (names, _) = self
            .text(|source| serde_json::Deserializer::from_reader(source).deserialize_map(Names));
        names.unwrap_or_default()
    }

    /// What stands at the `wanted` paths, in their order; all of it is absent if it cannot be read. It may block.
    pub(crate) fn beside(&self, wanted: &[ScalarPath]) -> Vec<Scalar> {
        match self.text(|source| intake::beside(self.format, source, wanted)) {
            (found, Ok(_)) => found,
            (_, Err(_)) => vec![Scalar::Absent; wanted.len()],
        }
    }

    /// The columns of a feed that names none; a workbook is put aside in `folder` first. It may block.
    ///
    /// # Errors
    /// As [`intake::infer`].
    pub(crate) fn infer(&self, feed: &Feed, folder: &Path) -> Result<Layout, DecodeError> {
        if self.format == Format::Xlsx {
            return intake::infer_workbook(feed, self.aside(folder)?.0, self.mask.as_deref());
        }
        let (layout, read) = self.bare(|source| intake::infer(feed, self.format, source));
        read.and(layout)
    }

    /// Hands its text over without our secrets; else as [`Self::text`].
    fn bare<T>(&self, take: impl FnOnce(Source<'_>) -> T) -> (T, Result<u64, DecodeError>) {
        let Some(mask) = &self.mask else { return self.text(take) };
        let json = match self.format {
            Format::Json | Format::Ndjson => true,
            Format::Sdmx => self.is_json(),
            Format::Csv | Format::Xml | Format::Xlsx => false,
        };
        self.text(|source| match source {
            Source::Held(text) => take(Source::Held(&mask.held(text, json))),
            Source::Stream(text) => take(Source::Stream(&mut mask.stream(text, json))),
        })
    }

    /// Hands its text over, in UTF-8; how long the page was comes back, or why its packing could not be undone.
    fn text<T>(&self, take: impl FnOnce(Source<'_>) -> T) -> (T, Result<u64, DecodeError>) {
        let plain = self.charset.map_or(Some(0), Charset::plain);
        let mut wrong = archive::is_archive(self.body.begin()).then(is_book);
        if let Some(held) = self.body.held() {
            let len = held.len() as u64;
            let text = plain.and_then(|mark| held.get(mark..));
            if let Some(text) = text {
                return (take(Source::Held(text)), wrong.map_or(Ok(len), Err));
            }
        }
        let mut bytes = self.body.open();
        let taken = match self.charset {
            None => take(Source::Stream(&mut BufReader::with_capacity(CHUNK, &mut bytes))),
            Some(charset) => {
                let mut text = charset.read(&mut bytes);
                let taken = if self.body.held().is_some() {
                    // Three bytes are the most that one becomes, and the end is met, too.
                    let (mut whole, most) = (Vec::new(), 3 * HELD_MAX as u64 + 1);
                    // What is held can always be read.
                    let _ = text.by_ref().take(most).read_to_end(&mut whole);
                    take(Source::Held(&whole))
                } else {
                    take(Source::Stream(&mut BufReader::with_capacity(CHUNK, &mut text)))
                };
                wrong = wrong.or_else(|| text.is_utf8_after_all().then(|| after_all(charset)));
                taken
            }
        };
        let read = bytes.fault().map_or(Ok(bytes.read_so_far()), |fault| Err(unread(&fault)));
        (taken, wrong.map_or(read, Err))
    }

    /// All of it in a file of `folder` that has no name, for the process that reads workbooks; and how long it is, in bytes.
    fn aside(&self, folder: &Path) -> Result<(File, u64), DecodeError> {
        let mut bytes = self.body.open();
        let put = tempfile::tempfile_in(folder).and_then(|mut file| {
            io::copy(&mut bytes, &mut file)?;
            file.rewind().map(|()| file)
        });
        match (bytes.fault(), put) {
            (Some(fault), _) => Err(unread(&fault)),
            (None, Ok(file)) => Ok((file, bytes.read_so_far())),
            (None, Err(error)) => Err(DecodeError::Io(error)),
        }
    }

    fn is_json(&self) -> bool {
        let Some(charset) = self.charset else { return false };
        sdmx::is_json(&charset.text(self.body.begin()))
    }
}

/// What is wrong with a page that should be something else than a workbook.
fn is_book() -> DecodeError {
    DecodeError::Format("it is a workbook; set format = \"xlsx\" in the feed".to_owned())
}

/// What is wrong with a page that is UTF-8 after all.
fn after_all(charset: Charset) -> DecodeError {
    DecodeError::Encoding(format!(
        "all of it is UTF-8, and should be {}; have the partner say so (`charset`), or set encoding = \"utf-8\" in the feed",
        charset.name()
    ))
}

/// Why a page cannot be unpacked to its end.
fn unread(fault: &UnpackError) -> DecodeError {
    let text = fault.to_string();
    match fault {
        UnpackError::Broken(_) => DecodeError::Broken(text),
        UnpackError::TooLarge(_) | UnpackError::TooDense(_) => DecodeError::TooLarge(text),
        UnpackError::Unread(_) => DecodeError::Encoding(text),
    }
}

/// Whether it is left to an answer to say that it is an error: nobody said what a good one looks like.
pub(super) const fn is_left_to_it(feed: &Feed) -> bool {
    matches!(&feed.origin, Origin::Http(Request { success: None, .. }))
}
