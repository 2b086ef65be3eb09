//! What partners call the parts of an envelope that lead on, or say how much there is.

/// Names are compared without case, `_`, `-` and `$`, and without what stands before them for a namespace or an attribute.
pub(super) fn folded(name: &str) -> String {
    bare(name).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A name without its namespace (`hydra:next`), and without what marks an attribute of XML (`@next`).
pub(super) fn bare(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name).trim_start_matches('@')
}

/// Flags that say whether more follows.
pub(super) const MORE: &[&str] = &[
    "hasmore",
    "hasmoreitems",
    "hasmoreresults",
    "hasnext",
    "hasnextpage",
    "more",
    "moreavailable",
    "istruncated",
];
/// Others that say so, where nothing else leads on.
pub(super) const PART: &[&str] = &["exceededtransferlimit", "truncated", "partial"];
/// Flags that say whether this is the end.
pub(super) const END: &[&str] = &["done", "islast", "lastpage", "complete", "end", "endofstream"];
/// Those of them that are false on each page but the last.
pub(super) const LAST: &[&str] = &["endofstream", "islast", "lastpage", "done"];
/// Maps that are there where more follows, each with several parts of which what leads on is made.
pub(super) const MAPS: &[&str] = &["lastevaluatedkey", "continue"];
pub(super) const URLS: &[&str] = &[
    "nextlink",
    "odatanextlink",
    "iotnextlink",
    "nexturl",
    "nextpageurl",
    "nextrecordsurl",
    "nextpage",
    "nexthref",
    "next",
];
pub(super) const CURSORS: &[&str] = &[
    "nextcursor",
    "nexttoken",
    "nextpagetoken",
    "nextcontinuationtoken",
    "continuationtoken",
    "continuation",
    "nextcursormark",
    "endcursor",
    "aftercursor",
    "nextmarker",
    "resumptiontoken",
    "scrollid",
    "bookmark",
    "next",
    "nextpage",
    "after",
    "cursor",
    "offset",
    "lastseq",
];
pub(super) const OFFSETS: &[&str] = &["offset", "skip", "startindex", "startat", "start", "from"];
pub(super) const NUMBERS: &[&str] =
    &["page", "pagenumber", "pageno", "currentpage", "pageindex", "pagenum", "number"];
pub(super) const SIZES: &[&str] =
    &["limit", "pagesize", "perpage", "size", "top", "rows", "maxresults", "itemsperpage", "count"];
pub(super) const TOTAL: &[&str] = &[
    "total",
    "totalcount",
    "totalresults",
    "totalitems",
    "totalrecords",
    "totalelements",
    "totalrows",
    "completelistsize",
    "numbermatched",
    "numberofrecords",
    "numfound",
    "recordcount",
    "odatacount",
    "count",
];
pub(super) const PAGES: &[&str] = &["totalpages", "pages", "pagecount", "lastpage", "numpages"];

/// The parameters for which what leads on stands, by its name: a `resumptionToken` of OAI-PMH, and the cursor of an export by
/// Zendesk.
pub(super) const REPLACED: &[(&str, &[&str])] = &[
    ("resumptiontoken", &["metadataPrefix", "from", "until", "set"]),
    ("aftercursor", &["start_time"]),
];
/// What parameters are members of where their names are paths, as in `pagination[page]`.
pub(super) const AROUND: &[&str] = &["pagination", "paging", "page"];

/// The parameter that usually carries what stood under that name.
pub(super) fn param_of(name: &str) -> String {
    let name = bare(name);
    let camel = !name.contains('_') && name.chars().any(char::is_uppercase);
    let of = |snake: &str, camels: &str| if camel { camels.to_owned() } else { snake.to_owned() };
    match folded(name).as_str() {
        "nextcursor" | "cursor" | "aftercursor" => "cursor".to_owned(),
        // As Solr has it.
        "nextcursormark" => "cursorMark".to_owned(),
        "nextpagetoken" => of("page_token", "pageToken"),
        // As S3 has it, which calls it so.
        "nextcontinuationtoken" => "continuation-token".to_owned(),
        "nextmarker" => "marker".to_owned(),
        "endcursor" | "next" | "nextpage" | "after" => "after".to_owned(),
        "lastseq" => "since".to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether a text is an address, or a part of one.
pub(super) fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://") || text.starts_with(['/', '?'])
}
