//! Looking at a partner now: trying a connection, and sampling data for a feed. Neither changes anything, and both cost
//! the partner a request: so they need a role and are audited, as commands are.

use std::{
    io::{self, Read as _},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use futures_util::StreamExt as _;
use marsad_shared::{
    connection::Link,
    feed::Format,
    id::ConnectionId,
    protocol::{Discover, Discovered, Problem, ProblemCode, SAMPLE_MAX, Test, TestReply},
    role::Act,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::timeout;
use url::Url;

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, conflict, not_found, unavailable},
};
use crate::{
    archive::is_archive,
    decode::charset::Charset,
    discover::{self, Place, Sample, is_within, propose},
    services::Route,
    source::{body::Body as Came, call::Call, fault::shown, http::HttpSource},
    test::test,
};

/// How long a sample may take: who waits for it is a person.
const PATIENCE: Duration = Duration::from_secs(30);

/// `POST /v1/connections/PARTNER/CONNECTION/test`.
pub(super) async fn connection(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Path((partner, name)): Path<(String, String)>,
    asked: Result<Json<Test>, JsonRejection>,
) -> Result<Json<TestReply>, Refusal> {
    let Json(Test { reason }) = asked.map_err(|error| bad_request(error.body_text()))?;
    let id = format!("{partner}/{name}");
    let id: ConnectionId = id.parse().map_err(|_| unknown(&id))?;
    let route = api.services.routes.of(&id).ok_or_else(|| unknown(id.as_str()))?;
    let command = Command {
        peer,
        act: Act::TestConnection,
        object: id.to_string(),
        reason,
        detail: String::new(),
    };
    let services = Arc::clone(&api.services);
    let effect = async move {
        let reply = test(&services, &route).await;
        let failed = reply.steps.iter().find(|tried| !tried.ok);
        let outcome = failed.map_or("all steps went well".to_owned(), |tried| {
            format!("{} failed: {}", tried.step, tried.text)
        });
        Ok((reply, outcome))
    };
    Ok(Json(api.audited(command, effect).await?))
}

fn unknown(id: &str) -> Problem {
    not_found(&format!("connection {id}"), "list them: marsad connections")
}

/// `POST /v1/discover`.
pub(super) async fn discover(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Query<Discover>, QueryRejection>,
    body: Body,
) -> Result<Json<Discovered>, Refusal> {
    let Query(asked) = asked.map_err(|error| bad_request(error.body_text()))?;
    let Discover { url, name, cut, connection, records } = asked;
    let aim = match (url, name) {
        (Some(url), None) => Aim::Url(address(&url)?),
        (None, Some(name)) => Aim::File { name: file_name(name)?, cut },
        _ => return Err(bad_request("name either a url or a file").into()),
    };
    let route = choose(&api, &aim, connection)?;
    let detail = match &aim {
        Aim::Url(url) => shown(url),
        Aim::File { name, .. } => format!("file {name}"),
    };
    let object = route.connection.id.to_string();
    let command = Command { peer, act: Act::DiscoverFeed, object, reason: None, detail };
    let doing = Arc::clone(&api);
    let effect = async move {
        let found = sampled(&doing, route, aim, body, records).await?;
        let outcome = format!("proposed feed {} ({})", found.feed, found.style);
        Ok((found, outcome))
    };
    Ok(Json(api.audited(command, effect).await?))
}

/// What is sampled.
enum Aim {
    Url(Url),
    File { name: String, cut: bool },
}

fn address(text: &str) -> Result<Url, Problem> {
    let url: Url = text.parse().map_err(|error| bad_request(format!("it is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad_request("only http and https can be sampled"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad_request(
            "credentials belong into `auth` of the connection, not into a URL",
        ));
    }
    Ok(url)
}

fn file_name(name: String) -> Result<String, Problem> {
    let odd = name.contains('/') || name.chars().any(char::is_control);
    if name.is_empty() || name.len() > 255 || odd {
        return Err(bad_request("the name is no file name of 1 to 255 bytes"));
    }
    Ok(name)
}

