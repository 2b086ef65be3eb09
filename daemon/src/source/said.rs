//! What an answer that is an error says for itself: a few words for whoever has to mend it. Never a page for people, and
//! never anything in which one of our secrets comes back.

use std::{io::Read as _, time::Duration};

use flate2::read::MultiGzDecoder;
use marsad_shared::{feed::ScalarPath, mask::of_people, untrusted::settled_at_most};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use serde_json::Value;
use url::Url;

use super::{fault::shown, manners::retry_after_in, ours::Ours};
use crate::decode::{self, DecodeError, Flow, Plan, Scalar};

/// So much of an error's body is read, in bytes.
pub const READ_MAX: usize = 4 * 1024;
/// So much of it is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Where the words stand in XML, the most telling first: problem details (RFC 9457), `OData` 2, stores of files, and what
/// frameworks do by themselves.
const XML_WORDS: [&str; 6] = [
    "problem/detail",
    "problem/title",
    "error/message",
    "Error/Message",
    "Map/message",
    "Response/Message",
];

/// What an error's body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// On one line, safe for any screen, and the same however often it is shown.
    pub words: Option<String>,
    pub retry_after: Option<Duration>,
    /// It is a SOAP fault, the partner's own word of an error; and whether a moment may cure it.
    pub fault: Option<bool>,
    /// The code of a fault that is a gateway's own.
    pub gateway: Option<String>,
    /// Where it redirects to, without what may be secret there.
    pub leads: Option<String>,
    /// What the server in front of the partner's program has to say of TLS.
    pub front: Option<Front>,
}

/// What web servers say of TLS with a status of HTTP, since by then it is too late for one of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// We showed no certificate.
    MissesOurs,
    /// We showed one that it does not take.
    RefusesOurs,
    /// We came without TLS to where it is spoken.
    WantsTls,
}

/// Their words: nginx's, Apache's, and those of programs in Go.
const FRONTS: [(&str, Front); 5] = [
    ("No required SSL certificate was sent", Front::MissesOurs),
    ("The SSL certificate error", Front::RefusesOurs),
    ("The plain HTTP request was sent to HTTPS port", Front::WantsTls),
    ("speaking plain HTTP to an SSL-enabled server port", Front::WantsTls),
    ("Client sent an HTTP request to an HTTPS server", Front::WantsTls),
];

impl Said {
    /// What `body`, of which no more than [`READ_MAX`] was read, says. What repeats something of `ours` is not shown.
    pub fn of(headers: &HeaderMap, body: &[u8], ours: &Ours) -> Self {
        let unpacked = unpacked(body);
        let text = as_text(&unpacked);
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let json: Option<Value> = serde_json::from_str(text).ok();
        let retry_after = json.as_ref().and_then(retry_after_in);
        let fault = if json.is_none() { fault(text) } else { None };
        let words = match (&json, &fault) {
            (Some(json), _) => decode::json::words_of(json),
            (None, Some(fault)) => Some(fault.words.clone()),
            (None, None) if is_plain(kind, text) => text.lines().next().map(str::to_owned),
            (None, None) => in_xml(text),
        };
        let words = words.or_else(|| challenge(headers));
        let words = words.map(|words| words.trim().to_owned()).filter(|words| !words.is_empty());
        // In the whole body: half a secret is one too.
        let safe = words.filter(|words| !ours.is_in(text) && !ours.is_in(words));
        let words = safe.map(|words| settled_at_most(&of_people(&words), SHOWN_MAX));
        let front = FRONTS.iter().find(|(said, _)| text.contains(said)).map(|(_, front)| *front);
        let leads = leads(headers, |text| ours.is_in(text));
        let safe = |code: &String| !ours.is_in(code);
        let gateway = fault.as_ref().map(|fault| fault.code.clone());
        let gateway = gateway.filter(|code| decode::is_of_gateway(code)).filter(safe);
        let gateway = gateway.map(|code| settled_at_most(&code, SHOWN_MAX));
        let fault = fault.as_ref().map(|fault| fault.retryable);
        Self { words, retry_after, fault, gateway, leads, front }
    }

