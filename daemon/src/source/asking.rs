//! What is asked of a partner: a feed's request, a stretch of it and a place in its pages, as one call. Pure.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};
use marsad_shared::{
    feed::{Feed, FieldType, Format},
    record::{Spelling, Zone},
    request::{
        Body, By, Carrier, Incremental, Join, Method, PageSize, Pagination, Paging, Param, Request,
        TimeFormat,
    },
};
use percent_encoding::utf8_percent_encode;
use reqwest::header::{CACHE_CONTROL, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{
    call::{Call, UNRESERVED},
    fault::shown,
    walk::{Ask, WalkError},
};

mod put;
mod step;
mod written;

use put::{clear_query, exact, header, joined, put};
use step::before;
pub use step::whole;
use written::{End, Own, from, time};

/// The longest URL that a partner may lead to or make us ask for, and the longest header, in bytes: twice what the most generous servers take.
const URL_MAX: usize = 16 * 1024;
/// The least length of a parent's value that is looked for in a text, in bytes.
const PARENT_MIN: usize = 6;

/// One stretch of a walk: all there is, what changed in a time, or what belongs to one record of another feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// From where, as the bank writes it, `lookback` already taken off.
    pub since: Option<String>,
    /// Until when; only of a feed that is asked for by stretches of time.
    pub until: Option<Timestamp>,
    /// The parent's value.
    pub parent: Option<String>,
    /// Where a walk was split: what stands at `since`, and has to come again.
    #[serde(default)]
    pub boundary: Option<String>,
    /// How the partner writes the times of its cursor, as far as was known when it began.
    #[serde(default, skip_serializing_if = "Spelling::is_ours")]
    pub spelling: Spelling,
}

/// Asks for the pages of one feed.
#[derive(Clone, Debug)]
pub struct Asker<'a> {
    request: &'a Request,
    base: &'a Url,
    /// What the partner calls the incremental field.
    field: Option<Cow<'a, str>>,
    /// The zone of its times that name none, where the field says it.
    zone: Option<&'a str>,
    /// The same where only the feed does.
    feed_zone: &'a TimeZone,
    /// What that is declared to hold.
    kind: Option<FieldType>,
    /// Whether a service of SDMX is asked.
    sdmx: bool,
    /// Whether caches on the way are asked to ask in their turn.
    past_caches: bool,
}

impl<'a> Asker<'a> {
    /// For `feed`, whose request is `request`, behind `base`.
    pub fn new(base: &'a Url, feed: &'a Feed, request: &'a Request) -> Self {
        let column = request.incremental.as_ref().and_then(|incremental| incremental.by.field());
        let declared = |column| feed.fields.iter().find(|field| field.name == column);
        let kind = column.and_then(declared).map(|field| field.kind);
        let field = column.map(|column| {
            let field = declared(column);
            let from = field.and_then(|field| field.from.first()).map_or(column, String::as_str);
            Cow::Borrowed(from.rsplit(['.', '/']).next().unwrap_or(from))
        });
        Self {
            request,
            base,
            field,
            zone: column.and_then(declared).and_then(|field| field.zone.as_deref()),
            feed_zone: &feed.zone,
            kind,
            sdmx: feed.format == Some(Format::Sdmx),
            past_caches: false,
        }
    }

    /// The same, for what must be as it is now: no cache on the way is to answer by itself (RFC 9111 section 5.2.1.4).
    #[must_use]
    pub fn past_caches(self) -> Self {
        Self { past_caches: true, ..self }
    }

