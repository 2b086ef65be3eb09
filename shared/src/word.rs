//! One word for each state, the same in type, table, command, JSON and screen.
//!
//! `words!` makes an enum and its words from one list, so that no two places can spell a
//! state differently.

use crate::untrusted::show_at_most;

/// Text that is none of the words of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no {kind}; the words are: {}", show_at_most(word, 40), words.join(", "))]
pub struct UnknownWord {
    /// What was expected, such as `health`.
    pub kind: &'static str,
    /// What was found instead, raw: shown through the gate only.
    pub word: String,
    /// Every word that would have been right.
    pub words: &'static [&'static str],
}

/// Declares a fieldless enum with a word for each variant: `word`, `ALL`, `Display`, `FromStr`
/// and serde all speak that word.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident is $kind:literal {
            $( $(#[$note:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[$note])* #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),+];

            /// Each of them once, in the order of their declaration.
            pub const ALL: [Self; Self::WORDS.len()] = [$(Self::$variant),+];

            /// The word that stands for it in tables, commands, JSON and the catalogue's keys.
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|each| each.word() == word).ok_or_else(|| {
                    $crate::word::UnknownWord { kind: $kind, word: word.to_owned(), words: Self::WORDS }
                })
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::audit::Phase;
    use crate::drift::{Change, Decision};
    use crate::exchange::{Direction, Event, State};
    use crate::freshness::Freshness;
    use crate::health::{Health, Reason, Side};
    use crate::role::{Act, Role};

    /// Says every word in each of the ways there are, and reads it back.
    fn speaks_one_word<T>(all: &[T], words: &str)
    where
        T: Copy + Debug + PartialEq + Display + Serialize + DeserializeOwned,
        T: FromStr<Err = UnknownWord>,
    {
        let said: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(said.join(" "), words);
        for (each, word) in all.iter().zip(&said) {
            assert_eq!(word.parse::<T>().as_ref(), Ok(each));
            let json = serde_json::to_string(each).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *each);
        }
    }

    #[test]
    fn every_state_has_the_word_of_the_design() {
        speaks_one_word(
            &State::ALL,
            "pending scheduled sending in_doubt retrying delivered confirmed rejected held expired cancelled",
        );
        speaks_one_word(&Direction::ALL, "incoming outgoing");
        speaks_one_word(&Health::ALL, "unknown up suspect degraded down recovering");
        speaks_one_word(&Freshness::ALL, "fresh due late stale expired unknown exempt future");
        speaks_one_word(&Phase::ALL, "begun done failed refused");
        speaks_one_word(&Change::ALL, "new gone retyped structure");
        speaks_one_word(&Decision::ALL, "open approved refused known passed");
        speaks_one_word(&Side::ALL, "ours network tls gateway partner data");
        speaks_one_word(&Role::ALL, "viewer operator supervisor auditor admin");
        speaks_one_word(
            &Reason::ALL,
            "dns connect_refused connect_timeout tls_handshake tls_expired tls_untrusted auth http_4xx http_5xx \
             first_byte_timeout read_timeout too_large truncated not_json encoding decode schema checksum \
             remote_fault gateway_fault network resolver disk db_busy clock",
        );
        speaks_one_word(
            &Event::ALL,
            "scheduled due sent accepted refused failed answer_lost found not_found unsure interrupted \
             deadline_passed hold release retry cancel confirm",
        );
        speaks_one_word(
            &Act::ALL,
            "look read_audit resync send test_connection discover_feed retry_exchange hold_exchange \
             release_exchange cancel_exchange \
             confirm_exchange pause_feed resume_feed cancel_run \
             release_run approve_run discard_run undo_run rewind \
             decide_schema discard_quarantine replay_quarantine reveal \
             reload backup",
        );
    }

    #[test]
    fn a_wrong_word_is_named_with_the_right_ones_and_cannot_reach_the_terminal() {
        let error = "\u{1b}[2Jin".parse::<Direction>().unwrap_err();
        let said = error.to_string();
        assert_eq!(said, r#""\u{1b}[2Jin" is no direction; the words are: incoming, outgoing"#);
    }
}
