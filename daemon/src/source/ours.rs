//! What is ours alone: the secrets of a connection, found again wherever a partner repeats them.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{alphabet, engine};
use marsad_shared::connection::Auth;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

pub use mask::{MARK, Mask};
use readings::{base64, readings};

mod mask;
mod readings;

/// A piece of a secret is one too from so many bytes on; of a short one, from three fifths of it on, and this at least.
const PIECE: usize = 12;
const PIECE_LEAST: usize = 8;
/// What is shorter is in every text by chance, and is not looked for, in bytes.
const SHORT: usize = 4;
/// So many things that requests showed are remembered: what a partner repeats, it heard a moment ago.
const SHOWN_MAX: usize = 32;
/// The longest text that is looked through, in bytes; what is beyond is left out. Far more than is ever shown.
const TEXT_MAX: usize = 16 * 1024;
/// What stands in place of words that repeat a secret.
const LEFT_OUT: &str =
    "the answer repeats a secret of ours, so that its words are left out; tell the partner";

/// Base64 without its padding, whatever its last bits are: a piece of it may be cut anywhere.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(engine::DecodePaddingMode::RequireNone),
);

/// The secrets of one connection.
#[derive(Debug)]
pub struct Ours {
    configured: Vec<SecretString>,
    shown: Mutex<Heard>,
}

/// What partners have heard of us.
#[derive(Debug, Default)]
struct Heard {
    /// What requests showed beside what is configured, the newest last.
    secrets: VecDeque<SecretString>,
    /// What hides all of it in data, made when it is asked for; `None`: nothing has to be hidden.
    mask: OnceCell<Option<Arc<Mask>>>,
}

impl Ours {
    /// What `auth` is configured with.
    pub fn of(auth: &Auth) -> Self {
        Self { configured: auth.secrets().into_iter().cloned().collect(), shown: Mutex::default() }
    }

    /// Remembers what a request shows.
    pub fn show(&self, secrets: Vec<String>) {
        let mut heard = self.shown();
        let Heard { secrets: shown, mask } = &mut *heard;
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORT) {
            match shown.iter().position(|known| known.expose_secret() == secret) {
                Some(at) => drop(shown.remove(at)),
                None => *mask = OnceCell::new(),
            }
            shown.push_back(secret.into());
        }
        let many = shown.len().saturating_sub(SHOWN_MAX);
        shown.drain(..many);
    }

    /// What hides the secrets in data; `None`: none is long enough to be told from honest data.
    pub fn mask(&self) -> Option<Arc<Mask>> {
        let heard = self.shown();
        let all = || self.configured.iter().chain(&heard.secrets).map(ExposeSecret::expose_secret);
        heard.mask.get_or_init(|| Mask::of(all()).map(Arc::new)).clone()
    }

    /// Whether `text` holds a secret, or a piece of one that tells much of it, in whatever writing: as it is, in another
    /// case, escaped, as URLs have it, or as base64 of it and of what stands around it.
    pub fn is_in(&self, text: &str) -> bool {
        let (mut words, mut pieces) = (Vec::new(), BTreeMap::<usize, HashSet<Vec<u8>>>::new());
        for secret in self.all() {
            let secret = secret.to_lowercase();
            for secret in [secret.replace('\\', ""), secret] {
                if secret.len() > PIECE {
                    let size = (secret.len() * 3 / 5).clamp(PIECE_LEAST, PIECE);
                    let each = secret.as_bytes().windows(size).map(<[u8]>::to_vec);
                    pieces.entry(size).or_default().extend(each);
                } else if secret.len() >= SHORT {
                    words.push(secret);
                }
            }
        }
        let holds = |text: &String| {
            let text = text.to_lowercase();
            words.iter().any(|word| text.contains(word))
                || pieces.iter().any(|(size, pieces)| {
                    text.as_bytes().windows(*size).any(|piece| pieces.contains(piece))
                })
        };
        let readings = readings(text);
        let base64 = readings.iter().flat_map(|text| base64(text)).collect::<Vec<_>>();
        readings.iter().chain(&base64).any(holds)
    }

    /// Whether `value` is a secret, and one that nothing else would be by chance.
    pub fn is(&self, value: &str) -> bool {
        value.len() >= PIECE && self.all().iter().any(|secret| secret == value)
    }

    /// `text` behind one of `heads`, which are our own; without its words if they repeat a secret.
    pub fn clean(&self, heads: &[String], text: &str) -> String {
        let text = text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default();
        let parted = heads.iter().find_map(|head| Some((head, text.strip_prefix(head.as_str())?)));
        match parted {
            Some((head, words)) if self.is_in(words) => format!("{head}: {LEFT_OUT}"),
            None if self.is_in(text) => LEFT_OUT.to_owned(),
            _ => text.to_owned(),
        }
    }

    fn all(&self) -> Vec<String> {
        let shown = self.shown();
        self.configured
            .iter()
            .chain(&shown.secrets)
            .map(|one| one.expose_secret().to_owned())
            .collect()
    }

    fn shown(&self) -> MutexGuard<'_, Heard> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a query as it was before it was one.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// `text`, a URL, a part of one, or what holds URLs, without the parameters of which `is_ours` says so by name and value.
