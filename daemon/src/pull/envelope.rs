//! What a feed looks for in the envelope of each page: what leads on, how much there is, whether it is an error.

use std::ops::Range;

use marsad_shared::{
    feed::{Feed, Format, RecordsPath, ScalarPath},
    health::Reason,
    request::{By, More, NextAt, OnError, Paging, Request, Success, SuccessRule, Total},
};
use url::Url;

use crate::{
    decode::{
        Scalar,
        json::{ERRORS, FLAGS, PARTS},
    },
    source::{
        fault::FetchError,
        http::Answer,
        success::{error_beside, failed, in_part, judge, says_no, says_yes},
    },
};

/// Where something may stand among what is looked for: the first that is there counts.
type Places = Range<usize>;

/// Where a feed looks in each page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    paths: Vec<ScalarPath>,
    next: Option<Places>,
    next_header: Option<String>,
    more: Option<Places>,
    total: Option<Places>,
    total_header: Option<String>,
    handle: Option<Places>,
    success: Option<(Places, Success)>,
    /// Where an error may stand, if nobody said what a good answer looks like: [`ERRORS`], [`FLAGS`], [`PARTS`] and [`MESSAGE`].
    errors: Option<Places>,
}

/// What a page says beside its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(super) next: Scalar,
    pub(super) more: Scalar,
    pub(super) total: Scalar,
    /// What is handed back next time: a token, or a URL.
    pub(super) handle: Scalar,
    /// Why the answer is none by its own word, of a feed that leaves such answers out.
    pub(crate) failed: Option<String>,
    /// It says that there are no records.
    pub(crate) nothing: bool,
}

impl Said {
    /// Whether it says that it has no records, whatever it looks like: there are none, or it failed and is left out.
    pub(crate) const fn has_none(&self) -> bool {
        self.nothing || self.failed.is_some()
    }

    /// Whether nothing in it leads on, or says whether anything could.
    pub(super) fn is_silent(&self) -> bool {
        [&self.next, &self.more, &self.total].into_iter().all(|scalar| *scalar == Scalar::Absent)
    }

    /// Whether it counts records, or pages of them.
    pub(crate) fn counts_some(&self) -> bool {
        self.total.text().is_some_and(|total| total.trim().parse() != Ok(0_u64))
    }

    /// The same with what leads on as `rewrite` has it.
    pub(super) fn rewritten(self, rewrite: impl Fn(&str) -> String) -> Self {
        let each = |scalar| match scalar {
            Scalar::Text(text) => Scalar::Text(rewrite(&text)),
            Scalar::Json(text) => Scalar::Json(rewrite(&text)),
            other => other,
        };
        Self { next: each(self.next), handle: each(self.handle), ..self }
    }
}

impl Envelope {
    /// That of `feed`, whose request is `request`.
    pub(crate) fn of(feed: &Feed, request: &Request) -> Self {
        let mut envelope = Self::default();
        let pagination = &request.pagination;
        match &pagination.kind {
            Paging::Cursor { next, .. } | Paging::NextUrl { next } => match next {
                NextAt::Body(path) => envelope.next = Some(envelope.look(path)),
                NextAt::Header(name) => envelope.next_header = Some(name.clone()),
            },
            _ => {}
        }
        if let Some(More::Follows(path) | More::Ends(path)) = &pagination.more {
            envelope.more = Some(envelope.look(path));
        }
        match &pagination.total {
            Some(Total::Records(path) | Total::Pages(path)) => {
                envelope.total = Some(envelope.look(path));
            }
            Some(Total::Header(name)) => envelope.total_header = Some(name.clone()),
            None => {}
        }
        if let Some(By::Token(path) | By::Delta(path)) =
            request.incremental.as_ref().map(|incremental| &incremental.by)
        {
            envelope.handle = Some(envelope.look(path));
        }
        if let Some(success) = &request.success {
            let (SuccessRule::Equals { path, .. } | SuccessRule::NoError { path }) = &success.rule;
            envelope.success = Some((envelope.look(path), success.clone()));
        } else if let RecordsPath::Plain(names) = &feed.records
            && let Some(first) = names.first()
            && matches!(feed.format, None | Some(Format::Json))
        {
            let names = ERRORS.iter().chain(&FLAGS).chain(&PARTS).chain([&MESSAGE]);
            // The records' own member is none.
            let name = |name: &&str| if *name == first { "" } else { *name }.to_owned();
            let before = envelope.paths.len();
            envelope.paths.extend(names.map(|each| ScalarPath::Plain(vec![name(each)])));
            envelope.errors = Some(before..envelope.paths.len());
        }
        envelope
    }

    fn look(&mut self, path: &ScalarPath) -> Places {
        let first = self.paths.len();
        self.paths.push(path.clone());
        self.paths.extend(spellings(path));
        first..self.paths.len()
    }

