//! How the pages of a feed are asked for over HTTP, from the first to the last.

use crate::{
    config::{
        table::{Or, table},
        value::{BaseUrl, BoundKind, ByKind, Id, Order, PagingKind, Scalar, Span, Zone},
    },
    request::{AbortMethod, Carrier, Join, Missing, OnError, OnGone, Stop},
};

table! {
    /// How one page leads to the next. Which keys belong to it depends on `kind`.
    pub struct RawPagination, as "{ kind = \"cursor\", param = \"after\", next = \"$.next\" }" {
        /// The method. Needed unless there is a `preset`.
        may kind: PagingKind,
        /// `page`, `offset`, `cursor`: the parameter that says where to go on.
        may param: String,
        /// Where `param` and `size_param` travel. Default: `query`.
        may place: Carrier,
        /// `page`: the number of the first page. Default: 1. `offset`: the number of the first record. Default: 0.
        may start: u64,
        /// `page`, `offset`: whether the first page is asked for with `param`. Default: true.
        may first: bool,
        /// `offset`: by how many records a page repeats the one before, so that none slips between two while others move; 0
        /// for a partner that takes whole pages alone. Default: 1 where `incremental` is, else 0.
        may overlap: u64,
        /// The parameter for the size of a page.
        may size_param: String,
        /// The size to ask for.
        may size: u64,
        /// `cursor`, `next_url`: a path to what leads on; for `cursor` that may be a link which carries `param`.
        may next: String,
        /// `cursor`, `next_url`: the header of the answer that holds what leads on, in place of `next`.
        may next_header: String,
        /// `cursor`: parameters of the URL that do not go beside `param`, which stands for them, as OAI-PMH has it.
        may replaces: Vec<String>,
        /// A path to a flag that says whether more follows. A page without it is an error.
        may more: String,
        /// A path to a flag that says that this page is the last, whatever leads on from it. A page without it is an error.
        may end: String,
        /// A path to the number of records there are.
        may total: String,
        /// The header of the answer that holds that number, such as `X-Total-Count` or `Content-Range`, in place of `total`.
        may total_header: String,
        /// A path to the number of pages there are.
        may total_pages: String,
        /// What makes a page the last: `empty`, `short`, `more`, `total`, `next` or `null`. Default: what `more`, `end` or
        /// `total` says; else `empty` for `page` and `offset`, and `next` for the others.
        may stop: Stop,
        /// The most pages of one walk. Default: 100,000.
        may max_pages: u64,
        /// The most records of one walk. Default: 100,000,000.
        may max_records: u64,
    }
    later {}
}

table! {
    /// How to read only what changed since last time. Which keys belong to it depends on `by`.
    pub struct RawIncremental, as "{ field = \"updated_at\", param = \"updated_since\" }" {
        /// What the cursor is: the greatest value of a `field`; the partner's `clock` when the last walk began; a `token` or a
        /// `delta` URL from the last page; or `here`, where the partner cannot filter. Default: `field`.
        may by: ByKind,
        /// `field`, `here`: the column whose greatest value is the cursor.
        may field: String,
        /// `token`: a path to what is handed back next time.
        may token: String,
        /// `delta`: a path to the URL for next time.
        may delta: String,
        /// The parameter that carries the cursor.
        may param: String,
        /// Where it travels. Default: `query`.
        may place: Carrier,
        /// What the parameter says; `{cursor}` stands for the cursor. Default: the cursor alone.
        may value: String,
        /// How it stands beside what the query of `path` says of the same parameter: `and`, as one condition, `(theirs) and (ours)`;
        /// or `repeat`, as a parameter of its own. Default: such a path is refused; of `odata` and `opendatasoft`: `and`.
        may join: Join,
        /// How times are written: `unix`, `unix_ms`, or as in strftime. Default: RFC 3339, UTC.
        may format: String,
        /// The IANA zone in which times are written. Default: UTC.
        may zone: Zone,
        /// The cursor of a feed that was never read.
        may start: String,
        /// How far to go back behind it, for records that arrive late. Only for times. Default: not at all; of `clock`: `1m`.
        may lookback: Span,
        /// `field` of times: the parameter that carries the end of a stretch of time.
        may until_param: String,
        /// The longest stretch that is asked for at once. Default: up to now.
        may step: Span,
        /// How long before now the last stretch ends. Default: `0s`.
        may settle: Span,
        /// The smallest step of the partner's clock, where the end of a stretch belongs to it. Default: it does not. With an
        /// `exclusive` bound it is `1s` where nothing else is said.
        may granularity: Span,
        /// Whether the partner gives what stands at the cursor itself (`inclusive`, as with `>=`) or only what is beyond it
        /// (`exclusive`, as with `>`): then it is asked from one step before, so that nothing of one moment is lost. Default:
        /// `inclusive`.
        may bound: BoundKind,
        /// So many records and the partner refuses to page on: the walk begins again at the greatest value so far. The feed
        /// must come in ascending order.
        may split: u64,
        /// `here`: `newest_first` ends the walk at the first page that holds nothing newer.
        may order: Order,
        /// What becomes of a record whose field is empty: `include`, `exclude` or `raise`. Default: `include`.
        may missing: Missing,
    }
    later {}
}