    /// What is asked where `ask` stands in `leg`.
    ///
    /// # Errors
    /// [`WalkError`] if the partner's own words lead nowhere or elsewhere, or base and path make no URL.
    pub fn call(&self, leg: &Leg, ask: &Ask) -> Result<Call, WalkError> {
        let says = &self.request.says;
        let mut call = Call::get(self.url(leg, ask)?);
        call.veiled = self.veiled(&call.url, leg, ask);
        if let (Ask::Job(_) | Ask::File { .. }, Some(_)) = (ask, &self.request.export) {
            return Ok(call);
        }
        call.statuses.clone_from(&self.request.statuses);
        call.sdmx = self.sdmx;
        call.method = match says.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        if self.past_caches {
            call.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        for (name, value) in &says.headers {
            header(&mut call.headers, name, value)?;
        }
        call.body.clone_from(&says.body);
        self.put_all(&mut call, leg, ask)?;
        self.short(leg, ask, &call)?;
        if let Body::Text(text) = &mut call.body {
            self.clear(text);
        }
        Ok(call)
    }

    /// A call that is longer than servers take by what others gave us is not asked.
    ///
    /// # Errors
    /// [`WalkError::LongAsk`] says what that is.
    fn short(&self, leg: &Leg, ask: &Ask, call: &Call) -> Result<(), WalkError> {
        let header = call.headers.values().map(HeaderValue::len).max().unwrap_or_default();
        if header.max(call.url.as_str().len()) <= URL_MAX {
            return Ok(());
        }
        let start = self.request.incremental.as_ref().and_then(|by| by.start.as_deref());
        let token = match ask {
            Ask::Token(token) | Ask::Value(token) => Some(token.as_str()),
            _ => None,
        };
        let theirs = [
            ("what the partner gave us to ask on with", token),
            ("what the partner gave us as a cursor", leg.since.as_deref()),
            ("the value of the other feed's record", leg.parent.as_deref()),
        ];
        let theirs = theirs.into_iter().filter_map(|(what, text)| Some((what, text?)));
        let longest = theirs
            .filter(|(_, text)| Some(*text) != start && text.len() > URL_MAX / 4)
            .max_by_key(|(_, text)| text.len());
        longest.map_or(Ok(()), |(what, text)| Err(WalkError::LongAsk { what, bytes: text.len() }))
    }

    /// Makes sure that what the partner gave us for next time can be asked with then.
    ///
    /// # Errors
    /// [`WalkError`] if it cannot.
    pub fn handle(&self, leg: &Leg, text: &str) -> Result<String, WalkError> {
        match self.request.incremental.as_ref().map(|incremental| &incremental.by) {
            Some(By::Delta(_)) => self.delta(text),
            Some(By::Token(_)) => {
                let next = Leg { since: Some(text.to_owned()), ..leg.clone() };
                self.call(&next, &Ask::First).map(|_| text.to_owned())
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// `next` as it can be asked for behind the page that `ask` led to, or that it led to by way of `moved`: a link is led on
    /// from the page where it stood (RFC 3986 section 5.1.3).
    ///
    /// # Errors
    /// [`WalkError`] if it leads nowhere, or to another origin.
    pub fn onward(
        &self,
        leg: &Leg,
        ask: &Ask,
        moved: Option<&Url>,
        next: Ask,
    ) -> Result<Ask, WalkError> {
        let page = || moved.cloned().map_or_else(|| self.url(leg, ask), Ok);
        Ok(match next {
            Ask::Url(text) => Ask::Url(self.within(&page()?, &text)?.to_string()),
            Ask::File { id, at } => {
                let at = self.file(&page()?, &at)?.to_string();
                Ask::File { id, at }
            }
            other => other,
        })
    }

    /// The URL that the partner gave for next time, as it can be asked for.
    ///
    /// # Errors
    /// As [`Self::onward`].
    fn delta(&self, text: &str) -> Result<String, WalkError> {
        let first = self.at(&self.request.path, &Leg::default(), None)?;
        Ok(self.within(&first, text)?.to_string())
    }

    /// What nobody may see of a call: what a link for one download is signed with; and the parent's value, which may be that
    /// of a person: the path of the configuration is shown in place of what it leads to.
    fn veiled(&self, url: &Url, leg: &Leg, ask: &Ask) -> Vec<(String, String)> {
        let mut veiled = Vec::new();
        if matches!(ask, Ask::File { .. }) {
            let signed = url.query_pairs().filter(|(_, value)| value.len() >= PARENT_MIN);
            veiled.extend(signed.map(|(name, value)| (value.into_owned(), format!("{{{name}}}"))));
        }
        let (Some(each), Some(parent)) = (&self.request.each, &leg.parent) else {
            return veiled;
        };
        let column = format!("{{{}}}", each.column);
        let bare = Leg { parent: None, ..leg.clone() };
        let led = matches!(ask, Ask::Url(_) | Ask::File { .. });
        if let (false, Ok(path)) = (led, self.url(&bare, ask)) {
            // A URL writes the braces otherwise.
            let path = shown(&path).replace("%7B", "{").replace("%7D", "}");
            veiled.push((shown(url), path));
        }
        // A shorter one is in any text by chance.
        if parent.len() >= PARENT_MIN {
            let encoded = utf8_percent_encode(parent, UNRESERVED).to_string();
            veiled.extend([(encoded, column.clone()), (parent.clone(), column)]);
        }
        veiled
    }

    fn url(&self, leg: &Leg, ask: &Ask) -> Result<Url, WalkError> {
        let first = self.at(&self.request.path, leg, None)?;
        match ask {
            Ask::Url(text) => self.within(&first, text),
            Ask::File { at, .. } => self.file(&first, at),
            Ask::Job(id) => match &self.request.export {
                Some(export) => self.at(&export.status, leg, Some(id)),
                None => Err(WalkError::NoUrl),
            },
            Ask::First => match (&self.request.incremental, &leg.since) {
                (Some(Incremental { by: By::Delta(_), .. }), Some(delta)) => {
                    self.within(&first, delta)
                }
                _ => Ok(first),
            },
            Ask::Number(_) | Ask::Token(_) | Ask::Value(_) => Ok(first),
        }
    }

    /// A path of the configuration, behind the base.
    ///
    /// # Errors
    /// [`WalkError::NoUrl`] if it makes none.
    pub fn at(&self, path: &str, leg: &Leg, id: Option<&str>) -> Result<Url, WalkError> {
        let mut path = Cow::Borrowed(path);
        if let (Some(each), Some(parent)) = (&self.request.each, &leg.parent) {
            let what = || format!("the column {:?} of a record of {}", each.column, each.feed);
            if each.is_step_of(&path) {
                path_step(parent, what)?;
            }
            let parent = utf8_percent_encode(parent, UNRESERVED).to_string();
            path = path.replace(&format!("{{{}}}", each.column), &parent).into();
        }
        if let Some(id) = id {
            path_step(id, || "the id that the partner gave its export".to_owned())?;
            path = path.replace("{id}", &utf8_percent_encode(id, UNRESERVED).to_string()).into();
        }
        let text = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        text.parse().map_err(|_| WalkError::NoUrl)
    }

    /// A URL that the partner gave, within the origin that our credentials belong to (security T9).
    fn within(&self, first: &Url, text: &str) -> Result<Url, WalkError> {
        within(self.base, first, text)
    }

    /// Where the file of an export is: the same, or where the configuration says that it comes from.
    fn file(&self, first: &Url, text: &str) -> Result<Url, WalkError> {
        let from = self.request.export.as_ref().and_then(|export| export.from.as_ref());
        match (from, self.within(first, text)) {
            (Some(from), Err(WalkError::OtherOrigin { .. })) => within(from, first, text),
            (_, url) => url,
        }
        .map_err(|error| match error {
            WalkError::OtherOrigin { origin } if origin.starts_with("http") => {
                WalkError::OtherFile { origin }
            }
            error => error,
        })
    }

    /// A URL that the partner gave carries its own query; what travels elsewhere is put beside it.
    fn put_all(&self, call: &mut Call, leg: &Leg, ask: &Ask) -> Result<(), WalkError> {
        let given = matches!(ask, Ask::Url(_));
        let put = |call: &mut Call, param: &Param, value: Value| {
            if given && param.carrier == Carrier::Query {
                return Ok(());
            }
            put(call, param, value)
        };
        if let Some(incremental) = &self.request.incremental {
            let put = |call: &mut Call, param: &Param, value: Value| {
                let joins = incremental.join == Some(Join::And) && param.carrier == Carrier::Query;
                let value = if joins && !given { joined(call, &param.name, value) } else { value };
                put(call, param, value)
            };
            let since = leg.since.as_deref().or(incremental.start.as_deref());
            // Where a page leads on by the parameter that says since when, it says all.
            let led = matches!(ask, Ask::Token(_) | Ask::Value(_));
            let param =
                incremental.param.as_ref().filter(|param| !(led && self.leads_on_by(param)));
            if let (Some(param), Some(since)) = (param, since) {
                let since = from(incremental, since);
                let value = self.written(incremental, &since, leg);
                put(call, param, self.value(incremental, value))?;
            }
            if let (Some(window), Some(until), Some(param)) =
                (&incremental.window, leg.until, &incremental.param)
            {
                let zone = &incremental.writing.zone;
                let until = before(until, window.granularity, zone);
                let value = time(&incremental.writing, until, &self.own(leg), End::Until);
                let param = Param { name: window.until.clone(), carrier: param.carrier };
                put(call, &param, self.value(incremental, value))?;
            }
        }
        let pagination = &self.request.pagination;
        if matches!(ask, Ask::Token(_) | Ask::Value(_)) {
            clear_query(&mut call.url, |name| pagination.replaces.iter().any(|gone| gone == name));
        }
        let in_json = matches!((pagination.carrier, &call.body), (Carrier::Body, Body::Json(_)));
        // In place of one of that name: where a walk goes on, it is not asked for from its beginning as well.
        let mut page = |name: &str, value: Value| {
            let param = Param { name: name.to_owned(), carrier: pagination.carrier };
            if !given && param.carrier == Carrier::Query {
                clear_query(&mut call.url, |there| there == name);
            }
            put(call, &param, value)
        };
        match (ask, &pagination.kind) {
            (
                Ask::First,
                Paging::Page { param, start, first: true }
                | Paging::Offset { param, start, first: true, .. },
            ) => page(param, (*start).into())?,
            (Ask::Number(number), Paging::Page { param, .. }) => page(param, (*number).into())?,
            (Ask::Number(before), Paging::Offset { param, start, .. }) => {
                page(param, before.saturating_add(*start).into())?;
            }
            (Ask::Token(token), Paging::Cursor { param, .. }) => page(param, token.clone().into())?,
            (Ask::Value(text), Paging::Cursor { param, .. }) => {
                // Elsewhere it stands as it was written.
                let value = in_json.then(|| exact(text)).flatten();
                page(param, value.unwrap_or_else(|| text.clone().into()))?;
            }
            _ => {}
        }
        match &pagination.size {
            Some(PageSize { param, size }) => page(param, (*size).into()),
            None => Ok(()),
        }
    }

    /// The cursor as the partner takes it.
    fn written(&self, incremental: &Incremental, since: &str, leg: &Leg) -> String {
        let writing = &incremental.writing;
        // What is no time to us goes back as it came, whatever it looks like.
        let is_theirs = matches!(incremental.by, By::Token(_) | By::Delta(_))
            || self.kind == Some(FieldType::Text) && writing.time == TimeFormat::Rfc3339;
        let at = since.parse::<Timestamp>().ok().filter(|_| !is_theirs);
        let value = match at {
            Some(at) => time(writing, at, &self.own(leg), End::From),
            None => since.to_owned(),
        };
        match &writing.template {
            None => value,
            Some(template) => template
                .replace("{field}", self.field.as_deref().unwrap_or_default())
                .replace("{cursor}", &value),
        }
    }

    /// How the partner writes its own times, as far as is known in `leg`.
    fn own(&self, leg: &Leg) -> Own {
        let named = self.zone.filter(|_| leg.spelling.zone == Zone::Unnamed);
        let named = named.and_then(|name| TimeZone::get(name).ok());
        Own { spelling: leg.spelling, zone: named.unwrap_or_else(|| self.feed_zone.clone()) }
    }

    /// Whether a page is led on from by that very parameter.
    fn leads_on_by(&self, param: &Param) -> bool {
        let Pagination { kind, carrier, .. } = &self.request.pagination;
        matches!(kind, Paging::Cursor { param: name, .. } if *name == param.name && *carrier == param.carrier)
    }

    /// What is `written` of a cursor, as JSON has it: where the partner counts, it compares numbers, and a list or an object that
    /// it gave is none as text.
    fn value(&self, incremental: &Incremental, written: String) -> Value {
        let Incremental { by, writing, .. } = incremental;
        if writing.template.is_some() {
            return Value::String(written);
        }
        let counts = match writing.time {
            TimeFormat::UnixSeconds | TimeFormat::UnixMillis => true,
            TimeFormat::Rfc3339 | TimeFormat::Pattern(_) => self.kind == Some(FieldType::Integer),
        };
        let value = match by {
            By::Token(_) if written.starts_with(['[', '{']) => exact(&written),
            _ if counts => written.parse::<i64>().ok().map(Value::from),
            _ => None,
        };
        value.unwrap_or(Value::String(written))
    }

    /// Parameters that this call does not carry leave nothing behind in a text.
    fn clear(&self, text: &mut String) {
        let pagination = &self.request.pagination;
        let paged = match &pagination.kind {
            Paging::Page { param, .. }
            | Paging::Offset { param, .. }
            | Paging::Cursor { param, .. } => Some(param),
            _ => None,
        };
        let since = self
            .request
            .incremental
            .as_ref()
            .and_then(|incremental| incremental.param.as_ref().map(|param| &param.name));
        for name in paged.into_iter().chain(since) {
            *text = text.replace(&format!("{{{name}}}"), "");
        }
    }
}

/// A URL that the partner gave at `first`, within the origin of `base`.
fn within(base: &Url, first: &Url, text: &str) -> Result<Url, WalkError> {
    let mut url = first.join(text).map_err(|_| WalkError::NoUrl)?;
    // Who we are is ours to say. Refused only for URLs that cannot have a user at all.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let bytes = url.as_str().len();
    if bytes > URL_MAX {
        return Err(WalkError::LongUrl { bytes });
    }
    if url.origin() != base.origin() {
        return Err(WalkError::OtherOrigin { origin: url.origin().ascii_serialization() });
    }
    Ok(url)
}

/// Text that is one step of a path stays one: no URL keeps these as they are.
fn path_step(text: &str, what: impl FnOnce() -> String) -> Result<(), WalkError> {
    if matches!(text, "" | "." | "..") {
        return Err(WalkError::NoStep { what: what() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
