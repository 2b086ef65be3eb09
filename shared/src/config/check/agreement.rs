//! Which fields an agreement covers. Each entry has to be about something, and whatever a feed cannot do without has to be
//! covered.

use std::collections::{BTreeSet, HashSet};

use super::super::{
    raw::{Fields, RawAgreement, RawFeed, RawField, RawPartnerFile},
    source::{Report, quoted},
    table::{At, Given, Or, nearest},
};
use crate::{id::is_name, partner::Cover, untrusted::show};

/// What an agreement covers of all feeds of its partner.
pub(super) struct Agreed<'r> {
    /// `None`: everything.
    entries: Option<Vec<Entry<'r>>>,
}

/// One entry.
struct Entry<'r> {
    /// `None`: every feed.
    feed: Option<&'r str>,
    /// `None`: every column.
    column: Option<&'r str>,
}

/// The entries as they are written, for whoever looks at the partner.
pub(super) fn written(agreement: &RawAgreement) -> Option<Vec<String>> {
    let entries = agreement.fields.value()?.iter();
    Some(entries.map(|entry| entry.value.clone()).collect())
}

impl<'r> Agreed<'r> {
    /// Checks the entries against what the feeds are called, and what they declare.
    pub(super) fn of(
        raw: &'r RawPartnerFile,
        feeds: &[At<RawFeed>],
        report: &mut Report<'_>,
    ) -> Self {
        let agreement = raw.partner.value().and_then(|partner| partner.agreement.value());
        let Some(at) = agreement.and_then(|agreement| agreement.fields.here()) else {
            return Self { entries: None };
        };
        if at.value.is_empty() {
            let problem = "names no field, so that nothing could be kept";
            report.wrong(&at.place, problem, "name what was agreed, or take it out");
        }
        let mut met = HashSet::new();
        let entries = at.value.iter().filter_map(|at| {
            if !met.insert(at.value.as_str()) {
                let problem = format!("{} stands there twice", quoted(&at.value));
                report.wrong(&at.place, problem, "name it once");
            }
            let entry = Entry::of(at, report)?;
            entry.is_about(at, feeds, report);
            Some(entry)
        });
        let entries: Vec<_> = entries.collect();
        // Of a list that is wrong nobody can say what it covers.
        let whole = entries.len() == at.value.len() && !entries.is_empty();
        Self { entries: whole.then_some(entries) }
    }

    /// What it covers of a feed. Whatever the feed cannot do without has to be.
    pub(super) fn cover_of(&self, raw: &RawFeed, report: &mut Report<'_>) -> Cover {
        let Some(id) = raw.id.value() else { return Cover::All };
        let cover = self.cover(&id.0);
        self.must_have(&cover, &id.0, raw, report);
        cover
    }

    fn cover(&self, feed: &str) -> Cover {
        let Some(entries) = &self.entries else { return Cover::All };
        let about = || entries.iter().filter(|entry| entry.feed.is_none_or(|id| id == feed));
        if about().any(|entry| entry.column.is_none()) {
            return Cover::All;
        }
        Cover::Only(about().filter_map(|entry| entry.column).map(str::to_owned).collect())
    }

    fn must_have(&self, cover: &Cover, feed: &str, raw: &RawFeed, report: &mut Report<'_>) {
        if let Some(at) = raw.key.here() {
            for column in &at.value {
                must(cover, feed, column, at, report);
            }
        }
        let incremental = raw.incremental.value().map(|incremental| &incremental.field);
        let by = raw.each.value().map(|each| &each.by);
        let columns = [Some(&raw.version), incremental, by].into_iter().flatten();
        for at in columns.filter_map(Given::here) {
            must(cover, feed, &at.value, at, report);
        }
        if let Some(each) = raw.each.value()
            && let (Some(parent), Some(at)) = (each.feed.value(), each.column.here())
        {
            must(&self.cover(&parent.0), &parent.0, &at.value, at, report);
        }
        let fields: &[_] = raw.fields.value().map_or(&[], |Fields(fields)| fields);
        for (_, at) in fields.iter().filter(|(name, _)| cover.has(name)) {
            let Or::Other(table) = &at.value else { continue };
            if let Some(at) = table.gregorian.here() {
                must(cover, feed, &at.value, at, report);
            }
        }
    }
}

