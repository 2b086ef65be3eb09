//! Mistakes in how requests prove who we are.

use super::*;

/// What is said of an `auth`, behind the place of the connection; `SET` and `KEY` are variables of the daemon.
fn said(auth: &str, more: &str) -> String {
    let text = format!("{PARTNER}{HTTP}{more}auth = {{ {auth} }}\n");
    let folder = Folder::new("", &[("courts", &text)]);
    let environment = Environment::new(|name| match name {
        "SET" => Some("s3cret; of ours".to_owned()),
        "KEY" => Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
        _ => None,
    });
    let said =
        folder.load(&environment).map_or_else(|errors| errors.to_string(), |_| String::new());
    assert!(!said.contains("s3cret") && !said.contains("AAAA"), "{said}");
    let file = format!("{}:", folder.path().join("partners.d/courts.toml").display());
    let lines = said.lines().map(|line| {
        let behind = line.strip_prefix(&file).unwrap_or(line);
        behind.split_once(" connection.api").map_or(behind, |(_, rest)| rest).to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

const OAUTH: &str = "kind = \"oauth2\", token_url = \"/t\", client_id = \"m\"";
const LOGIN: &str = "kind = \"login\", path = \"/login\", send = { header = \"X-S\" }";

#[test]
fn of_keys_and_tokens_of_ours() {
    for (auth, expected) in [
        (
            "kind = \"api_key\", header = \"X-K\", body = \"k\", key = { env = \"SET\" }",
            ".auth: must have exactly one of header, query, body and cookie; add header = \"X-Api-Key\", or query, body or cookie with the key's name",
        ),
        (
            "kind = \"api_key\", cookie = \"a b\", key = { env = \"SET\" }",
            ".auth.cookie: \"a b\" is not the name of a cookie; write a name such as \"SESSION\"",
        ),
        (
            "kind = \"api_key\", cookie = \"KEY\", key = { env = \"SET\" }",
            ".auth.key: has characters that a cookie cannot carry; ask the partner for another place",
        ),
        (
            "kind = \"digest\", password = { env = \"SET\" }",
            ".auth.user: is missing; add it to `auth`",
        ),
        (
            "kind = \"bearer\", token = \"$.token\"",
            ".auth.token: is text, not a table; write it as { file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }",
        ),
        (
            "kind = \"jwt\", key = { env = \"KEY\" }",
            ".auth.algorithm: is missing; add it to `auth`",
        ),
        (
            "kind = \"jwt\", algorithm = \"none\", key = { env = \"KEY\" }",
            ".auth.algorithm: \"none\" is unknown; use \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"",
        ),
        (
            "kind = \"jwt\", algorithm = \"RS256\", key = { env = \"KEY\" }",
            ".auth.key: holds no key that RS256 can sign with; use a key of that kind, as PKCS#8: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
        ),
        (
            "kind = \"jwt\", algorithm = \"HS256\", key = { env = \"SET\" }",
            ".auth.key: is shorter than 32 bytes, too short for HS256; agree on a longer one, of random letters",
        ),
        (
            "kind = \"none\", claims = { a = 1 }",
            ".auth.claims: does not belong to this kind; take it out",
        ),
        (
            "kind = \"none\", lifetime = \"2d\"",
            ".auth.lifetime: does not belong to this kind; take it out",
        ),
    ] {
        assert_eq!(said(auth, ""), expected, "{auth}");
    }
    let shared = "kind = \"jwt\", algorithm = \"HS256\", key = { env = \"KEY\" }, issuer = \"m\"";
    for (more, expected) in [
        ("lifetime = \"2d\"", ".auth.lifetime: is longer than a day; write a shorter time"),
        ("claims = { exp = 1 }", ".auth.claims.exp: is set anew in each token; take it out"),
        ("claims = { iss = \"n\" }", ".auth.claims.iss: is said twice; take it out"),
        (
            "claims = { pin = { env = \"SET\" } }",
            ".auth.claims.pin: is a secret, which a token shows; take it out",
        ),
        (
            "claims = { from = 2026-01-01 }",
            ".auth.claims.from: is a date or time, not text; write it as text in quotes, as the partner wants it",
        ),
    ] {
        // The key has lines, which a shared secret has not.
        let all = said(&format!("{shared}, {more}"), "");
        let rest: Vec<_> = all.lines().filter(|line| !line.starts_with(".auth.key")).collect();
        assert_eq!(rest, [expected], "{more}");
    }
    assert_eq!(
        said(
            "kind = \"api_key\", body = \"k\", key = { env = \"SET\" }",
            "deliver = { path = \"/d\" }\n"
        ),
        ".deliver: cannot carry the key of `auth`, which travels in the body; ask the partner for a header, or make another connection for documents"
    );
}

#[test]
fn of_a_key_in_the_body_of_a_feed_without_one() {
    let auth = "auth = { kind = \"api_key\", body = \"k\", key = { file = \"k.secret\" } }\n";
    for (more, expected) in [
        (
            "",
            &[
                "partners.d/courts.toml:10: feed.cases.path: has no body, and the key of the connection travels in one; add json or form to the feed",
            ][..],
        ),
        ("method = \"POST\"\njson = { all = true }\n", &[]),
    ] {
        let folder = Folder::new("", &[("courts", &format!("{PARTNER}{HTTP}{auth}{FEED}{more}"))]);
        folder.secret("partners.d/k.secret", "hunter2", 0o600);
        assert_eq!(folder.said(), expected, "{more}");
    }
}

#[test]
fn of_tokens_that_are_given() {
    for (auth, expected) in [
        (OAUTH.to_owned(), ".auth.client_secret: is missing; add client_secret = { file = \"NAME\" }"),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, client_auth = \"header\""),
            ".auth.client_auth: \"header\" is unknown; use \"body\" or \"basic\"",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, grant = \"password\""),
            ".auth.grant: \"password\" is unknown; use \"client_credentials\" or \"refresh_token\"",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, grant = \"refresh_token\""),
            ".auth.refresh_token: is missing; add refresh_token = { file = \"NAME\" }",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, refresh_token = {{ env = \"SET\" }}"),
            ".auth.refresh_token: has no use with grant client_credentials; add grant = \"refresh_token\", or take it out",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, token = {{ env = \"SET\" }}"),
            ".auth.token: is a secret, not where the answer has the token; write a JSONPath such as \"$.access_token\"",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, expires = \"expires_at\""),
            ".auth.expires: \"expires_at\" is not a JSONPath (see character 1); write one such as \"$.data.token\"",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, expires_format = \"later\""),
            ".auth.expires_format: \"later\" is no way to write a time; use \"seconds\", \"iso\", \"unix_ms\", or a format such as \"%d/%m/%Y %H:%M:%S\"",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, form = {{ audience = [\"a\"] }}"),
            ".auth.form.audience: is a list or a table, which a form cannot carry; write it as text",
        ),
        (
            format!("{OAUTH}, client_secret = {{ env = \"SET\" }}, assertion = {{ algorithm = \"HS256\", key = {{ env = \"SET\" }} }}"),
            ".auth.client_secret: has no use beside `assertion`; take it out\n.auth.assertion.key: is shorter than 32 bytes, too short for HS256; agree on a longer one, of random letters",
        ),
        (
            LOGIN.to_owned(),
            ".auth: must have exactly one of token, header and cookie: where the answer has the token; add token = \"$.token\", or header or cookie",
        ),
        (
            "kind = \"login\", token = \"$.t\", send = { header = \"X-S\" }".to_owned(),
            ".auth.path: is missing; add path = \"/login\", or url for another host",
        ),
        (
            "kind = \"login\", url = \"https://l.example\", path = \"/l\", token = \"$.t\", send = { header = \"X-S\" }".to_owned(),
            ".auth.url: has no use beside `path`; take it out",
        ),
        (
            "kind = \"login\", path = \"/l\", token = \"$.t\"".to_owned(),
            ".auth.send: is missing; add send = { header = \"X-Session\" }, or with cookie or query",
        ),
        (
            "kind = \"login\", path = \"/l\", token = \"$.t\", send = { header = \"X\", query = \"q\" }".to_owned(),
            ".auth.send: must have exactly one of header, cookie and query; write send = { header = \"X-Session\" }",
        ),
        (
            "kind = \"login\", path = \"/l\", token = \"$.t\", send = { query = \"q\" }, prefix = \"Token \"".to_owned(),
            ".auth.prefix: stands before a token in a header only; take it out",
        ),
        (
            format!("{LOGIN}, token = \"$.t\", json = {{ a = 1 }}, form = {{ b = 2 }}"),
            ".auth.form: has no use beside `json`; take it out",
        ),
        (
            format!("{LOGIN}, token = \"$.t\", method = \"GET\", json = {{ a = 1 }}"),
            ".auth.json: is a body, which GET has not; use method = \"POST\"",
        ),
        (
            format!("{LOGIN}, token = \"$.t\", json = {{ who = {{ pin = {{ env = \"NO\" }} }} }}"),
            ".auth.json.who.pin.env: \"NO\" is not set; set it where the daemon is started",
        ),
    ] {
        assert_eq!(said(&auth, ""), expected, "{auth}");
    }
}

#[test]
fn what_is_right_is_taken() {
    let nested = "[".repeat(20) + &"]".repeat(20);
    for (auth, more, why) in [
        (
            format!(
                "{OAUTH}, client_secret = {{ env = \"SET\" }}, client_auth = \"basic\", token = \"$.d['t']\", expires = \"$.d.until\", expires_format = \"%s\", form = {{ audience = \"a\", pin = {{ env = \"SET\" }}, n = 1 }}"
            ),
            "",
            "all of oauth2",
        ),
        (
            format!(
                "{LOGIN}, token = \"$.t\", json = {{ who = {{ user = \"m\", pin = {{ env = \"SET\" }} }} }}, prefix = \"\""
            ),
            "",
            "a secret deep inside",
        ),
        (
            "kind = \"api_key\", body = \"k\", key = { env = \"SET\" }".to_owned(),
            "",
            "a key in the body",
        ),
        (
            "kind = \"none\"".to_owned(),
            "proxy = \"socks5://127.0.0.1:1080\"\nhttp2 = false\nredirects = true\nheaders = { \"X-Office\" = \"a b\" }\n",
            "the way",
        ),
    ] {
        assert_eq!(said(&auth, more), "", "{why}");
    }
    let deep = said(&format!("{LOGIN}, token = \"$.t\", json = {{ a = {nested} }}"), "");
    assert!(deep.ends_with("is nested too deeply; write it flatter"), "{deep}");
}
