//! Where answers are written: text for people, JSON for programs.

use std::io::{self, Write};

use marsad_shared::untrusted::json_safe;
use serde::Serialize;

use super::when::Look;

/// Standard output, with what has to be known to write for it.
pub(super) struct Out {
    to: Box<dyn Write>,
    pub(super) json: bool,
    /// JSON for eyes.
    pretty: bool,
    pub(super) look: Look,
}

impl Out {
    pub(super) fn new(to: impl Write + 'static, json: bool, look: Look) -> Self {
        Self { to: Box::new(to), json, pretty: look.width.is_some(), look }
    }

    /// Text that ends its own lines.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    /// One answer: the value as JSON, or what is to be said of it.
    pub(super) fn answer(
        &mut self,
        value: &impl Serialize,
        text: impl FnOnce(&Look) -> String,
    ) -> io::Result<()> {
        if self.json {
            return self.value(value);
        }
        let text = text(&self.look);
        self.text(&text)
    }

    /// One JSON value.
    pub(super) fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = self.written(value)?;
        self.text(&(json + "\n"))
    }

    /// The beginning of an array whose items follow; see [`Self::items`] and [`Self::end`].
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.to.write_all(b"[")
    }

    /// Items of the array, a line each where it is for programs; `first`: none stands before them.
    pub(super) fn items(&mut self, items: &[impl Serialize], mut first: bool) -> io::Result<()> {
        for item in items {
            let json = self.written(item)?;
            self.to.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            let shift = if self.pretty { "  " } else { "" };
            for (at, line) in json.split('\n').enumerate() {
                if at > 0 {
                    self.to.write_all(b"\n")?;
                }
                self.to.write_all(shift.as_bytes())?;
                self.to.write_all(line.as_bytes())?;
            }
        }
        self.to.flush()
    }

    /// The end of the array; `empty`: no item stands in it.
    pub(super) fn end(&mut self, empty: bool) -> io::Result<()> {
        self.text(if empty { "]\n" } else { "\n]\n" })
    }

    fn written(&self, value: &impl Serialize) -> io::Result<String> {
        let json = if self.pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        Ok(json_safe(&json?).into_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{cell::RefCell, rc::Rc};

    use serde_json::{Value, json};

    use super::*;
    use crate::cli::samples::look;

    /// What was written, for a test to look at.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Paper {
        pub(crate) fn read(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_array_written_in_pieces_is_one_array() {
        for (width, expected) in [
            (None, "[\n{\"id\":\"a\\u202e\"},\n{\"id\":\"b\"},\n{\"id\":\"c\"}\n]\n"),
            (
                Some(80),
                "[\n  {\n    \"id\": \"a\\u202e\"\n  },\n  {\n    \"id\": \"b\"\n  },\n  {\n    \"id\": \"c\"\n  }\n]\n",
            ),
        ] {
            let paper = Paper::default();
            let mut out = Out::new(paper.clone(), true, look(width));
            out.begin().unwrap();
            out.items(&[json!({"id": "a\u{202e}"}), json!({"id": "b"})], true).unwrap();
            out.items(&[json!({"id": "c"})], false).unwrap();
            out.end(false).unwrap();
            assert_eq!(paper.read(), expected);
            assert_eq!(serde_json::from_str::<Vec<Value>>(&paper.read()).unwrap().len(), 3);
        }
        let paper = Paper::default();
        let mut out = Out::new(paper.clone(), true, look(None));
        out.begin().unwrap();
        out.end(true).unwrap();
        assert_eq!(paper.read(), "[]\n");
    }
}
