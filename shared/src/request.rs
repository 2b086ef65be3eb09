//! How a feed is asked for over HTTP: what a request says, how one page leads to the next, and how only what changed is
//! read.

use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use crate::{feed::ScalarPath, id::FeedId, schedule::Schedule, word::words};

pub mod place;

/// How a feed is asked for over HTTP.
#[derive(Clone, Debug)]
pub struct Request {
    /// Written behind the connection's `base_url`; may carry a query of its own. `{name}` stands for the parent's value
    /// of [`Each`].
    pub path: String,
    pub says: Says,
    pub pagination: Pagination,
    pub incremental: Option<Incremental>,
    /// What a good answer says of itself, beside its status.
    pub success: Option<Success>,
    /// Statuses that mean something else than they usually do.
    pub statuses: Vec<(u16, OnStatus)>,
    pub each: Option<Each>,
    pub export: Option<Export>,
    pub changed: Option<Changed>,
    pub schedule: Schedule,
    /// When all of it is read, beside what changed, so that what is no longer there is found; `None`: when a person says so.
    pub sweep: Option<Schedule>,
}

/// What a request says beside its URL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Says {
    pub method: Method,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// How a feed's pages are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    Get,
    Post,
}

/// What a request carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    #[default]
    None,
    Json(serde_json::Value),
    /// As a web form writes it.
    Form(Vec<(String, String)>),
    /// As it stands, but for parameters in braces.
    Text(String),
}

/// Where a parameter travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    #[default]
    Query,
    /// In a JSON body a path such as `variables.after` or `filters.0.value`; in a form a field; in text what stands in braces.
    Body,
    Header,
}

/// A parameter of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    pub name: String,
    pub carrier: Carrier,
}

/// What tells a good answer from an error that came with a good status.
#[derive(Clone, Debug)]
pub struct Success {
    pub rule: SuccessRule,
    /// What stands in place of an error where there are no records, and nothing failed.
    pub empty: Vec<String>,
    pub on_error: OnError,
}

/// What becomes of an answer that says of itself that it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Somebody must look.
    #[default]
    Fail,
    /// It is asked for again as it is.
    Retry,
    /// It is one without records, and is counted. The cursor does not move in a run that had one.
    Ignore,
}

/// Where an answer says how it went.
#[derive(Clone, Debug)]
pub enum SuccessRule {
    /// What stands there must be one of these, as JSON writes it without quotes.
    Equals { path: ScalarPath, values: Vec<String> },
    /// Nothing, null, false or nothing but emptiness may stand there.
    NoError { path: ScalarPath },
}

/// What a status means to a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStatus {
    /// There are no records: of an optional child, or of a search that finds nothing.
    Empty,
    /// The cursor is older than what the partner keeps, as 410 says.
    Gone,
    /// Time may cure it.
    Retry,
    /// Somebody must look.
    Fail,
}

/// A feed that is asked for once for each record of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// The parent: a feed of the same partner.
    pub feed: FeedId,
    /// Its column whose values are asked for, each once.
    pub column: String,
    /// The most parents of one run.
    pub max: u64,
    /// The column of this feed that holds the parent's value, where the records of a parent that was deleted are deleted
    /// with it; `None`: they stay.
    pub delete_by: Option<String>,
}

impl Each {
    /// Whether a parent's value is a step of `path`, which may name nothing there, and not a part of its query.
    pub fn is_step_of(&self, path: &str) -> bool {
        let steps = path.split('?').next().unwrap_or_default();
        steps.contains(&format!("{{{}}}", self.column))
    }
}

/// What becomes of the records of a parent that was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGone {
    #[default]
    Keep,
    Delete,
}

/// A partner that makes a file of the data first: it is ordered, asked after and then fetched.
#[derive(Clone, Debug)]
pub struct Export {
    /// Where it is asked after; `{id}` stands for what `id` found.
    pub status: String,
    /// In the answer to the order: what the export is called.
    pub id: ScalarPath,
    /// In the answer to the question: how far it is.
    pub state: ScalarPath,
    /// States that mean that it is ready, or will never be; any other: not yet.
    pub done: Vec<String>,
    pub failed: Vec<String>,
    /// Where the file is, once it is ready.
    pub download: Download,
    /// The origin of the file where that is another one: nothing of ours goes there but the question.
    pub from: Option<Url>,
    /// How often it is asked after, and how long at most.
    pub every: Duration,
    pub within: Duration,
    /// What is deleted at the partner's once the file has been read; `{id}` as in `status`.
    pub delete: Option<String>,
    /// How an order is taken back that nothing comes of any more.
    pub abort: Option<Abort>,
}

/// How an export is taken back at the partner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    pub method: AbortMethod,
    /// Behind `base_url`, with `{id}`.
    pub path: String,
}

/// How a partner is told that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbortMethod {
    #[default]
    Delete,
    Post,
    Put,
}

/// What tells, in one small answer, whether anything changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Where it is asked for, behind `base_url`.
    pub path: String,
    /// What is another one whenever the data is, such as a time.
    pub at: ScalarPath,
}

/// Where a finished export is.
#[derive(Clone, Debug)]
pub enum Download {
    /// At a path of its own, with `{id}`.
    Path(String),
    /// Where the answer to the question says, within the origin.
    At(ScalarPath),
}

/// How one page leads to the next, and which is the last.
#[derive(Clone, Debug)]
pub struct Pagination {
    pub kind: Paging,
    pub size: Option<PageSize>,
    /// Where `param` and the size travel.
    pub carrier: Carrier,
    /// Parameters of the URL that do not go beside what leads on: it stands for them.
    pub replaces: Vec<String>,
    /// A flag on each page.
    pub more: Option<More>,
    pub total: Option<Total>,
    pub stop: Stop,
    /// The most pages of one walk.
    pub max_pages: u64,
    /// The most records of one walk.
    pub max_records: u64,
}

