//! One page: what its answer says of the walk, and its bytes as rows.

use jiff::Timestamp;
use marsad_shared::{
    feed::Format,
    health::Reason,
    record::RowHash,
    request::{NextAt, Paging, Request},
    store::cache::Validators,
};
use reqwest::{StatusCode, header};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use super::{envelope::Said, reading::Reading, room::Room};
use crate::{
    intake::Piece,
    source::{
        cursor::CursorRule,
        fault::FetchError,
        http::{Answer, HttpSource},
        manners::clock::date,
        walk::{Ask, Facts, Marks, Walker},
    },
};

/// Bodies up to this size are decoded where they are; larger ones on a thread that may block, in bytes.
pub(super) const SMALL: usize = 32 * 1024;
/// The longest mark of a version that is kept and named again, in bytes: a longer one may be refused with all that we ask.
const MARK_MAX: usize = 1024;
/// The longest words of an answer that is left out, as they are noted, in characters.
pub(super) const WORDS_MAX: usize = 200;

/// One page, decoded.
pub(super) struct Page {
    pub(super) answer: Answer,
    pub(super) piece: Piece,
    pub(super) said: Said,
    /// A hash of its URL.
    pub(super) url: u64,
    /// Rows that were passed over.
    pub(super) filtered: u64,
    /// It has left out its list of records.
    pub(super) lacks: bool,
    /// Hashes of the names in its outermost object, of a feed whose pages may leave out their list: of the first page, and of
    /// those without one.
    pub(super) outline: Vec<u64>,
    /// Where an export's step leads; such a page holds no records.
    pub(super) job: Option<Ask>,
    /// The room that its rows take, given back with them.
    pub(super) _room: Room,
}

impl Page {
    /// A hash of its rows: an envelope that changes all the time does not make another page of it.
    fn content(&self) -> u64 {
        let rows = self.piece.batch.hashes().iter().map(mark);
        let refused = self.piece.refused.iter().map(|refusal| xxh3_64(&refusal.original));
        rows.chain(refused).fold(0, |hash: u64, row| hash.rotate_left(5) ^ row)
    }

    /// Whether its status says that there are no records.
    fn is_nothing(&self) -> bool {
        self.answer.nothing || self.said.nothing || self.answer.status == StatusCode::NO_CONTENT
    }

    fn leads_nowhere(&self) -> bool {
        self.said.is_silent() && self.answer.link().is_none()
    }

    /// Hashes by which its rows are known again: all but those that the partner lists apart.
    fn marks(&self) -> Marks {
        let (batch, refused) = (&self.piece.batch, &self.piece.refused);
        let listed = |row: &usize| self.piece.apart == 0 || !batch.is_gone(*row);
        let taken = (0..batch.len()).filter(listed).filter_map(|row| batch.hashes().get(row));
        Marks {
            taken: taken.map(mark).collect(),
            refused: refused.iter().map(|refusal| xxh3_64(&refusal.original)).collect(),
        }
    }

    /// Takes out rows that came with the page before, by their marks.
    pub(super) fn forget(&mut self, repeats: &[u64]) {
        if repeats.is_empty() {
            return;
        }
        let is_new = |mark: u64| !repeats.contains(&mark);
        self.piece.refused.retain(|refusal| is_new(xxh3_64(&refusal.original)));
        self.piece.batch.retain(|batch, row| {
            batch.is_gone(row) || batch.hashes().get(row).is_none_or(|hash| is_new(mark(hash)))
        });
    }

    /// A hash of the keys of its rows, in their order; `None`: one is there more than once, or there is none.
    fn keys(&self) -> Option<u64> {
        let hashes = self.piece.batch.hashes();
        let mut keys: Vec<_> = hashes.iter().map(|row| row.key).collect();
        let all = keys.iter().fold(0, |hash: u64, key| hash.rotate_left(5) ^ key);
        keys.sort_unstable();
        keys.dedup();
        (!keys.is_empty() && keys.len() == hashes.len()).then_some(all)
    }

    /// What `walker` needs to know of it.
    pub(super) fn facts(&self, source: &HttpSource, walker: &Walker<'_>) -> Facts {
        Facts {
            rows: self.piece.rows() - self.piece.apart,
            next: self.said.next.clone(),
            more: self.said.more.clone(),
            total: self.said.total.clone(),
            link: self.answer.link().map(|link| source.unsigned(&link)),
            content: self.content(),
            keys: if walker.counts_pages() { self.keys() } else { None },
            marks: if walker.overlaps() { self.marks() } else { Marks::default() },
            nothing: self.is_nothing() || self.said.failed.is_some() && self.leads_nowhere(),
            left_out: self.said.failed.is_some(),
        }
    }

    /// Whether every row has a value, and an older one than `since`: what follows in a feed that comes newest first is older
    /// still.
    pub(super) fn is_old(&self, rule: &CursorRule, since: Option<&str>) -> bool {
        let (batch, refused) = (&self.piece.batch, &self.piece.refused);
        let Some(since) = since else { return false };
        let old = |row| !batch.is_gone(row) && rule.is_before(batch, row, since);
        refused.is_empty() && !batch.is_empty() && (0..batch.len()).all(old)
    }

