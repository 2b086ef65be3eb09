//! What stands in an envelope and leads on: a link to the next page, or what is handed back for it.

use url::Url;

use super::{
    Envelope, Kind, Next, Paging, header,
    numbers::{asked, of_query},
    words::{CURSORS, NUMBERS, REPLACED, URLS, folded, is_address, param_of},
};
use crate::discover::node::Node;

impl<'n> Envelope<'n> {
    /// The address of a link that says itself that it is the next: an object with `href`, or an element.
    fn href(&self) -> Option<(&[&'n str], &'n Node)> {
        let is = |(names, _): &&(Vec<&str>, &Node)| match names.as_slice() {
            [.., next, "href"] => folded(next) == "next",
            [.., link, "@href"] => *link == "link[@rel='next']",
            _ => false,
        };
        self.entries.iter().find(is).map(|(names, value)| (names.as_slice(), *value))
    }

    /// One of the links in a list of them, each with what it is (`OGC API`, FHIR).
    pub(super) fn listed(&self) -> Option<Paging> {
        let lists = self.entries.iter().filter(|(names, value)| {
            names.last().is_some_and(|name| ["links", "link"].contains(name)) && value.is_records()
        });
        let of = |value: &Node, rel: &str, what: &[&str]| {
            let is = |item: &&Node| {
                item.member(rel).and_then(Node::text).is_some_and(|is| what.contains(&is))
            };
            value.items().iter().any(|item| is(&item))
        };
        for (names, value) in lists {
            let has = |to: &str| value.items().iter().any(|item| item.member(to).is_some());
            let ways = ["rel", "relation"].into_iter().flat_map(|rel| {
                ["href", "url", "uri"].into_iter().filter(|to| has(to)).map(move |to| (rel, to))
            });
            for (rel, to) in ways {
                let next = format!("{}[?(@.{rel} == 'next')].{to}", (self.path)(names));
                let next = Next::Body(next);
                if of(value, rel, &["next"]) {
                    return Some(Paging::known(Kind::NextUrl { next }));
                }
                if of(value, rel, &["prev", "previous", "first", "last"]) {
                    return Some(Paging::guess(Kind::NextUrl { next }));
                }
            }
        }
        None
    }

    /// A link to another origin, where our credentials never go: its parameters tell how to ask ourselves.
    pub(super) fn away(&self) -> Option<Paging> {
        let asked = self.about.url?;
        let header = header::next_value(self.about).into_iter();
        let link = self.href().into_iter().filter_map(|(_, value)| value.text());
        let urls = URLS.iter().filter_map(|name| self.find(&[name])?.1.text());
        let next: Url = header.chain(link).chain(urls).find_map(|text| text.parse().ok())?;
        if next.origin() == asked.origin() {
            return None;
        }
        let Some(mut paging) = of_query(Some(&next)) else { return self.handed_back(asked) };
        if let Kind::Page { start, .. } = &mut paging.kind {
            // The link is to the second page.
            let first = self::asked(Some(&next), NUMBERS).is_some_and(|(_, value)| value == 1);
            *start = i64::from(!first);
        }
        paging.guessed = true;
        Some(paging)
    }

    /// A link to another origin that carries one thing which our address has not: that is handed back to where we ask.
    fn handed_back(&self, asked: &Url) -> Option<Paging> {
        let ours: Vec<_> = asked.query_pairs().collect();
        URLS.iter().filter_map(|name| self.find(&[name])).find_map(|(names, value)| {
            let next: Url = value.text()?.parse().ok()?;
            let mut new = next.query_pairs().filter(|pair| !ours.contains(pair));
            let (param, None) = (new.next()?.0.into_owned(), new.next()) else { return None };
            let next = Next::Body((self.path)(names));
            Some(Paging::guess(Kind::Cursor { param, next, replaces: Vec::new() }))
        })
    }

    /// As Stripe has it: lists that call themselves one, and are asked for what stands behind the last record that came.
    pub(super) fn stripe(&self) -> Option<Paging> {
        self.find(&["object"]).filter(|(_, what)| what.text() == Some("list"))?;
        let (names, _) = self.flag(&["hasmore"])?;
        let (_, around) = names.split_last()?;
        let next = Next::Body(format!("{}[-1].id", (self.path)(&[around, &["data"]].concat())));
        let param = "starting_after".to_owned();
        Some(Paging::guess(Kind::Cursor { param, next, replaces: Vec::new() }))
    }

    pub(super) fn graphql(&self) -> Option<Paging> {
        let (names, _) = self.find(&["endcursor"]).filter(|_| self.nodes)?;
        Some(Paging::guess(Kind::BodyCursor { next: (self.path)(names) }))
    }

    pub(super) fn next(&self) -> Option<Paging> {
        let at = |names: &[&'n str]| Next::Body((self.path)(names));
        if let Some((names, _)) = self.href() {
            return Some(Paging::known(Kind::NextUrl { next: at(names) }));
        }
        let urls: Vec<_> = URLS.iter().filter_map(|name| self.find(&[name])).collect();
        let is_url = |value: &Node| value.text().is_some_and(is_address);
        if let Some((names, _)) = urls.iter().find(|(_, value)| is_url(value)) {
            return Some(Paging::known(Kind::NextUrl { next: at(names) }));
        }
        if let Some(names) = self.cursor() {
            let name = names.last().copied().unwrap_or_default();
            let told = self.told(names);
            let guessed = told.is_none();
            // As Jira has it, which is asked by what it calls it.
            let same = folded(name) == "nextpagetoken" && self.flag(&["islast"]).is_some();
            let usual = || if same { name.to_owned() } else { param_of(name) };
            let param = told.unwrap_or_else(usual);
            let kind = Kind::Cursor { param, next: at(names), replaces: self.replaced(name) };
            return Some(Paging { guessed, ..Paging::known(kind) });
        }
        if let Some((names, _)) = self.find(&["afterurl"]).filter(|(_, value)| is_url(value)) {
            return Some(Paging::known(Kind::NextUrl { next: at(names) }));
        }
        // On a last page the link is null: where it stands, and what stands beside it, tells what it would be.
        let null = urls.into_iter().find(|(names, value)| {
            let beside = |name: &str| {
                self.entries.iter().any(|(entry, _)| {
                    entry.len() == names.len()
                        && entry.last().is_some_and(|last| folded(last) == name)
                })
            };
            value.is_empty()
                && (names.iter().any(|name| folded(name) == "links")
                    || ["previous", "prev", "self", "first"].iter().any(|name| beside(name))
                    || names.last().is_some_and(|name| folded(name) != "next"))
        });
        null.map(|(names, _)| Paging::guess(Kind::NextUrl { next: at(names) }))
    }

    /// Where something stands that is handed back for the next page.
    fn cursor(&self) -> Option<&[&'n str]> {
        let is = |(names, value): &(&[&str], &Node)| {
            let name = names.last().map(|name| folded(name)).unwrap_or_default();
            // Nothing there: the name alone must say what it is.
            let says = ["cursor", "token", "marker"].iter().any(|word| name.contains(word));
            // A number of these counts pages or records.
            let counts = ["nextpage", "offset"].contains(&name.as_str());
            match value {
                Node::Text(text) if counts => text.parse::<u64>().is_err() && !text.is_empty(),
                Node::Text(text) => !text.is_empty() || says,
                Node::Nothing => says,
                Node::Integer(_) | Node::Long => !counts,
                _ => false,
            }
        };
        let found = CURSORS.iter().filter_map(|name| self.find(&[name])).find(is);
        found.map(|(names, _)| names).or_else(|| self.continued())
    }

    /// The part of `MediaWiki`'s `continue` that leads on, where it is a single one.
    fn continued(&self) -> Option<&[&'n str]> {
        let mut parts = self
            .entries
            .iter()
            .map(|(names, _)| names.as_slice())
            .filter(|names| matches!(names, [.., "continue", part] if *part != "continue"));
        parts.next().filter(|_| parts.next().is_none())
    }

    /// The parameter that carries the cursor at `names`, where a link beside it or the address itself tells.
    fn told(&self, names: &[&str]) -> Option<String> {
        let (_, cursor) = self.entries.iter().find(|(entry, _)| entry == names)?;
        let link: Option<Url> =
            self.find(&["afterurl"]).and_then(|(_, link)| link.text()?.parse().ok());
        let in_link = link.and_then(|link| {
            let mut pairs = link.query_pairs().filter(|(_, value)| Some(&**value) == cursor.text());
            pairs.next().map(|(name, _)| name.into_owned())
        });
        let usual = param_of(names.last()?);
        let mut asked = self.about.url.into_iter().flat_map(Url::query_pairs);
        in_link.or_else(|| asked.any(|(name, _)| name == *usual).then_some(usual))
    }

    /// The parameters of the address for which the cursor of that name stands.
    fn replaced(&self, cursor: &str) -> Vec<String> {
        let stands = REPLACED.iter().filter(|(name, _)| folded(cursor) == *name);
        let params: Vec<_> = stands.flat_map(|(_, params)| *params).collect();
        let names = self.about.url.into_iter().flat_map(Url::query_pairs).map(|(name, _)| name);
        names.filter(|name| params.contains(&&name.as_ref())).map(Into::into).collect()
    }
}
