//! What kind of interface a JSON document comes from, and where its records stand.

use std::fmt::Write as _;

use super::{block::quoted, node::Node};

/// A kind of interface or file that is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Odata,
    /// Rows of a table of a CKAN portal.
    Ckan,
    /// What a CKAN portal says about a data set: where its files are, not the data.
    CkanPackage,
    Opendatasoft,
    /// The same, with more records than it gives by pages.
    OpendatasoftExport,
    JsonApi,
    SdmxJson,
    SdmxCsv,
    SdmxMl,
    /// An envelope of a service bus, with header and body.
    Bus,
    GraphQl,
    Rest,
    /// One record is the whole answer.
    Single,
    Ndjson,
    Csv,
    Xml,
    /// One sheet of a workbook.
    Xlsx,
}

impl Style {
    /// Its name, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Odata => "OData v4",
            Self::Ckan => "a CKAN datastore",
            Self::CkanPackage => "a CKAN package (where files are, not the data in them)",
            Self::Opendatasoft => "Opendatasoft 2.1",
            Self::OpendatasoftExport => "Opendatasoft 2.1, by an export",
            Self::JsonApi => "JSON:API",
            Self::SdmxJson => "SDMX-JSON",
            Self::SdmxCsv => "SDMX-CSV",
            Self::SdmxMl => "SDMX-ML",
            Self::Bus => "a service bus envelope (SOAP)",
            Self::GraphQl => "GraphQL with edges and nodes",
            Self::Rest => "plain REST",
            Self::Single => "a single record",
            Self::Ndjson => "NDJSON, a record a line",
            Self::Csv => "CSV",
            Self::Xml => "XML",
            Self::Xlsx => "a sheet of a workbook (XLSX)",
        }
    }

    /// The preset that knows it.
    pub(super) const fn preset(self) -> Option<&'static str> {
        match self {
            Self::Odata => Some("odata"),
            Self::Ckan => Some("ckan"),
            Self::Opendatasoft => Some("opendatasoft"),
            Self::JsonApi => Some("jsonapi"),
            Self::SdmxJson | Self::SdmxCsv | Self::SdmxMl => Some("sdmx"),
            Self::Bus => Some("bus"),
            _ => None,
        }
    }

    /// Whether its preset pages; where envelopes of a bus lead on is the service's own.
    pub(super) fn pages(self) -> bool {
        self.preset().is_some() && self != Self::Bus
    }

    /// Whether one answer is all there is of it.
    pub(super) const fn is_one_answer(self) -> bool {
        matches!(self, Self::Single | Self::CkanPackage | Self::OpendatasoftExport)
    }

    pub(super) const fn is_sdmx(self) -> bool {
        matches!(self, Self::SdmxJson | Self::SdmxCsv | Self::SdmxMl)
    }
}

/// Where the records of a JSON document stand: names down to a list, and a name within each of its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) names: Vec<String>,
    /// `node` of GraphQL's edges.
    pub(super) within: Option<&'static str>,
    /// The document itself is the record.
    pub(super) single: bool,
}

/// A document that holds no data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoData {
    #[error("it is an error message, not data")]
    Error,
    #[error("it holds no list of records")]
    NoRecords,
    #[error("its rows are lists of values without names")]
    Nameless,
    #[error("it lists what an OData service has, and holds no records itself")]
    Service,
    #[error("it is a list of two: what is said of the page, and the records")]
    Pair,
}