    /// Passes over the rows that lie behind `until`.
    pub(super) fn cut(&mut self, rule: &CursorRule, until: Timestamp) {
        let batch = &mut self.piece.batch;
        let before = batch.len();
        batch.retain(|batch, row| !rule.lies_behind(batch, row, until));
        self.filtered += (before - batch.len()) as u64;
    }

    /// Passes over the rows that the feed leaves out.
    pub(super) fn filter(&mut self, rule: &CursorRule, since: Option<&str>) {
        if rule.filters() {
            let batch = &mut self.piece.batch;
            let before = batch.len();
            batch.retain(|batch, row| !rule.passes_over(batch, row, since));
            self.filtered += (before - batch.len()) as u64;
        }
    }
}

/// What a row is known again by. The key too: all deletions have one content.
fn mark(row: &RowHash) -> u64 {
    row.content ^ row.key.rotate_left(1)
}

/// Whether a whole walk of this request can be one answer, so that its validators speak for all of it.
pub(super) fn fits_one_page(request: &Request) -> bool {
    let Request { says, pagination, incremental, each, export, .. } = request;
    // What leads on must stand in the body: else the same body may lead on today and not have done so before.
    let one = matches!(
        pagination.kind,
        Paging::None
            | Paging::Cursor { next: NextAt::Body(_), .. }
            | Paging::NextUrl { next: NextAt::Body(_) }
    );
    let windowed = incremental.as_ref().is_some_and(|incremental| incremental.window.is_some());
    let asks = says.method == marsad_shared::request::Method::Get;
    one && asks && !windowed && each.is_none() && export.is_none()
}

/// By what a walk of one `answer` is known to be the same. What came from where a redirect led is told by its body alone: its
/// marks are that place's, and another may have the same.
pub(super) fn validators(answer: &Answer, url: u64, rows: u64) -> Validators {
    let kept = |mark: &str| (answer.moved.is_none() && is_mark(mark)).then(|| mark.to_owned());
    Validators {
        url,
        etag: answer.header(header::ETAG).and_then(kept),
        last_modified: modified(answer).and_then(kept),
        body: answer.body.hash(),
        rows,
    }
}

/// Whether a mark of a version is kept. `*` stands for every version (RFC 9110 section 13.1.2): whoever names it is told for
/// ever that nothing changed.
fn is_mark(mark: &str) -> bool {
    mark.len() <= MARK_MAX && mark.trim() != "*"
}

/// Whether an answer that says that what is `known` is unchanged (304) names another version: then it tells nothing.
pub(super) fn names_another(answer: &Answer, known: &Validators) -> bool {
    let bare = |mark: &str| mark.trim().trim_start_matches("W/").to_owned();
    let named = answer.header(header::ETAG).map(bare);
    named.zip(known.etag.as_deref().map(bare)).is_some_and(|(theirs, ours)| theirs != ours)
}

/// Whether what was kept can be named again: an earlier version of Marsad kept longer marks.
pub(super) fn can_be_named(known: &Validators) -> bool {
    known.etag.iter().chain(&known.last_modified).all(|mark| is_mark(mark))
}

/// When an answer says that it was changed last, if it tells it from any later one: it counts in whole seconds, and in the
/// second in which it was given it may be changed once more (RFC 9110 section 8.8.2.2).
fn modified(answer: &Answer) -> Option<&str> {
    let text = answer.header(header::LAST_MODIFIED)?;
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    date(&answer.headers).is_some_and(|date| at < date).then_some(text)
}

/// The format that the answer says it is in; JSON where it says nothing that we know.
pub(crate) fn format_of(answer: &Answer) -> Format {
    let kind = answer.header(header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/csv" | "application/csv" => Format::Csv,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/jsonlines" => Format::Ndjson,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        | "application/vnd.ms-excel.sheet.macroenabled.12"
        | "application/vnd.ms-excel" => Format::Xlsx,
        "application/xhtml+xml" => Format::Json,
        kind if kind.starts_with("application/vnd.sdmx.") => Format::Sdmx,
        kind if kind.ends_with("/xml") || kind.ends_with("+xml") => Format::Xml,
        _ => Format::Json,
    }
}

/// Whether an answer's status is one that records come with. A partner that is asked for a page and takes the order instead
/// (202), or says neither that it has records nor that it has none, has not answered; of an export's order 202 is the answer.
///
/// # Errors
/// [`FetchError`] if it is not; a moment may cure it.
pub(super) fn ready(answer: &Answer, url: &Url) -> Result<(), FetchError> {
    let what = match answer.status.as_u16() {
        _ if answer.nothing => return Ok(()),
        200 | 201 | 203 | 204 | 206 | 304 => return Ok(()),
        202 => "accepted, not ready; if it makes an export first, describe that in `export`",
        _ => "which is no answer with records",
    };
    let what = format!("the partner answered {}: {what}", answer.status);
    Err(FetchError::of(Reason::RemoteFault, url, &what))
}

