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
        (SuccessRule::NoError { .. }, found) => {
            let error = value_of(found).filter(|value| !decode::json::is_nothing(value, true));
            error.map_or(Ok(()), |_| {
                let words = words_of(found.text().unwrap_or_default());
                Err(Failure::Said(format!("the answer is an error ({words})")))
            })
        }
    }
}

/// What an answer says that has an error beside its records, where nobody said what a good one looks like. `message`: what
/// stands beside that, if it has no words of its own.
pub fn error_beside(found: &Scalar, message: &Scalar) -> Option<String> {
    let value = value_of(found)?;
    if decode::json::is_nothing(&value, true) {
        return None;
    }
    let own = decode::json::words_of(&value);
    let words = own.or_else(|| message.text().map(str::to_owned));
    let words = words.unwrap_or_else(|| value.to_string());
    Some(format!("the answer holds an error beside its records ({}); {WHOLE}", of_people(&words)))
}

/// What to do where an answer is whole though it says otherwise.
const WHOLE: &str = "if it is whole all the same, say in `success` what a good one looks like";

/// The same of one that says by the flag `name` that it failed, and in `message` more of it perhaps.
pub fn failed(name: &str, message: &Scalar) -> String {
    let more = message.text().map_or_else(String::new, |text| format!(": {}", of_people(text)));
    format!("the answer holds records, and says that it failed ({name}{more}); {WHOLE}")
}

/// The same of one that says by the flag `name` that it is not whole.
pub fn in_part(name: &str) -> String {
    format!("the answer says that it is not whole ({name}); {WHOLE}")
}

/// Whether what stands there is a flag that says no.
pub fn says_no(found: &Scalar) -> bool {
    value_of(found).is_some_and(|value| decode::json::is_no(&value))
}

/// Whether what stands there is true.
pub fn says_yes(found: &Scalar) -> bool {
    value_of(found) == Some(Value::Bool(true))
}

/// What stands there; `None`: nothing. What is no JSON, as our own masks may make it, is text.
fn value_of(found: &Scalar) -> Option<Value> {
    match found {
        Scalar::Absent | Scalar::Null => None,
        Scalar::Text(text) => Some(Value::String(text.clone())),
        Scalar::Json(text) => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
        }
    }
}

/// The words of an error, or all of it where it has none of its own.
fn words_of(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let words = json.as_ref().and_then(decode::json::words_of);
    of_people(words.as_deref().unwrap_or(text)).into_owned()
}