    /// What its `headers` alone say, of a body that nobody may see.
    pub fn of_headers(headers: &HeaderMap, is_ours: impl Fn(&str) -> bool) -> Self {
        Self { leads: leads(headers, is_ours), ..Self::default() }
    }
}

/// The address that an answer leads to: no query, no user, nothing of ours, and safe for any screen.
fn leads(headers: &HeaderMap, is_ours: impl Fn(&str) -> bool) -> Option<String> {
    let to = &*String::from_utf8_lossy(headers.get(LOCATION)?.as_bytes());
    let bare = Url::parse(to).map_or_else(
        |_| to.split(['?', '#']).next().unwrap_or_default().to_owned(),
        |url| shown(&url),
    );
    (!bare.is_empty() && !is_ours(&bare)).then(|| settled_at_most(&bare, SHOWN_MAX))
}

/// The same of one that is known: its path alone may be a secret, which is for the caller to see to.
pub(super) fn shown_place(to: &Url) -> String {
    settled_at_most(&shown(to), SHOWN_MAX)
}

/// A SOAP fault, whose bindings have it come with an error's status.
struct Fault {
    code: String,
    words: String,
    /// Whether a moment may cure it.
    retryable: bool,
}

fn fault(text: &str) -> Option<Fault> {
    let plan = Plan { records: None, deletes: None, scalars: &[] };
    match decode::xml::read(text.as_bytes(), &plan, |_, _| Flow::More) {
        (_, Err(DecodeError::Remote { code, text, retryable })) => {
            Some(Fault { words: format!("{code}: {text}"), code, retryable })
        }
        _ => None,
    }
}

/// The words of an error that is a document of XML.
fn in_xml(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('<') {
        return None;
    }
    let paths: Vec<_> = XML_WORDS.iter().filter_map(|path| ScalarPath::parse(path).ok()).collect();
    let plan = Plan { records: None, deletes: None, scalars: &paths };
    let (found, _) = decode::xml::read(text.as_bytes(), &plan, |_, _| Flow::More);
    found.iter().find_map(Scalar::text).map(str::to_owned)
}

/// Why who asks is not let in, as the header says it that asks for a proof (RFC 6750 section 3).
fn challenge(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
    let all = all.collect::<Vec<_>>().join(", ");
    ["error_description=\"", "error=\""].iter().find_map(|name| {
        let (_, said) = all.split_once(name)?;
        said.split('"').next().map(str::to_owned)
    })
}

/// As much of a body as it was before `gzip`, up to [`READ_MAX`]; all of what is not packed.
fn unpacked(body: &[u8]) -> Vec<u8> {
    if !body.starts_with(&[0x1f, 0x8b, 0x08]) {
        return body.to_vec();
    }
    let mut plain = Vec::new();
    // Cut off where we stopped reading: what came before that is good.
    let _ = MultiGzDecoder::new(body).take(READ_MAX as u64).read_to_end(&mut plain);
    plain
}

/// A body as text, as far as it is text.
fn as_text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap_or_else(|error| {
        let valid = body.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(valid).unwrap_or_default()
    })
}

/// Whether a body that is no JSON is words rather than a page or a document.
fn is_plain(kind: &str, text: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (kind.is_empty() || kind == "text/plain") && !text.trim_start().starts_with(['<', '{', '['])
}

#[cfg(test)]
mod tests {
    use marsad_shared::connection::Auth;

    use super::*;

    fn words(kind: &str, body: &[u8]) -> Option<String> {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        let ours = Ours::of(&Auth::Bearer { token: "s3cret/=\"x".into() });
        ours.show(vec![String::new()]);
        Said::of(&headers, body, &ours).words
    }

