//! How a walk may fail, each with what to do.

/// Why a walk cannot go on. The partner's doing, each of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    #[error(
        "page {page} leads back to one already read: the partner's paging runs in a circle, or it does not know what we ask on with; compare `pagination` with its documentation, then tell the partner"
    )]
    Circle { page: u64 },
    #[error(
        "page {page} is the same as the one before: the partner ignores {param:?}; mend `pagination`"
    )]
    SamePage { page: u64, param: String },
    #[error(
        "page {page} has the very records of the {alike} pages before it, with other values: the partner ignores {param:?}; mend `pagination`"
    )]
    SameRecords { page: u64, alike: u8, param: String },
    #[error(
        "{pages} pages in a row held no record and led on: the partner's paging has no end; tell the partner"
    )]
    Endless { pages: u32 },
    #[error(
        "page {page} has a `Link` header that cannot be read, so that nobody knows whether more follows; tell the partner"
    )]
    NoLink { page: u64 },
    #[error(
        "page {page} leaves out its list, and holds what the first page does not: it may be an error and no last page; say in `success` what a good answer looks like"
    )]
    Unlike { page: u64 },
    #[error(
        "the partner says that there are {said} and gave {got}, and nothing says how to ask for the others; say it in `pagination`"
    )]
    Unpaged { said: u64, got: u64 },
    #[error("there are more than {most} pages; raise `max_pages` if that is right")]
    TooMany { most: u64 },
    #[error(
        "there are more than {most} records; raise `max_records`, or read them in parts (`split`) or by an export where the partner gives no more by pages"
    )]
    TooManyRecords { most: u64 },
    #[error(
        "a page leads to another origin ({origin}), where our credentials must not go; tell the partner, or ask by `page` or `offset`"
    )]
    OtherOrigin { origin: String },
    #[error(
        "the file of the export is at another origin ({origin}), where our credentials must not go; \
         if it is to be fetched from there without them, write `export.from = {origin:?}`"
    )]
    OtherFile { origin: String },
    #[error("a page leads to something that is no URL; tell the partner")]
    NoUrl,
    #[error("a page leads to a URL of {bytes} bytes, longer than servers take; tell the partner")]
    LongUrl { bytes: usize },
    #[error(
        "{what} is {bytes} bytes long, more than servers take in an address or a header, so nothing was asked with it; tell the partner, or let it travel in a body (`place`) if it may"
    )]
    LongAsk { what: &'static str, bytes: usize },
    #[error(
        "{what} is empty, \".\" or \"..\", which names nothing in a path; have it mended where it comes from"
    )]
    NoStep { what: String },
    #[error(
        "what would travel in the header {name:?} holds a control character, such as a line break, which no header can hold; let it travel elsewhere (`place`), or tell the partner"
    )]
    NoHeader { name: String },
    #[error(
        "page {page} does not say whether more follows; mend `more` or `end` of `pagination`, or tell the partner"
    )]
    NoFlag { page: u64 },
    #[error(
        "page {page} does not say how much there is; mend `pagination.total`, or tell the partner"
    )]
    NoTotal { page: u64 },
    #[error(
        "page {page} lacks what leads on; mend `pagination.next`, or use stop = \"next\" if the last page has none"
    )]
    NoNext { page: u64 },
    #[error(
        "page {page} says that more follows and not where; mend `pagination`, or tell the partner"
    )]
    NoWay { page: u64 },
    #[error(
        "the partner says that there are {said} and gave {got}: the rest is missing; it is read again, tell the partner if it stays"
    )]
    Short { said: u64, got: u64 },
    #[error(
        "{most} records share one value of the incremental field: the walk cannot be split there; raise `split` as far as the partner lets you, or read it by an export"
    )]
    NoSplit { most: u64 },
    #[error(
        "the walk was begun again at its greatest value so far, and what stands there did not come again: the partner leaves it out, so that records of one moment would be lost; write bound = \"exclusive\" in `incremental`"
    )]
    LeftOut,
    #[error(
        "page {page} goes back behind the one before: the feed is not in ascending order, so that splitting it would lose records; ask for it sorted"
    )]
    Unsorted { page: u64 },
    #[error(
        "records moved while they were counted: page {page} does not join the one before, {times} times over; have the partner sort by a field that is unique and does not change, page by cursor, or write `overlap = 0` if nothing can be lost"
    )]
    Shifting { page: u64, times: u8 },
    #[error("the other feed has more than {most} records; raise `each.max` if that is right")]
    TooManyParents { most: u64 },
    #[error("the other feed's records cannot be read: {problem}")]
    Parents { problem: String },
}
