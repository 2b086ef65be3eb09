//! XML as a row of tags and texts: names without prefixes, references resolved, and limits on whatever has no end.
//!
//! There is no DOCTYPE, and so no entities of anyone's own making: what is read is what was written.

use std::{
    collections::HashSet,
    io::{self, BufRead},
    sync::Arc,
};

use encoding_rs::UTF_8;
use quick_xml::{
    NsReader, XmlVersion,
    encoding::DecodingReader,
    errors::{Error, IllFormedError},
    escape::resolve_xml_entity,
    events::{BytesDecl, BytesStart, Event as Read_},
    name::{Namespace, PrefixDeclaration, ResolveResult},
};

use super::{
    bytes::{Said, Watched, declared, is_marked_twice, not_in},
    strict::{are_parted, is_declaration, is_name, is_text},
};
use crate::decode::DecodeError;

/// The most elements inside elements (security T4).
pub(in crate::decode) const DEPTH_MAX: usize = 64;
/// The most attributes of one element.
const ATTRIBUTES_MAX: usize = 256;
/// Both versions of the envelope.
const SOAP: [&str; 2] =
    ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];
/// What an instance says of its schema is no data.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What is wrong with a document in more than one place of it.
const CONTROL: &str = "has a character that no XML may have";
const UNDECLARED: &str = "has a prefix that it does not declare";

/// The opening of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) struct Tag {
    /// Its local name.
    pub name: String,
    /// Local names and values, in their order; of namespaces and schemas there are none. One without a prefix has its name
    /// for itself.
    pub attributes: Vec<(String, String)>,
    /// Whether it says of itself that it has no value (`xsi:nil`).
    pub nil: bool,
    /// Whether it is of a SOAP envelope.
    pub soap: bool,
}

impl Tag {
    /// The value of an attribute.
    pub(in crate::decode) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What comes next in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Next {
    Open(Tag),
    /// Text, or a part of it.
    Text(String),
    Close,
    /// The document ended, whole.
    End,
}

/// A document under way.
pub(in crate::decode) struct Tags<R> {
    reader: NsReader<Watched<DecodingReader<Said<R>>>>,
    buffer: Vec<u8>,
    depth: usize,
    /// Whether anything was met, and whether the outermost element was.
    read: bool,
    begun: bool,
}

impl<R: BufRead> Tags<R> {
    /// A document in the encoding that it declares, UTF-8 where it declares none.
    ///
    /// # Errors
    /// [`DecodeError`] if it cannot be read, declares an encoding that nobody knows, or another than its mark says.
    pub(in crate::decode) fn new(mut bytes: R) -> Result<Self, DecodeError> {
        let begin = bytes.fill_buf().map_err(DecodeError::Io)?;
        if is_marked_twice(begin) {
            return Err(DecodeError::Format(
                "it is not XML: its byte-order mark stands there twice; have the partner write it once"
                    .to_owned(),
            ));
        }
        let declared = declared(begin)?;
        let mut decoded = DecodingReader::new(Said::new(bytes, declared.as_ref()));
        if let Some(declared) = declared {
            decoded.set_encoding(declared.encoding);
        }
        let mut reader = NsReader::from_reader(Watched::new(decoded));
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        Ok(Self { reader, buffer: Vec::new(), depth: 0, read: false, begun: false })
    }

    /// The line where reading stands, from 1.
    pub(in crate::decode) fn line(&mut self) -> u64 {
        self.reader.get_mut().line
    }