/// Looks at a JSON document as a whole.
///
/// # Errors
/// [`NoData`] for an error message, and where nothing looks like records.
pub(super) fn recognise(root: &Node) -> Result<(Style, Spot), NoData> {
    if let Some(style) = sdmx(root) {
        return Ok((style, Spot::default()));
    }
    if is_error(root) {
        return Err(NoData::Error);
    }
    if is_service(root) {
        return Err(NoData::Service);
    }
    for (style, names, is) in KNOWN {
        if is(root) {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            return Ok((*style, Spot { names, ..Spot::default() }));
        }
    }
    if let Some(names) = edges(root, 0) {
        return Ok((Style::GraphQl, Spot { names, within: Some("node"), single: false }));
    }
    // What else it lists is not what was asked for.
    if USUAL.iter().filter_map(|name| root.member(name)).any(is_nameless) || is_nameless(root) {
        return Err(NoData::Nameless);
    }
    if let Node::List(items) = root
        && let [Node::Map(_), records @ Node::List(_)] = items.as_slice()
        && records.is_records()
    {
        return Err(NoData::Pair);
    }
    if root.member("resourceType").and_then(Node::text) == Some("Bundle")
        && root.member("entry").is_none()
    {
        return Err(NoData::NoRecords);
    }
    match largest(root) {
        Some(names) => Ok((Style::Rest, Spot { names, ..Spot::default() })),
        None if root.members().iter().any(|(_, value)| !value.is_nested()) => {
            Ok((Style::Single, Spot { single: true, ..Spot::default() }))
        }
        None => Err(NoData::NoRecords),
    }
}

type Known = (Style, &'static [&'static str], fn(&Node) -> bool);

/// Envelopes with a name of their own, and where their records stand.
const KNOWN: &[Known] = &[
    (Style::Odata, &["value"], |root| {
        root.member("@odata.context").is_some()
            && matches!(root.member("value"), Some(Node::List(_)))
    }),
    (Style::Ckan, &["result", "records"], |root| {
        is_ckan(root) && matches!(root.at(&["result", "records"]), Some(Node::List(_)))
    }),
    (Style::CkanPackage, &["result", "resources"], |root| {
        is_ckan(root) && matches!(root.at(&["result", "resources"]), Some(Node::List(_)))
    }),
    (Style::JsonApi, &["data"], |root| {
        let Some(Node::List(items)) = root.member("data") else { return false };
        let typed = |item: &Node| {
            let has = |name| item.member(name).is_some_and(|value| value.text().is_some());
            has("type") && has("id")
        };
        let attributes = |item: &Node| item.member("attributes").is_some_and(Node::is_map);
        let says_so = root.member("jsonapi").is_some();
        items.iter().all(typed) && (says_so || items.first().is_some_and(attributes))
    }),
    (Style::Opendatasoft, &["results"], |root| {
        let counted = matches!(root.member("total_count"), Some(Node::Integer(_)));
        counted && matches!(root.member("results"), Some(Node::List(_)))
    }),
];

fn is_ckan(root: &Node) -> bool {
    root.member("help").is_some() && matches!(root.member("success"), Some(Node::Bool(true)))
}

/// Whether the document tells of a failure instead of carrying data.
fn is_error(root: &Node) -> bool {
    let nothing = |value: &Node| {
        value.is_empty()
            || (value.is_nested() && value.members().is_empty() && value.items().is_empty())
    };
    let there = |name| root.member(name).is_some_and(|value| !nothing(value));
    let data = ["data", "value", "items", "results", "records", "result", "rows"];
    let without_data = !data.iter().any(|name| there(name));
    let refused = root.member("success").is_some_and(|says| matches!(says, Node::Bool(false)));
    let problem = there("title") && there("status") && there("detail");
    let gateway = there("type") && there("message") && root.member("id").is_none();
    refused
        || (without_data && (there("error") || there("errors") || there("fault")))
        || (without_data && (problem || gateway) && largest(root).is_none())
}

/// What tells an error from data in documents like this one, as `success` is written; `None`: nothing here does.
pub(super) fn success(root: &Node) -> Option<String> {
    let is = |name: &&&str, what: fn(&Node) -> bool| root.member(name).is_some_and(what);
    // What is there and is nothing was put there for the day when it is something.
    let free = ["error", "errors", "fault"].iter().find(|name| is(name, |v| *v == Node::Nothing));
    if let Some(name) = free {
        return Some(format!("{{ error = {} }}", quoted(&path(&[name]))));
    }
    let good = ["success", "ok"].iter().find(|name| is(name, |v| *v == Node::Bool(true)))?;
    Some(format!("{{ path = {}, equals = [true] }}", quoted(&path(&[good]))))
}

