//! Text in whatever encoding it comes, as UTF-8. Bytes that are no text of their encoding become one byte that is no text
//! either, so that whoever reads a record sees that it is spoilt, and that its neighbours are not.

use std::io::{self, Read};

use marsad_shared::feed::Format;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{letters::Letters, xml};

/// What stands for bytes that are no text: never a part of UTF-8.
const NO_TEXT: u8 = 0xff;
/// Bytes decoded at once.
const CHUNK: usize = 64 * 1024;

/// The encoding of a text, and how many bytes at its begin say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    encoding: &'static Encoding,
    mark: usize,
}

impl Charset {
    /// The encoding of a text that begins with `begin`: its byte-order mark tells, else what is `configured`, else what it
    /// is `said` to be by a `Content-Type`; else it is UTF-8.
    pub fn of(begin: &[u8], configured: Option<&str>, said: Option<&str>) -> Self {
        if let Some((encoding, mark)) = Encoding::for_bom(begin) {
            return Self { encoding, mark };
        }
        let named = configured.and_then(|label| Encoding::for_label(label.as_bytes()));
        let said =
            || said.and_then(charset).and_then(|label| Encoding::for_label(label.as_bytes()));
        Self { encoding: named.or_else(said).unwrap_or(UTF_8), mark: 0 }
    }

    /// The encoding of a page or file in `format`, as [`Self::of`] tells it; `None`: the document says itself in which one it
    /// is, as workbooks do, and XML, unless it leaves that to others.
    pub fn of_document(
        format: Format,
        begin: &[u8],
        configured: Option<&str>,
        said: Option<&str>,
    ) -> Option<Self> {
        let charset = match Self::of(begin, configured, said) {
            // What such a text begins with is a letter of ASCII, in two bytes: a label may be wrong.
            Self { encoding, mark: 0 }
                if configured.is_none()
                    && format != Format::Csv
                    && [UTF_16LE, UTF_16BE].contains(&encoding)
                    && !begin.iter().take(2).any(|byte| *byte == 0) =>
            {
                Self { encoding: UTF_8, mark: 0 }
            }
            charset => charset,
        };
        let of_xml = || charset.is_legacy() && !xml::declares_encoding(begin);
        match format {
            Format::Xlsx => None,
            Format::Xml => Some(charset).filter(|_| of_xml()),
            // SDMX may be ML.
            Format::Sdmx => Some(charset).filter(|charset| {
                !charset.text(begin).trim_ascii_start().starts_with(b"<") || of_xml()
            }),
            Format::Json | Format::Ndjson | Format::Csv => Some(charset),
        }
    }

    /// All of a text that is held, as UTF-8.
    pub fn text(self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        // What is held can always be read.
        let _ = self.read(bytes).read_to_end(&mut text);
        text
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        self.encoding.name()
    }

    /// The encoding itself.
    pub const fn encoding(self) -> &'static Encoding {
        self.encoding
    }

    /// Whether it is one of those in which nearly every byte is a letter, so that hardly anything is no text.
    pub fn is_legacy(self) -> bool {
        ![UTF_8, UTF_16LE, UTF_16BE].contains(&self.encoding)
    }

    /// How many bytes at the begin of a text in UTF-8 are not a part of it; `None`: it has to be decoded.
    pub fn plain(self) -> Option<usize> {
        (self.encoding == UTF_8).then_some(self.mark)
    }

    /// Whether a text that ends with `tail` ends with a line break.
    pub fn ends_line(self, tail: &[u8]) -> bool {
        let tail = if self.encoding == UTF_16LE { tail.strip_suffix(b"\0") } else { Some(tail) };
        tail.is_some_and(|tail| tail.ends_with(b"\n") || tail.ends_with(b"\r"))
    }

    /// The text in `bytes`, as UTF-8.
    pub fn read<R: Read>(self, bytes: R) -> Utf8<R> {
        Utf8 {
            bytes,
            // Its mark was looked at already, and is passed over.
            decoder: self
                .plain()
                .is_none()
                .then(|| self.encoding.new_decoder_without_bom_handling()),
            letters: self.is_legacy().then(Letters::default),
            mark: self.mark,
            raw: Vec::new(),
            at: 0,
            ended: false,
            text: Vec::new(),
            given: 0,
        }
    }
}

/// The `charset` of a `Content-Type`.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}

/// A text on its way to UTF-8.
pub struct Utf8<R> {
    bytes: R,
    /// `None`: it is UTF-8 already.
    decoder: Option<Decoder>,
    /// What would be letters of UTF-8; `None`: it is no such text, or may be it anyway.
    letters: Option<Letters>,
    /// Bytes of the mark that are still to be passed over.
    mark: usize,
    raw: Vec<u8>,
    at: usize,
    ended: bool,
    text: Vec<u8>,
    given: usize,
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.mark > 0 {
            let mut mark = [0; 4];
            let most = self.mark.min(mark.len());
            match self.bytes.read(mark.get_mut(..most).unwrap_or_default())? {
                0 => self.mark = 0,
                read => self.mark -= read,
            }
        }
        let Some(mut decoder) = self.decoder.take() else { return self.bytes.read(buffer) };
        let filled = self.fill(&mut decoder);
        self.decoder = Some(decoder);
        filled?;
        let here = self.text.get(self.given..).unwrap_or_default();
        let amount = here.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..amount), here.get(..amount)) {
            to.copy_from_slice(from);
        }
        self.given += amount;
        Ok(amount)
    }
}