/// The connection that the sample belongs to.
fn choose(api: &Api, aim: &Aim, named: Option<ConnectionId>) -> Result<Route, Problem> {
    let all = api.services.routes.all();
    let base = |route: &Route| match &route.connection.link {
        Link::Http(http) => Some(http.base_url.clone()),
        Link::Folder(_) => None,
    };
    if let Some(id) = named {
        let route = all.into_iter().find(|route| route.connection.id == id);
        let route = route.ok_or_else(|| unknown(id.as_str()))?;
        return match (aim, base(&route)) {
            (Aim::Url(url), Some(base)) if is_within(url, &base) => Ok(route),
            (Aim::Url(_), Some(base)) => {
                Err(outside(format!("the URL does not lie within {base}, where {id} leads")))
            }
            (Aim::Url(_), None) => Err(outside(format!("{id} is a connection of folders"))),
            (Aim::File { .. }, _) => Ok(route),
        };
    }
    match aim {
        Aim::Url(url) => all
            .into_iter()
            .filter(|route| base(route).is_some_and(|base| is_within(url, &base)))
            .max_by_key(|route| base(route).map_or(0, |base| base.path().len()))
            .ok_or_else(|| outside("the URL lies within no connection".to_owned())),
        Aim::File { .. } => {
            let imports = |route: &Route| matches!(&route.connection.link, Link::Folder(folder) if folder.import.is_some());
            let mut folders = all.into_iter().filter(imports);
            match (folders.next(), folders.next()) {
                (Some(only), None) => Ok(only),
                (one, _) => {
                    let why = if one.is_some() {
                        "there are several connections with an import folder"
                    } else {
                        "there is no connection with an import folder"
                    };
                    let remedy = "say where such data comes from: --connection PARTNER/CONNECTION";
                    Err(conflict(NOTHING, why, remedy))
                }
            }
        }
    }
}

const NOTHING: &str = "nothing was sampled";

fn outside(why: String) -> Problem {
    let remedy = "add a [[connection]] with its base_url to the partner's file first: credentials go nowhere else";
    conflict(NOTHING, why, remedy)
}

async fn sampled(
    api: &Api,
    route: Route,
    aim: Aim,
    body: Body,
    records: Option<String>,
) -> Result<Discovered, Problem> {
    let Answered { bytes, cut, headers, says } = match (&aim, &route.source) {
        (Aim::Url(url), Some(source)) => fetched(source, url).await?,
        (Aim::File { cut, .. }, _) => {
            Answered { bytes: taken(body).await?, cut: *cut, headers: Vec::new(), says: None }
        }
        (Aim::Url(_), None) => return Err(outside("it is a connection of folders".to_owned())),
    };
    let partner = &route.connection.partner;
    let mut names = Vec::new();
    for other in api.services.routes.all().iter().filter(|r| r.connection.partner == *partner) {
        let feeds = other.feeds.iter().map(|feed| feed.id.as_str());
        let ids = std::iter::once(other.connection.id.as_str()).chain(feeds);
        names.extend(ids.filter_map(|id| Some(id.split_once('/')?.1.to_owned())));
    }
    let id = route.connection.id.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let base = match &route.connection.link {
            Link::Http(http) => Some(&http.base_url),
            Link::Folder(_) => None,
        };
        let place = match (&aim, base) {
            (Aim::Url(url), base) => Place::Url { url, base: base.unwrap_or(url) },
            (Aim::File { name, .. }, base) => Place::File { name, folder: base.is_none() },
        };
        let connection = route.connection.id.as_str();
        let inside = discover::inside(bytes, cut)?;
        let sample = Sample {
            bytes: &inside.bytes,
            cut: inside.cut,
            says,
            member: inside.member.as_deref(),
            book: inside.book.as_ref(),
            headers: &headers,
            place,
            connection: connection.split_once('/').map_or(connection, |(_, name)| name),
            records: records.as_deref(),
            taken: &names,
        };
        propose(&sample)
    });
    let found = looked.await.map_err(|_| unavailable())?;
    let found = found.map_err(|error| Problem {
        code: ProblemCode::Failed,
        what: "no feed can be proposed".to_owned(),
        why: error.why,
        remedy: error.remedy.to_owned(),
    })?;
    Ok(Discovered {
        connection: id,
        style: found.style.words().to_owned(),
        feed: found.feed,
        block: found.block,
        notes: found.notes,
    })
}

/// What is sampled, as it came.
struct Answered {
    bytes: Vec<u8>,
    /// Only the beginning of something longer.
    cut: bool,
    /// Its headers; several of one name are one (RFC 9110 section 5.3).
    headers: Vec<(String, String)>,
    /// The encoding that it says to be in, where all of it is UTF-8.
    says: Option<&'static str>,
}

