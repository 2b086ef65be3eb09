//! Pages that are asked for by their number, or by how many records came before them.

use url::Url;

use super::{
    Envelope, Kind, Next, Paging,
    words::{AROUND, NUMBERS, OFFSETS, SIZES, bare, folded},
};
use crate::discover::node::Node;

impl Envelope<'_> {
    /// A page as Spring Data writes it, which is asked for by other names than stand in it.
    pub(super) fn spring(&self) -> Option<Paging> {
        let (names, _) = self.number(&["number"])?;
        let (_, around) = names.split_last()?;
        let beside = |name: &str| {
            let is = |(names, _): &&(Vec<&str>, &Node)| names.split_last() == Some((&name, around));
            match self.entries.iter().find(is)? {
                (_, Node::Integer(number)) => Some(*number),
                _ => None,
            }
        };
        let size = beside("size")?;
        // A slice counts what is on it, and no pages in all.
        beside("totalPages").or_else(|| beside("numberOfElements"))?;
        let (page, sized) = (asked(self.about.url, NUMBERS), asked(self.about.url, SIZES));
        let guessed = page.is_none();
        let param = page.map_or_else(|| "page".to_owned(), |(name, _)| name);
        let size = sized.unwrap_or_else(|| ("size".to_owned(), size));
        let kind = Kind::Page { param, start: 0 };
        Some(Paging { guessed, size: Some(size), ..Paging::known(kind) })
    }

    /// A query of `ArcGIS`, which says what names its records, and that there is more only where there is.
    pub(super) fn arcgis(&self) -> Option<Paging> {
        self.find(&["exceededtransferlimit", "objectidfieldname"])?;
        let asked = |name: &str| asked(self.about.url, &[&folded(name)]);
        let (param, size) = ("resultOffset", asked("resultRecordCount"));
        let guessed = asked(param).is_none();
        let kind = Kind::Offset { param: param.to_owned(), start: 0 };
        Some(Paging { guessed, size, ..Paging::known(kind) })
    }

    /// Numbers of pages or of records, as the answer repeats them.
    pub(super) fn numbers(&self) -> Option<Paging> {
        let asked = |names: &[&str]| asked(self.about.url, names);
        let name = |names: &[&str]| match names {
            // As Strapi has it, whatever of it was asked by.
            [.., "meta", "pagination", name @ ("page" | "pageSize" | "start" | "limit")] => {
                Some(format!("pagination[{name}]"))
            }
            _ => names.last().map(|name| bare(name).to_owned()),
        };
        // Feathers takes whatever does not begin so for a filter, which leaves nothing.
        let has = |name: &&str| self.entries.iter().any(|(names, _)| names.as_slice() == [*name]);
        let is_feathers = ["total", "limit", "skip", "data"].iter().all(has);
        let asked_by = |name: String| if is_feathers { format!("${name}") } else { name };
        let size = self.number(SIZES).filter(|(_, size)| *size > 0);
        let size = asked(SIZES)
            .or_else(|| size.and_then(|(names, size)| Some((asked_by(name(names)?), size))));
        let (kind, guessed) = if let Some((names, now)) = self.number(OFFSETS) {
            let known = asked(OFFSETS);
            // The first record has number 0, or 1 as SCIM has it.
            let start = start(known.as_ref().map_or(now, |(_, asked)| *asked), size.as_ref());
            let guessed = known.is_none();
            // As CouchDB has it, which says where it is by another name than it is asked by.
            let couch = self.number(&["totalrows"]).is_some().then(|| "skip".to_owned());
            let param =
                known.map(|(name, _)| name).or(couch).or_else(|| name(names).map(asked_by))?;
            (Kind::Offset { param, start }, guessed)
        } else {
            let (names, now) = self.number(NUMBERS)?;
            let known = asked(NUMBERS);
            // Not asked for any page, we were given the first.
            let start = if known.is_none() { now } else { 1 };
            let guessed = known.is_none();
            let usual = |name: String| {
                if folded(&name) == "currentpage" { "page".to_owned() } else { name }
            };
            let param = known.map(|(name, _)| name).or_else(|| name(names).map(usual))?;
            (Kind::Page { param, start: start.clamp(0, 1) }, guessed)
        };
        Some(Paging { guessed, size, ..Paging::known(kind) })
    }

    /// The number of the next page, where nothing says which this one is.
    pub(super) fn next_number(&self) -> Option<Paging> {
        let (names, _) = self.number(&["nextpage"])?;
        let (param, next) = ("page".to_owned(), Next::Body((self.path)(names)));
        Some(Paging::guess(Kind::Cursor { param, next, replaces: Vec::new() }))
    }
}

/// Pages that only the address speaks of.
pub(super) fn of_query(url: Option<&Url>) -> Option<Paging> {
    let size = asked(url, SIZES);
    let offset = asked(url, OFFSETS);
    let offset =
        offset.map(|(param, value)| Kind::Offset { param, start: start(value, size.as_ref()) });
    let page = || {
        let (param, value) = asked(url, NUMBERS)?;
        Some(Kind::Page { param, start: i64::from(value != 0) })
    };
    Some(Paging { size, ..Paging::known(offset.or_else(page)?) })
}

/// The number of the first record, where a page of so many begins at `from`: 0, or 1 as SCIM has it.
fn start(from: i64, size: Option<&(String, i64)>) -> i64 {
    i64::from(match size {
        Some((_, size)) => *size > 1 && from % size == 1,
        None => from == 1,
    })
}

/// The last step of a name that is a path: `page` of `pagination[page]`.
fn member(name: &str) -> &str {
    let parts = name.strip_suffix(']').and_then(|name| name.split_once('['));
    parts.filter(|(around, _)| AROUND.contains(around)).map_or(name, |(_, member)| member)
}

/// The parameter of the address that bears one of these names, with its number.
pub(super) fn asked(url: Option<&Url>, names: &[&str]) -> Option<(String, i64)> {
    url?.query_pairs()
        .filter(|(name, _)| names.contains(&folded(member(name)).as_str()))
        .find_map(|(name, value)| Some((name.into_owned(), value.parse().ok()?)))
}
