//! Where a parameter travels: into the query, a header or the body.

use std::collections::BTreeMap;

use marsad_shared::request::{Body, Carrier, Param, place::place};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::source::{
    call::{Call, UNRESERVED},
    walk::WalkError,
};

/// What stands in the name of a parameter as it is: as in its value, and `$`, which is the mark of whole interfaces.
const NAME: &AsciiSet = &UNRESERVED.remove(b'$');

/// Puts a parameter where it travels.
///
/// # Errors
/// [`WalkError::NoHeader`] if it travels in a header, and is nothing that one can hold.
pub(super) fn put(call: &mut Call, param: &Param, value: Value) -> Result<(), WalkError> {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = &param.name;
    match (param.carrier, &mut call.body) {
        (Carrier::Header, _) => header(&mut call.headers, name, &text)?,
        (Carrier::Body, Body::Json(body)) => put_json(body, name, value),
        (Carrier::Body, Body::Form(fields)) => {
            fields.retain(|(there, _)| there != name);
            fields.push((name.clone(), text));
        }
        (Carrier::Body, Body::Text(body)) => {
            *body = body.replace(&format!("{{{name}}}"), &escaped(&text));
        }
        // The configuration lets nothing travel in a body that is not there.
        (Carrier::Body, Body::None) => {}
        (Carrier::Query, _) => put_query(&mut call.url, name, &text),
    }
    Ok(())
}

fn put_query(url: &mut Url, name: &str, value: &str) {
    let pair =
        format!("{}={}", utf8_percent_encode(name, NAME), utf8_percent_encode(value, UNRESERVED));
    let query = match url.query() {
        Some(there) if !there.is_empty() => format!("{there}&{pair}"),
        _ => pair,
    };
    url.set_query(Some(&query));
}

/// `value` as one condition with what the query says of the parameter already, which is taken out there.
pub(super) fn joined(call: &mut Call, name: &str, value: Value) -> Value {
    let said = call.url.query_pairs().filter(|(there, said)| there == name && !said.is_empty());
    let said: Vec<_> = said.map(|(_, said)| format!("({said})")).collect();
    clear_query(&mut call.url, |there| there == name);
    match (said.is_empty(), value.as_str()) {
        (false, Some(ours)) => format!("{} and ({ours})", said.join(" and ")).into(),
        _ => value,
    }
}

/// Takes the parameters out of a query whose names `gone` takes; the others stay as they were written.
pub(super) fn clear_query(url: &mut Url, gone: impl Fn(&str) -> bool) {
    let Some(query) = url.query() else { return };
    let name = |pair: &str| {
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned())
    };
    let is_gone = |pair: &&str| name(pair).is_some_and(|name| gone(&name));
    if !query.split('&').any(|pair| is_gone(&pair)) {
        return;
    }
    let stays: Vec<_> = query.split('&').filter(|pair| !is_gone(pair)).collect();
    let stays = Some(stays.join("&")).filter(|stays| !stays.is_empty());
    url.set_query(stays.as_deref());
}

/// Puts a value at its place. Where the configuration has a number there, text that is one goes as one; where it has a text, a
/// number goes as one.
fn put_json(body: &mut Value, path: &str, value: Value) {
    // The configuration has no path that leads to none.
    let Ok(here) = place(body, path) else { return };
    *here = match (&*here, &value) {
        (Value::Number(_), Value::String(text)) => {
            exact(text).filter(Value::is_number).unwrap_or(value)
        }
        (Value::String(_), Value::Number(number)) => Value::String(number.to_string()),
        _ => value,
    };
}

/// A value of JSON, if it can be written again as it was: a number of more digits than one holds would be another.
pub(super) fn exact(text: &str) -> Option<Value> {
    match serde_json::from_str(text).ok()? {
        Value::Number(number) if number.is_f64() => {
            let digits = text.bytes().take_while(|byte| !b"eE".contains(byte));
            let digits = digits.filter(u8::is_ascii_digit).count();
            (digits <= 15).then_some(Value::Number(number))
        }
        Value::Array(_) => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items = items.into_iter().map(|raw| exact(raw.get()));
            items.collect::<Option<_>>().map(Value::Array)
        }
        Value::Object(_) => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let members = members.into_iter().map(|(name, raw)| Some((name, exact(raw.get())?)));
            members.collect::<Option<_>>().map(Value::Object)
        }
        value => Some(value),
    }
}

/// Puts a header, in place of one of that name.
///
/// # Errors
/// As [`put`].
pub(super) fn header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), WalkError> {
    let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
        return Err(WalkError::NoHeader { name: name.to_owned() });
    };
    headers.insert(name, value);
    Ok(())
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_goes_back_as_the_one_that_it_was() {
        for (text, expected) in [
            ("20", true),
            ("-1.50", true),
            ("1e3", true),
            ("18446744073709551615", true),
            ("12345678901234567890123", false),
            ("0.12345678901234567", false),
            ("[1, \"784000000000000000001\"]", true),
            ("[1, 784000000000000000001]", false),
            ("{\"id\":{\"N\":784000000000000000001}}", false),
            ("{\"id\":{\"N\":7},\"more\":true}", true),
            ("[1", false),
        ] {
            assert_eq!(exact(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_list_on_the_way_stays_one() {
        let mut body = json!({ "filters": [{ "field": "open", "value": 1 }, { "value": "" }] });
        put_json(&mut body, "filters.1.value", "2026-11-24".into());
        put_json(&mut body, "filters.2.value", 7.into());
        let filters = [
            json!({ "field": "open", "value": 1 }),
            json!({ "value": "2026-11-24" }),
            json!({ "value": 7 }),
        ];
        assert_eq!(body, json!({ "filters": filters }));
    }

    #[test]
    fn what_no_header_can_hold_is_told_and_not_left_out() {
        let mut call = Call::get("https://p.example/".parse().unwrap());
        let param = |carrier| Param { name: "X-After".to_owned(), carrier };
        assert_eq!(put(&mut call, &param(Carrier::Header), "c 1".into()), Ok(()));
        assert_eq!(call.headers.get("x-after").and_then(|held| held.to_str().ok()), Some("c 1"));
        for text in ["a\r\nX-Evil: 1", "a\0", "\u{7f}"] {
            let error = put(&mut call, &param(Carrier::Header), text.into());
            assert_eq!(error, Err(WalkError::NoHeader { name: "X-After".to_owned() }), "{text:?}");
            assert_eq!(put(&mut call, &param(Carrier::Query), text.into()), Ok(()), "{text:?}");
        }
        assert_eq!(call.headers.len(), 1);
    }
}