/// Whether the document is the list of what a service of `OData` has.
fn is_service(root: &Node) -> bool {
    let of_service = root
        .member("@odata.context")
        .and_then(Node::text)
        .is_some_and(|context| context.ends_with("$metadata"));
    let Some(Node::List(sets)) = root.member("value") else { return false };
    let is_set = |set: &Node| set.member("name").is_some() && set.member("url").is_some();
    of_service && !sets.is_empty() && sets.iter().all(is_set)
}

/// Whether a list holds nothing but lists.
fn is_nameless(list: &Node) -> bool {
    let items = list.items();
    !items.is_empty() && items.iter().all(|item| matches!(item, Node::List(_)))
}

fn sdmx(root: &Node) -> Option<Style> {
    let sets = root.member("dataSets").or_else(|| root.at(&["data", "dataSets"]));
    let structure = root
        .member("structure")
        .or_else(|| root.at(&["data", "structure"]))
        .or_else(|| root.at(&["data", "structures"]));
    (sets.is_some() && structure.is_some()).then_some(Style::SdmxJson)
}

/// Names down to a list of edges that hold nodes.
fn edges(node: &Node, depth: usize) -> Option<Vec<String>> {
    let of_nodes = |value: &Node| {
        let mut items = value.items().iter().peekable();
        items.peek().is_some() && items.all(|item| item.member("node").is_some_and(Node::is_map))
    };
    for (name, value) in node.members() {
        if name == "edges" && of_nodes(value) {
            return Some(vec![name.clone()]);
        }
    }
    if depth >= DEPTH {
        return None;
    }
    node.members().iter().find_map(|(name, value)| {
        let mut below = edges(value, depth + 1)?;
        below.insert(0, name.clone());
        Some(below)
    })
}

/// As deep as records are looked for.
const DEPTH: usize = 6;
/// Lists that stand beside the records and are none.
const BESIDE: &[&str] =
    &["included", "errors", "links", "link", "fields", "columns", "facets", "warnings"];
/// What a list is often called that holds the records, where it holds none just now.
const USUAL: &[&str] = &["data", "items", "results", "records", "value", "rows", "content"];

/// Others, which are known by them where they are empty.
const OTHERS: &[&str] = &["Resources", "features", "entry", "entries", "issues", "members"];

/// Names down to the largest list of objects; of like ones, the one that is met first.
fn largest(root: &Node) -> Option<Vec<String>> {
    if let Node::List(items) = root {
        return (items.is_empty() || root.is_records()).then(Vec::new);
    }
    let mut best: Option<(usize, Vec<String>)> = None;
    let mut level = vec![(Vec::new(), root)];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for (names, node) in level {
            for (name, value) in node.members() {
                let mut names: Vec<String> = names.clone();
                names.push(name.clone());
                let wanted = !BESIDE.contains(&name.as_str());
                let size = value.items().len();
                if wanted
                    && value.is_records()
                    && best.as_ref().is_none_or(|(most, _)| size > *most)
                {
                    best = Some((size, names));
                } else if value.is_map() && wanted {
                    below.push((names, value));
                }
            }
        }
        level = below;
    }
    best.map(|(_, names)| names).or_else(|| {
        let empty =
            |name: &&&str| matches!(root.member(name), Some(Node::List(items)) if items.is_empty());
        USUAL.iter().chain(OTHERS).find(empty).map(|name| vec![(*name).to_owned()])
    })
}

impl Spot {
    /// The records of the document.
    pub(super) fn records<'n>(&self, root: &'n Node) -> Vec<&'n Node> {
        if self.single {
            return vec![root];
        }
        let list = self.names.iter().try_fold(root, |node, name| node.member(name));
        let items = list.map(Node::items).unwrap_or_default().iter();
        match self.within {
            None => items.collect(),
            Some(within) => items.filter_map(|item| item.member(within)).collect(),
        }
    }

    /// As `records` is written.
    pub(super) fn selector(&self) -> String {
        if self.single {
            return "$".to_owned();
        }
        let within = self.within.map(|name| format!(".{name}")).unwrap_or_default();
        format!("{}[*]{within}", path(&self.names))
    }
}

/// A JSONPath down these names.
pub(super) fn path<T: AsRef<str>>(names: &[T]) -> String {
    let mut text = "$".to_owned();
    for name in names {
        let name = name.as_ref();
        if is_plain(name) {
            text.push('.');
            text.push_str(name);
        } else {
            let name = name.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = write!(text, "['{name}']");
        }
    }
    text
}

