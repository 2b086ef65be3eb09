//! Fields that refer to the records of another feed. What they name may stand in any partner's file, so it is looked for
//! once all of them have been read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    error::ConfigError,
    raw::{Fields, RawFeed},
    source::{Report, Spot, quoted},
    table::{At, Or, nearest},
};
use crate::{
    feed::{Feed, Field, FieldType, Reference},
    id::{FeedId, is_name},
    record::storage,
    untrusted::show,
};

/// A reference as it is written.
#[derive(Debug)]
pub(in crate::config) struct Written {
    /// The feed and the field that refer.
    of: (FeedId, String),
    kind: FieldType,
    /// What they refer to; without a column to its only key.
    to: (FeedId, Option<String>),
    spot: Spot,
}

/// The references of a feed. What is none is reported.
pub(super) fn written(raw: &RawFeed, feed: &Feed, report: &mut Report<'_>) -> Vec<Written> {
    let fields: &[_] = raw.fields.value().map_or(&[], |Fields(fields)| fields);
    let mut all = Vec::new();
    for (name, at) in fields {
        let Or::Other(table) = &at.value else { continue };
        let (Some(at), Some(kind)) = (table.references.here(), table.r#type.value()) else {
            continue;
        };
        let Some(to) = target(at, feed) else {
            let problem = format!("{} names no feed", quoted(&at.value));
            let remedy = "write \"feed\", \"feed.column\" or \"partner/feed.column\"";
            report.wrong(&at.place, problem, remedy);
            continue;
        };
        if to.0 == feed.id {
            report.wrong(&at.place, "is the feed itself", "name another feed, or take it out");
            continue;
        }
        let of = (feed.id.clone(), name.clone());
        all.push(Written { of, kind: *kind, to, spot: report.spot(&at.place) });
    }
    all
}

fn target(at: &At<String>, feed: &Feed) -> Option<(FeedId, Option<String>)> {
    let own = feed.id.partner();
    let (partner, rest) = match at.value.split_once('/') {
        Some((partner, rest)) => (partner, rest),
        None => (own.as_str(), at.value.as_str()),
    };
    let (id, column) = match rest.split_once('.') {
        Some((_, "")) => return None,
        Some((id, column)) => (id, Some(column)),
        None => (rest, None),
    };
    let named = is_name(partner) && is_name(id);
    let id = named.then(|| format!("{partner}/{id}").parse().ok()).flatten()?;
    Some((id, column.map(str::to_owned)))
}

/// Puts each reference into its field, or says why not. `whole` tells whether all feeds of a partner are known.
pub(in crate::config) fn resolve(
    written: Vec<(usize, Written)>,
    feeds: &mut [Feed],
    whole: impl Fn(&str) -> bool,
) -> Vec<(usize, ConfigError)> {
    let circles = circles(&written);
    let mut found = Vec::new();
    for (file, Written { of, kind, to, spot }) in written {
        match referred(&to, kind, feeds, &whole, &circles, &of.0) {
            Ok(None) => {}
            Ok(Some(reference)) => {
                let field = feeds.iter_mut().find(|feed| feed.id == of.0);
                let field = field.and_then(|f| f.fields.iter_mut().find(|f| f.name == of.1));
                if let Some(field) = field {
                    field.rules.references = Some(reference);
                }
            }
            Err((problem, remedy)) => found.push((file, spot.wrong(problem, remedy))),
        }
    }
    found
}

/// What is referred to; `None` where nobody can tell, because that file is wrong.
fn referred(
    (to, column): &(FeedId, Option<String>),
    kind: FieldType,
    feeds: &[Feed],
    whole: &impl Fn(&str) -> bool,
    circles: &BTreeSet<FeedId>,
    of: &FeedId,
) -> Result<Option<Reference>, (String, String)> {
    let Some(other) = feeds.iter().find(|feed| feed.id == *to) else {
        if !whole(to.partner().as_str()) {
            return Ok(None);
        }
        let ids: Vec<_> = feeds.iter().map(|feed| feed.id.as_str()).collect();
        let remedy = match nearest(to.as_str(), &ids) {
            Some(near) => format!("did you mean {near}?"),
            None => "name one that is configured".to_owned(),
        };
        return Err((format!("{to} is no feed"), remedy));
    };
    let first = other.key.first().map_or("", String::as_str);
    let key = format!("{to}.{}", show(first));
    let column = match column {
        Some(column) => column.clone(),
        None if other.key.len() == 1 => first.to_owned(),
        None => {
            let problem = format!("{to} has a key of {} columns", other.key.len());
            return Err((problem, format!("name its first: \"{key}\"")));
        }
    };
    if column != first {
        let problem = format!("{} is not the key of {to}", quoted(&column));
        return Err((problem, format!("a reference is looked up by the key: \"{key}\"")));
    }
    let its = other.fields.iter().find(|field: &&Field| field.name == column);
    if let Some(its) = its.filter(|its| storage(its.kind) != storage(kind)) {
        let problem =
            format!("is of type {kind}, and {} of {to} of type {}", quoted(&column), its.kind);
        let remedy = "no value of one is ever one of the other: type both alike";
        return Err((problem, remedy.to_owned()));
    }
    if circles.contains(of) && circles.contains(to) {
        let problem = format!("{to} refers back here, so that neither could be read first");
        return Err((problem, "take one of the references out".to_owned()));
    }
    Ok(Some(Reference { feed: to.clone(), column }))
}

/// The feeds from which references lead back to themselves.
fn circles(written: &[(usize, Written)]) -> BTreeSet<FeedId> {
    let mut leads: BTreeMap<&FeedId, BTreeSet<&FeedId>> = BTreeMap::new();
    for (_, Written { of, to, .. }) in written {
        leads.entry(&of.0).or_default().insert(&to.0);
    }
    let returns = |start: &&FeedId| {
        let (mut met, mut open) = (BTreeSet::new(), vec![*start]);
        while let Some(feed) = open.pop() {
            for next in leads.get(feed).into_iter().flatten() {
                if next == start {
                    return true;
                }
                if met.insert(*next) {
                    open.push(next);
                }
            }
        }
        false
    };
    leads.keys().copied().filter(returns).cloned().collect()
}