    /// What is looked for.
    pub(crate) fn paths(&self) -> &[ScalarPath] {
        &self.paths
    }

    /// Why an answer that has records is none all the same: it holds an error beside them, and nobody said what a good one looks
    /// like.
    ///
    /// # Errors
    /// [`FetchError`], which a moment may cure.
    pub(crate) fn no_error(&self, found: &[Scalar], url: &Url) -> Result<(), FetchError> {
        let there = self.errors.clone().and_then(|places| found.get(places)).unwrap_or_default();
        let Some((message, rest)) = there.split_last() else { return Ok(()) };
        let (errors, rest) = rest.split_at(ERRORS.len().min(rest.len()));
        let (flags, parts) = rest.split_at(FLAGS.len().min(rest.len()));
        let flag = |found: &[Scalar], is: fn(&Scalar) -> bool, names: &[&'static str]| {
            found.iter().position(is).and_then(|at| names.get(at).copied())
        };
        let words = errors.iter().find_map(|error| error_beside(error, message));
        let words =
            words.or_else(|| flag(flags, says_no, &FLAGS).map(|name| failed(name, message)));
        let words = words.or_else(|| flag(parts, says_yes, &PARTS).map(in_part));
        match words {
            Some(words) => Err(FetchError::of(Reason::RemoteFault, url, &words)),
            None => Ok(()),
        }
    }

    /// What was found, in the order of [`Self::paths`], as what it means.
    ///
    /// # Errors
    /// [`FetchError`] if the page says of itself that it is an error: a status of success does not make it good. A feed that
    /// leaves such answers out finds that in [`Said::failed`].
    pub(crate) fn said(
        &self,
        found: &[Scalar],
        answer: &Answer,
        url: &Url,
    ) -> Result<Said, FetchError> {
        let at = |places: Option<&Places>| {
            let there = places.and_then(|places| found.get(places.clone())).unwrap_or_default();
            there.iter().find(|scalar| **scalar != Scalar::Absent).cloned().unwrap_or_default()
        };
        let success = self.success.as_ref().map(|(places, success)| (at(Some(places)), success));
        let nothing = success.as_ref().is_some_and(|(found, success)| {
            found.text().is_some_and(|said| success.empty.iter().any(|empty| empty == said))
        });
        let problem = success.filter(|_| !nothing).and_then(|(found, success)| {
            Some((success.on_error, judge(&success.rule, &found).err()?.words()))
        });
        let failed = match problem {
            None => None,
            Some((OnError::Ignore, problem)) => Some(problem),
            Some((on_error, problem)) => {
                return Err(match FetchError::of(Reason::RemoteFault, url, &problem) {
                    FetchError::Transient { reason, text } if on_error == OnError::Fail => {
                        FetchError::Final { reason, text }
                    }
                    error => error,
                });
            }
        };
        let header = |name: &String| {
            let value = answer.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        };
        let next = match &self.next_header {
            Some(name) => header(name).map_or(Scalar::Absent, Scalar::Text),
            None => at(self.next.as_ref()),
        };
        let more = at(self.more.as_ref());
        let total = match &self.total_header {
            Some(name) => header(name).and_then(|value| counted(&value)).unwrap_or_default(),
            None => at(self.total.as_ref()),
        };
        let handle = at(self.handle.as_ref());
        Ok(Said { next, more, total, handle, failed, nothing })
    }
}

/// Where the words of an error may stand that only says that it is one.
const MESSAGE: &str = "message";

/// The count that a header holds: all of it, or what stands behind the part that was given (RFC 9110 section 14.4). Of bytes it
/// is another count, and a `*` is none.
fn counted(value: &str) -> Option<Scalar> {
    let (part, count) = value.rsplit_once('/').unwrap_or(("", value));
    let is_count = !part.to_ascii_lowercase().starts_with("bytes") && count.trim() != "*";
    is_count.then(|| Scalar::Text(count.trim().to_owned()))
}

/// How else an annotation of `OData` is written: version 4.01 may leave out `odata.`, and version 3 has it without the `@`.
fn spellings(path: &ScalarPath) -> Vec<ScalarPath> {
    let ScalarPath::Plain(names) = path else { return Vec::new() };
    let [name] = names.as_slice() else { return Vec::new() };
    let Some(word) = name.strip_prefix("@odata.") else { return Vec::new() };
    [format!("@{word}"), format!("odata.{word}")].map(|name| ScalarPath::Plain(vec![name])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_records_and_no_bytes() {
        for (value, expected) in [
            ("42", Some("42")),
            ("items 0-9/42", Some("42")),
            ("0-9/ 42", Some("42")),
            ("items 0-9/*", None),
            ("bytes 0-9/900", None),
            ("Bytes 0-9/900", None),
        ] {
            let found = counted(value);
            assert_eq!(found.as_ref().and_then(Scalar::text), expected, "{value}");
        }
    }
}
