//! JSON and NDJSON: documents to records, one at a time, numbers kept as they were written.

use std::{
    borrow::Cow,
    cell::Cell,
    fmt,
    io::{self, BufRead, Read},
    marker::PhantomData,
    rc::Rc,
};

use marsad_shared::feed::{RecordsPath, ScalarPath};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{DecodeError, Flow, ROW_MAX, Scalar};

mod query;

use query::query;

/// The largest document that is held whole, because its `records` is no plain path, in bytes.
const HELD_MAX: usize = 256 * 1024 * 1024;

/// Ends the reading of what never ends: a record, what stands between two, or a document that must be held.
struct Bounded<R> {
    bytes: R,
    /// Bytes since the last record ended.
    since: Rc<Cell<usize>>,
    most: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let since = self.since.get() + read;
        self.since.set(since);
        if since > self.most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}

/// Hands each record of a JSON document to `each`, as text, while the document is read.
///
/// # Errors
/// [`DecodeError::Truncated`] if it ends in the middle, [`DecodeError::Format`] if it is no JSON, and
/// [`DecodeError::Layout`] if there is nothing at `records`: that is not the same as no records.
pub fn read(
    bytes: impl BufRead,
    records: &RecordsPath,
    each: impl FnMut(&str) -> Flow,
) -> Result<(), DecodeError> {
    match records {
        RecordsPath::Plain(names) => {
            let since = Rc::new(Cell::new(0));
            let bounded = Bounded { bytes, since: Rc::clone(&since), most: ROW_MAX };
            let mut each = each;
            let each = |record: &str| {
                since.set(0);
                each(record)
            };
            walk::<_, Box<RawValue>>(serde_json::Deserializer::from_reader(bounded), names, each)
        }
        RecordsPath::Path(path) => {
            let mut text = Vec::new();
            let read =
                bytes.take(HELD_MAX as u64 + 1).read_to_end(&mut text).map_err(DecodeError::Io)?;
            if read > HELD_MAX {
                return Err(DecodeError::TooLarge(
                    "it is larger than 256 MiB, and its `records` is no plain path; write it as one, such as $.data[*]"
                        .to_owned(),
                ));
            }
            query(&text, path, each)
        }
        RecordsPath::Xml(_) => Err(nothing_at("an XML path")),
    }
}

/// As [`read`], of a document that is held already: its records are not copied.
///
/// # Errors
/// As [`read`].
pub fn read_slice(
    bytes: &[u8],
    records: &RecordsPath,
    each: impl FnMut(&str) -> Flow,
) -> Result<(), DecodeError> {
    match records {
        RecordsPath::Plain(names) => {
            walk::<_, &RawValue>(serde_json::Deserializer::from_slice(bytes), names, each)
        }
        RecordsPath::Path(path) => query(bytes, path, each),
        RecordsPath::Xml(_) => Err(nothing_at("an XML path")),
    }
}

fn walk<'de, R: serde_json::de::Read<'de>, T: Record<'de>>(
    mut json: serde_json::Deserializer<R>,
    names: &[String],
    mut each: impl FnMut(&str) -> Flow,
) -> Result<(), DecodeError> {
    let mut walk =
        Walk { names, each: &mut each, found: false, stopped: false, record: PhantomData::<T> };
    let end =
        Descend { depth: 0, walk: &mut walk }.deserialize(&mut json).and_then(|()| json.end());
    if walk.stopped {
        return Err(DecodeError::Stopped);
    }
    end.map_err(|error| failure(&error))?;
    if walk.found { Ok(()) } else { Err(nothing_at(&format!("$.{}[*]", names.join(".")))) }
}

/// A record as it was written: copied while a document streams by, borrowed from one that is held.
trait Record<'de>: Deserialize<'de> {
    fn text(&self) -> &str;
}

impl Record<'_> for Box<RawValue> {
    fn text(&self) -> &str {
        self.get()
    }
}

impl<'de> Record<'de> for &'de RawValue {
    fn text(&self) -> &str {
        self.get()
    }
}

