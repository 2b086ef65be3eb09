//! The steps over HTTP: name, connection, TLS, credentials, answer, records. The first three are looked at on their own,
//! so that one can say which failed; the request itself is the connection's real one.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use marsad_shared::{
    connection::Auth,
    feed::{Feed, Origin},
    health::{PollResult, Reason},
    protocol::TestStep,
    request::Request,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use url::{Host, Url};

use super::{PROBE, Trial, record, tls};
use crate::{
    services::Services,
    source::{
        asking::{Asker, Leg},
        call::Call,
        client::allowed,
        fault::{FetchError, UNTOLD, is_untold},
        http::{Answer, HttpSource},
        walk::Ask,
    },
};

/// Where a SOCKS proxy listens if nobody says.
const SOCKS: u16 = 1080;
/// How long the request may take, with all of its body: who waits for it is a person.
const REQUEST: Duration = Duration::from_secs(20);

pub(super) async fn walk(
    trial: &mut Trial,
    source: &Arc<HttpSource>,
    feeds: &[Arc<Feed>],
    services: &Services,
) {
    let base = &source.http.base_url;
    // Where a proxy stands in between, it is what we can see of the way.
    let proxy = source.http.proxy.as_ref();
    let next = proxy.unwrap_or(base);
    let Some(addresses) = resolve(trial, next, proxy).await else { return };
    let Some(stream) = connect(trial, (next, proxy), &addresses).await else { return };
    if base.scheme() == "https" && proxy.is_some() {
        trial.good(TestStep::Tls, Instant::now(), "behind the proxy: judged by the answer");
    } else if base.scheme() == "https" {
        let began = Instant::now();
        let seen = tls::look(base, stream, services.clock.now()).await;
        trial.good(TestStep::Tls, began, &seen);
    }
    // A person wants to know: what we keep back by ourselves goes out.
    source.gate().hasten();
    if !prove(trial, source).await {
        return;
    }
    let Some((feed, leg)) = choose(feeds, services).await else {
        return bare(trial, source, feeds).await;
    };
    let Some((answer, call)) = ask(trial, source, &feed, &leg).await else { return };
    let slow = answer.first_byte > source.http.slow;
    let good = if slow { PollResult::Slow } else { PollResult::Ok { near_limit: false } };
    trial.result = Some((good, None));
    let folder = services.store.folder.path();
    record::look(trial, source, &feed, answer, call, &services.rooms, folder).await;
}

/// The feed whose first page is looked at, with what is asked for: the first that is asked for without anybody else's
/// records, else the first that has such a record. One that has the partner make a file is more than a look.
async fn choose(feeds: &[Arc<Feed>], services: &Services) -> Option<(Arc<Feed>, Leg)> {
    let mut children = Vec::new();
    for feed in feeds {
        match &feed.origin {
            Origin::Http(Request { export: None, each: None, .. }) => {
                return Some((Arc::clone(feed), Leg::default()));
            }
            Origin::Http(Request { export: None, each: Some(each), .. }) => {
                children.push((feed, each.clone()));
            }
            _ => {}
        }
    }
    for (feed, each) in children {
        let first = services
            .store
            .cache
            .call(move |cache| cache.value_after(&each.feed, &each.column, None))
            .await;
        if let Ok(Some(parent)) = first {
            return Some((Arc::clone(feed), Leg { parent: Some(parent), ..Leg::default() }));
        }
    }
    None
}

/// Asks at `base_url`, where nothing of the feeds can be looked at: that somebody answers is all there is to know.
async fn bare(trial: &mut Trial, source: &HttpSource, feeds: &[Arc<Feed>]) {
    let began = Instant::now();
    source.gate().hasten();
    match get(source, &Call::get(source.http.base_url.clone())).await {
        Ok(answer) => {
            taken_in(trial, source);
            trial.good(TestStep::Answer, began, answer.status.to_string());
        }
        Err(error) if error.reason() == Some(Reason::Http4xx) => {
            let (what, _) = error.parted();
            trial.good(TestStep::Answer, began, format!("{what}, and so somebody answers"));
        }
        Err(error) => return refused(trial, began, &error),
    }
    trial.result = Some((PollResult::Ok { near_limit: false }, None));
    trial.good(TestStep::Record, Instant::now(), nothing_to_look_at(feeds));
}

async fn get(source: &HttpSource, call: &Call) -> Result<Answer, FetchError> {
    timeout(REQUEST, source.get(call, None)).await.unwrap_or_else(|_| {
        let what = "no whole answer came in 20 s";
        Err(FetchError::of(Reason::ReadTimeout, &call.url, what))
    })
}

/// Why no records were looked at.
fn nothing_to_look_at(feeds: &[Arc<Feed>]) -> String {
    let why = feeds.iter().find_map(|feed| match &feed.origin {
        Origin::Http(Request { export: Some(_), .. }) => {
            Some(format!("{}: an export is made by a run, and not for a test", feed.id))
        }
        Origin::Http(Request { each: Some(each), .. }) => Some(format!(
            "{}: {} has no records to ask for yet; read that first",
            feed.id, each.feed
        )),
        _ => None,
    });
    why.unwrap_or_else(|| "no feed is read over it".to_owned())
}

