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
pub(crate) const FLAGS: [&str; 5] = ["success", "ok", "succeeded", "isSuccess", "Success"];
/// Members that are true where the answer is not whole, and mean nothing else: no more pages follow by them.
pub(crate) const PARTS: [&str; 3] = ["timed_out", "incomplete_results", "partialResults"];
/// What is said in place of an error where there is none, without case and whatever is no letter, beside noughts and [`FINE`].
const NONE: [&str; 21] = [
    "",
    "200ok",
    "false",
    "no",
    "none",
    "nil",
    "null",
    "na",
    "undefined",
    "ok",
    "okay",
    "done",
    "success",
    "succeeded",
    "successful",
    "noerror",
    "noerrors",
    "noerrorfound",
    "noerrorsfound",
    "لايوجد",
    "لايوجدخطأ",
];
/// Members of an error that number it: nought is none.
const CODES: [&str; 4] = ["code", "errorcode", "errcode", "status"];
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
    let find = |name: &str| {
        let same = members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        members.get(name).or(same.map(|(_, value)| value))
    };
    let there = |name: &'static str| Some((name, find(name)?));
    let says = ERRORS.into_iter().filter_map(there).find(|(_, value)| !is_nothing(value, has_list));
    let wrong = |value: &Value| {
        value.as_str().is_some_and(|word| WRONG.contains(&word.to_ascii_lowercase().as_str()))
    };
    let words = words_of(&document);
    // Without a word it may be that of what was asked for.
    let judged = VERDICTS.iter().find(|name| find(name).is_some_and(wrong));
    let judged = judged.filter(|_| words.is_some() || !has_list);
    let flagged = FLAGS.iter().find(|name| find(name).is_some_and(is_no));
    let numbered = STATUSES.iter().find(|name| find(name).is_some_and(is_error_status));
    let code = says.map(|(name, _)| name).or(judged.copied()).or(flagged.copied());
    let code = code.or(numbered.copied().filter(|_| !has_list))?;
    let words = says.and_then(|(_, value)| words_of(value)).or(words);
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

/// Whether a flag says no: a boolean, or one as text or number.
pub(crate) fn is_no(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.eq_ignore_ascii_case("false") || text == "0",
        _ => false,
    }
}

/// Whether what stands where an error would is none, in all that it holds. `has_list`: there is a list of records beside it,
/// and then a code that is nought tells, whatever words go with it.
pub(crate) fn is_nothing(value: &Value, has_list: bool) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0) || number.as_i64() == Some(FINE),
        Value::String(text) => {
            let number = text.trim().parse::<f64>();
            let bare: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
            number.is_ok_and(|number| number == 0.0)
                || text.trim().parse() == Ok(FINE)
                || NONE.contains(&bare.to_lowercase().as_str())
        }
        Value::Array(items) => items.iter().all(|item| is_nothing(item, has_list)),
        Value::Object(members) => {
            let is_code = |name: &str| {
                let bare = name.to_ascii_lowercase().replace('_', "");
                CODES.contains(&bare.as_str())
            };
            let mut codes = members.iter().filter(|(name, code)| is_code(name) && !code.is_null());
            members.values().all(|value| is_nothing(value, has_list))
                || has_list && codes.any(|(_, code)| is_nothing(code, has_list))
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
            (r#"{"error":{"code":null,"message":null},"data":[]}"#, None),
            (r#"{"error":{"code":"0000","message":"Successful"},"data":[]}"#, None),
            (r#"{"errors":{"count":0,"items":[]},"data":[]}"#, None),
            (r#"{"error":200,"data":[]}"#, None),
            (r#"{"error":"None","data":[]}"#, None),
            (r#"{"error":{"code":null,"message":"no room"}}"#, Some("error: no room")),
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
        for empty in [
            r#"{"status":404,"message":"no data found","data":[]}"#,
            r#"{"error":{"errorCode":"0","message":"it was carried out"},"data":[]}"#,
            r#"{"error":"NO_ERROR","data":[]}"#,
            r#"{"error":"لا يوجد خطأ","data":[]}"#,
            r#"{"error":"0.0","errors":[{"code":"0000"}],"data":[]}"#,
            r#"{"state":"failure","statuses":[]}"#,
        ] {
            assert!(error_in(empty.as_bytes(), true).is_none(), "{empty}");
        }
        for failed in [
            r#"{"Success":false,"data":[]}"#,
            r#"{"success":"false","data":[]}"#,
            r#"{"Status":"Failed","message":"no room","data":[]}"#,
            r#"{"error":{"code":null,"message":"no room"},"data":[]}"#,
        ] {
            assert!(error_in(failed.as_bytes(), true).is_some(), "{failed}");
        }
        let failed = r#"{"success":false,"message":"no room","data":[]}"#;
        let error = error_in(failed.as_bytes(), true).unwrap().to_string();
        assert!(error.contains("no room; if it only has no records, say in `success`"), "{error}");
    }
}
