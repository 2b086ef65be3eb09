//! Where a sample came from, and what a feed of it is called and asked for by.

use url::Url;

use super::block::quoted;
use crate::source::fault::shown;

/// Where a sample came from.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Url {
        url: &'a Url,
        base: &'a Url,
    },
    /// A file; `folder`: such files come into an import folder, else an interface answers so.
    File {
        name: &'a str,
        folder: bool,
    },
}

/// Where a feed is asked for over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) text: String,
    /// Nobody said it.
    pub(super) guessed: bool,
    /// A parameter was left out that looks like a secret.
    pub(super) secret: bool,
    /// The parameter that asks for changes; left out as well.
    pub(super) since: Option<String>,
}

/// The longest id of a feed, in bytes.
const ID_MAX: usize = 64;

impl<'a> Place<'a> {
    pub(super) fn url(&self) -> Option<&'a Url> {
        if let Self::Url { url, .. } = self { Some(url) } else { None }
    }

    /// Whether it is read from a folder.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self, Self::File { folder: true, .. })
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Url { url, .. } => shown(url),
            Self::File { name, .. } => format!("the file {}", quoted(name)),
        }
    }

    /// The path behind the connection's `base_url`, without the parameters that others add; `None`: it is read from a
    /// folder.
    pub(super) fn path(&self, without: &[&str]) -> Option<Path> {
        match self {
            Self::File { folder: true, .. } => None,
            Self::File { .. } => Some(Path {
                text: format!("/{}", self.feed_id(&[])),
                guessed: true,
                secret: false,
                since: None,
            }),
            Self::Url { url, base } => Some(path(url, base, without)),
        }
    }

    /// The names of such files: the sample's, with `*` for its digits.
    pub(super) fn pattern(&self) -> String {
        let Self::File { name, .. } = self else { return "*".to_owned() };
        let (stem, end) = match name.rsplit_once('.') {
            Some((stem, end)) if !stem.is_empty() => (stem, format!(".{end}")),
            _ => (*name, String::new()),
        };
        let mut pattern = String::new();
        for c in stem.chars() {
            let one = match c {
                c if c.is_ascii_digit() => '*',
                // What a pattern would take for more than itself.
                '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!' => '?',
                c => c,
            };
            if !(one == '*' && pattern.ends_with('*')) {
                pattern.push(one);
            }
        }
        // Parts of a date are one thing.
        while let Some(shorter) =
            ["*-*", "*_*", "*T*", "*.*"].iter().find(|part| pattern.contains(*part))
        {
            pattern = pattern.replace(shorter, "*");
        }
        pattern + &end
    }

    /// An id for the feed, like none of `taken`.
    pub(super) fn feed_id(&self, taken: &[String]) -> String {
        let last = match self {
            Self::Url { url, .. } => url
                .path_segments()
                .and_then(|parts| parts.rev().find(|part| !part.is_empty()))
                .unwrap_or_default()
                .to_owned(),
            Self::File { .. } => self.pattern(),
        };
        let stem = last.split(['.', '*']).next().unwrap_or_default();
        let base = kebab(stem);
        let base = if base.is_empty() { "feed".to_owned() } else { base };
        let mut id = base.clone();
        let mut number = 2;
        while taken.contains(&id) {
            id = format!("{base}-{number}");
            number += 1;
        }
        id
    }
}

