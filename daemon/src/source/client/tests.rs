//! Through real sockets: where requests go and where they do not, and whom TLS trusts.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use marsad_shared::{
    connection::{Auth, Http, Identity, KeyPlace, Tls},
    health::Reason,
};
use rcgen::KeyPair;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::source::{
    bench::{Authority, Pair, Server, acceptor, call, http, says, source, tls_server},
    call::Call,
    fault::FetchError,
    http::HttpSource,
};

mod broken;
mod redirects;

fn plain(base: Url) -> Http {
    http(base, Auth::None)
}

#[tokio::test]
async fn all_requests_go_through_the_proxy_that_was_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Server::start(|_, _| says(200, &[], "[]")).await;
    let base: Url = "http://partner.example/api".parse().unwrap();
    let way = Http { proxy: Some(proxy.url("/")), ..plain(base.clone()) };
    let call = Call::get("http://partner.example/api/x".parse().unwrap());
    source(way, folder.path()).get(&call, None).await.unwrap();
    assert_eq!(proxy.asked()[0].uri, "http://partner.example/api/x");
}

/// Who cannot be reached through a proxy is that, as far as we know, and not the partner.
#[tokio::test]
async fn a_proxy_that_fails_is_not_the_partner() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Server::start(|_, _| says(407, &[("proxy-authenticate", "Basic")], "")).await;
    for (base, proxy, said) in [
        ("http://10.77.77.77/", format!("http://{closed}"), "by way of our proxy http://127.0.0.1"),
        (
            "https://10.77.77.77/",
            format!("http://{closed}"),
            "by way of our proxy http://127.0.0.1",
        ),
        ("http://10.77.77.77/", format!("socks5://{closed}"), "by way of our proxy socks5://127"),
        ("https://10.77.77.77/", proxy.url("/").to_string(), "proxy authorization required"),
        ("http://10.77.77.77/", proxy.url("/").to_string(), "without a log-in"),
    ] {
        let way = Http { proxy: Some(proxy.parse().unwrap()), ..plain(base.parse().unwrap()) };
        let error = get(&source(way, folder.path())).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.reason(), Some(Reason::Network), "{text}");
        assert!(error.is_ours() && text.contains(said) && text.contains("proxy"), "{text}");
    }
}

/// What it says in the partner's place is told apart from what the partner says through it.
#[tokio::test]
async fn the_word_of_a_proxy_is_not_the_partners() {
    let folder = tempfile::tempdir().unwrap();
    let (network, down) = (Reason::Network, Reason::Http5xx);
    for (status, header, reason, said) in [
        (403, Some(("x-squid-error", "ERR_ACCESS_DENIED 0")), network, "(ERR_ACCESS_DENIED 0)"),
        (
            511,
            Some(("x-squid-error", "ERR_CACHE_ACCESS_DENIED 0")),
            network,
            "our proxy http://127",
        ),
        (407, Some(("x-squid-error", "ERR_CACHE_ACCESS_DENIED 0")), network, "without a log-in"),
        (
            403,
            Some(("proxy-status", "gate; error=http_request_denied")),
            network,
            "not the partner",
        ),
        (
            403,
            Some(("proxy-status", "far; error=http_request_denied, near; received-status=403")),
            Reason::Auth,
            "the partner answered 403",
        ),
        (503, Some(("x-squid-error", "ERR_CONNECT_FAIL 111")), down, "(ERR_CONNECT_FAIL 111)"),
        (503, Some(("proxy-status", "gate; received-status=503")), down, "the partner answered"),
        (403, None, Reason::Auth, "the partner answered 403"),
        (
            403,
            Some(("proxy-status", "gate; error=x; details=\"s3cret-0123456789\"")),
            network,
            "repeats a secret",
        ),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let proxy = Server::start(move |_, _| says(status, &headers, "")).await;
        let base: Url = "http://10.77.77.77/".parse().unwrap();
        let auth = Auth::Bearer { token: "s3cret-0123456789".into() };
        let way = Http { proxy: Some(proxy.url("/")), ..http(base, auth) };
        let error = get(&source(way, folder.path())).await.unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(error.reason() == Some(reason) && text.contains(said), "{error:?}");
    }
}

