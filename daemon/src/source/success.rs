//! Whether an answer with a good status is one, by its own word.

use marsad_shared::{mask::of_people, request::SuccessRule};
use serde_json::Value;

use crate::decode::{self, Scalar};

/// Why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It says that it failed.
    Said(String),
    /// It does not say that it succeeded.
    Silent,
}

impl Failure {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Said(words) => words,
            Self::Silent => "the answer does not say that it succeeded".to_owned(),
        }
    }
}

/// What `found` at the path of `rule` means.
///
/// # Errors
/// [`Failure`] if the answer is none.
pub fn judge(rule: &SuccessRule, found: &Scalar) -> Result<(), Failure> {
    match (rule, found) {
        (SuccessRule::Equals { values, .. }, Scalar::Text(text) | Scalar::Json(text)) => {
            let good = values.iter().any(|value| value == text);
            let failed =
                || Failure::Said(format!("the answer says that it failed ({})", of_people(text)));
            good.then_some(()).ok_or_else(failed)
        }
        (SuccessRule::Equals { .. }, Scalar::Absent | Scalar::Null) => Err(Failure::Silent),
        (SuccessRule::NoError { .. }, Scalar::Text(text) | Scalar::Json(text)) => {
            let none = ["", "false", "0", "[]", "{}"].contains(&text.trim());
            none.then_some(()).ok_or_else(|| {
                Failure::Said(format!("the answer is an error ({})", words_of(text)))
            })
        }
        (SuccessRule::NoError { .. }, Scalar::Absent | Scalar::Null) => Ok(()),
    }
}

/// What an answer says that has an error beside its records, where nobody said what a good one looks like.
pub fn error_beside(found: &Scalar) -> Option<String> {
    let value = match found {
        Scalar::Absent | Scalar::Null => return None,
        Scalar::Text(text) => Value::String(text.clone()),
        // What is no JSON, as our own masks may make it, is an error all the same.
        Scalar::Json(text) => serde_json::from_str(text).unwrap_or(Value::Bool(true)),
    };
    if decode::json::is_nothing(&value) {
        return None;
    }
    let words = decode::json::words_of(&value).unwrap_or_else(|| value.to_string());
    Some(format!(
        "the answer holds an error beside its records ({}); if it is whole all the same, say in `success` what a good one looks like",
        of_people(&words)
    ))
}

/// The words of an error, or all of it where it has none of its own.
fn words_of(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let words = json.as_ref().and_then(decode::json::words_of);
    of_people(words.as_deref().unwrap_or(text)).into_owned()
}
