//! XML: the elements at a path of local names to records, one at a time, and beside them whatever else is wanted of the
//! document. Prefixes have no meaning.

use std::io::{self, BufRead};

use encoding_rs::UTF_8;
use marsad_shared::feed::{RecordsPath, ScalarPath, XmlPath, XmlStep};

use super::{DecodeError, Flow, Plan, Scalar, Standing};
use bytes::Said;
use element::{Element, PARTS_MAX};
use tags::{Next, Tag, Tags};

mod bytes;
mod element;
mod fault;
mod strict;
pub(super) mod tags;

/// Whether a document that begins with `begin` says itself in which encoding it is, or says that wrongly.
pub fn declares_encoding(begin: &[u8]) -> bool {
    !matches!(bytes::declared(begin), Ok(None))
}

/// The text of a document, or of its beginning where it was `cut`, by the encoding that it declares; `None`: it declares
/// none, or UTF-8.
///
/// # Errors
/// [`DecodeError::Encoding`] if nobody knows the encoding, or the bytes speak against it.
pub fn declared_text(document: &[u8], cut: bool) -> Result<Option<String>, DecodeError> {
    let Some(declared) = bytes::declared(document)?.filter(|it| it.encoding != UTF_8) else {
        return Ok(None);
    };
    let mut said = Said::new(document, Some(&declared));
    io::copy(&mut said, &mut io::sink()).map_err(DecodeError::Io)?;
    // Of a beginning, the last letter may not be whole.
    if let Some(wrong) = said.wrong().or_else(|| said.instead().filter(|_| cut)) {
        return Err(wrong);
    }
    let (text, _) = declared.encoding.decode_without_bom_handling(document);
    let whole = if cut { text.trim_end_matches(char::REPLACEMENT_CHARACTER) } else { &text };
    if whole.contains(char::REPLACEMENT_CHARACTER) {
        return Err(DecodeError::Encoding(format!(
            "not all of it is {}, which it declares; have the partner mend it",
            declared.label
        )));
    }
    Ok(Some(whole.to_owned()))
}

/// Hands each record of an XML document to `each`, as JSON text, while the document is read. Whatever becomes of the
/// records, what stands at the other paths of `plan` is given, in their order, as far as the document can be read; all
/// of it is absent if it is no XML, or is cut off.
pub fn read(
    bytes: impl BufRead,
    plan: &Plan<'_>,
    mut each: impl FnMut(&str, Standing) -> Flow,
) -> (Vec<Scalar>, Result<(), DecodeError>) {
    let mut wanted = match Wanted::of(plan) {
        Ok(wanted) => wanted,
        Err(error) => return (vec![Scalar::Absent; plan.scalars.len()], Err(error)),
    };
    let read = Tags::new(bytes)
        .and_then(|tags| Walk { tags, open: Vec::new() }.all(&mut wanted, &mut each));
    let read = read.and_then(|()| wanted.complete());
    let mut scalars = wanted.scalars;
    // A fault and records that are not there are told by a document that can be read.
    let is_read = matches!(
        read,
        Ok(()) | Err(DecodeError::Layout(_) | DecodeError::Lacking(_) | DecodeError::Remote { .. })
    );
    if !is_read {
        scalars.fill(Scalar::Absent);
    }
    (scalars, read)
}

/// Whether an element, as JSON text, has elements in it.
pub fn has_elements(json: &str) -> bool {
    let members = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json);
    members.is_ok_and(|members| members.keys().any(|name| !name.starts_with(['@', '#'])))
}

/// One path that is looked for, and how far the open elements follow it.
struct Trail<'p> {
    path: &'p XmlPath,
    goal: Goal,
    /// How many of its steps the open elements are, from the outermost on.
    followed: usize,
    /// The most that ever was.
    furthest: usize,
}

/// What stands at the end of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Record(Standing),
    Scalar(usize),
}

/// All that is looked for, and what was found of it.
struct Wanted<'p> {
    trails: Vec<Trail<'p>>,
    scalars: Vec<Scalar>,
    /// Whether there was a record, or one that is gone.
    found: bool,
    /// Records in the innermost open element that may hold some.
    within: u64,
    /// How many are open with an element that holds an error, and no record so far.
    erring: Option<usize>,
    /// How many elements had an error where their records belong.
    lacking: usize,
    /// What is said in place of records: in which element, and its words.
    instead: Option<(String, String)>,
    /// Text of it that may go on: it comes in pieces, wherever a character was written by its name.
    saying: Option<(String, String)>,
}

/// What elements are called that speak of an error.
const ERRORS: [&str; 9] = [
    "Error",
    "Errors",
    "ErrorMessage",
    "Fault",
    "faultCode",
    "faultString",
    "Exception",
    "ServiceException",
    "ExceptionText",
];
/// What they hold where there is none.
const NOTHING_SAID: [&str; 3] = ["", "0", "false"];
/// What is handed on of an element that has an error where its records belong.
const LACKING: &str = "null";
/// As much of what is said in place of records is kept, in bytes.
const INSTEAD_MAX: usize = 400;

