//! Answers through a real socket: which are taken, and what is known of their end.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use marsad_shared::{
    connection::{Auth, KeyPlace},
    request::OnStatus,
    store::cache::Validators,
};

use super::*;
use crate::source::bench::{Server, call, http, says, source};

const NOTHING: &str = r#"{"errors":[{"code":100,"title":"NoResultsFound"}]}"#;

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let server = Server::start(|asked, _| match asked.uri.path() {
        "/page" => says(206, &[("content-range", "0-1/900")], "[]"),
        "/part" => says(206, &[("content-range", "bytes 0-1/900")], "[]"),
        _ => says(304, &[], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let source = source(http(server.url("/"), Auth::None), folder.path());
    let tagged = Validators { etag: Some("\"v1\"".to_owned()), ..Validators::default() };
    let of = async |path: &str, known: Option<&Validators>| {
        let got = source.get(&call(&server, path), known).await;
        got.map(|answer| answer.status.as_u16()).map_err(|error| error.reason())
    };
    assert_eq!(of("/page", None).await, Ok(206), "records are counted there, and not bytes");
    assert_eq!(of("/part", None).await, Err(Some(Reason::Truncated)));
    assert_eq!(of("/part", Some(&tagged)).await, Err(Some(Reason::Truncated)));
    assert_eq!(of("/same", None).await, Err(Some(Reason::RemoteFault)));
    let unnamed = Validators::default();
    assert_eq!(of("/same", Some(&unnamed)).await, Err(Some(Reason::RemoteFault)));
    assert_eq!(of("/same", Some(&tagged)).await, Ok(304));
}

#[tokio::test]
async fn a_service_of_sdmx_says_no_results_with_a_404() {
    let server = Server::start(|asked, _| match asked.uri.path() {
        "/nothing" => says(404, &[("content-type", "application/json")], NOTHING),
        "/refused" => says(400, &[], NOTHING),
        _ => says(404, &[], "no such page"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let source = source(http(server.url("/"), Auth::None), folder.path());
    for (path, sdmx, expected) in [
        ("/nothing", true, Ok(true)),
        ("/nothing", false, Err(Some(Reason::Http4xx))),
        ("/refused", true, Err(Some(Reason::Http4xx))),
        ("/else", true, Err(Some(Reason::Http4xx))),
    ] {
        let got = source.get(&Call { sdmx, ..call(&server, path) }, None).await;
        let got = got.map(|answer| answer.nothing && answer.body.is_empty());
        assert_eq!(got.map_err(|error| error.reason()), expected, "{path}, {sdmx}");
    }
}

/// What a gateway says is nothing that its partner says.
#[tokio::test]
async fn a_gateway_does_not_say_that_there_are_no_records() {
    let server = Server::start(|asked, _| match asked.uri.path() {
        "/partner" => says(404, &[], NOTHING),
        _ => says(404, &[("X-Road-Error", "Server.ServerProxy.UnknownService")], NOTHING),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let source = source(http(server.url("/"), Auth::None), folder.path());
    let statuses = vec![(404, OnStatus::Empty)];
    for (statuses, sdmx) in [(statuses, false), (Vec::new(), true)] {
        for (path, expected) in
            [("/partner", Ok(true)), ("/gateway", Err(Some(Reason::GatewayFault)))]
        {
            let call = Call { sdmx, statuses: statuses.clone(), ..call(&server, path) };
            let got = source.get(&call, None).await.map(|answer| answer.nothing);
            assert_eq!(got.map_err(|error| error.reason()), expected, "{path}, {sdmx}");
        }
    }
}

#[tokio::test]
async fn what_repeats_our_key_in_a_header_is_not_shown() {
    let server = Server::start(|asked, _| {
        let key = asked.header("x-key").unwrap_or_default().to_owned();
        says(200, &[("Content-Encoding", &key)], "[]")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let key = "4F9a0c17-Hunter2";
    let auth = Auth::ApiKey { place: KeyPlace::Header, name: "X-Key".to_owned(), key: key.into() };
    let source = source(http(server.url("/"), auth), folder.path());
    let error = source.get(&call(&server, "/x"), None).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.reason(), Some(Reason::Encoding));
    assert!(!text.to_lowercase().contains(&key.to_lowercase()), "{text}");
}

#[tokio::test]
async fn a_body_that_only_the_connection_ends_is_known_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = [
        ("HTTP/1.0 200 OK\r\n\r\n{}\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}\n", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n{}\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n{}\n", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: x, CHUNKED\r\nConnection: close\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n",
            false,
        ),
    ];
    let server = tokio::spawn(async move {
        for (answer, _) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let url: Url = format!("http://{address}/").parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = source(http(url.clone(), Auth::None), folder.path());
    for (written, expected) in answers {
        let answer = source.get(&Call::get(url.clone()), None).await.unwrap();
        assert_eq!((answer.open_ended, answer.body.begin()), (expected, &b"{}\n"[..]), "{written}");
    }
    server.await.unwrap();
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    let urls = [
        "https://p.example/a",
        "https://p.example:443/b?c",
        "https://user:word@P.EXAMPLE/",
        "http://p.example/a",
        "http://p.example:443/a",
        "https://p.example:8443/a",
        "https://p.example.org/a",
        "https://[::1]/",
        "https://127.0.0.1/",
    ]
    .map(|text| text.parse::<Url>().unwrap());
    for one in &urls {
        for other in &urls {
            let expected = one.origin() == other.origin();
            assert_eq!(is_of_one_origin(one, other), expected, "{one} and {other}");
        }
    }
}
