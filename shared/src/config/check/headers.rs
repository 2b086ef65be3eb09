//! Headers that each request carries: names and values that HTTP takes, and none that is somebody else's business.

use super::auth::is_header_name;
use crate::config::{source::Report, table::At, value::Pairs};

/// What is a secret, and has a place where it is kept as one.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
/// What the way of a request or the shape of its body decides.
const OURS: [&str; 14] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "idempotency-key",
];

/// Checks headers.
pub(super) fn headers(given: &Pairs, report: &mut Report<'_>) -> Option<Vec<(String, String)>> {
    let checked: Vec<_> = given.0.iter().map(|(name, at)| header(name, at, report)).collect();
    checked.into_iter().collect()
}

fn header(name: &str, at: &At<String>, report: &mut Report<'_>) -> Option<(String, String)> {
    let lower = name.to_ascii_lowercase();
    let named = At { value: name.to_owned(), place: at.place.clone() };
    if !is_header_name(&named, report) {
        return None;
    }
    if SECRET.contains(&lower.as_str()) {
        report.wrong(&at.place, "would show a secret", "put it into `auth`");
        return None;
    }
    if OURS.contains(&lower.as_str()) {
        report.wrong(&at.place, "is set by Marsad", "take it out");
        return None;
    }
    if !at.value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        let problem = "has characters that a header cannot carry";
        report.wrong(&at.place, problem, "write it in ASCII, percent-encoded where need be");
        return None;
    }
    Some((name.to_owned(), at.value.clone()))
}
