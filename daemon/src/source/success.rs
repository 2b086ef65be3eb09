//! Whether an answer with a good status is one, by its own word.

use marsad_shared::{mask::of_people, request::SuccessRule};
use serde_json::Value;

use crate::decode::Scalar;

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

/// The words of an error: where it is a list or an object that has some, those of the first.
fn words_of(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let words = ["/0/message", "/0/detail", "/0/title", "/message", "/detail", "/title"];
    let words =
        json.as_ref().and_then(|json| words.iter().find_map(|at| json.pointer(at)?.as_str()));
    of_people(words.unwrap_or(text)).into_owned()
}