table! {
    /// What tells a good answer from an error that came with a good status: `path` with `equals`, or `error`.
    pub struct RawSuccess, as "{ path = \"$.status\", equals = [\"ok\"] }" {
        /// A path to what says how it went.
        may path: String,
        /// What may stand there in a good answer: text, numbers, true or false.
        may equals: Vec<Scalar>,
        /// A path where a good answer has nothing, null, false or nothing but emptiness.
        may error: String,
        /// With `error`: what stands there where there are no records and nothing failed, such as `noRecordsMatch`.
        may empty: Vec<String>,
        /// What a failure means: `fail`, somebody must look; `retry`; or `ignore`, such an answer is one without records, is
        /// counted, and no cursor moves in its run. Default: `fail`.
        may on_error: OnError,
    }
    later {}
}

table! {
    /// A feed that is asked for once for each record of another; its `path` holds `{column}`.
    pub struct RawEach, as "{ feed = \"families\", column = \"id\" }" {
        /// The id of the other feed, of the same partner.
        must feed: Id,
        /// Its column whose values are asked for.
        must column: String,
        /// The most values of one run. Default: 10,000.
        may max: u64,
        /// What becomes of the records that belong to a deleted record of the other feed: `keep` or `delete`. Default: `keep`.
        may gone: OnGone,
        /// `delete`: the column of this feed that holds the value that it was asked for by.
        may by: String,
    }
    later {}
}

table! {
    /// What tells, in one small answer, whether anything changed: where that is the same as at the last complete read, nothing
    /// is read.
    pub struct RawChanged, as "{ path = \"/meta\", at = \"$.modified\" }" {
        /// Where it is asked for, behind `base_url`.
        must path: String,
        /// A path to what is another one whenever the data is.
        must at: String,
    }
    later {}
}

table! {
    /// A partner that makes a file of the data first: `path` orders it, `status` asks after it, then it is fetched. The paths lead
    /// into those answers, which are JSON or XML; `format` is the file's.
    pub struct RawExport, as "{ status = \"/exports/{id}\", download = \"$.url\" }" {
        /// Where it is asked after, behind `base_url`; `{id}` stands for what `id` found.
        must status: String,
        /// A path to what the export is called, in the answer to the order. Default: `$.id`.
        may id: String,
        /// A path to how far it is, in the answer to the question. Default: `$.state`.
        may state: String,
        /// States that mean that it is ready.
        must done: Vec<String>,
        /// States that mean that it will never be.
        may failed: Vec<String>,
        /// Where the file is: a path behind `base_url` with `{id}`, or a path into the answer to the question, such as `$.url`.
        must download: String,
        /// The origin of the file where that is another one than that of `base_url`, such as a store's. It is asked without
        /// `auth`, `headers` and a certificate of ours.
        may from: BaseUrl,
        /// How often it is asked after. Default: `5s`.
        may every: Span,
        /// How long at most. Default: `1h`.
        may within: Span,
        /// What is deleted once the file has been read, behind `base_url`, with `{id}`. Default: nothing.
        may delete: String,
        /// How an order is taken back that failed, or is given up, or that another takes the place of: a path behind
        /// `base_url` with `{id}`, which is deleted, or a table with its own method. Default: not at all.
        may abort: Or<String, RawAbort>,
    }
    later {}
}

table! {
    /// How an export is taken back at the partner's, where that is not by deleting it.
    pub struct RawAbort, as "a path, or { method = \"POST\", path = \"/exports/{id}/cancel\" }" {
        /// `DELETE`, `POST` or `PUT`, without a body. Default: `DELETE`.
        may method: AbortMethod,
        /// Where, behind `base_url`, with `{id}`.
        must path: String,
    }
    later {}
}
