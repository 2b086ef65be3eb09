//! How things are called: names that people write, and numbers that only grow.
//!
//! An id is checked once, where it enters; holding one is the proof that it is well formed.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The longest name, in characters (DESIGN section 6).
pub const NAME_MAX: usize = 64;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A name breaks the rule of names.
    #[error("{0:?} is not a name: 1 to {NAME_MAX} of a-z, 0-9 and single '-' inside")]
    Name(String),
    /// A two-part id lacks its `/`, or has two.
    #[error("{0:?} is not an id of the form partner/name")]
    Parts(String),
    /// A numbered id lacks its letter or its number.
    #[error("{text:?} is not an id of the form {letter}123")]
    Number { text: String, letter: char },
}

/// Whether `text` is a name: 1 to 64 of `a-z`, `0-9` and single `-` inside.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn check_name(text: &str) -> Result<(), IdError> {
    if is_name(text) { Ok(()) } else { Err(IdError::Name(text.to_owned())) }
}

fn check_pair(text: &str) -> Result<(), IdError> {
    let (partner, name) = text.split_once('/').ok_or_else(|| IdError::Parts(text.to_owned()))?;
    check_name(partner)?;
    check_name(name)
}

text_id!(
    /// A partner's id: one name, from the `[partner]` block of its file.
    PartnerId,
    check_name
);
text_id!(
    /// A connection's id, `partner/connection`.
    ConnectionId,
    check_pair
);
text_id!(
    /// A feed's id, `partner/feed`: the key in the store, on the socket and in commands.
    FeedId,
    check_pair
);

macro_rules! pair {
    ($name:ident) => {
        impl $name {
            /// The id of `name` at `partner`.
            ///
            /// # Errors
            /// [`IdError::Name`] if `name` is none.
            pub fn of(partner: &PartnerId, name: &str) -> Result<Self, IdError> {
                format!("{partner}/{name}").parse()
            }

            /// The partner's part.
            pub fn partner(&self) -> PartnerId {
                PartnerId(self.0.split('/').next().unwrap_or_default().into())
            }

            /// The part after the `/`.
            pub fn name(&self) -> &str {
                self.0.split('/').next_back().unwrap_or_default()
            }
        }
    };
}
pair!(ConnectionId);
pair!(FeedId);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub i64);

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($letter)
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or_else(|| IdError::Number { text: text.to_owned(), letter: $letter })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{}{}", $letter, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

number_id!(
    /// What is alike in quarantine.
    GroupId,
    'g'
);
number_id!(
    /// A run's id, `r4821`.
    RunId,
    'r'
);
number_id!(
    /// An exchange's id, `x1042`.
    ExchangeId,
    'x'
);
number_id!(
    /// A quarantine item's id, `q18`.
    QuarantineId,
    'q'
);
number_id!(
    /// The id of a move of a feed's cursor, `c7`.
    MoveId,
    'c'
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_with_single_inner_dashes() {
        for (text, good, why) in [
            ("education", true, "letters"),
            ("child-protection", true, "one dash inside"),
            ("a", true, "shortest"),
            ("", false, "empty"),
            ("-a", false, "dash at the start"),
            ("a-", false, "dash at the end"),
            ("a--b", false, "two dashes together"),
            ("Education", false, "capital"),
            ("a_b", false, "underscore"),
            ("تعليم", false, "not ASCII"),
        ] {
            assert_eq!(is_name(text), good, "{why}");
        }
        assert!(is_name(&"a".repeat(NAME_MAX)));
        assert!(!is_name(&"a".repeat(NAME_MAX + 1)));
    }

    #[test]
    fn ids_split_into_their_parts() {
        let feed: FeedId = "child-protection/notices".parse().unwrap();
        assert_eq!((feed.partner().as_str(), feed.name()), ("child-protection", "notices"));
        assert!("notices".parse::<FeedId>().is_err());
        assert!("a/b/c".parse::<FeedId>().is_err());
    }

    #[test]
    fn numbered_ids_are_a_letter_and_a_number() {
        assert_eq!("r4821".parse(), Ok(RunId(4821)));
        assert_eq!(RunId(4821).to_string(), "r4821");
        for bad in ["4821", "x4821", "r", "r-1", "r+1", "r99999999999999999999"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