/// Hands each line of an NDJSON document to `each`, with its number from 1; empty lines are passed over.
///
/// # Errors
/// [`DecodeError::RowTooLong`] and [`DecodeError::Io`]. A line that is no JSON is that record's trouble alone.
pub fn read_lines(
    mut bytes: impl BufRead,
    mut each: impl FnMut(Result<&str, &[u8]>, u64) -> Flow,
) -> Result<(), DecodeError> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let limit = ROW_MAX as u64 + 1;
        let read =
            bytes.by_ref().take(limit).read_until(b'\n', &mut line).map_err(DecodeError::Io)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read > ROW_MAX {
            return Err(DecodeError::RowTooLong { line: number });
        }
        let text = line.trim_ascii();
        let text =
            if number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        if !text.is_empty()
            && each(std::str::from_utf8(text).map_err(|_| text), number) == Flow::Stop
        {
            return Err(DecodeError::Stopped);
        }
    }
}

/// What stands at each of `paths` in a document; absent all of them if it cannot be read.
pub fn scalars(bytes: &[u8], paths: &[ScalarPath]) -> Vec<Scalar> {
    paths.iter().map(|path| scalar(bytes, path).unwrap_or_default()).collect()
}

fn scalar(bytes: &[u8], path: &ScalarPath) -> Option<Scalar> {
    let raw = match path {
        ScalarPath::Plain(names) => {
            let mut json = serde_json::Deserializer::from_slice(bytes);
            At { names }.deserialize(&mut json).ok()??.get().to_owned()
        }
        ScalarPath::Path(path) => {
            let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
            path.query(&document).first()?.to_string()
        }
        ScalarPath::Xml(_) => return None,
    };
    Some(match serde_json::from_str::<serde_json::Value>(&raw) {
        Ok(serde_json::Value::String(text)) => Scalar::Text(text),
        Ok(serde_json::Value::Null) | Err(_) => Scalar::Null,
        Ok(_) => Scalar::Text(raw),
    })
}

fn nothing_at(path: &str) -> DecodeError {
    DecodeError::Layout(format!(
        "there is nothing at {path}; see what the answer looks like and mend `records`"
    ))
}

fn failure(error: &serde_json::Error) -> DecodeError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => DecodeError::Truncated { line, column },
        serde_json::error::Category::Io
            if error.io_error_kind() == Some(io::ErrorKind::FileTooLarge) =>
        {
            DecodeError::RowTooLong { line: line as u64 }
        }
        serde_json::error::Category::Io => DecodeError::Io(io::Error::new(
            error.io_error_kind().unwrap_or(io::ErrorKind::Other),
            error.to_string(),
        )),
        serde_json::error::Category::Syntax => DecodeError::Format(format!(
            "it is not JSON (line {line}, column {column}); a login or error page may stand in its place"
        )),
        serde_json::error::Category::Data => DecodeError::Layout(format!(
            "it is laid out otherwise (line {line}, column {column}): mend `records`"
        )),
    }
}

/// The way to the array of records, and who takes them.
struct Walk<'a, F, T> {
    names: &'a [String],
    each: &'a mut F,
    found: bool,
    stopped: bool,
    record: PhantomData<T>,
}

/// At `depth` names down the way.
struct Descend<'w, 'a, F, T> {
    depth: usize,
    walk: &'w mut Walk<'a, F, T>,
}