    /// A row begins or ends here: what is behind it counts anew against [`crate::decode::ROW_MAX`].
    pub(in crate::decode) fn begin_row(&mut self) {
        self.reader.get_mut().since = 0;
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no XML, is cut off, or passes a limit.
    pub(in crate::decode) fn next(&mut self) -> Result<Next, DecodeError> {
        loop {
            self.buffer.clear();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event.into_owned(),
                Err(error) => return Err(self.failure(&error)),
            };
            if !is_text(&event) {
                return Err(self.wrong(CONTROL));
            }
            let first = !std::mem::replace(&mut self.read, true);
            match event {
                Read_::Start(start) => return self.open(&start).map(Next::Open),
                Read_::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Next::Close);
                }
                Read_::Text(text) if self.depth > 0 => {
                    if text.contains("]]>") {
                        return Err(self.wrong("closes a CDATA section that it never opens"));
                    }
                    return Ok(Next::Text(text.xml10_content().into_owned()));
                }
                Read_::CData(text) if self.depth > 0 => {
                    return Ok(Next::Text(text.xml10_content().into_owned()));
                }
                Read_::GeneralRef(reference) if self.depth > 0 => {
                    return self.resolve(&reference).map(Next::Text);
                }
                Read_::Text(text) => {
                    self.read = !(first && text.is_empty());
                    let stray = text.trim_ascii_start();
                    if let Some(first) = stray.chars().next() {
                        return Err(self.stray(first));
                    }
                }
                Read_::CData(_) | Read_::GeneralRef(_) => return Err(self.stray('&')),
                Read_::DocType(about) => return Err(self.doctype(&about)),
                Read_::Decl(_) if !first => {
                    return Err(self.wrong("declares itself, and not at its very beginning"));
                }
                Read_::Decl(about) if !is_declaration(&about) => {
                    return Err(self.wrong("declares itself otherwise than XML 1 does: by a version, then its encoding, then whether it stands alone"));
                }
                Read_::Decl(about) if self.is_late(&about) => {
                    return Err(DecodeError::Encoding(
                        "it declares its encoding behind a long run of blanks, where nobody looks for it; have the partner write it in UTF-8"
                            .to_owned(),
                    ));
                }
                Read_::PI(order) if !is_name(order.target()) || is_xml(order.target()) => {
                    return Err(self.wrong("has an instruction whose name is none"));
                }
                Read_::Eof => return self.end(),
                Read_::Decl(_) | Read_::PI(_) | Read_::Comment(_) | Read_::Empty(_) => {}
            }
        }
    }

    /// Whether a document declares an encoding that was not met in time, and is read as UTF-8.
    fn is_late(&self, about: &BytesDecl<'_>) -> bool {
        let encoding = about.encoder();
        let other = encoding.is_some_and(|other| other != UTF_8 && other.is_ascii_compatible());
        let unknown = encoding.is_none() && about.encoding().is_some();
        self.reader.get_ref().inner().encoding() == UTF_8 && (other || unknown)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<Tag, DecodeError> {
        let name = start.local_name().into_inner().to_owned();
        if !is_name(&name) {
            return Err(self.wrong("has an element whose name is none"));
        }
        if self.depth == 0 && self.begun {
            return Err(self.wrong("goes on behind its outermost element"));
        }
        if self.depth == 0 && name.eq_ignore_ascii_case("html") {
            return Err(DecodeError::web_page());
        }
        self.begun = true;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let line = usize::try_from(self.line()).unwrap_or(usize::MAX);
            return Err(DecodeError::TooDeep { levels: DEPTH_MAX, line });
        }
        if !are_parted(start.attributes_raw()) {
            return Err(self.wrong("has attributes without a blank between them, or a < in one"));
        }
        if start.name().prefix().is_some_and(|prefix| prefix.is_xmlns()) {
            return Err(self.wrong("has an element of the namespace of declarations"));
        }
        let resolver = self.reader.resolver();
        let soap = match resolver.resolve_element(start.name()).0 {
            ResolveResult::Bound(Namespace(uri)) => SOAP.contains(&uri),
            ResolveResult::Unbound => false,
            ResolveResult::Unknown(_) => return Err(self.wrong(UNDECLARED)),
        };
        let mut tag = Tag { name, attributes: Vec::new(), nil: false, soap };
        let (mut count, mut prefixed) = (0, Vec::new());
        for attribute in start.attributes() {
            let Ok(attribute) = attribute else {
                return Err(self.wrong("has an attribute that cannot be read, or stands twice"));
            };
            count += 1;
            if count > ATTRIBUTES_MAX {
                return Err(self.wrong("has an element of more than 256 attributes"));
            }
            match attribute.key.as_namespace_binding() {
                None => {}
                Some(PrefixDeclaration::Named(prefix))
                    if attribute.value.is_empty() || !is_name(prefix) =>
                {
                    return Err(self.wrong("declares a namespace as none may be"));
                }
                Some(_) => continue,
            }
            let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else {
                return Err(self.wrong("refers to an entity that XML does not know by itself"));
            };
            if !is_text(&value) {
                return Err(self.wrong(CONTROL));
            }
            let (space, local) = resolver.resolve_attribute(attribute.key);
            let name = local.into_inner();
            if !is_name(name) {
                return Err(self.wrong("has an attribute whose name is none"));
            }
            match space {
                ResolveResult::Bound(Namespace(INSTANCE)) if name == "nil" => {
                    tag.nil = matches!(&*value, "true" | "1");
                }
                ResolveResult::Bound(Namespace(INSTANCE)) => {}
                ResolveResult::Unknown(_) => return Err(self.wrong(UNDECLARED)),
                _ => {
                    prefixed.push(attribute.key.prefix().is_some());
                    tag.attributes.push((name.to_owned(), value.into_owned()));
                }
            }
        }
        if prefixed.contains(&true) {
            tag.attributes = without_namesakes(tag.attributes, &prefixed);
        }
        Ok(tag)
    }

    /// One of the five references that XML knows by itself, or a character by its number.
    fn resolve(
        &mut self,
        reference: &quick_xml::events::BytesRef<'_>,
    ) -> Result<String, DecodeError> {
        let by_number = reference.resolve_char_ref().ok().flatten().map(String::from);
        if by_number.as_deref().is_some_and(|text| !is_text(text)) {
            return Err(self.wrong(CONTROL));
        }
        let by_name = || resolve_xml_entity(reference).map(str::to_owned);
        by_number
            .or_else(by_name)
            .ok_or_else(|| self.wrong("refers to an entity that XML does not know by itself"))
    }

    fn end(&mut self) -> Result<Next, DecodeError> {
        if self.depth > 0 || !self.begun {
            return Err(self.truncated());
        }
        // Only of a document that was read to its end is that known.
        match self.said().wrong() {
            Some(wrong) => Err(wrong),
            None => Ok(Next::End),
        }
    }

    fn truncated(&mut self) -> DecodeError {
        let at = self.reader.get_mut();
        let line = usize::try_from(at.line).unwrap_or(usize::MAX);
        DecodeError::Truncated { line, column: at.column }
    }

    fn doctype(&mut self, about: &str) -> DecodeError {
        let name = about.split_ascii_whitespace().next().unwrap_or_default();
        if name.eq_ignore_ascii_case("html") {
            return DecodeError::web_page();
        }
        DecodeError::Format(format!(
            "it has a DOCTYPE (line {}), and is not read: such a thing can make a small file huge, or read files of ours; have the partner leave it out",
            self.line()
        ))
    }

    /// Something else than XML stands here.
    fn stray(&mut self, first: char) -> DecodeError {
        if self.begun {
            return self.wrong("goes on behind its outermost element");
        }
        DecodeError::Format(format!(
            "it is not XML: it begins with {first:?}; see what the answer looks like, and mend `format` if it is meant so"
        ))
    }

    fn wrong(&mut self, what: &str) -> DecodeError {
        DecodeError::Format(format!(
            "it is not XML as it is read here (line {}): it {what}; a login or error page may stand in its place",
            self.line()
        ))
    }

    /// What the bytes themselves say of the encoding that is declared.
    fn said(&self) -> &Said<R> {
        self.reader.get_ref().inner().get_ref()
    }

    fn failure(&mut self, error: &Error) -> DecodeError {
        match error {
            Error::Io(error) => match error.kind() {
                io::ErrorKind::FileTooLarge => DecodeError::RowTooLong { line: self.line() },
                io::ErrorKind::InvalidData => {
                    let line = self.line();
                    self.said().instead().unwrap_or_else(|| not_in(error, line))
                }
                kind => DecodeError::Io(io::Error::new(kind, Arc::clone(error))),
            },
            Error::Encoding(_) => {
                let line = self.line();
                self.said().instead().unwrap_or_else(|| DecodeError::Encoding(format!(
                    "line {line} is not UTF-8; have it written in UTF-8, or in the encoding that it declares"
                )))
            }
            // These are only told where the document ends.
            Error::Syntax(_) | Error::IllFormed(IllFormedError::MissingEndTag(_)) => {
                self.truncated()
            }
            Error::IllFormed(IllFormedError::UnclosedReference) if self.is_at_end() => {
                self.truncated()
            }
            Error::IllFormed(IllFormedError::DoubleHyphenInComment) => {
                self.wrong("has a comment with -- in it")
            }
            Error::Namespace(_) => self.wrong("declares a namespace as none may be"),
            _ => self.wrong("has tags or references that do not fit together"),
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.reader.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

/// Those attributes, of which some are `prefixed`, that go by their local names: beside one without a prefix those with one
/// are left out, and of several with one value there is the first. Of others it cannot be told which is meant: all stay.
fn without_namesakes(all: Vec<(String, String)>, prefixed: &[bool]) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let with = all.iter().zip(prefixed);
    let own: HashSet<String> =
        with.filter(|(_, prefixed)| !**prefixed).map(|((name, _), _)| name.clone()).collect();
    for (attribute, prefixed) in all.into_iter().zip(prefixed) {
        if !prefixed || !own.contains(&attribute.0) && !kept.contains(&attribute) {
            kept.push(attribute);
        }
    }
    kept
}

/// Whether it is the name that XML keeps for its declaration, however it is written.
fn is_xml(target: &str) -> bool {
    target.eq_ignore_ascii_case("xml")
}
