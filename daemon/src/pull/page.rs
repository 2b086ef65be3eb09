//! One page: what its answer says of the walk, and its bytes as rows.

use bytes::Bytes;
use marsad_shared::{
    feed::{Feed, Format, Pagination},
    store::cache::Validators,
};
use reqwest::header;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    decode::{self, DecodeError},
    intake::{Intake, Origins, Piece},
    shape::{Shaper, plain_path},
    source::{http::Answer, walk::Facts},
};

/// Bodies up to this size are decoded where they are; larger ones on a thread that may block, in bytes.
pub(super) const SMALL: usize = 32 * 1024;

/// One page, decoded.
pub(super) struct Page {
    pub(super) answer: Answer,
    pub(super) piece: Piece,
    /// What stands at `next`, where the paging has one.
    pub(super) next: Option<String>,
    /// A hash of its URL.
    pub(super) url: u64,
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
            rows: self.piece.rows(),
            next: self.next.clone(),
            link: self.answer.link(),
            content: self.content(),
        }
    }
}

/// What stands at `next`, where the paging has one.
pub(super) fn next_of(pagination: &Pagination, body: &[u8]) -> Result<Option<String>, DecodeError> {
    match pagination {
        Pagination::Cursor { next, .. } | Pagination::NextUrl { next, .. } => {
            match plain_path(&next.to_string()) {
                Some(names) => decode::json::scalar_at(body, &names),
                None => decode::json::scalar_by(body, next),
            }
        }
        _ => Ok(None),
    }
}

/// Whether a whole walk of this paging can be one request, so that its validators speak for all of it.
pub(super) fn fits_one_page(pagination: &Pagination) -> bool {
    matches!(pagination, Pagination::None | Pagination::Cursor { .. } | Pagination::NextUrl { .. })
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
        _ => Format::Json,
    }
}

/// The page's rows.
pub(super) fn read(
    feed: &Feed,
    shaper: &Shaper,
    format: Format,
    seed: u64,
    page: u64,
    body: &Bytes,
) -> Result<Piece, DecodeError> {
    let origins = Origins { file: None, page: Some(page) };
    Intake { feed, shaper, format, seed, origins }.page(body)
}