impl<R> Utf8<R> {
    /// Whether it is UTF-8 after all, and not in its encoding, in which nearly every byte is a letter. Only of a text that
    /// was read to its end is that known.
    pub fn is_utf8_after_all(&self) -> bool {
        self.ended && self.letters.as_ref().is_some_and(Letters::is_utf8)
    }
}

impl<R: Read> Utf8<R> {
    /// Decodes until there is some text, or the end.
    fn fill(&mut self, decoder: &mut Decoder) -> io::Result<()> {
        if self.given < self.text.len() {
            return Ok(());
        }
        self.given = 0;
        self.text.clear();
        while self.text.is_empty() {
            if self.at >= self.raw.len() {
                if self.ended {
                    return Ok(());
                }
                self.at = 0;
                self.raw.resize(CHUNK, 0);
                let read = self.bytes.read(&mut self.raw)?;
                self.raw.truncate(read);
                self.ended = read == 0;
                self.letters = self.letters.take().and_then(|letters| letters.with(&self.raw));
            }
            self.text.resize(CHUNK, 0);
            let from = self.raw.get(self.at..).unwrap_or_default();
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(from, &mut self.text, self.ended);
            self.at += read;
            self.text.truncate(written);
            match result {
                DecoderResult::Malformed(..) => self.text.push(NO_TEXT),
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drip<'b>(&'b [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_label_of_two_bytes_a_letter_is_believed_where_the_text_has_them() {
        let (plain, wide) = ("[\"أ\"]".as_bytes().to_vec(), utf16("[\"أ\"]", false));
        for (format, text, configured, name) in [
            (Format::Json, &plain, None, "UTF-8"),
            (Format::Json, &wide, None, "UTF-16LE"),
            (Format::Json, &plain, Some("utf-16le"), "UTF-16LE"),
            (Format::Csv, &plain, None, "UTF-16LE"),
        ] {
            let said = Some("application/json; charset=utf-16le");
            let charset = Charset::of_document(format, text, configured, said).unwrap();
            assert_eq!(charset.name(), name, "{format:?}");
        }
    }

    #[test]
    fn the_mark_tells_then_the_feed_then_the_header() {
        let arabic = "id,قيد\n1,أ\n";
        let w1256 = encoding_rs::WINDOWS_1256.encode(arabic).0.into_owned();
        let iso = encoding_rs::ISO_8859_6.encode(arabic).0.into_owned();
        let marked = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
        let says = |label: &str| Some(format!("text/csv; header=present; Charset=\"{label}\""));
        for (bytes, configured, said, name, why) in [
            (arabic.as_bytes().to_vec(), None, None, "UTF-8", "nothing is said"),
            (marked(b"\xef\xbb\xbf", arabic.into()), None, None, "UTF-8", "its mark is no text"),
            (marked(b"\xff\xfe", utf16(arabic, false)), None, None, "UTF-16LE", "its mark"),
            (marked(b"\xfe\xff", utf16(arabic, true)), None, None, "UTF-16BE", "its mark"),
            (
                marked(b"\xef\xbb\xbf", arabic.into()),
                Some("windows-1256"),
                says("utf-16le"),
                "UTF-8",
                "the mark comes first",
            ),
            (w1256.clone(), Some("windows-1256"), says("utf-8"), "windows-1256", "then the feed"),
            (w1256, None, says("windows-1256"), "windows-1256", "then the header"),
            (iso.clone(), Some("iso-8859-6"), None, "ISO-8859-6", "the feed alone"),
            (iso, None, says("arabic"), "ISO-8859-6", "by another of its names"),
            (utf16(arabic, false), Some("utf-16le"), None, "UTF-16LE", "without a mark"),
            (arabic.as_bytes().to_vec(), None, says("klingon"), "UTF-8", "a name of nothing"),
        ] {
            let charset = Charset::of(&bytes, configured, said.as_deref());
            assert_eq!(charset.name(), name, "{why}");
            for drip in [false, true] {
                let mut text = Vec::new();
                let read = if drip {
                    charset.read(Drip(&bytes)).read_to_end(&mut text)
                } else {
                    charset.read(&*bytes).read_to_end(&mut text)
                };
                read.unwrap();
                assert_eq!(String::from_utf8(text).as_deref(), Ok(arabic), "{why}");
            }
        }
    }

    #[test]
    fn what_is_no_text_spoils_its_line_and_no_other() {
        for (bytes, label, expected) in [
            (&b"a\xa1b\nc\n"[..], "iso-8859-6", &b"a\xffb\nc\n"[..]),
            (b"a\xa1\xa2\nc\n", "iso-8859-6", b"a\xff\xff\nc\n"),
            (b"a\0\x00\xd8\n\0c\0", "utf-16le", b"a\xff\nc"),
            (b"a\0\n", "utf-16le", b"a\xff"),
            (b"a\xc3\nc\n", "utf-8", b"a\xc3\nc\n"),
        ] {
            let mut text = Vec::new();
            Charset::of(bytes, Some(label), None).read(bytes).read_to_end(&mut text).unwrap();
            assert_eq!(text, expected, "{label} {bytes:?}");
        }
    }

    #[test]
    fn the_end_of_a_line_is_known_in_each_encoding() {
        for (tail, label, expected) in [
            (&b"a\n"[..], "utf-8", true),
            (b"a\r", "utf-8", true),
            (b"ab", "utf-8", false),
            (b"", "utf-8", false),
            (b"\n\0", "utf-16le", true),
            (b"a\0", "utf-16le", false),
            (b"\0\n", "utf-16be", true),
            (b"\n\0", "windows-1256", false),
        ] {
            let charset = Charset::of(b"", Some(label), None);
            assert_eq!(charset.ends_line(tail), expected, "{label} {tail:?}");
        }
    }
}