pub fn without(text: &str, is_ours: impl Fn(&str, &str) -> bool) -> String {
    let mut left = String::with_capacity(text.len());
    // What parts the parameter that comes from what was kept.
    let (mut mark, mut rest) = (None, text);
    loop {
        let end = rest.find(['?', '&', '#', '"', '<', '>']).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        let pair = part.split_once('=');
        let ours = pair.is_some_and(|(name, value)| is_ours(&decoded(name), &decoded(value)));
        let next = behind.chars().next();
        if !ours {
            left.extend(mark);
            left.push_str(part);
            mark = next;
        } else if next != Some('&') {
            // What opened the query goes with its only parameter; another mark stays.
            if !matches!(mark, Some('?' | '&' | '#')) {
                left.extend(mark);
            }
            mark = next;
        }
        let Some(next) = next else { break };
        rest = behind.get(next.len_utf8()..).unwrap_or_default();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Tr0ub4dor&3/=\"correct";

    fn ours() -> Ours {
        let ours = Ours::of(&Auth::Bearer { token: SECRET.into() });
        ours.show(vec!["pin9".to_owned(), "a".to_owned(), String::new()]);
        ours
    }

    #[test]
    fn a_secret_is_found_in_any_writing_and_in_pieces() {
        use base64::{
            Engine as _,
            engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
        };
        let ours = ours();
        let piece = SECRET.get(3..15).unwrap();
        for (text, expected, why) in [
            (format!("no {SECRET} here"), true, "as it is"),
            (format!("no {piece} here"), true, "a piece"),
            (format!("no {} here", piece.get(1..).unwrap()), false, "too little to tell much"),
            (SECRET.to_uppercase(), true, "in capitals"),
            (format!("[{SECRET:?}]"), true, "escaped as JSON"),
            ("x?k=Tr0ub4dor%263%2F%3D%22correct".to_owned(), true, "as a URL has it"),
            ("Tr0ub4dor&amp;3/=&quot;correct".to_owned(), true, "as XML has it"),
            ("Tr0ub4dor&#38;3&#x2F;=&#34;correct".to_owned(), true, "by its numbers"),
            ("Tr0ub4dor\\u00263/=\\u0022correct".to_owned(), true, "by its code points"),
            ("x?k=Tr0ub4dor%25263%252F%253D%2522correct".to_owned(), true, "as a URL in a URL"),
            ("&; &#; &#x; &#99999999; &amp \\u12 \\uDEAD %".to_owned(), false, "no escapes"),
            (STANDARD.encode(SECRET), true, "as base64"),
            (STANDARD.encode(format!("x:{SECRET}")), true, "behind a user"),
            (format!("/a/b{}", URL_SAFE_NO_PAD.encode(format!("{SECRET}:x"))), true, "wherever"),
            ("your PIN9 is wrong".to_owned(), true, "a short one"),
            (STANDARD.encode("us:pin9"), true, "a short one as base64"),
            ("no such dataset; ask for /v1/rows".to_owned(), false, "other words"),
        ] {
            assert_eq!(ours.is_in(&text), expected, "{why}: {text}");
        }
        let short = Ours::of(&Auth::Bearer { token: "PLANTx9+Zq/77=".into() });
        assert!(short.is_in("key PLANTx9+Zq/... is unknown"), "the most of a short one");
        assert!(!short.is_in("key PLANTx9... is unknown"), "half of it");
        assert!(!format!("{ours:?}").contains("pin9"));
        let clean = |head: &str, text: &str| ours.clean(&["x".to_owned(), head.to_owned()], text);
        assert_eq!(clean("p", "p: pin9; look"), format!("p: {LEFT_OUT}"));
        assert_eq!(clean("p", "q: pin9; look"), LEFT_OUT);
        assert_eq!(clean("pin9", "pin9: all well"), "pin9: all well", "what we say ourselves");
        assert_eq!(clean("q", &"y".repeat(3 * TEXT_MAX)).len(), TEXT_MAX);
    }

    #[test]
    fn what_was_shown_is_remembered_until_much_else_was() {
        let ours = ours();
        for number in 1..SHOWN_MAX {
            assert!(ours.is_in("pin9"), "{number}");
            ours.show(vec![format!("token number {number}"), "again and again".to_owned()]);
        }
        assert!(!ours.is_in("pin9") && ours.is_in("again and again") && ours.is_in(SECRET));
        assert!(ours.is("again and again") && !ours.is("again"));
    }

    #[test]
    fn data_is_without_what_was_shown_last_and_before() {
        let (ours, row) = (Ours::of(&Auth::None), "{\"a\":\"the first token, the second token\"}");
        let hidden = || {
            let mask = ours.mask().unwrap();
            String::from_utf8(mask.held(row.as_bytes(), true).into_owned()).unwrap()
        };
        assert!(ours.mask().is_none(), "nothing is ours");
        ours.show(vec!["the first token".to_owned(), "short".to_owned()]);
        assert_eq!(hidden(), format!("{{\"a\":\"{MARK}, the second token\"}}"));
        let before = ours.mask().unwrap();
        ours.show(vec!["the first token".to_owned()]);
        assert!(Arc::ptr_eq(&before, &ours.mask().unwrap()), "nothing else has to be hidden");
        ours.show(vec!["the second token".to_owned()]);
        assert_eq!(hidden(), format!("{{\"a\":\"{MARK}, {MARK}\"}}"));
    }

    #[test]
    fn a_parameter_is_taken_out_of_whatever_holds_it() {
        for (text, expected) in [
            ("https://p/x?key=S", "https://p/x"),
            ("https://p/x?key=S&p=2", "https://p/x?p=2"),
            ("https://p/x?p=2&key=S", "https://p/x?p=2"),
            ("https://p/x?p=2&key=S&key=T&q=%20+", "https://p/x?p=2&q=%20+"),
            ("https://p/x?a=1&%6bey=S#top", "https://p/x?a=1#top"),
            ("https://p/x?p=2#key=S", "https://p/x?p=2"),
            ("?key=S&p=2", "?p=2"),
            ("key=S&p=2", "p=2"),
            ("key=S", ""),
            ("/go?to=/x?key=S&p=2", "/go?to=/x?p=2"),
            ("<https://p/x?key=S>; rel=\"next\"", "<https://p/x>; rel=\"next\""),
            ("{\"href\":\"/x?p=2&key=S\"}", "{\"href\":\"/x?p=2\"}"),
            ("https://p/x?monkey=S&key", "https://p/x?monkey=S&key"),
            ("Zm9vIGJhcg==", "Zm9vIGJhcg=="),
            ("", ""),
        ] {
            assert_eq!(without(text, |name, _| name == "key"), expected, "{text}");
        }
    }
}