async fn resolve(trial: &mut Trial, base: &Url, proxy: Option<&Url>) -> Option<Vec<SocketAddr>> {
    let began = Instant::now();
    let port = base.port_or_known_default().unwrap_or(SOCKS);
    let host = match base.host()? {
        Host::Ipv4(address) => {
            trial.good(TestStep::Resolve, began, "the host is an address");
            return Some(vec![(address, port).into()]);
        }
        Host::Ipv6(address) => {
            trial.good(TestStep::Resolve, began, "the host is an address");
            return Some(vec![(address, port).into()]);
        }
        Host::Domain(name) => name,
    };
    let found = match timeout(PROBE, lookup_host((host, port))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) if is_untold(&error.to_string()) => {
            let error = FetchError::of(Reason::Resolver, base, UNTOLD);
            trial.fault(TestStep::Resolve, began, &error);
            return None;
        }
        Ok(Err(_)) => Vec::new(),
        Err(_) => {
            let error = FetchError::of(Reason::Resolver, base, "no name server answers in 5 s");
            trial.fault(TestStep::Resolve, began, &error);
            return None;
        }
    };
    if found.is_empty() {
        let error = FetchError::of(Reason::Dns, base, "the host's name is not found");
        let error = error.by_way_of(proxy);
        trial.fault(TestStep::Resolve, began, &error);
        return None;
    }
    let found = match allowed(host, found) {
        Ok(found) => found,
        Err(forbidden) => {
            let error = FetchError::of(Reason::Dns, base, &forbidden.to_string());
            trial.fault(TestStep::Resolve, began, &error);
            return None;
        }
    };
    let shown: Vec<_> = found.iter().take(4).map(|address| address.ip().to_string()).collect();
    trial.good(TestStep::Resolve, began, shown.join(", "));
    Some(found)
}

async fn connect(
    trial: &mut Trial,
    (base, proxy): (&Url, Option<&Url>),
    addresses: &[SocketAddr],
) -> Option<TcpStream> {
    let began = Instant::now();
    let until = began + PROBE;
    let mut last = None;
    for address in addresses {
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                trial.good(TestStep::Connect, began, address.to_string());
                return Some(stream);
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => break,
        }
    }
    let (reason, what) = match last.map(|error| error.kind()) {
        None | Some(io::ErrorKind::TimedOut) => {
            (Reason::ConnectTimeout, "no connection in 5 s".to_owned())
        }
        Some(io::ErrorKind::ConnectionRefused) => {
            (Reason::ConnectRefused, "connection refused".to_owned())
        }
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
            (Reason::Network, "our network has no way there".to_owned())
        }
        Some(kind) => (Reason::ConnectRefused, format!("cannot connect ({kind})")),
    };
    let error = FetchError::of(reason, base, &what).by_way_of(proxy);
    trial.fault(TestStep::Connect, began, &error);
    None
}

/// Gets a token, where one is given out; everything else is judged by the answer ([`taken_in`], [`refused`]).
async fn prove(trial: &mut Trial, source: &HttpSource) -> bool {
    let began = Instant::now();
    match timeout(REQUEST, source.prove()).await {
        Ok(Ok(given)) => {
            let text = match &source.http.auth {
                Auth::None => "none is configured",
                _ if given => "a token was given out",
                _ => "judged by the answer",
            };
            trial.good(TestStep::Auth, began, text);
            true
        }
        Ok(Err(error)) => {
            trial.fault(TestStep::Auth, began, &error);
            false
        }
        Err(_) => {
            let base = &source.http.base_url;
            let what = "what proves who we are was not given out in 20 s";
            let error = FetchError::of(Reason::FirstByteTimeout, base, what);
            trial.fault(TestStep::Auth, began, &error);
            false
        }
    }
}

/// A good answer came: whatever we showed with the request was enough for it.
fn taken_in(trial: &mut Trial, source: &HttpSource) {
    let auth = trial.steps.iter_mut().find(|tried| tried.step == TestStep::Auth);
    if let Some(auth) = auth.filter(|_| !matches!(source.http.auth, Auth::None)) {
        "accepted".clone_into(&mut auth.text);
    }
}

/// The first page of the feed.
async fn ask(
    trial: &mut Trial,
    source: &HttpSource,
    feed: &Feed,
    leg: &Leg,
) -> Option<(Answer, Call)> {
    let base = &source.http.base_url;
    let began = Instant::now();
    let call = match first(base, feed, leg) {
        Ok(call) => call,
        Err(what) => {
            trial.bad(TestStep::Answer, began, &what, "mend `path` of the feed");
            return None;
        }
    };
    match get(source, &call).await {
        Ok(answer) => {
            let (status, bytes) = (answer.status, answer.body.len());
            let first = answer.first_byte.as_millis();
            let text = format!("{status}, first byte after {first} ms, {bytes} bytes");
            taken_in(trial, source);
            trial.good(TestStep::Answer, began, &text);
            Some((answer, call))
        }
        Err(error) => {
            refused(trial, began, &error);
            None
        }
    }
}

/// Notes an answer that is none, at the step that it speaks of.
fn refused(trial: &mut Trial, began: Instant, error: &FetchError) {
    let step = match error.reason() {
        Some(Reason::Auth) => TestStep::Auth,
        Some(Reason::TlsExpired | Reason::TlsHandshake | Reason::TlsUntrusted) => TestStep::Tls,
        _ => TestStep::Answer,
    };
    // What stood behind it was not true after all.
    trial.steps.retain(|tried| tried.step != TestStep::Auth || step != TestStep::Tls);
    // The certificate that was shown says more than the verdict.
    let shown = trial.steps.iter().find(|tried| tried.step == TestStep::Tls);
    let shown = shown.filter(|_| step == TestStep::Tls).map(|tried| tried.text.clone());
    trial.fault(step, began, error);
    if let (Some(shown), Some(last)) = (shown, trial.steps.last_mut()) {
        last.text = format!("{}; {shown}", last.text);
    }
}

fn first(base: &Url, feed: &Feed, leg: &Leg) -> Result<Call, String> {
    let Origin::Http(request) = &feed.origin else { return Ok(Call::get(base.clone())) };
    let asker = Asker::new(base, feed, request);
    asker.call(leg, &Ask::First).map_err(|error| error.to_string())
}