/// Whether a name can stand in a path without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let may = |c: char| c == '_' || c.is_alphanumeric();
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(may)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(text: &str) -> Result<(Style, String), NoData> {
        let root: Node = serde_json::from_str(text).unwrap();
        recognise(&root).map(|(style, spot)| (style, spot.selector()))
    }

    #[test]
    fn what_holds_no_records_is_told_by_what_it_is() {
        let service =
            r#"{"@odata.context":"$metadata","value":[{"name":"Visits","url":"Visits"}]}"#;
        let set = r#"{"@odata.context":"$metadata#Visits","value":[{"name":"a","url":"b"}]}"#;
        let rows =
            r#"{"rows":[[1,"a"],[2,"b"]],"suggested_facets":[{"name":"n","toggle_url":"u"}]}"#;
        for (text, expected) in [
            (service, Err(NoData::Service)),
            (set, Ok("$.value[*]")),
            (rows, Err(NoData::Nameless)),
            ("[[1,2],[3,4]]", Err(NoData::Nameless)),
            (r#"{"error":"no"}"#, Err(NoData::Error)),
        ] {
            let found = recognised(text).map(|(_, selector)| selector);
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn each_style_is_known_by_its_envelope() {
        for (text, style, selector) in [
            (r#"{"@odata.context":"x","value":[{"Id":1}]}"#, Style::Odata, "$.value[*]"),
            (
                r#"{"help":"x","success":true,"result":{"records":[{"_id":1}],"fields":[{},{},{}]}}"#,
                Style::Ckan,
                "$.result.records[*]",
            ),
            (
                r#"{"help":"x","success":true,"result":{"resources":[{"id":"a"}]}}"#,
                Style::CkanPackage,
                "$.result.resources[*]",
            ),
            (r#"{"total_count":1,"results":[{"a":1}]}"#, Style::Opendatasoft, "$.results[*]"),
            (r#"{"jsonapi":{},"data":[]}"#, Style::JsonApi, "$.data[*]"),
            (
                r#"{"data":[{"type":"a","id":"1","attributes":{}}],"included":[{},{}]}"#,
                Style::JsonApi,
                "$.data[*]",
            ),
            (r#"{"data":[{"type":"a","id":"1"}]}"#, Style::Rest, "$.data[*]"),
            (r#"{"structure":{},"dataSets":[]}"#, Style::SdmxJson, "$[*]"),
            (r#"{"data":{"dataSets":[],"structures":[]}}"#, Style::SdmxJson, "$[*]"),
            (
                r#"{"data":{"families":{"edges":[{"node":{"id":1},"cursor":"a"}]}}}"#,
                Style::GraphQl,
                "$.data.families.edges[*].node",
            ),
            (r#"[{"id":1}]"#, Style::Rest, "$[*]"),
            (r#"{"data":{"visits":[{"id":1}]},"tags":["a","b"]}"#, Style::Rest, "$.data.visits[*]"),
            (
                r#"{"meta":{"roles":[{"r":1}]},"x y":[{"id":1},{"id":2}]}"#,
                Style::Rest,
                "$['x y'][*]",
            ),
            (r#"{"items":[],"total":0}"#, Style::Rest, "$.items[*]"),
            (r#"{"id":7,"name":"a"}"#, Style::Single, "$"),
        ] {
            assert_eq!(recognised(text), Ok((style, selector.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_data_is_not_taken_for_it() {
        for (text, expected) in [
            (r#"{"success":false,"help":"x","error":{}}"#, NoData::Error),
            (r#"{"errors":[{"status":"429"}]}"#, NoData::Error),
            (r#"{"type":"about:blank","title":"a","status":503,"detail":"b"}"#, NoData::Error),
            (r#"{"type":"Server.ClientProxy","message":"a","detail":"b"}"#, NoData::Error),
            (r#"{"a":{"b":{}}}"#, NoData::NoRecords),
            ("[1,2]", NoData::NoRecords),
            ("3", NoData::NoRecords),
        ] {
            assert_eq!(recognised(text), Err(expected), "{text}");
        }
    }
}