/// The ways from page to page.
#[derive(Clone, Debug)]
pub enum Paging {
    /// One page is all there is.
    None,
    /// `param` counts pages from `start`. `first`: whether the first page is asked for by its number.
    Page { param: String, start: u64, first: bool },
    /// `param` counts records received so far from `start`, less the `overlap` by which a page repeats the one before.
    Offset { param: String, start: u64, first: bool, overlap: u64 },
    /// `param` carries what stood at `next` on the page before.
    Cursor { param: String, next: NextAt },
    /// The `Link` header's `rel="next"`, within the origin.
    Link,
    /// The URL at `next`, within the origin.
    NextUrl { next: NextAt },
}

/// Where a page says what leads on.
#[derive(Clone, Debug)]
pub enum NextAt {
    Body(ScalarPath),
    Header(String),
}

/// What a page's flag says.
#[derive(Clone, Debug)]
pub enum More {
    /// Whether more follows.
    Follows(ScalarPath),
    /// Whether the page is the last.
    Ends(ScalarPath),
}

/// How much there is, as the partner counts it on each page.
#[derive(Clone, Debug)]
pub enum Total {
    Records(ScalarPath),
    /// Records too, by a header of the answer: a number, or one behind a `/` as in `items 0-19/100`.
    Header(String),
    Pages(ScalarPath),
}

/// What makes a page the last (sources.md rows 13 and 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It holds no records.
    Empty,
    /// It holds fewer records than were asked for.
    Short,
    /// Its flag says that nothing more follows. A page without the flag is an error.
    More,
    /// As much has come as there is. A page without the total is an error, and so is an empty one before that.
    Total,
    /// Nothing leads on from it: absent, null or empty.
    Next,
    /// What leads on is null or empty. A page without it is an error.
    Null,
}

/// The size to ask for, and in which parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSize {
    pub param: String,
    pub size: u64,
}

/// Reading only what changed since last time.
#[derive(Clone, Debug)]
pub struct Incremental {
    pub by: By,
    /// Where the cursor travels. `None`: the partner cannot filter, or gives a URL to go on with.
    pub param: Option<Param>,
    /// How it stands beside what the path's query says of the same parameter; `None`: nothing.
    pub join: Option<Join>,
    pub writing: Writing,
    /// The cursor of a feed that was never read.
    pub start: Option<String>,
    /// How far to go back behind the cursor, for rows that arrive late. Only with a time.
    pub lookback: Duration,
    pub window: Option<Window>,
    pub bound: Bound,
    /// Beyond so many records the partner refuses to page on: then the walk begins again at the greatest value so far.
    pub split: Option<u64>,
    /// What becomes of a record whose field is empty.
    pub missing: Missing,
}

/// What the cursor is.
#[derive(Clone, Debug)]
pub enum By {
    /// The greatest value of a column.
    Field(String),
    /// The partner's time when the last complete walk began.
    Clock,
    /// What the partner gave us on the last page, to hand back next time.
    Token(ScalarPath),
    /// The URL that the partner gave us on the last page; 410: everything is read again.
    Delta(ScalarPath),
    /// As `Field`, of a partner that cannot filter: what is not newer is passed over here, and counted. With
    /// `newest_first` a page that holds nothing newer is the last.
    Here { field: String, newest_first: bool },
}

impl By {
    /// The column whose greatest value is the cursor, where there is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field(field) | Self::Here { field, .. } => Some(field),
            Self::Clock | Self::Token(_) | Self::Delta(_) => None,
        }
    }
}

/// How the cursor stands beside a condition of the feed's own in the same parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Both are one condition.
    And,
    /// The parameter stands there twice, as FHIR has it.
    Repeat,
}

/// How a cursor is written into a request.
#[derive(Clone, Debug)]
pub struct Writing {
    /// `{cursor}` stands for the value; `None`: the value alone.
    pub template: Option<String>,
    pub time: TimeFormat,
    /// The zone in which times are written.
    pub zone: TimeZone,
}

impl Writing {
    /// Whether times go out as the partner writes its own: nobody said otherwise.
    pub fn is_the_partners(&self) -> bool {
        self.time == TimeFormat::Rfc3339 && self.zone == TimeZone::UTC
    }
}

/// How a time is written for a partner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339, UTC.
    #[default]
    Rfc3339,
    UnixSeconds,
    UnixMillis,
    /// As strftime has it.
    Pattern(String),
}

/// Asking for a stretch of time, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The parameter that carries its end.
    pub until: String,
    /// The longest stretch; `None`: to the present in one.
    pub step: Option<Duration>,
    /// The last one ends so long before the partner's present: what is newer may still change.
    pub settle: Duration,
    /// By how much the end that is written lies before the next one's beginning: the smallest step of the partner's
    /// clock where its end is included, nothing where it is not.
    pub granularity: Duration,
}

/// Whether the partner gives what stands at the cursor itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bound {
    #[default]
    Inclusive,
    /// It gives only what is beyond it: it is asked from so long before, the smallest step of its clock; of numbers by one,
    /// of days by one day. What comes again by that changes nothing.
    Exclusive(Duration),
}

/// What becomes of a record that has no value in the field that the cursor is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is taken, and moves no cursor.
    #[default]
    Include,
    /// It is passed over, and counted.
    Exclude,
    /// It is refused: the column is a required one.
    Raise,
}

words! {
    /// Styles of an interface that are known by name: what a feed's block need not say.
    pub enum Preset is "preset" {
        OData = "odata",
        Ckan = "ckan",
        Opendatasoft = "opendatasoft",
        JsonApi = "jsonapi",
        Sdmx = "sdmx",
        Bus = "bus",
    }
}