impl<'p> Wanted<'p> {
    fn of(plan: &Plan<'p>) -> Result<Self, DecodeError> {
        let trail = |path, goal| Trail { path, goal, followed: 0, furthest: 0 };
        let mut trails = Vec::new();
        let lists = [(plan.records, Standing::Here), (plan.deletes, Standing::Gone)];
        for (path, standing) in lists {
            match path {
                None => {}
                Some(RecordsPath::Xml(path)) => trails.push(trail(path, Goal::Record(standing))),
                Some(RecordsPath::Plain(_) | RecordsPath::Path(_)) => {
                    return Err(DecodeError::Layout(
                        "it should be XML, and `records` leads into JSON; write the local names that lead to a record, and format = \"xml\""
                            .to_owned(),
                    ));
                }
            }
        }
        for (number, path) in plan.scalars.iter().enumerate() {
            if let ScalarPath::Xml(path) = path {
                trails.push(trail(path, Goal::Scalar(number)));
            }
        }
        let scalars = vec![Scalar::Absent; plan.scalars.len()];
        Ok(Self {
            trails,
            scalars,
            found: false,
            within: 0,
            erring: None,
            lacking: 0,
            instead: None,
            saying: None,
        })
    }

    /// An element opens inside `depth` others. Whether it is a record, and the scalars of which it is the text.
    fn open(&mut self, tag: &Tag, depth: usize) -> (Option<Standing>, Vec<usize>) {
        self.said();
        let (mut record, mut texts) = (None, Vec::new());
        for trail in &mut self.trails {
            let Some(step) = trail.path.steps.get(depth) else { continue };
            if trail.followed != depth || !fits(step, tag) {
                continue;
            }
            trail.followed = depth + 1;
            trail.furthest = trail.furthest.max(trail.followed);
            if trail.path.steps.len() > trail.followed {
                if trail.goal == Goal::Record(Standing::Here) {
                    self.within = 0;
                }
                continue;
            }
            match trail.goal {
                Goal::Record(standing) => {
                    record = record.or(Some(standing));
                    (self.found, self.erring) = (true, None);
                    self.within += 1;
                }
                Goal::Scalar(number) => {
                    let Some(slot) = self.scalars.get_mut(number) else { continue };
                    match &trail.path.attribute {
                        _ if *slot != Scalar::Absent => {}
                        Some(name) => {
                            if let Some(value) = tag.attribute(name) {
                                *slot = Scalar::Text(value.to_owned());
                            }
                        }
                        None if tag.nil => *slot = Scalar::Null,
                        None => {
                            *slot = Scalar::Text(String::new());
                            texts.push(number);
                        }
                    }
                }
            }
        }
        (record, texts)
    }

    /// An element inside `depth` others closes.
    fn close(&mut self, depth: usize) {
        self.said();
        for trail in &mut self.trails {
            trail.followed = trail.followed.min(depth);
        }
        if self.erring.is_some_and(|open| depth < open) {
            self.erring = None;
            self.lacking += 1;
        }
    }

    fn text(&mut self, number: usize, text: &str) {
        if let Some(Scalar::Text(all)) = self.scalars.get_mut(number) {
            all.push_str(text);
        }
    }

    /// Text where there was no record yet: in an element that speaks of an error, or right where records belong, it may
    /// stand in their place.
    fn aside(&mut self, text: &str, open: &[Open]) {
        let records = self.trails.iter().find(|trail| trail.goal == Goal::Record(Standing::Here));
        let Some(records) = records else { return };
        let (around, followed) = (records.path.steps.len() - 1, records.followed);
        let belongs = followed == around && open.len() == around;
        let is_error =
            |open: &&Open| ERRORS.iter().any(|name| open.name.eq_ignore_ascii_case(name));
        // One of several that may hold records: that it has none is told by its error.
        let is_one = (2..=around).contains(&followed) && self.within == 0;
        if is_one
            && !NOTHING_SAID.contains(&text.trim())
            && open.iter().skip(followed).any(|open| is_error(&open))
        {
            self.erring = Some(followed);
        }
        if self.found {
            return;
        }
        let place = match open.iter().find(is_error) {
            None if belongs => open.last(),
            place => place,
        };
        let Some(place) = place else { return };
        let (_, words) = self.saying.get_or_insert_with(|| (place.name.clone(), String::new()));
        if words.len() < INSTEAD_MAX {
            words.push_str(text);
        }
    }

    /// What is said goes on no further: an element begins or ends.
    fn said(&mut self) {
        let Some((place, text)) = self.saying.take() else { return };
        let text = text.trim();
        if NOTHING_SAID.contains(&text) {
            return;
        }
        let (_, words) = self.instead.get_or_insert_with(|| (place, String::new()));
        if words.len() < INSTEAD_MAX {
            let gap = if words.is_empty() { "" } else { " " };
            *words = format!("{words}{gap}{text}");
            words.truncate(words.floor_char_boundary(INSTEAD_MAX));
        }
    }

