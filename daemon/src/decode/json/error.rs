//! A document that says of itself that it is an error, in place of the records that should be in it.

use serde_json::Value;

use crate::decode::DecodeError;

/// So long at most is a document that is an error, in bytes.
const ERROR_MAX: usize = 64 * 1024;
/// Members that hold an error.
pub(crate) const ERRORS: [&str; 6] = ["error", "errors", "fault", "exception", "Error", "Errors"];
/// Members that say how it went, and what they say where it went wrong.
const VERDICTS: [&str; 4] = ["status", "result", "state", "code"];
const WRONG: [&str; 6] = ["error", "fail", "failed", "failure", "ko", "nok"];
/// Members that hold a status of HTTP.
const STATUSES: [&str; 3] = ["status", "statusCode", "code"];
/// Members that are false where it went wrong.
const FLAGS: [&str; 4] = ["success", "ok", "succeeded", "isSuccess"];
/// What is said in place of an error where there is none, beside noughts and [`FINE`].
const NONE: [&str; 14] = [
    "false",
    "none",
    "null",
    "n/a",
    "-",
    "ok",
    "okay",
    "done",
    "success",
    "succeeded",
    "successful",
    "no error",
    "no errors",
    "error: none",
];
/// The status of HTTP of what went well.
const FINE: i64 = 200;
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
/// its layout seems to say. `has_list`: there is a list of records all the same, and it is empty. Then a status of HTTP tells
/// nothing: many say `404` where they have found none.
pub(crate) fn error_in(body: &[u8], has_list: bool) -> Option<DecodeError> {
    if body.len() > ERROR_MAX {
        return None;
    }
    let document = serde_json::from_slice(body).ok()?;
    let Value::Object(members) = &document else { return None };
    let there = |name: &'static str| Some((name, members.get(name)?));
    let says = ERRORS.into_iter().filter_map(there).find(|(_, value)| !is_nothing(value));
    let wrong = |value: &Value| {
        value.as_str().is_some_and(|word| WRONG.contains(&word.to_ascii_lowercase().as_str()))
    };
    let judged = VERDICTS.iter().find(|name| members.get(**name).is_some_and(wrong));
    let flagged = FLAGS.iter().find(|name| members.get(**name) == Some(&Value::Bool(false)));
    let numbered = STATUSES.iter().find(|name| members.get(**name).is_some_and(is_error_status));
    let code = says.map(|(name, _)| name).or(judged.copied()).or(flagged.copied());
    let code = code.or(numbered.copied().filter(|_| !has_list))?;
    let words = says.and_then(|(_, value)| words_of(value)).or_else(|| words_of(&document));
    let mut text = words.unwrap_or_else(|| "it says no more".to_owned());
    if has_list {
        text.push_str(
            "; if it only has no records, say in `success` what a good answer looks like",
        );
    }
    Some(DecodeError::Remote { code: code.to_owned(), text, retryable: true })
}

/// Whether a value is a status of HTTP that is an error's: a number, or one as text.
fn is_error_status(value: &Value) -> bool {
    let text = value.as_str().filter(|text| text.len() == 3);
    let status = value.as_i64().or_else(|| text?.parse().ok());
    status.is_some_and(|status| (400..600).contains(&status))
}

/// Whether what stands where an error would is none, in all that it holds.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => matches!(number.as_i64(), Some(0 | FINE)),
        Value::String(text) => {
            let text = text.trim();
            text.bytes().all(|digit| digit == b'0')
                || text.parse() == Ok(FINE)
                || NONE.iter().any(|none| none.eq_ignore_ascii_case(text))
        }
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(members) => members.values().all(is_nothing),
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
            (r#"{"error":{"code":null,"message":null},"data":[]}"#, None),
            (r#"{"error":{"code":"0000","message":"Successful"},"data":[]}"#, None),
            (r#"{"errors":{"count":0,"items":[]},"data":[]}"#, None),
            (r#"{"error":200,"data":[]}"#, None),
            (r#"{"error":"None","data":[]}"#, None),
            (r#"{"error":{"code":null,"message":"no"}}"#, Some("error: no")),
            (r#"{"error":{"code":0,"message":"nobody is there"}}"#, Some("error: nobody is there")),
            (r#"{"error":null,"errors":["out of time"]}"#, Some("errors: out of time")),
            (r#"{"code":"0450","name":"a region"}"#, None),
            (r#"{"result":450}"#, None),
            (r#"{"message":"welcome"}"#, None),
            (r#"{"status":200}"#, None),
            (r#"{"message":"no such table","code":500}"#, Some("code: no such table")),
            (r#"{"title":"Not Found","status":"404"}"#, Some("status: Not Found")),
            (r#"[{"error":"a field"}]"#, None),
            ("<html>", None),
        ] {
            let found = error_in(body.as_bytes(), false).map(|error| match error {
                DecodeError::Remote { code, text, .. } => format!("{code}: {text}"),
                other => other.to_string(),
            });
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn an_empty_list_is_no_error_by_its_status() {
        let empty = r#"{"status":404,"message":"no data found","data":[]}"#;
        assert!(error_in(empty.as_bytes(), true).is_none());
        let failed = r#"{"success":false,"message":"no room","data":[]}"#;
        let error = error_in(failed.as_bytes(), true).unwrap().to_string();
        assert!(error.contains("no room; if it only has no records, say in `success`"), "{error}");
    }
}
