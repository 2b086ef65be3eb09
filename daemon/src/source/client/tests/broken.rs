//! Answers that the protocol itself breaks: heads without an end, and streams that are given up.

use super::*;

/// A server that answers whoever comes with `head`, and no more.
async fn floods(head: String) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = line.read(&mut request).await;
            // Whoever floods does not care when he is cut off.
            let _ = line.write_all(head.as_bytes()).await;
            let _ = line.write_all(b"content-length: 2\r\n\r\n[]").await;
        }
    });
    url
}

#[tokio::test]
async fn a_flood_of_headers_is_too_large_and_no_more_than_that() {
    let folder = tempfile::tempdir().unwrap();
    let many = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let long = format!("x: {}\r\n", "y".repeat(1024 * 1024));
    for flood in [many, long] {
        let url = floods(format!("HTTP/1.1 200 OK\r\n{flood}")).await;
        let error =
            source(plain(url.clone()), folder.path()).get(&Call::get(url), None).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::TooLarge), "{error}");
    }
}

#[tokio::test]
async fn a_flood_of_headers_over_http_2_is_too_large_as_well() {
    for headers in [20, 64] {
        let error = answered_over_http_2(headers).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::TooLarge), "{headers}: {error}");
    }
    answered_over_http_2(2).await.unwrap();
}

/// What comes of an answer with so many headers of 16 KiB.
async fn answered_over_http_2(headers: usize) -> Result<(), FetchError> {
    let folder = files();
    let authority = Authority::new("Courts");
    let acceptor = acceptor(&authority.pair("127.0.0.1", 2020, 2090), None, &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            let Ok(line) = acceptor.accept(line).await else { continue };
            let mut connection = h2::server::handshake(line).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let mut answer = axum::http::Response::builder();
                for n in 0..headers {
                    answer = answer.header(format!("x-{n}"), "y".repeat(16 * 1024));
                }
                let _ = respond.send_response(answer.body(()).unwrap(), true);
            }
        }
    });
    write(&folder, "ca.pem", &authority.pem);
    let way = Http { tls: Some(trusting(&folder)), ..plain(url.clone()) };
    source(way, folder.path()).get(&Call::get(url), None).await.map(|_| ())
}

/// A stream that is given up "without an error" ends like one that is whole, and is not (RFC 9113 section 8.1).
#[tokio::test]
async fn a_stream_that_is_broken_off_is_no_answer() {
    const DATA: u8 = 0;
    const RESET: u8 = 3;
    let reset = |code: u32| frame(RESET, 0, 1, &code.to_be_bytes());
    let half = frame(DATA, 0, 1, b"{}\n");
    let whole = frame(DATA, 1, 1, b"{}\n");
    // `:status: 200` of the static table, and content-length as a literal.
    let head = |length: Option<&str>| {
        let mut fields = vec![0x88];
        if let Some(length) = length {
            fields.extend([0x0f, 0x0d, u8::try_from(length.len()).unwrap()]);
            fields.extend(length.as_bytes());
        }
        frame(1, 4, 1, &fields)
    };
    for (answer, reason, said, why) in [
        ([head(None), whole.clone()].concat(), None, "", "whole"),
        ([head(Some("3")), whole.clone(), reset(0)].concat(), None, "", "whole, and then over"),
        ([head(None), half.clone(), reset(0)].concat(), Some(Reason::Truncated), "broken off", ""),
        ([head(Some("3")), half.clone(), reset(0)].concat(), Some(Reason::Truncated), "off", ""),
        ([head(None), reset(0)].concat(), Some(Reason::Truncated), "broken off", "nothing at all"),
        ([head(None), half, reset(8)].concat(), Some(Reason::Truncated), "cut off", "cancelled"),
        ([head(Some("9")), whole.clone()].concat(), Some(Reason::Truncated), "as long", "short"),
        ([head(Some("2")), whole].concat(), Some(Reason::Truncated), "as long", "long"),
        (reset(13), Some(Reason::Truncated), "`http2 = false`", "HTTP/1.1 alone"),
    ] {
        let got = answered_in_frames(answer).await;
        let text = got.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(got.err().and_then(|error| error.reason()), reason, "{why}: {text}");
        assert!(text.contains(said), "{why}: {text}");
    }
}

/// What comes of an answer in these frames of HTTP/2.
async fn answered_in_frames(answer: Vec<u8>) -> Result<(), FetchError> {
    const HEADERS: u8 = 1;
    let folder = files();
    let authority = Authority::new("Courts");
    let acceptor = acceptor(&authority.pair("127.0.0.1", 2020, 2090), None, &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (line, _) = listener.accept().await.unwrap();
        let mut line = acceptor.accept(line).await.unwrap();
        line.read_exact(&mut [0; 24]).await.unwrap();
        line.write_all(&frame(4, 0, 0, &[])).await.unwrap();
        loop {
            let mut head = [0; 9];
            line.read_exact(&mut head).await.unwrap();
            let [a, b, c, kind, ..] = head;
            let mut rest = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            line.read_exact(&mut rest).await.unwrap();
            if kind == HEADERS {
                break;
            }
        }
        line.write_all(&answer).await.unwrap();
        // Until the other side has seen enough.
        let _ = line.read_to_end(&mut Vec::new()).await;
    });
    write(&folder, "ca.pem", &authority.pem);
    let way = Http { tls: Some(trusting(&folder)), ..plain(url.clone()) };
    let got = source(way, folder.path()).get(&Call::get(url), None).await.map(|_| ());
    server.abort();
    got
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
