//! A document that says of itself that it is an error, in place of the records that should be in it.

use serde_json::{Map, Value};

use crate::decode::DecodeError;

/// So long at most is a document that is an error, in bytes.
const ERROR_MAX: usize = 64 * 1024;
/// Members that hold an error.
const ERRORS: [&str; 6] = ["error", "errors", "fault", "exception", "Error", "Errors"];
/// Members that say how it went, and what they say where it went wrong.
const VERDICTS: [&str; 4] = ["status", "result", "state", "code"];
const WRONG: [&str; 6] = ["error", "fail", "failed", "failure", "ko", "nok"];
/// Members that are false where it went wrong.
const FLAGS: [&str; 4] = ["success", "ok", "succeeded", "isSuccess"];
/// Where the words of an error stand, the most telling first.
const WORDS: [&str; 9] = [
    "message",
    "detail",
    "error_description",
    "errorMessage",
    "description",
    "title",
    "Message",
    "msg",
    "reason",
];

/// The error that a document without records is, if it says so. Of what may be empty the partner's own word goes before what
/// its layout seems to say.
pub(crate) fn error_in(body: &[u8]) -> Option<DecodeError> {
    if body.len() > ERROR_MAX {
        return None;
    }
    let Value::Object(members) = serde_json::from_slice(body).ok()? else { return None };
    let says = ERRORS.iter().find_map(|name| Some((*name, members.get(*name)?)));
    let says = says.filter(|(_, value)| !is_nothing(value));
    let wrong = |value: &Value| {
        value.as_str().is_some_and(|word| WRONG.contains(&word.to_ascii_lowercase().as_str()))
    };
    let judged = VERDICTS.iter().find(|name| members.get(**name).is_some_and(wrong));
    let flagged = FLAGS.iter().find(|name| members.get(**name) == Some(&Value::Bool(false)));
    let code = says.map(|(name, _)| name).or(judged.copied()).or(flagged.copied())?;
    let words = says.and_then(|(_, value)| words(value)).or_else(|| words_of(&members));
    let text = words.unwrap_or_else(|| "it says no more".to_owned());
    Some(DecodeError::Remote { code: code.to_owned(), text, retryable: true })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// The words of what an error holds: its own, or those of the first of several.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Array(items) => words(items.first()?),
        Value::Object(members) => words_of(members),
        _ => None,
    }
}

fn words_of(members: &Map<String, Value>) -> Option<String> {
    let text = |name: &&str| members.get(*name)?.as_str().map(str::trim);
    WORDS.iter().filter_map(text).find(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_from_an_envelope() {
        for (body, expected) in [
            (
                r#"{"status":"error","message":"database is down"}"#,
                Some("status: database is down"),
            ),
            (r#"{"error":"database is down"}"#, Some("error: database is down")),
            (r#"{"error":{"code":7,"message":"no"},"data":null}"#, Some("error: no")),
            (
                r#"{"errors":[{"message":"Cannot query field"}]}"#,
                Some("errors: Cannot query field"),
            ),
            (r#"{"errors":[{"code":7}]}"#, Some("errors: it says no more")),
            (r#"{"success":false,"msg":"quota"}"#, Some("success: quota")),
            (r#"{"status":"FAILED"}"#, Some("status: it says no more")),
            (r#"{"error":null,"message":"OK","result":{}}"#, None),
            (r#"{"errors":[],"status":"ok"}"#, None),
            (r#"{"message":"welcome"}"#, None),
            (r#"{"status":200}"#, None),
            (r#"[{"error":"a field"}]"#, None),
            ("<html>", None),
        ] {
            let found = error_in(body.as_bytes()).map(|error| match error {
                DecodeError::Remote { code, text, .. } => format!("{code}: {text}"),
                other => other.to_string(),
            });
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }
}