async fn fetched(source: &HttpSource, url: &Url) -> Result<Answered, Problem> {
    let failed = |why: String, remedy: &str| Problem {
        code: ProblemCode::Failed,
        what: NOTHING.to_owned(),
        why,
        remedy: remedy.to_owned(),
    };
    source.gate().hasten();
    let call = Call::get(url.clone());
    let Ok(answer) = timeout(PATIENCE, source.get(&call, None)).await else {
        let why = format!("{}: no whole answer came in 30 s", shown(url));
        return Err(failed(why, "ask for fewer records, or for something smaller"));
    };
    let answer = answer.map_err(|error| {
        let (why, remedy) = error.parted();
        failed(why, &remedy)
    })?;
    let mask = source.mask();
    let mut headers = headers(&answer.headers);
    if let Some(mask) = &mask {
        for (_, text) in &mut headers {
            *text = String::from_utf8_lossy(&mask.held(text.as_bytes(), false)).into_owned();
        }
    }
    let body = answer.body.clone();
    let said = answer.header(CONTENT_TYPE).map(str::to_owned);
    let sample = tokio::task::spawn_blocking(move || text_of(&body, said.as_deref()));
    let sample = sample.await.map_err(|_| unavailable())?;
    let (mut bytes, says) = sample.map_err(|error: io::Error| {
        failed(
            format!("{}: the answer cannot be read ({error})", shown(url)),
            "try again, and see the daemon's log",
        )
    })?;
    let cut = bytes.len() > SAMPLE_MAX;
    if let Some(mask) = mask {
        let json = bytes.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
        bytes = mask.held(&bytes, json).into_owned();
    }
    bytes.truncate(SAMPLE_MAX);
    Ok(Answered { bytes, cut, headers, says })
}

fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let of = |name| {
        let lines = all.get_all(name).iter();
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        lines.join(", ")
    };
    all.keys().map(|name| (name.to_string(), of(name))).collect()
}

/// The begin of an answer, as a feed that names no encoding would be read, and what it says to be in where it is UTF-8. What
/// says itself in which encoding it is stays as it came.
fn text_of(body: &Came, said: Option<&str>) -> io::Result<(Vec<u8>, Option<&'static str>)> {
    let (most, mut bytes) = (SAMPLE_MAX as u64 + 1, Vec::new());
    // Of all formats it is only XML that may say so, and any XML is taken here as that of SDMX is.
    let charset = Charset::of_document(Format::Sdmx, body.begin(), None, said);
    let charset = charset.filter(|_| !is_archive(body.begin()));
    if let Some(charset) = charset {
        let mut text = charset.read(body.open());
        text.by_ref().take(most).read_to_end(&mut bytes)?;
        if !text.is_utf8_after_all() {
            return Ok((bytes, None));
        }
        bytes.clear();
    }
    body.open().take(most).read_to_end(&mut bytes)?;
    Ok((bytes, charset.map(Charset::name)))
}

/// The file's first bytes, as they were sent.
async fn taken(body: Body) -> Result<Vec<u8>, Problem> {
    let (mut stream, mut bytes) = (body.into_data_stream(), Vec::new());
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| bad_request("the file did not come whole"))?;
        if bytes.len() + piece.len() > SAMPLE_MAX {
            return Err(Problem {
                code: ProblemCode::TooLarge,
                what: NOTHING.to_owned(),
                why: "the sample is larger than 8 MiB".to_owned(),
                remedy: "send its beginning, with cut=true".to_owned(),
            });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{ISO_8859_6, WINDOWS_1256};

    use super::*;

    #[test]
    fn an_answer_is_sampled_as_a_feed_would_read_it() {
        let xml = |of: &str| format!("<?xml version='1.0'{of}?><a>قيد</a>");
        let declared = xml(" encoding='windows-1256'");
        let windows = |text: &str| WINDOWS_1256.encode(text).0.into_owned();
        let arabic = "text/xml; charset=windows-1256";
        for (body, said, expected, says, why) in [
            (windows("id\nقيد"), arabic, "id\nقيد".into(), None, "as its header says"),
            ("id\nقيد".into(), arabic, "id\nقيد".into(), Some("windows-1256"), "it is UTF-8"),
            (windows(&declared), arabic, windows(&declared), None, "as it declares itself"),
            (
                ISO_8859_6.encode(&xml(" encoding='iso-8859-6'")).0.into_owned(),
                arabic,
                ISO_8859_6.encode(&xml(" encoding='iso-8859-6'")).0.into_owned(),
                None,
                "its declaration goes before its header",
            ),
            (windows(&xml("")), arabic, xml("").into_bytes(), None, "it leaves that to its header"),
            (b"PK\x03\x04\xff".to_vec(), arabic, b"PK\x03\x04\xff".to_vec(), None, "an archive"),
        ] {
            let (bytes, found) = text_of(&bytes::Bytes::from(body).into(), Some(said)).unwrap();
            assert_eq!((bytes, found), (expected, says), "{why}");
        }
    }
}