#[tokio::test]
async fn a_proxy_of_sockets_is_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy: Url = format!("socks5h://{}", listener.local_addr().unwrap()).parse().unwrap();
    let asked = tokio::spawn(async move {
        let (mut line, _) = listener.accept().await.unwrap();
        let mut hello = [0; 3];
        line.read_exact(&mut hello).await.unwrap();
        line.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        line.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; usize::from(head[4]) + 2];
        line.read_exact(&mut rest).await.unwrap();
        line.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).await.unwrap();
        let mut request = [0; 64];
        let _ = line.read(&mut request).await.unwrap();
        line.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await.unwrap();
        rest
    });
    let base: Url = "http://partner.example/".parse().unwrap();
    let way = Http { proxy: Some(proxy), ..plain(base.clone()) };
    source(way, folder.path()).get(&Call::get(base), None).await.unwrap();
    assert!(asked.await.unwrap().starts_with(b"partner.example"), "it looks the name up itself");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_for_good() {
    #[derive(Debug)]
    struct Rebound;
    impl reqwest::dns::Resolve for Rebound {
        fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
            let found = vec![SocketAddr::from(([169, 254, 169, 254], 0))];
            let checked = allowed(name.as_str(), found);
            Box::pin(async move {
                let addresses: reqwest::dns::Addrs = Box::new(checked?.into_iter());
                Ok(addresses)
            })
        }
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url: Url = "http://partner.example/x".parse().unwrap();
    let way = Way::of(&plain(url.clone()));
    let client = way.builder().unwrap().dns_resolver(Arc::new(Rebound)).build().unwrap();
    let error = client.get(url.clone()).send().await.unwrap_err();
    let error = FetchError::of_transport(&error, &url, false);
    assert!(matches!(error, FetchError::Final { reason: Reason::Dns, .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("partner.example leads to 169.254.169.254") && text.contains("base_url"),
        "{text}"
    );
}

fn files() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Puts a file there as a careful person does: beside it, closed, and then in its place.
fn write(folder: &TempDir, name: &str, text: &str) {
    let part = folder.path().join("part");
    fs::write(&part, text).unwrap();
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(part, folder.path().join(name)).unwrap();
}

fn trusting(folder: &TempDir) -> Tls {
    Tls { ca: Some(folder.path().join("ca.pem")), identity: None }
}

fn showing(folder: &Path) -> Identity {
    let file = |name: &str| -> PathBuf { folder.join(name) };
    Identity { cert: file("our.pem"), key: file("our.key"), passphrase: None }
}

async fn get(source: &HttpSource) -> Result<(), FetchError> {
    source.get(&Call::get(source.http.base_url.clone()), None).await.map(|_| ())
}

/// A chain is good as long as all that it stands on: what is shown besides, and stands beside it, does not count.
#[tokio::test]
async fn the_end_of_a_chain_is_that_of_its_first_part() {
    let folder = files();
    let (root, other) = (Authority::new("Root"), Authority::new("Other"));
    let (short, long) = (root.under("Short", 2040), root.under("Long", 2095));
    let aside = other.under("Aside", 2035);
    write(&folder, "ca.pem", &root.pem);
    let shown = |by: &Authority, between: &[&Authority]| {
        let mut pair = by.pair("127.0.0.1", 2020, 2090);
        for one in between {
            pair.cert.push_str(&one.pem);
        }
        pair
    };
    for (pair, until, why) in [
        (shown(&short, &[&short]), 2040, "who vouches for it ends first"),
        (shown(&long, &[&long]), 2090, "it ends first itself"),
        (shown(&long, &[&long, &aside, &short]), 2090, "others are no part of it"),
        (shown(&root, &[&short]), 2090, "nobody stands between"),
    ] {
        let address = tls_server(acceptor(&pair, None, &[])).await;
        let way = Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
        let source = source(way, folder.path());
        get(&source).await.unwrap();
        assert_eq!(year(source.certificates().borrow().theirs_until), Some(until), "{why}");
    }
    // The same certificate, under who vouches for it anew.
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let (old, new) = (root.again("Again", 2040, &key), root.again("Again", 2095, &key));
    let pair = old.pair("127.0.0.1", 2020, 2090);
    let chain = |by: &Authority| Pair { cert: format!("{}{}", pair.cert, by.pem), ..pair.clone() };
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = line.local_addr().unwrap();
    let way = Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
    let source = source(way, folder.path());
    for (by, until) in [(&old, 2040), (&new, 2090), (&old, 2040)] {
        let acceptor = acceptor(&chain(by), None, &[]);
        let (asked, ()) = tokio::join!(get(&source), answer_once(&line, acceptor));
        asked.unwrap();
        assert_eq!(year(source.certificates().borrow().theirs_until), Some(until));
    }
}

/// What was put in place of one that had ended may be the one from before that.
#[tokio::test]
async fn a_certificate_that_comes_back_is_good_as_long_as_it_was() {
    let folder = files();
    let authority = Authority::new("Health");
    write(&folder, "ca.pem", &authority.pem);
    let (good, ended) =
        (authority.pair("127.0.0.1", 2020, 2090), authority.pair("127.0.0.1", 2020, 2025));
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let way = Http {
        tls: Some(trusting(&folder)),
        ..plain(base("127.0.0.1", line.local_addr().unwrap()))
    };
    let source = source(way, folder.path());
    for (pair, until) in [(&good, 2090), (&ended, 2025), (&good, 2090)] {
        let acceptor = acceptor(pair, None, &[]);
        let (asked, ()) = tokio::join!(get(&source), answer_once(&line, acceptor));
        assert_eq!(asked.is_ok(), until == 2090, "{asked:?}");
        assert_eq!(year(source.certificates().borrow().theirs_until), Some(until));
    }
}

/// Answers one request of one connection, and ends that; whoever refuses the certificate asks for nothing.
async fn answer_once(line: &TcpListener, acceptor: tokio_rustls::TlsAcceptor) {
    let (stream, _) = line.accept().await.unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(stream.read_u8().await.unwrap());
    }
    let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]";
    stream.write_all(answer).await.unwrap();
    stream.shutdown().await.unwrap();
}