impl<'r> Entry<'r> {
    /// What stands before the first dot is a feed, if it looks like one; else the entry is a column.
    fn of(at: &'r At<String>, report: &mut Report<'_>) -> Option<Self> {
        let text = at.value.as_str();
        let parts = text.split_once('.').filter(|(feed, _)| is_name(feed));
        match parts {
            Some((feed, "*")) => Some(Self { feed: Some(feed), column: None }),
            Some((feed, column)) if !column.trim().is_empty() => {
                Some(Self { feed: Some(feed), column: Some(column) })
            }
            None if text == "*" => {
                let problem = "\"*\" would cover all there is";
                report.wrong(&at.place, problem, "take `fields` out, or name feeds: \"feed.*\"");
                None
            }
            None if !text.trim().is_empty() => Some(Self { feed: None, column: Some(text) }),
            _ => {
                let problem = format!("{} names no column", quoted(text));
                report.wrong(&at.place, problem, FORMS);
                None
            }
        }
    }

    /// Reports an entry that is about nothing.
    fn is_about(&self, at: &At<String>, feeds: &[At<RawFeed>], report: &mut Report<'_>) {
        let id_of = |raw: &At<RawFeed>| raw.value.id.value().map(|id| id.0.clone());
        let wanted = |raw: &&At<RawFeed>| self.feed.is_none() || id_of(raw).as_deref() == self.feed;
        let among: Vec<_> = feeds.iter().filter(wanted).map(|raw| &raw.value).collect();
        if let (Some(feed), true) = (self.feed, among.is_empty()) {
            let ids: Vec<_> = feeds.iter().filter_map(id_of).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let remedy = match nearest(feed, &ids) {
                Some(id) => format!("did you mean {id}?"),
                None => FORMS.to_owned(),
            };
            report.missing(
                &at.place,
                format!("{} is no feed of this partner", quoted(feed)),
                remedy,
            );
            return;
        }
        // What is not declared comes with the data.
        let declared: Option<Vec<_>> = among.into_iter().map(declared).collect();
        let columns: BTreeSet<_> = declared.iter().flatten().flatten().copied().collect();
        let Some(column) =
            self.column.filter(|column| declared.is_some() && !columns.contains(column))
        else {
            return;
        };
        let columns: Vec<_> = columns.into_iter().collect();
        let whose = self.feed.map_or("any feed".to_owned(), |feed| format!("feed {feed}"));
        let remedy = match nearest(column, &columns) {
            Some(near) => format!("did you mean {}?", show(near)),
            None => "name one that is there, or take it out".to_owned(),
        };
        report.missing(&at.place, format!("{} is no field of {whose}", quoted(column)), remedy);
    }
}

/// The columns that a feed declares; `None`: it takes them from its data, or nobody can say.
fn declared(raw: &RawFeed) -> Option<Vec<&str>> {
    let Fields(fields) = raw.fields.value()?;
    Some(fields.iter().map(|(name, _): &(String, At<RawField>)| name.as_str()).collect())
}

/// Reports a column that a feed needs, and that is not covered.
fn must<T>(cover: &Cover, feed: &str, column: &str, at: &At<T>, report: &mut Report<'_>) {
    if !cover.has(column) {
        let problem = format!("{} is not covered by the agreement", quoted(column));
        let entry = show(&format!("{feed}.{column}")).into_owned();
        let remedy = format!(
            "add \"{entry}\" to agreement.fields once it is agreed, or name another column"
        );
        report.wrong(&at.place, problem, remedy);
    }
}

const FORMS: &str = "write \"feed.column\", \"feed.*\" or \"column\"";
