//! Bodies small and large, packed and not, as they come over time.

use std::convert::Infallible;

use flate2::{Compression, write::GzEncoder};

use super::*;

const URL: &str = "http://p.example/x";

/// Reads a body that comes in those pieces, one each `every`.
async fn came(
    pieces: Vec<Bytes>,
    every: Duration,
    encoding: Option<&str>,
) -> Result<Body, FetchError> {
    let pieces = futures_util::stream::unfold(pieces.into_iter(), move |mut left| async move {
        tokio::time::sleep(every).await;
        left.next().map(|piece| (Ok::<_, Infallible>(piece), left))
    });
    let mut response = axum::http::Response::new(reqwest::Body::wrap_stream(pieces));
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, encoding.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let until = Instant::now() + Duration::from_hours(1);
    let idle = Duration::from_secs(30);
    let response = Response::from(response);
    let (headers, url) = (response.headers().clone(), URL.parse().unwrap());
    let body = read(response, &headers, &url, idle, until, folder.path()).await;
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "what is put aside has no name");
    body
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that do not pack well, which end with `b`.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect();
    if let Some(last) = bytes.last_mut() {
        *last = b'b';
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_is_given_up_and_a_slow_one_is_not() {
    let seconds = Duration::from_secs;
    for (piece, every, whole, why) in [
        (3 * 1024, seconds(2), true, "one and a half of the lowest rate"),
        (64 * 1024, seconds(29), true, "long pauses, and much between them"),
        (1, Duration::from_millis(10), true, "it is over before it could be measured"),
        (1024, seconds(2), false, "half of the lowest rate"),
        (1, seconds(20), false, "never idle, and never done"),
        (1, seconds(31), false, "idle"),
    ] {
        let pieces = vec![Bytes::from(vec![b' '; piece]); 64];
        let read = came(pieces, every, None).await;
        assert_eq!(read.is_ok(), whole, "{why}: {read:?}");
        if let Err(error) = read {
            assert_eq!(error.reason(), Some(Reason::ReadTimeout), "{why}: {error}");
        }
    }
}

#[tokio::test]
async fn a_body_is_the_same_whether_it_is_held_or_put_aside() {
    let large = noise(HELD_MAX + 170_017);
    let zeros = vec![b'0'; HELD_MAX + 170_017];
    for (sent, encoding, plain, held, why) in [
        (b"[]".to_vec(), None, b"[]".to_vec(), true, "small"),
        (noise(HELD_MAX), None, noise(HELD_MAX), true, "the largest that is held"),
        (noise(HELD_MAX + 1), None, noise(HELD_MAX + 1), false, "one byte more"),
        (large.clone(), None, large.clone(), false, "large"),
        (gzip(b"[]"), Some("gzip"), b"[]".to_vec(), true, "small, and packed"),
        (gzip(&zeros), None, zeros.clone(), false, "small only while it is packed"),
        (gzip(&large), Some("gzip"), large.clone(), false, "large and packed"),
    ] {
        let pieces: Vec<_> = sent.chunks(70_001).map(Bytes::copy_from_slice).collect();
        let mut body = came(pieces, Duration::ZERO, encoding).await.unwrap();
        assert_eq!(body.held().is_some(), held, "{why}");
        assert_eq!(body.begin(), plain.get(..BEGIN).unwrap_or(&plain), "{why}");
        for _ in 0..2 {
            let (mut read, mut reader) = (Vec::new(), body.open());
            reader.read_to_end(&mut read).unwrap();
            assert!(read == plain, "{why}: and as often as it is wanted");
            assert_eq!(reader.read_so_far(), plain.len() as u64, "{why}");
        }
        let known = sent == plain;
        let tail = [plain[plain.len() - 2], plain[plain.len() - 1]];
        assert_eq!(body.tail(), known.then_some(tail), "{why}");
        let hash = body.hash();
        body.let_go(plain.len() as u64);
        assert_eq!((body.len(), body.hash()), (plain.len() as u64, hash), "{why}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_no_answer_however_large_it_is() {
    let large = gzip(&noise(HELD_MAX + 9_000));
    let cut = large[..large.len() - 9].to_vec();
    for (sent, reason, why) in [
        (gzip(&gzip(b"[]")), Reason::Encoding, "twice"),
        (gzip(&large), Reason::Encoding, "twice, and large"),
        (gzip(b"[]")[..12].to_vec(), Reason::Truncated, "cut"),
    ] {
        let error = came(vec![sent.into()], Duration::ZERO, None).await.unwrap_err();
        assert_eq!(error.reason(), Some(reason), "{why}: {error}");
    }
    // Of a large one that is seen when it is read.
    let body = came(vec![cut.into()], Duration::ZERO, None).await.unwrap();
    let mut reader = body.open();
    assert!(io::copy(&mut reader, &mut io::sink()).is_err());
    assert_eq!(reader.fault(), Some(UnpackError::Broken("gzip")));
}
