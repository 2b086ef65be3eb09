//! A SOAP fault (1.1 and 1.2): the partner's own word of an error, in place of an answer.

use super::element::Element;
use crate::decode::DecodeError;

/// What a fault says.
pub(super) fn fault(fault: &Element) -> DecodeError {
    let text_of = |element: Option<&Element>| element.map(|e| e.trimmed().to_owned());
    let code = fault.child("Code");
    let code = text_of(fault.child("faultcode"))
        .or_else(|| text_of(code.and_then(|code| code.child("Value"))))
        .unwrap_or_default();
    let reason = fault.child("Reason");
    let text = text_of(fault.child("faultstring"))
        .or_else(|| text_of(reason.and_then(|reason| reason.child("Text"))))
        .filter(|text| !text.is_empty());
    let detail = fault.child("detail").or_else(|| fault.child("Detail"));
    let inside = detail.map(Element::all).unwrap_or_default();
    let said = |name: &str| inside.iter().find_map(|element| element.tag.attribute(name));
    let retryable = match said("retryable") {
        Some(word) => matches!(word, "true" | "1"),
        None => is_theirs(&code),
    };
    let code = match said("code") {
        Some(own) if code.is_empty() => own.to_owned(),
        Some(own) => format!("{code}, {own}"),
        None if code.is_empty() => "a fault without a code".to_owned(),
        None => code,
    };
    let text = text.unwrap_or_else(|| "no reason is given".to_owned());
    DecodeError::Remote { code, text, retryable }
}

/// Whether the code lays it to the server (`Server.*`, in 1.2 `Receiver`), so that a moment may cure it.
fn is_theirs(code: &str) -> bool {
    let local = code.rsplit(':').next().unwrap_or_default();
    local.split('.').next().is_some_and(|word| matches!(word, "Server" | "Receiver"))
}