impl<'de, F: FnMut(&str) -> Flow, T: Record<'de>> DeserializeSeed<'de> for Descend<'_, '_, F, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str) -> Flow, T: Record<'de>> Visitor<'de> for Descend<'_, '_, F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.walk.names.get(self.depth) {
            Some(name) => write!(f, "an object with {name:?}"),
            None => f.write_str("an array of records"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(wanted) = self.walk.names.get(self.depth) else {
            return Err(serde::de::Error::invalid_type(serde::de::Unexpected::Map, &self));
        };
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            if name == wanted.as_str() {
                map.next_value_seed(Descend { depth: self.depth + 1, walk: &mut *self.walk })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        if self.depth < self.walk.names.len() {
            return Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        self.walk.found = true;
        while let Some(record) = records.next_element::<T>()? {
            if (self.walk.each)(record.text()) == Flow::Stop {
                self.walk.stopped = true;
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // A null where records belong is nothing at all, and is told as such.
        Ok(())
    }
}

/// The value at the end of `names`.
struct At<'a> {
    names: &'a [String],
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.names.is_empty() {
            return Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Box<RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match self.names.split_first() {
                Some((wanted, rest)) if name == wanted.as_str() => {
                    found = map.next_value_seed(At { names: rest })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, names: &[&str]) -> Result<Vec<String>, DecodeError> {
        let path = RecordsPath::Plain(names.iter().map(|&name| name.to_owned()).collect());
        let mut records = Vec::new();
        let mut keep = |record: &str| {
            records.push(record.to_owned());
            Flow::More
        };
        let streamed = read(text.as_bytes(), &path, &mut keep).map_err(|error| error.reason());
        let mut held = Vec::new();
        let end = read_slice(text.as_bytes(), &path, |record| {
            held.push(record.to_owned());
            Flow::More
        });
        assert_eq!(streamed, end.as_ref().copied().map_err(DecodeError::reason), "{text}");
        assert_eq!(records, held, "however it is read");
        end.map(|()| held)
    }

    #[test]
    fn records_are_found_at_the_end_of_their_path_as_they_were_written() {
        let text = r#"{"meta":{"n":2},"data":{"rows":[{"id":1.10},{"id":784000000000001123456}]},"x":[1]}"#;
        assert_eq!(
            records(text, &["data", "rows"]).unwrap(),
            [r#"{"id":1.10}"#, r#"{"id":784000000000001123456}"#]
        );
        assert_eq!(records("[1, 2]", &[]).unwrap(), ["1", "2"]);
        assert_eq!(
            records(r#"{"data":[]}"#, &["data"]).unwrap(),
            [""; 0],
            "no records is a good answer"
        );
    }

    #[test]
    fn what_is_no_page_of_records_is_told_by_its_kind() {
        for (text, expected, why) in [
            (r#"{"data":[{"id":1},{"id""#, Reason::Truncated, "cut off"),
            ("<html>login</html>", Reason::NotJson, "a page for people"),
            (r#"{"error":"no"}"#, Reason::Schema, "no such path"),
            (r#"{"data":null}"#, Reason::Schema, "null where records belong"),
            (r#"{"data":{"id":1}}"#, Reason::Schema, "an object where the array belongs"),
            (r#"{"data":[]} trailing"#, Reason::NotJson, "something behind the document"),
        ] {
            assert_eq!(records(text, &["data"]).unwrap_err().reason(), expected, "{why}");
        }
    }

    #[test]
    fn a_record_without_end_is_refused_and_survived() {
        let mut text = br#"{"data":[{"id":"a"},{"id":""#.to_vec();
        text.resize(ROW_MAX + 1024 * 1024, b'x');
        let path = RecordsPath::Plain(vec!["data".to_owned()]);
        let mut met = 0;
        let end = read(text.as_slice(), &path, |_| {
            met += 1;
            Flow::More
        });
        assert!(matches!(end, Err(DecodeError::RowTooLong { line: 1 })), "{end:?}");
        assert_eq!(met, 1, "what stood before it was met");
    }

    #[test]
    fn nesting_without_end_is_refused_and_survived() {
        let deep = "[".repeat(100_000);
        assert!(records(&format!("{{\"data\":[{deep}"), &["data"]).is_err());
    }

    #[test]
    fn the_next_cursor_is_read_as_text() {
        let at = |text: &str| {
            scalars(text.as_bytes(), &[ScalarPath::parse("$.meta.next").unwrap()]).remove(0)
        };
        assert_eq!(at(r#"{"data":[1],"meta":{"next":"a\"b"}}"#).text(), Some("a\"b"));
        assert_eq!(
            at(r#"{"meta":{"next":12345678901234567890123}}"#).text(),
            Some("12345678901234567890123")
        );
        for none in [
            r#"{"meta":{"next":null}}"#,
            r#"{"meta":{}}"#,
            r#"{"meta":{"next":""}}"#,
            "{}",
            "[1]",
            r#"{"meta":3}"#,
        ] {
            assert_eq!(at(none).text(), None, "{none}");
        }
    }

    use marsad_shared::health::Reason;
}