fn year(of: Option<Timestamp>) -> Option<i16> {
    of.map(|at| jiff::tz::TimeZone::UTC.to_datetime(at).year())
}

fn base(host: &str, address: SocketAddr) -> Url {
    format!("https://{host}:{}/", address.port()).parse().unwrap()
}

#[tokio::test]
async fn only_the_authority_that_was_written_down_is_trusted_and_only_for_its_host_and_time() {
    let folder = files();
    let (ours, other) = (Authority::new("Ours"), Authority::new("Other"));
    write(&folder, "ca.pem", &ours.pem);
    for (pair, reason, said, until) in [
        (ours.pair("127.0.0.1", 2020, 2090), None, "", Some(2090)),
        (other.pair("127.0.0.1", 2020, 2090), Some(Reason::TlsUntrusted), "tls.ca", None),
        (
            ours.pair("127.0.0.1", 2020, 2025),
            Some(Reason::TlsExpired),
            "good until 2025-01-01T00:00:00Z",
            Some(2025),
        ),
        (
            ours.pair("127.0.0.1", 2089, 2090),
            Some(Reason::TlsUntrusted),
            "good from 2089-01-01T00:00:00Z on",
            None,
        ),
        (
            ours.pair("other.example", 2020, 2090),
            Some(Reason::TlsUntrusted),
            "of other.example, not of 127.0.0.1",
            None,
        ),
    ] {
        let address = tls_server(acceptor(&pair, None, &[])).await;
        let way = Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
        let source = source(way, folder.path());
        let outcome = get(&source).await;
        let text = outcome.as_ref().map_or_else(ToString::to_string, |()| String::new());
        assert_eq!(outcome.err().and_then(|error| error.reason()), reason, "{text}");
        assert!(text.contains(said), "{text}");
        assert_eq!(year(source.certificates().borrow().theirs_until), until, "{text}");
    }
    // Without it the system's authorities are asked, and none of them knows ours.
    let pair = ours.pair("127.0.0.1", 2020, 2090);
    let address = tls_server(acceptor(&pair, None, &[])).await;
    let error = get(&source(plain(base("127.0.0.1", address)), folder.path())).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::TlsUntrusted), "{error}");
}

