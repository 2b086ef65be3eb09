//! One page: what its answer says of the walk, and its bytes as rows.

use bytes::Bytes;
use marsad_shared::{
    feed::{Feed, Format, ScalarPath},
    request::{NextAt, Paging, Request},
    store::cache::Validators,
};
use reqwest::{StatusCode, header};
use xxhash_rust::xxh3::xxh3_64;

use super::envelope::Said;
use crate::{
    decode::{DecodeError, Scalar},
    intake::{Intake, Origins, Piece},
    shape::Shaper,
    source::{
        cursor::CursorRule,
        http::Answer,
        walk::{Ask, Facts},
    },
};

/// Bodies up to this size are decoded where they are; larger ones on a thread that may block, in bytes.
pub(super) const SMALL: usize = 32 * 1024;

/// One page, decoded.
pub(super) struct Page {
    pub(super) answer: Answer,
    pub(super) piece: Piece,
    pub(super) said: Said,
    /// A hash of its URL.
    pub(super) url: u64,
    /// Rows that were passed over.
    pub(super) filtered: u64,
    /// Where an export's step leads; such a page holds no records.
    pub(super) job: Option<Ask>,
}

impl Page {
    /// A hash of its rows: an envelope that changes all the time does not make another page of it.
    fn content(&self) -> u64 {
        // The key too: all deletions have one content.
        let rows = self.piece.batch.hashes().iter().map(|row| row.content ^ row.key.rotate_left(1));
        let refused = self.piece.refused.iter().map(|refusal| xxh3_64(&refusal.original));
        rows.chain(refused).fold(0, |hash: u64, row| hash.rotate_left(5) ^ row)
    }

    /// What the walk needs to know of it.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            rows: self.piece.rows() - self.piece.apart,
            next: self.said.next.clone(),
            more: self.said.more.clone(),
            total: self.said.total.clone(),
            link: self.answer.link(),
            content: self.content(),
            nothing: self.answer.nothing || self.answer.status == StatusCode::NO_CONTENT,
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

    /// Passes over the rows that the feed leaves out.
    pub(super) fn filter(&mut self, rule: &CursorRule, since: Option<&str>) {
        if rule.filters() {
            let batch = &mut self.piece.batch;
            let before = batch.len();
            batch.retain(|batch, row| !rule.passes_over(batch, row, since));
            self.filtered = (before - batch.len()) as u64;
        }
    }
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

pub(super) fn validators(answer: &Answer, url: u64, rows: u64) -> Validators {
    Validators {
        url,
        etag: answer.header(header::ETAG).map(str::to_owned),
        last_modified: answer.header(header::LAST_MODIFIED).map(str::to_owned),
        body: xxh3_64(&answer.body),
        rows,
    }
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
        "application/xhtml+xml" => Format::Json,
        kind if kind.starts_with("application/vnd.sdmx.") => Format::Sdmx,
        kind if kind.ends_with("/xml") || kind.ends_with("+xml") => Format::Xml,
        _ => Format::Json,
    }
}

/// What the envelope says where it is looked at, and the page's rows.
pub(super) fn read(
    feed: &Feed,
    shaper: &Shaper,
    format: Format,
    seed: u64,
    page: u64,
    body: &Bytes,
    wanted: &[ScalarPath],
) -> (Vec<Scalar>, Result<Piece, DecodeError>) {
    let origins = Origins { file: None, page: Some(page) };
    Intake { feed, shaper, format, seed, origins }.page(body, wanted)
}