    #[test]
    fn an_error_is_told_in_its_own_words_and_never_as_a_page() {
        let long = format!("{{\"detail\":\"{}\"}}", "word ".repeat(200));
        let shown = words("application/json", long.as_bytes()).unwrap();
        assert!(shown.chars().count() <= SHOWN_MAX && shown.ends_with('…'), "{shown}");
        for (kind, body, expected, why) in [
            (
                "application/problem+json",
                r#"{"title":"Service Unavailable","status":503,"detail":"Nightly maintenance"}"#,
                Some("Nightly maintenance"),
                "problem details",
            ),
            ("application/problem+json", r#"{"title":"Gone"}"#, Some("Gone"), "their title"),
            (
                "application/json",
                r#"{"success":false,"error":{"__type":"Not Found Error","message":"Not found: Resource"}}"#,
                Some("Not found: Resource"),
                "CKAN",
            ),
            (
                "application/vnd.api+json",
                r#"{"errors":[{"title":"Too Many Requests","detail":"60 requests a minute"}]}"#,
                Some("60 requests a minute"),
                "JSON:API",
            ),
            (
                "application/json",
                r#"{"error":"invalid_request","error_description":"no such scope"}"#,
                Some("no such scope"),
                "OAuth",
            ),
            ("application/json", r#"{"error":"quota"}"#, Some("quota"), "a word"),
            ("", "come back tomorrow\nsecond line", Some("come back tomorrow"), "plain text"),
            ("text/plain; charset=utf-8", "  غير متاح ", Some("غير متاح"), "in any language"),
            ("text/plain", "a\u{1b}[2Jb", Some("a<U+1B>[2Jb"), "nothing that a terminal obeys"),
            ("text/plain", "a\\u{1b}b", Some("a<U+5C>u{1b}b"), "nor what looks like it"),
            ("text/html", "we are sorry", None, "a page for people"),
            ("text/plain", "<!doctype html><title>x", None, "a page that says it is none"),
            ("application/xml", "<fault>x</fault>", None, "a document"),
            (
                "text/xml",
                "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><e:Fault><faultcode>e:Server</faultcode><faultstring>timed out</faultstring></e:Fault></e:Body></e:Envelope>",
                Some("e:Server: timed out"),
                "a fault",
            ),
            ("application/json", r#"{"detail":"cut o"#, None, "half a document"),
            ("application/json", r#"{"detail":["a"]}"#, Some("a"), "a list of words"),
            ("application/json", r#"{"detail":[7]}"#, None, "no words"),
            (
                "application/json",
                r#"{"detail":[{"loc":["query","limit"],"msg":"must be at most 100","type":"le"}]}"#,
                Some("query.limit: must be at most 100"),
                "FastAPI",
            ),
            (
                "application/json",
                r#"{"error":{"code":"","message":{"lang":"en","value":"no such set"}}}"#,
                Some("no such set"),
                "OData 2",
            ),
            (
                "application/fhir+json",
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"no such type"}]}"#,
                Some("no such type"),
                "FHIR",
            ),
            (
                "application/problem+xml",
                "<problem xmlns='urn:ietf:rfc:7807'><title>Gone</title><detail>moved in May</detail></problem>",
                Some("moved in May"),
                "problem details in XML",
            ),
            (
                "application/xml",
                "<?xml version='1.0'?><error><code/><message xml:lang='ar'>غير متاح</message></error>",
                Some("غير متاح"),
                "OData 2 in XML",
            ),
            ("text/plain", "   ", None, "nothing"),
        ] {
            assert_eq!(words(kind, body.as_bytes()).as_deref(), expected, "{why}");
        }
        assert_eq!(words("text/plain", b"\xff\xfe"), None);
        assert_eq!(words("text/plain", b"good \xff").as_deref(), Some("good"));
    }

    #[test]
    fn who_is_not_let_in_is_told_why_by_the_header_alone() {
        let ours = Ours::of(&Auth::Bearer { token: "s3cret/=\"x".into() });
        for (challenge, expected) in [
            (
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The token expired\"",
                Some("The token expired"),
            ),
            ("Bearer error=\"insufficient_scope\"", Some("insufficient_scope")),
            ("Bearer error_description=\"no s3cret%2F%3D%22x here\"", None),
            ("Basic realm=\"api\"", None),
        ] {
            let headers = [(WWW_AUTHENTICATE, challenge.parse().unwrap())].into_iter().collect();
            assert_eq!(Said::of(&headers, b"", &ours).words.as_deref(), expected, "{challenge}");
        }
        let headers = [
            (WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"".parse().unwrap()),
            (CONTENT_TYPE, "application/json".parse().unwrap()),
        ];
        let headers = headers.into_iter().collect();
        let said = Said::of(&headers, br#"{"message":"Token revoked"}"#, &ours);
        assert_eq!(said.words.as_deref(), Some("Token revoked"), "the body says more");
    }

    #[test]
    fn an_echo_of_our_secrets_is_not_shown_in_any_writing() {
        for (body, why) in [
            (r#"{"detail":"no s3cret/=\"x here"}"#, "escaped as JSON"),
            ("no s3cret/=\"x here", "as it is"),
            ("bad url ?key=s3cret%2F%3D%22x", "as a URL has it"),
            ("Basic czNjcmV0Lz0ieA==", "as base64"),
            (r#"{"detail":"nothing","headers":"s3cret/=\"x"}"#, "elsewhere in the body"),
        ] {
            assert_eq!(words("", body.as_bytes()), None, "{why}");
        }
        assert!(words("", b"abc").is_some(), "a secret of nothing is in every text");
    }

    #[test]
    fn a_packed_error_is_read_as_far_as_it_may_be() {
        use std::io::Write as _;
        let mut pack = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        pack.write_all(&vec![b'x'; 50_000_000]).unwrap();
        let packed = pack.finish().unwrap();
        let shown = words("text/plain", packed.get(..READ_MAX).unwrap()).unwrap();
        assert!(shown.starts_with("xxxx"), "{shown}");
        assert_eq!(unpacked(&packed).len(), READ_MAX);
    }

    #[test]
    fn a_redirect_names_where_to_without_what_may_be_secret() {
        let ours = Ours::of(&Auth::Bearer { token: "s3cret/=\"x".into() });
        for (to, expected) in [
            ("https://new.example/v2/x?token=t#f", Some("https://new.example/v2/x")),
            ("https://me:pw@new.example/", Some("https://new.example/")),
            ("/elsewhere?x=1", Some("/elsewhere")),
            ("?page=2", None),
            ("https://s3cret%2F%3D%22x.example/", None),
        ] {
            let headers = [(LOCATION, to.parse().unwrap())].into_iter().collect();
            assert_eq!(Said::of(&headers, b"", &ours).leads.as_deref(), expected, "{to}");
        }
    }

    #[test]
    fn what_a_web_server_says_of_tls_is_known_from_its_page() {
        let ours = Ours::of(&Auth::None);
        let page = |title: &str| {
            format!("<html>\r\n<head><title>400 {title}</title></head>\r\n<body></body></html>")
        };
        for (body, expected) in [
            (page("No required SSL certificate was sent"), Some(Front::MissesOurs)),
            (page("The SSL certificate error"), Some(Front::RefusesOurs)),
            (page("The plain HTTP request was sent to HTTPS port"), Some(Front::WantsTls)),
            ("Client sent an HTTP request to an HTTPS server.\n".to_owned(), Some(Front::WantsTls)),
            (page("Bad Request"), None),
        ] {
            let said = Said::of(&HeaderMap::new(), body.as_bytes(), &ours);
            assert_eq!(said.front, expected, "{body}");
        }
    }
}
