//! A document that says of itself that it is an error, in place of the records that should be in it.

use serde_json::Value;

use crate::decode::DecodeError;

/// So long at most is a document that is an error, in bytes.
const ERROR_MAX: usize = 64 * 1024;
/// Members that hold an error.
pub(crate) const ERRORS: [&str; 6] = ["error", "errors", "fault", "exception", "Error", "Errors"];
/// Members that say how it went, and what they say where it went wrong; or a status of HTTP that is an error's.
const VERDICTS: [&str; 5] = ["status", "result", "state", "code", "statusCode"];
const WRONG: [&str; 6] = ["error", "fail", "failed", "failure", "ko", "nok"];
/// Members that are false where it went wrong.
const FLAGS: [&str; 4] = ["success", "ok", "succeeded", "isSuccess"];
/// What is said in place of an error where there is none.
const NONE: [&str; 6] = ["0", "200", "false", "none", "ok", "success"];
/// Members of an error that number it: nought is none.
const CODES: [&str; 3] = ["code", "errorCode", "status"];
/// Where the words of an error stand, the most telling first: problem details (RFC 9457), `OAuth`, JSON:API, `OData`, FHIR, and what
/// frameworks do by themselves.
const WORDS: [&str; 19] = [
    "detail",
    "error_description",
    "errorMessage",
    "message",
    "Message",
    "msg",
    "description",
    "diagnostics",
    "details",
    "reason",
    "errors",
    "error",
    "issue",
    "fault",
    "faultstring",
    "exception",
    "title",
    "text",
    "value",
];

/// The error that a document without records is, if it says so. Of what may be empty the partner's own word goes before what
/// its layout seems to say.
pub(crate) fn error_in(body: &[u8]) -> Option<DecodeError> {
    if body.len() > ERROR_MAX {
        return None;
    }
    let document = serde_json::from_slice(body).ok()?;
    let Value::Object(members) = &document else { return None };
    let says = ERRORS.iter().find_map(|name| Some((*name, members.get(*name)?)));
    let says = says.filter(|(_, value)| !is_nothing(value));
    let wrong = |value: &Value| {
        let word = value.as_str().map(str::to_ascii_lowercase);
        let status = value.as_i64().or_else(|| word.as_deref()?.parse().ok());
        word.is_some_and(|word| WRONG.contains(&word.as_str()))
            || status.is_some_and(|status| (400..600).contains(&status))
    };
    let judged = VERDICTS.iter().find(|name| members.get(**name).is_some_and(wrong));
    let flagged = FLAGS.iter().find(|name| members.get(**name) == Some(&Value::Bool(false)));
    let code = says.map(|(name, _)| name).or(judged.copied()).or(flagged.copied())?;
    let words = says.and_then(|(_, value)| words_of(value)).or_else(|| words_of(&document));
    let text = words.unwrap_or_else(|| "it says no more".to_owned());
    Some(DecodeError::Remote { code: code.to_owned(), text, retryable: true })
}

/// Whether what stands where an error would is none.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => {
            NONE.iter().any(|none| none.eq_ignore_ascii_case(text.trim())) || text.trim().is_empty()
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => {
            let code = CODES.iter().find_map(|name| members.get(*name));
            members.is_empty()
                || code.is_some_and(|code| is_nothing(code) && !code.is_null() || *code == 200)
        }
    }
}

/// The words of what an error holds, however deep they stand: its own, or those of the first of several; with where in the
/// request it is, if they say so (`loc`, as `FastAPI` has it).
pub(crate) fn words_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Array(items) => words_of(items.first()?),
        Value::Object(members) => {
            let words = WORDS.iter().find_map(|name| words_of(members.get(*name)?))?;
            let place = members.get("loc").and_then(Value::as_array).map(Vec::as_slice);
            let steps: Vec<_> =
                place.unwrap_or_default().iter().filter_map(Value::as_str).collect();
            Some(if steps.is_empty() { words } else { format!("{}: {words}", steps.join(".")) })
        }
        _ => None,
    }
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
            (r#"{"error":{"code":0,"message":"done"},"data":[]}"#, None),
            (r#"{"error":{"code":"200","message":"done"},"data":[]}"#, None),
            (r#"{"error":{"code":null,"message":"no"},"data":[]}"#, Some("error: no")),
            (r#"{"error":"None","data":[]}"#, None),
            (r#"{"error":"out of time","data":[]}"#, Some("error: out of time")),
            (r#"{"message":"welcome"}"#, None),
            (r#"{"status":200}"#, None),
            (r#"{"message":"no such table","code":500}"#, Some("code: no such table")),
            (r#"{"title":"Not Found","status":"404"}"#, Some("status: Not Found")),
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
