//! Whether what leads on, by the partner's own word, is a place among its records: the number of a page, or of how many came
//! before it. Then records that come or go move what stands there, as they do where we count ourselves; a token that says
//! behind which record to go on does not have that.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What stands in the name of a parameter, or in the step of a path before it, that is a place.
const PLACES: [&str; 4] = ["page", "offset", "skip", "start"];
/// What stands in the name of one that says how large a page is.
const SIZES: [&str; 7] = ["size", "limit", "per", "top", "rows", "count", "max"];
/// What stands in the name of one that says behind which record to go on.
const MARKS: [&str; 5] = ["after", "before", "cursor", "token", "since"];

/// What is known of that, of a leg so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Places {
    /// One had the name of a place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    named: bool,
    /// Whether each so far was a number of what had come; `None`: none did lead on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<bool>,
}

impl Places {
    pub(super) fn is_any(self) -> bool {
        self.named || self.counted == Some(true)
    }

    /// Looks at a URL that leads on behind so many pages and records.
    pub(super) fn url(&mut self, url: &str, pages: u64, rows: u64) {
        let url = url.split('#').next().unwrap_or_default();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let steps: Vec<_> = path.split('/').collect();
        let in_path = steps.windows(2).filter_map(|pair| match pair {
            [name, value] => Some((Cow::Borrowed(*name), Cow::Borrowed(*value))),
            _ => None,
        });
        let mut counted = false;
        for (name, value) in pairs.chain(in_path.filter(|(name, _)| is_place(name))) {
            let Ok(number) = value.parse() else { continue };
            self.named |= is_place(&name);
            counted |= !is_size(&name) && counts(number, pages, rows);
        }
        self.heed(counted);
    }

    /// Looks at a token that leads on, handed back as `param`.
    pub(super) fn token(&mut self, param: &str, token: &str, pages: u64, rows: u64) {
        let number = token.parse().ok();
        self.named |= number.is_some() && is_place(param);
        self.heed(number.is_some_and(|number| counts(number, pages, rows)));
    }

    /// A number that is one of what had come by chance is none the next time.
    fn heed(&mut self, counted: bool) {
        self.counted = Some(self.counted.unwrap_or(true) && counted);
    }
}

fn counts(number: u64, pages: u64, rows: u64) -> bool {
    [pages, pages + 1, rows, rows + 1].contains(&number)
}

fn is_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    // How much is skipped is a place, however it is counted.
    !is_mark(&name) && (has(&["skip"]) || has(&PLACES) && !has(&SIZES))
}

fn is_mark(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MARKS.iter().any(|word| name.contains(word))
}

fn is_size(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SIZES.iter().any(|word| name.contains(word))
}