fn path(url: &Url, base: &Url, without: &[&str]) -> Path {
    let prefix = base.path().trim_end_matches('/');
    let below = url.path().strip_prefix(prefix).unwrap_or(url.path());
    let mut path = Path {
        text: if below.starts_with('/') { below.to_owned() } else { format!("/{below}") },
        guessed: false,
        secret: false,
        since: None,
    };
    let mut kept: Vec<&str> = Vec::new();
    for part in url.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (name, value) = url::form_urlencoded::parse(part.as_bytes()).next().unwrap_or_default();
        // Solr gives what leads on to who asks from its beginning on.
        let begins = name == "cursorMark" && value == "*";
        if !begins && (without.contains(&name.as_ref()) || is_cursor(&name)) {
            continue;
        }
        if is_secret(&name) {
            path.secret = true;
        } else if is_since(&name) {
            path.since = Some(name.into_owned());
        } else {
            kept.push(part);
        }
    }
    if !kept.is_empty() {
        path.text.push('?');
        path.text.push_str(&kept.join("&"));
    }
    path
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A place in somebody's walk, which is over.
fn is_cursor(name: &str) -> bool {
    let known = [
        "cursor",
        "after",
        "pagetoken",
        "nexttoken",
        "continuationtoken",
        "scrollid",
        "skiptoken",
        "deltatoken",
        "pageafter",
        "cursormark",
    ];
    known.contains(&folded(name).as_str())
}

fn is_secret(name: &str) -> bool {
    let name = folded(name);
    [
        "key",
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "signature",
        "sig",
        "session",
        "sid",
        "auth",
        "authorization",
    ]
    .iter()
    .any(|word| name.ends_with(word))
}

fn is_since(name: &str) -> bool {
    let known = [
        "since",
        "updatedsince",
        "modifiedsince",
        "changedsince",
        "updatedafter",
        "modifiedafter",
        "changedafter",
        "lastmodifiedafter",
        "lastmodifiedsince",
        "updatedfrom",
        "modifiedfrom",
    ];
    known.contains(&folded(name).as_str())
}

/// Small letters and digits with single `-` between: `CaseReferrals_2` is `case-referrals-2`.
fn kebab(name: &str) -> String {
    let mut id = String::new();
    let mut before = ' ';
    for c in name.chars() {
        let parts =
            c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if (!c.is_ascii_alphanumeric() || parts) && !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
        if c.is_ascii_alphanumeric() {
            id.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    id.truncate(ID_MAX - 4);
    id.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_behind_the_base_without_what_others_add() {
        let base: Url = "https://p.example/api/".parse().unwrap();
        for (url, text, secret, since) in [
            ("https://p.example/api/v1/x", "/v1/x", false, None),
            (
                "https://p.example/api/v1/x?open=1&page=2&q=a%26b",
                "/v1/x?open=1&q=a%26b",
                false,
                None,
            ),
            ("https://p.example/api/x?api_key=s&pageToken=t", "/x", true, None),
            (
                "https://p.example/api/x?updated_since=2026-01-01",
                "/x",
                false,
                Some("updated_since"),
            ),
            ("https://p.example/api", "/", false, None),
            ("https://p.example/api/x?cursorMark=*&q=a", "/x?cursorMark=*&q=a", false, None),
            ("https://p.example/api/x?cursorMark=AoE&q=a", "/x?q=a", false, None),
        ] {
            let url = url.parse().unwrap();
            let path = Place::Url { url: &url, base: &base }.path(&["page"]).unwrap();
            assert_eq!(path.text, text, "{url}");
            assert_eq!((path.secret, path.since.as_deref()), (secret, since), "{url}");
        }
    }

    #[test]
    fn feeds_and_files_are_named_after_the_sample() {
        let file = |name| Place::File { name, folder: true };
        for (name, pattern, id) in [
            ("transfers-2026-01-31.csv", "transfers-*.csv", "transfers"),
            ("visits.csv", "visits.csv", "visits"),
            ("20260131_CaseList.txt", "*_CaseList.txt", "feed"),
            ("سجلات.csv", "سجلات.csv", "feed"),
            ("a[1].csv", "a?*?.csv", "a"),
        ] {
            assert_eq!(file(name).pattern(), pattern);
            assert_eq!(file(name).feed_id(&[]), id, "{name}");
        }
        let (url, base) =
            ("https://p/odata/CaseReferrals".parse().unwrap(), "https://p".parse().unwrap());
        let place = Place::Url { url: &url, base: &base };
        assert_eq!(place.feed_id(&["case-referrals".to_owned()]), "case-referrals-2");
    }
}