    /// The document ended: were the records where they should be? Where all around them is there, there may be none.
    fn complete(&mut self) -> Result<(), DecodeError> {
        self.said();
        for scalar in &mut self.scalars {
            if let Scalar::Text(text) = scalar {
                *text = text.trim().to_owned();
            }
        }
        let instead = self.instead.take().filter(|_| !self.found);
        for trail in &self.trails {
            let around = (trail.path.steps.len() - 1).max(1);
            if trail.goal != Goal::Record(Standing::Here) || trail.furthest >= around {
                continue;
            }
            let said = match instead {
                // Another document altogether.
                Some((code, text)) if trail.furthest == 0 => {
                    return Err(DecodeError::Remote { code, text, retryable: true });
                }
                Some((code, text)) => format!(", and it says ({code}): {text}"),
                None => String::new(),
            };
            let lacks = trail.furthest > 0 && said.is_empty();
            let text = format!(
                "there is nothing at {}{said}; see what the answer looks like and mend `records`",
                trail.path.text()
            );
            return Err(if lacks { DecodeError::Lacking(text) } else { DecodeError::Layout(text) });
        }
        match instead {
            Some((code, text)) => Err(DecodeError::Remote { code, text, retryable: true }),
            None => Ok(()),
        }
    }
}

fn fits(step: &XmlStep, tag: &Tag) -> bool {
    step.name == tag.name
        && step.with.as_ref().is_none_or(|(name, value)| tag.attribute(name) == Some(value))
}

/// An element that is open.
struct Open {
    soap: bool,
    name: String,
    /// The scalars of which it is the text.
    texts: Vec<usize>,
}

/// A walk through a document.
struct Walk<R> {
    tags: Tags<R>,
    open: Vec<Open>,
}

impl<R: BufRead> Walk<R> {
    fn all(
        mut self,
        wanted: &mut Wanted<'_>,
        each: &mut dyn FnMut(&str, Standing) -> Flow,
    ) -> Result<(), DecodeError> {
        loop {
            match self.tags.next()? {
                Next::Open(tag) if tag.soap && tag.name == "Fault" && self.is_in_body() => {
                    let fault = self.element(tag, wanted)?;
                    return Err(fault::fault(&fault));
                }
                Next::Open(tag) => {
                    let (record, texts) = wanted.open(&tag, self.open.len());
                    let Some(standing) = record else {
                        self.open.push(Open { soap: tag.soap, name: tag.name, texts });
                        continue;
                    };
                    self.tags.begin_row();
                    self.open.push(Open { soap: tag.soap, name: tag.name.clone(), texts });
                    let record = self.inside(tag, wanted)?.record();
                    self.tags.begin_row();
                    if each(&record, standing) == Flow::Stop {
                        return Err(DecodeError::Stopped);
                    }
                }
                Next::Text(text) => self.text(&text, wanted),
                Next::Close => self.close(wanted),
                Next::End => break,
            }
        }
        // Of a document without any record it is told as a whole.
        for _ in 0..if wanted.found { wanted.lacking } else { 0 } {
            if each(LACKING, Standing::Here) == Flow::Stop {
                return Err(DecodeError::Stopped);
            }
        }
        Ok(())
    }

    /// Whether the open elements are an envelope and its body.
    fn is_in_body(&self) -> bool {
        self.open.iter().any(|open| open.soap && open.name == "Body")
    }

    fn text(&self, text: &str, wanted: &mut Wanted<'_>) {
        wanted.aside(text, &self.open);
        for number in self.open.last().map(|open| open.texts.as_slice()).unwrap_or_default() {
            wanted.text(*number, text);
        }
    }

    fn close(&mut self, wanted: &mut Wanted<'_>) {
        self.open.pop();
        wanted.close(self.open.len());
    }

    /// The element that `tag` opens, with all that is in it.
    fn element(&mut self, tag: Tag, wanted: &mut Wanted<'_>) -> Result<Element, DecodeError> {
        self.open.push(Open { soap: tag.soap, name: tag.name.clone(), texts: Vec::new() });
        self.inside(tag, wanted)
    }

    /// As [`Self::element`], of one that was counted among the open ones already.
    fn inside(&mut self, tag: Tag, wanted: &mut Wanted<'_>) -> Result<Element, DecodeError> {
        let mut parts = tag.attributes.len() + 1;
        let mut stack = vec![Element::new(tag)];
        loop {
            match self.tags.next()? {
                Next::Open(tag) => {
                    parts += tag.attributes.len() + 1;
                    if parts > PARTS_MAX {
                        return Err(DecodeError::TooLarge(format!(
                            "the record that ends behind line {} has more than {PARTS_MAX} elements and attributes; mend `records`, which may stop too early",
                            self.tags.line()
                        )));
                    }
                    // A value of the page may stand in a record as well.
                    let (_, texts) = wanted.open(&tag, self.open.len());
                    self.open.push(Open { soap: tag.soap, name: tag.name.clone(), texts });
                    stack.push(Element::new(tag));
                }
                Next::Text(text) => {
                    self.text(&text, wanted);
                    if let Some(element) = stack.last_mut() {
                        element.text.push_str(&text);
                    }
                }
                Next::Close => {
                    self.close(wanted);
                    let Some(element) = stack.pop() else { return Err(DecodeError::Stopped) };
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return Ok(element),
                    }
                }
                Next::End => unreachable!("a document does not end inside an element"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
