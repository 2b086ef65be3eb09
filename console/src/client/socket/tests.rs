use futures_util::StreamExt as _;
use marsad_shared::protocol::{EventKind, Status};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    task::JoinHandle,
};

use super::*;

fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Something that listens on a socket and says `answer` to one request, whatever it is; it gives what was asked.
fn listener(path: &Path, answer: Vec<u8>) -> JoinHandle<String> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut bytes = [0; 4096];
            let n = peer.read(&mut bytes).await.unwrap();
            assert!(n > 0, "the client went away");
            asked.extend_from_slice(&bytes[..n]);
        }
        peer.write_all(&answer).await.unwrap();
        peer.shutdown().await.unwrap();
        String::from_utf8(asked).unwrap().lines().next().unwrap().to_owned()
    })
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn ask(answer: Vec<u8>) -> ClientError {
    install_tls();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.sock");
    let asked = listener(&path, answer);
    let error = Socket::new(&path).unwrap().get::<Status>(&["status"], &()).await.unwrap_err();
    assert_eq!(asked.await.unwrap(), "GET /v1/status HTTP/1.1");
    error
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_says_why() {
    install_tls();
    let folder = tempfile::tempdir().unwrap();
    let (none, left) = (folder.path().join("none.sock"), folder.path().join("left.sock"));
    drop(UnixListener::bind(&left).unwrap()); // the file stays, as after a kill
    for (path, expected) in [(none, "there is no such socket"), (left, "nobody listens there")] {
        let error = Socket::new(&path).unwrap().get::<Status>(&["status"], &()).await.unwrap_err();
        assert_eq!(error, ClientError::Unreachable { socket: path, why: expected.to_owned() });
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let mut cut = http(200, "[1, 2, 3]");
    cut.truncate(cut.len() - 4);
    for answer in [Vec::new(), cut] {
        assert!(matches!(ask(answer).await, ClientError::Unreachable { .. }));
    }
}

#[tokio::test]
async fn what_is_no_answer_of_a_daemon_is_garbled_and_quoted() {
    for (answer, quoted) in [
        (http(200, "<html>"), "<html>"),
        (http(200, r#"{"at": 7}"#), r#"{"at": 7}"#),
        (http(502, "bad gateway"), "502"),
    ] {
        match ask(answer).await {
            ClientError::Garbled(why) => assert!(why.contains(quoted), "{why}"),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_problem_comes_as_it_was_told() {
    let told = Problem {
        code: ProblemCode::NotAllowed,
        what: "nothing is shown to you".to_owned(),
        why: "you have no role".to_owned(),
        remedy: "ask for one".to_owned(),
    };
    let body = serde_json::to_string(&told).unwrap();
    assert_eq!(ask(http(403, &body)).await, ClientError::Problem(told));
}

#[tokio::test]
async fn a_request_says_its_parts_in_code() {
    install_tls();
    for (path, expected) in [
        (vec!["feeds", "courts", "orders"], "/v1/feeds/courts/orders"),
        (vec!["records", "a", "b", "E/1 ?#%"], "/v1/records/a/b/E%2F1%20%3F%23%25"),
        (vec!["records", "a", "b", r#"[".."]"#], "/v1/records/a/b/[%22..%22]"),
    ] {
        assert_eq!(url(&path).path(), expected);
    }
}

#[tokio::test]
async fn events_come_line_by_line_and_end_as_the_stream_does() {
    install_tls();
    let line = |seq: u64, kind: &str| {
        format!("{{\"seq\":{seq},\"at\":\"2026-03-01T12:00:00Z\",\"kind\":\"{kind}\"}}\n")
    };
    for (more, expected, why) in [
        (String::new(), None, "the daemon closed it"),
        ("nonsense\n".to_owned(), Some("event stream"), "a line that is none"),
        ("x".repeat(70_000), Some("too long"), "a line without an end"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.sock");
        let body = line(1, "hello") + &line(2, "from_a_later_version") + &more;
        let asked = listener(&path, http(200, &body));
        let mut events = Socket::new(&path).unwrap().events().await.unwrap();
        assert_eq!(asked.await.unwrap(), "GET /v1/events HTTP/1.1");
        assert_eq!(events.next().await.unwrap().unwrap().kind, EventKind::Hello, "{why}");
        assert_eq!(events.next().await.unwrap().unwrap().kind, EventKind::Other, "{why}");
        let last = events.next().await.map(|item| item.unwrap_err().to_string());
        assert_eq!(last.is_some(), expected.is_some(), "{why}");
        assert!(last.is_none_or(|error| error.contains(expected.unwrap())), "{why}");
        assert!(events.next().await.is_none(), "{why}: an error is the last item");
    }
}