/// Whether an answer that should have records can be whole. JSON and XML have an end of their own. Lines and tables have
/// none: one whose body ends only with the connection is taken if it ends with a line, and refused otherwise, for nothing
/// tells whether it was cut.
///
/// # Errors
/// [`FetchError`] if it is cut or empty, and as [`ready`].
pub(crate) fn whole(answer: &Answer, reading: &Reading, url: &Url) -> Result<(), FetchError> {
    ready(answer, url)?;
    let truncated = |what| Err(FetchError::of(Reason::Truncated, url, what));
    if answer.open_ended && reading.may_be_cut() {
        return truncated(
            "the answer has neither a length nor a line break at its end, so it may have been cut off; have the partner send Content-Length, or end the last line",
        );
    }
    // No lines are no records; in every other format there is something around them.
    if answer.body.is_empty() && reading.format != Format::Ndjson {
        return truncated("the answer is empty");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &'static str, open_ended: bool) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: bytes::Bytes::from_static(body.as_bytes()).into(),
            first_byte: Duration::ZERO,
            came: tokio::time::Instant::now(),
            nothing: false,
            moved: None,
            session: None,
            open_ended,
        }
    }

    #[test]
    fn a_mark_of_a_version_is_named_again_where_that_is_not_too_long() {
        for (bytes, kept) in [(1024, true), (1025, false), (30_000, false)] {
            let mut answer = answer(200, "[]", false);
            answer.headers.insert(header::ETAG, "e".repeat(bytes).parse().unwrap());
            let found = validators(&answer, 0, 0);
            assert_eq!(found.etag.is_some(), kept, "{bytes}");
            let before = Validators { etag: Some("e".repeat(bytes)), ..found };
            assert_eq!(can_be_named(&before), kept, "{bytes}");
        }
    }

    #[test]
    fn a_time_of_change_is_remembered_where_it_tells_it_from_any_later_one() {
        const AT: &str = "Tue, 24 Nov 2026 10:00:00 GMT";
        for (date, age, expected, why) in [
            (Some("Tue, 24 Nov 2026 10:00:01 GMT"), None, true, "a second before"),
            (Some(AT), None, false, "in the second in which it was given"),
            (Some(AT), Some("5"), true, "and was in a cache since"),
            (None, None, false, "nobody knows when it was given"),
            (Some("today"), None, false, "nor does that say it"),
        ] {
            let mut answer = answer(200, "[]", false);
            let mut put = |name, value: &str| answer.headers.insert(name, value.parse().unwrap());
            put(header::LAST_MODIFIED, AT);
            date.map(|date| put(header::DATE, date));
            age.map(|age| put(header::AGE, age));
            assert_eq!(validators(&answer, 7, 1).last_modified.is_some(), expected, "{why}");
        }
    }

    #[test]
    fn an_answer_is_taken_only_if_it_can_be_all_of_it() {
        let url = "https://p.example/x".parse().unwrap();
        let (cut, fault) = (Some(Reason::Truncated), Some(Reason::RemoteFault));
        for (status, format, body, open_ended, expected, why) in [
            (200, Format::Json, "[]", false, None, "a page"),
            (201, Format::Json, "[]", false, None, "some answer a search so"),
            (203, Format::Json, "[]", false, None, "through a proxy"),
            (202, Format::Json, "[]", false, fault, "an order that was taken"),
            (205, Format::Json, "", false, fault, "a form to be cleared"),
            (207, Format::Json, "[]", false, fault, "many answers"),
            (200, Format::Json, "", false, cut, "nothing"),
            (200, Format::Xml, "", false, cut, "nothing"),
            (200, Format::Csv, "", false, cut, "not even a header"),
            (200, Format::Sdmx, "", false, cut, "nothing"),
            (200, Format::Ndjson, "", false, None, "no lines, of a known length"),
            (200, Format::Ndjson, "", true, cut, "no lines, of no length"),
            (200, Format::Ndjson, "{}\n{}", true, cut, "no end"),
            (200, Format::Ndjson, "{}\n{}\n", true, None, "a last line"),
            (200, Format::Ndjson, "{}\n{}", false, None, "a length"),
            (200, Format::Csv, "a\n12", true, cut, "1234, perhaps"),
            (200, Format::Csv, "a\r\n12\r\n", true, None, "a last line"),
            (200, Format::Sdmx, "DATAFLOW,A\nx,1", true, cut, "a table too"),
            (200, Format::Sdmx, "{\"meta\":{}}", true, None, "its own end"),
            (200, Format::Sdmx, "<m/>", true, None, "its own end"),
            (200, Format::Json, "[]", true, None, "its own end"),
        ] {
            let answer = answer(status, body, open_ended);
            let reading = Reading::new(Some(format), None, &answer);
            let error = whole(&answer, &reading, &url).err();
            assert_eq!(error.as_ref().and_then(FetchError::reason), expected, "{status}: {why}");
            let passes = error.is_none_or(|error| matches!(error, FetchError::Transient { .. }));
            assert!(passes, "{why}: a moment may cure it");
        }
        let nothing = Answer { nothing: true, ..answer(404, "", false) };
        assert_eq!(ready(&nothing, &url), Ok(()), "where its status says that there is nothing");
    }
}
