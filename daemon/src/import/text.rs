//! The text of a file, as UTF-8: by its mark, else in the feed's encoding, else in UTF-8, and never by a guess
//! (sources.md 3.1). A file that does not stand that test is held whole, with what it seems to be.

use std::io::{self, Chain, Cursor, Read};

use marsad_shared::{
    feed::{Feed, Format},
    record::Layout,
};

use super::proposal::{self, Wanted};
use crate::decode::{DecodeError, charset, charset::Charset};

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
    Text(charset::Utf8<Whole<'f, R>>),
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
            Some(charset) => Bytes::Text(charset.read(whole)),
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
        let Some(charset) = self.charset else { return read };
        let wanted = Wanted::of(self.feed, self.format, layout);
        if let (Ok(_), Bytes::Text(text)) = (&read, &self.bytes)
            && text.is_utf8_after_all()
        {
            let remedy = proposal::for_utf8(&wanted, &self.head, charset);
            return Err(DecodeError::Encoding(format!(
                "all of it is UTF-8, and none of it {}; {remedy}",
                charset.name()
            )));
        }
        read.map_err(|error| match error {
            // Of JSON each line that is no text tells that itself, with what to do.
            DecodeError::Encoding(what) if self.format == Format::Csv => {
                let remedy = proposal::for_encoding(&wanted, &self.head, charset);
                DecodeError::Encoding(format!("{what}; {remedy}"))
            }
            DecodeError::Layout(ref what) | DecodeError::Drift { text: ref what, .. }
                if self.format != Format::Sdmx =>
            {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use encoding_rs::WINDOWS_1256;
    use marsad_shared::config::{Config, Environment};

    use super::*;

    /// A feed of files in `format`, which should be in windows-1256.
    fn feed(format: &str) -> Feed {
        let folder = tempfile::tempdir().unwrap();
        let marsad = folder.path().join("marsad.toml");
        let partner = format!(
            "[partner]\nid = \"p\"\n[[connection]]\nid = \"drop\"\nimport = \"/nowhere\"\n[[feed]]\nid = \"f\"\n\
             connection = \"drop\"\nfiles = \"*\"\nformat = \"{format}\"\nencoding = \"windows-1256\"\nkey = [\"id\"]\n\
             fields = {{ id = \"text\", name = {{ type = \"text\", from = [\"الاسم\", \"$.a.الاسم\"] }} }}\n"
        );
        fs::create_dir(folder.path().join("partners.d")).unwrap();
        fs::write(folder.path().join("partners.d/p.toml"), partner).unwrap();
        fs::write(&marsad, "").unwrap();
        let mut config =
            Config::load(&marsad, &Environment::empty()).unwrap_or_else(|e| panic!("{e}"));
        config.feeds.remove(0)
    }

    #[test]
    fn what_is_utf8_and_should_not_be_is_held_in_each_format() {
        let known = "all of it is UTF-8, and none of it windows-1256; it reads as UTF-8: 2 of 2 columns are";
        let names = format!("{known} among its names, a name reads \"الاسم\"; if that is so");
        let header = format!("{known} in its header, a header reads \"الاسم\"; if that is so");
        let lines = "{\"id\":\"2\",\"الاسم\":null}\n{\"id\":\"3\",\"الاسم\":\"أ\"}\n";
        for (format, text, expected) in [
            ("json", r#"[{"id":"4","الاسم":"أسرة"}]"#, names.as_str()),
            ("json", r#"{"items":[{"id":"4","a":{"الاسم":null}}]}"#, &names),
            ("ndjson", lines, &names),
            ("csv", "id,الاسم\n5,أسرة\n", &header),
            ("json", r#"[{"ID":"4","n":"أسرة"}]"#, "set encoding = \"utf-8\" and put"),
            ("sdmx", r#"{"data":{"dataSets":["أسرة"]}}"#, "set encoding = \"utf-8\" and put"),
            ("json", r#"[{"id":"4"}]"#, ""),
            ("ndjson", "{\"id\":\"4\"}\n", ""),
        ] {
            let (feed, written) = (feed(format), feed(format).format.unwrap());
            let judged = |bytes: &[u8], read: Result<(), DecodeError>| {
                let mut bytes = bytes;
                let mut file = FileText::new(&feed, written, &mut bytes).unwrap();
                io::copy(&mut file, &mut io::sink()).unwrap();
                let layout = Layout::new(feed.fields.clone(), &feed.key).unwrap();
                let told = file.judge(read, Some(&layout)).err();
                told.map_or_else(String::new, |error| {
                    assert!(matches!(error, DecodeError::Encoding(_)), "{error:?}");
                    error.to_string()
                })
            };
            let said = judged(text.as_bytes(), Ok(()));
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
            let windows = WINDOWS_1256.encode(text).0;
            assert_eq!(judged(&windows, Ok(())), "", "as it should be: {text}");
            if expected == names {
                let layout = DecodeError::Layout("its names are others".to_owned());
                let said = judged(text.as_bytes(), Err(layout));
                assert!(said.starts_with("its names are others; it reads as UTF-8"), "{said}");
            }
        }
    }
}
