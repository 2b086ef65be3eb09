//! One page: what its answer says of the walk, and its bytes as rows.

use bytes::Bytes;
use marsad_shared::{
    feed::{Feed, Format, Pagination},
    store::cache::Validators,
};
use reqwest::header;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    decode,
    intake::{Intake, Origins, Piece},
    shape::{Shaper, plain_path},
    source::{http::Answer, walk::Facts},
    trouble::Trouble,
};

/// Bodies up to this size are decoded where they are; larger ones on a thread that may block, in bytes.
pub(super) const SMALL: usize = 32 * 1024;

/// One page, decoded.
pub(super) struct Page {
    pub(super) answer: Answer,
    pub(super) piece: Piece,
    /// A hash of its URL.
    pub(super) url: u64,
}

impl Page {
    pub(super) fn facts(&self, pagination: &Pagination) -> Result<Facts, Trouble> {
        let next = match pagination {
            Pagination::Cursor { next, .. } | Pagination::NextUrl { next, .. } => {
                let found = match plain_path(&next.to_string()) {
                    Some(names) => decode::json::scalar_at(&self.answer.body, &names),
                    None => decode::json::scalar_by(&self.answer.body, next),
                };
                found.map_err(|error| Trouble::decode("the way to the next page", error))?
            }
            _ => None,
        };
        Ok(Facts {
            rows: self.piece.rows(),
            next,
            link: self.answer.header(header::LINK).map(str::to_owned),
            body: xxh3_64(&self.answer.body),
        })
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
pub(super) fn format_of(answer: &Answer) -> Format {
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
) -> Result<Piece, decode::DecodeError> {
    let origins = Origins { file: None, page: Some(page) };
    Intake { feed, shaper, format, seed, origins }.page(body)
}
