//! HTTP Digest (RFC 7616): answers to a partner's challenges, counted, so that one challenge does for many requests.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use md5::{Digest as _, Md5};
use reqwest::{
    Request,
    header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::hex::hex;

/// Who we are, and the last challenge.
#[derive(Debug)]
pub(super) struct Digest {
    user: String,
    password: SecretString,
    known: Mutex<Option<Known>>,
}

/// A challenge, and how often it was answered.
#[derive(Debug)]
struct Known {
    challenge: Challenge,
    count: u32,
}

/// Whether it can help to answer a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helps {
    Not,
    /// It was not answered before.
    Anew,
    /// The last answer was good, and its nonce too old or used by another request (RFC 7616 section 3.3).
    Late,
}

/// What a partner wants to be answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As the partner wrote it, to be repeated; `None`: it named none, which is MD5.
    named: Option<String>,
    /// Whether its key depends on the nonce too.
    session: bool,
    /// Whether answers are counted (`qop`): all but the oldest servers want that.
    counted: bool,
    /// It was answered well, but with a nonce that is too old.
    stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Digest {
    pub(super) fn new(user: String, password: SecretString) -> Self {
        Self { user, password, known: Mutex::default() }
    }

    /// Answers the last challenge, if there was one, and tells its nonce.
    pub(super) fn sign(&self, request: &mut Request) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { challenge, count } = known.as_mut()?;
        *count = count.wrapping_add(1);
        let url = request.url();
        let uri =
            url.query().map_or_else(|| url.path().to_owned(), |q| format!("{}?{q}", url.path()));
        let ours = Uuid::now_v7().simple().to_string();
        let answer = self.answer(challenge, request.method().as_str(), &uri, *count, &ours);
        let nonce = challenge.nonce.clone();
        super::put(request.headers_mut(), AUTHORIZATION, &answer);
        Some(nonce)
    }

    /// Hears a refusal of a request that answered the challenge with the nonce `shown`. Whether there is one now that was
    /// not answered before: with the same one again, it is our credentials that are refused.
    pub(super) fn challenged(&self, headers: &HeaderMap, shown: Option<&str>) -> Helps {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
        let best = lines.flat_map(|line| challenges(&line)).max_by_key(|each| each.algorithm);
        let Some(challenge) = best else { return Helps::Not };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let helps = match shown {
            _ if challenge.stale => Helps::Late,
            Some(nonce) if nonce == challenge.nonce => Helps::Not,
            _ => Helps::Anew,
        };
        // Another request may have brought the same one, and its answers are being counted.
        if known.as_ref().is_none_or(|known| known.challenge.nonce != challenge.nonce) {
            *known = Some(Known { challenge, count: 0 });
        }
        helps
    }

    /// What a person should know of a refusal: without a challenge that we can answer, no credentials were shown.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_none().then_some(
            "it offers no Digest that is answered here (MD5 or SHA-256, with qop=auth or none), and so nothing was shown to it",
        )
    }

    /// The value of the `Authorization` header. `count` and `ours`: our number of the answer, and our nonce.
    fn answer(
        &self,
        challenge: &Challenge,
        method: &str,
        uri: &str,
        count: u32,
        ours: &str,
    ) -> String {
        let Challenge { realm, nonce, algorithm, .. } = challenge;
        let hash = |text: String| algorithm.hash(&text);
        let mut key = hash(format!("{}:{realm}:{}", self.user, self.password.expose_secret()));
        if challenge.session {
            key = hash(format!("{key}:{nonce}:{ours}"));
        }
        let what = hash(format!("{method}:{uri}"));
        let response = if challenge.counted {
            hash(format!("{key}:{nonce}:{count:08x}:{ours}:auth:{what}"))
        } else {
            hash(format!("{key}:{nonce}:{what}"))
        };
        let mut header = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(&self.user),
            quoted(realm),
            quoted(nonce),
            quoted(uri)
        );
        let mut add = |part: std::fmt::Arguments<'_>| {
            // Writing into text cannot fail.
            let _ = header.write_fmt(part);
        };
        if let Some(named) = &challenge.named {
            add(format_args!(", algorithm={named}"));
        }
        if let Some(opaque) = &challenge.opaque {
            add(format_args!(", opaque={}", quoted(opaque)));
        }
        if challenge.counted {
            add(format_args!(", qop=auth, nc={count:08x}, cnonce=\"{ours}\""));
        } else if challenge.session {
            add(format_args!(", cnonce=\"{ours}\""));
        }
        header
    }
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => {
                hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The Digest challenges of a `WWW-Authenticate` header that we can answer.
fn challenges(line: &str) -> Vec<Challenge> {
    let mut found: Vec<Vec<(String, String)>> = Vec::new();
    let mut is_digest = false;
    for part in parts(line) {
        let (head, value) = part.split_once('=').map_or((&*part, None), |(h, v)| (h, Some(v)));
        let mut words = head.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        // A scheme stands before its first parameter, with a blank between.
        let name = match second {
            Some(name) => {
                is_digest = first.eq_ignore_ascii_case("digest");
                if is_digest {
                    found.push(Vec::new());
                }
                name
            }
            None => first,
        };
        if let (true, Some(parameters), Some(value)) = (is_digest, found.last_mut(), value) {
            parameters.push((name.to_ascii_lowercase(), unquoted(value.trim())));
        }
    }
    found.iter().filter_map(|parameters| Challenge::of(parameters)).collect()
}

/// A header's parts between its commas; one in quotes parts nothing.
fn parts(line: &str) -> Vec<String> {
    let (mut quoted, mut escaped, mut parts) = (false, false, vec![String::new()]);
    for c in line.chars() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        if c == ',' && !quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let Some(inner) = inner else { return text.to_owned() };
    let mut escaped = false;
    let kept = inner.chars().filter(|c| {
        escaped = *c == '\\' && !escaped;
        !escaped
    });
    kept.collect()
}

impl Challenge {
    fn of(parameters: &[(String, String)]) -> Option<Self> {
        let get = |name: &str| {
            parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let named = get("algorithm");
        let lower = named.as_deref().unwrap_or("md5").to_ascii_lowercase();
        let (algorithm, session) = match lower.as_str() {
            "md5" => (Algorithm::Md5, false),
            "md5-sess" => (Algorithm::Md5, true),
            "sha-256" => (Algorithm::Sha256, false),
            "sha-256-sess" => (Algorithm::Sha256, true),
            _ => return None,
        };
        let counted = match get("qop") {
            None => false,
            Some(qop) if qop.split(',').any(|each| each.trim().eq_ignore_ascii_case("auth")) => {
                true
            }
            // Only with the body in it, which we do not answer.
            Some(_) => return None,
        };
        Some(Self {
            realm: get("realm").unwrap_or_default(),
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm,
            named,
            session,
            counted,
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616 section 3.9.1.
    const RFC: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    const OURS: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn digest() -> Digest {
        Digest::new("Mufasa".to_owned(), "Circle of Life".into())
    }

    fn response(challenge: &str) -> String {
        let [challenge] = &challenges(challenge)[..] else { panic!("one") };
        let header = digest().answer(challenge, "GET", "/dir/index.html", 1, OURS);
        header.split("response=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    #[test]
    fn the_examples_of_the_standards_are_answered_as_they_say() {
        assert_eq!(response(RFC), "8ca523f5e9506fed4657c9700eebdbec");
        let sha = RFC.replace("MD5", "SHA-256");
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(response(&sha), expected);
    }

    #[test]
    fn challenges_are_found_among_others_and_in_quotes() {
        for (line, expected, why) in [
            (r#"Basic realm="a, Digest nonce=x", Digest realm="r\"q", nonce="n""#, 1, "quotes"),
            (r#"Digest realm="a", nonce="n", algorithm=SHA-512-256"#, 0, "not ours"),
            (r#"Digest realm="a", nonce="n", qop="auth-int""#, 0, "with the body only"),
            (r#"Digest realm="a""#, 0, "no nonce"),
            (r#"Digest nonce="1", Digest nonce="2", algorithm=sha-256"#, 2, "two"),
            ("Bearer", 0, "another scheme"),
            ("=,=\",", 0, "nonsense"),
        ] {
            assert_eq!(challenges(line).len(), expected, "{why}");
        }
        assert_eq!(challenges(r#"Digest realm="r\"q", nonce="n""#)[0].realm, "r\"q");
    }

    #[test]
    fn a_challenge_helps_unless_it_was_answered_already() {
        let digest = digest();
        let said = |line: &str| HeaderMap::from_iter([(WWW_AUTHENTICATE, line.parse().unwrap())]);
        let request = || {
            let client = reqwest::Client::builder();
            let _ = rustls::crypto::ring::default_provider().install_default();
            client.build().unwrap().get("http://p.example/x?y=1").build().unwrap()
        };
        assert_eq!(digest.sign(&mut request()), None, "no challenge yet");
        let first = digest.challenged(&said(r#"Digest nonce="a", qop="auth""#), None);
        assert_eq!(first, Helps::Anew);
        for count in 1..=2 {
            let mut request = request();
            assert_eq!(digest.sign(&mut request).as_deref(), Some("a"));
            let shown = request.headers()[AUTHORIZATION].to_str().unwrap();
            assert!(shown.contains(&format!("nc=0000000{count}")), "{shown}");
            assert!(shown.contains("uri=\"/x?y=1\"") && !shown.contains("Circle"), "{shown}");
        }
        for (line, shown, helps, why) in [
            (r#"Digest nonce="a", qop="auth""#, "a", Helps::Not, "it is our credentials"),
            (r#"Digest nonce="b", stale=true, qop="auth""#, "a", Helps::Late, "too old"),
            (r#"Digest nonce="b", qop="auth""#, "a", Helps::Anew, "a newer one is known by now"),
            (r#"Digest nonce="b", stale=TRUE, qop="auth""#, "b", Helps::Late, "the server says so"),
            ("Basic realm=\"x\"", "b", Helps::Not, "nothing that we can answer"),
        ] {
            assert_eq!(digest.challenged(&said(line), Some(shown)), helps, "{why}");
        }
    }
}