/// What becomes of a certificate that a server made for itself, as an authority's, where that is the one written down.
async fn self_made(host: &str, from: i32, until: i32, is_the_one: bool) -> Result<(), FetchError> {
    let folder = files();
    let own = Pair::self_made(host, from, until);
    let written =
        if is_the_one { own.cert.clone() } else { Pair::self_made(host, from, until).cert };
    write(&folder, "ca.pem", &written);
    let address = tls_server(acceptor(&own, None, &[])).await;
    let way = Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
    get(&source(way, folder.path())).await
}

#[tokio::test]
async fn a_certificate_that_a_server_made_for_itself_is_good_if_it_is_the_very_one() {
    self_made("127.0.0.1", 2020, 2090, true).await.unwrap();
    for (host, from, until, is_the_one, reason, said) in [
        ("127.0.0.1", 2020, 2090, false, Reason::TlsUntrusted, "tls.ca"),
        ("other.example", 2020, 2090, true, Reason::TlsUntrusted, "of other.example"),
        ("127.0.0.1", 2020, 2025, true, Reason::TlsExpired, "good until 2025-01-01"),
        ("127.0.0.1", 2089, 2090, true, Reason::TlsUntrusted, "good from 2089-01-01"),
    ] {
        let error = self_made(host, from, until, is_the_one).await.unwrap_err();
        assert_eq!(error.reason(), Some(reason), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn who_must_show_a_certificate_and_has_none_is_told_so() {
    let folder = files();
    let authority = Authority::new("Courts");
    write(&folder, "ca.pem", &authority.pem);
    let pair = authority.pair("127.0.0.1", 2020, 2090);
    let address = tls_server(acceptor(&pair, Some(&authority), &[])).await;
    let way = Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
    let error = get(&source(way.clone(), folder.path())).await.unwrap_err();
    assert!(matches!(error, FetchError::Final { reason: Reason::Auth, .. }), "{error:?}");
    assert!(error.to_string().contains("tls.cert"), "{error}");

    let Pair { cert, key } = authority.pair("marsad.example", 2020, 2080);
    write(&folder, "our.pem", &cert);
    write(&folder, "our.key", &key);
    let tls = Tls { identity: Some(showing(folder.path())), ..trusting(&folder) };
    let source = source(Http { tls: Some(tls), ..way }, folder.path());
    get(&source).await.unwrap();
    let known = *source.certificates().borrow();
    assert_eq!((year(known.theirs_until), year(known.ours_until)), (Some(2090), Some(2080)));
}

#[tokio::test]
async fn certificates_that_change_are_used_by_the_next_request_and_broken_ones_are_not() {
    let folder = files();
    let (old, new) = (Authority::new("Old"), Authority::new("New"));
    let (pair, later) = (old.pair("127.0.0.1", 2020, 2090), new.pair("127.0.0.1", 2020, 2091));
    let (first, second) = (
        tls_server(acceptor(&pair, None, &[])).await,
        tls_server(acceptor(&later, None, &[])).await,
    );
    write(&folder, "ca.pem", &old.pem);
    let to = |address| Http { tls: Some(trusting(&folder)), ..plain(base("127.0.0.1", address)) };
    let (one, two) = (source(to(first), folder.path()), source(to(second), folder.path()));
    get(&one).await.unwrap();
    get(&two).await.unwrap_err();

    // Broken: the old one stays.
    write(&folder, "ca.pem", "-----BEGIN CERTIFICATE-----");
    past_the_next_look().await;
    get(&one).await.unwrap();
    get(&two).await.unwrap_err();
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    past_the_next_look().await;
    get(&one).await.unwrap();

    write(&folder, "ca.pem", &new.pem);
    past_the_next_look().await;
    get(&two).await.unwrap();
    let error = get(&one).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::TlsUntrusted), "no connection of before is used");
}

/// Lets the clock of waits go on until files are looked at again; nobody sleeps.
async fn past_the_next_look() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    tokio::time::resume();
}
