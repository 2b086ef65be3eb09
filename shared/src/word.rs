//! Closed sets of words: one spelling in code, tables, commands and screens.

/// A word that names none of a closed set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}")]
pub struct UnknownWord {
    pub what: &'static str,
    pub text: String,
}

/// `Display` and `FromStr` for an enum with `ALL` and `word`.
macro_rules! words {
    ($name:ident, $what:literal) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::word::UnknownWord> {
                Self::ALL
                    .into_iter()
                    .find(|word| word.word() == text)
                    .ok_or_else(|| $crate::word::UnknownWord { what: $what, text: text.to_owned() })
            }
        }
    };
}
pub(crate) use words;
