//! Handing a document over by HTTP, and asking whether an earlier one arrived.

use std::{io::Read, time::Duration};

use marsad_shared::{
    connection::{Deliver, DeliverMethod},
    exchange::{Event, State},
    feed::ScalarPath,
    health::{PollResult, Reason},
    request::{OnError, Success, SuccessRule},
    store::{Originals, StoreError, ledger::Due},
};
use reqwest::{Method, header};
use url::Url;

use super::{Answer, DOCUMENT_MAX};
use crate::{
    decode::{self, Flow, Plan},
    services::Services,
    source::{
        fault::{FetchError, Transport, shown},
        gate::Pass,
        http::{HttpSource, Receipt},
        success::{Failure, judge},
    },
};

/// One attempt.
pub(super) async fn deliver(
    services: &Services,
    source: &HttpSource,
    pass: Pass,
    how: Option<&Deliver>,
    due: &Due,
) -> Answer {
    let Some(how) = how else {
        return Answer::unsent("the connection no longer delivers; mend `deliver`, or cancel it");
    };
    let Some(url) = url_of(source, &how.path, due) else {
        return Answer::unsent("`deliver.path` makes no URL; mend it");
    };
    let document = match document(services.store.originals.clone(), due).await {
        Ok(document) => document,
        Err(error) if error.is_local() => return Answer::disk(error.to_string()),
        Err(error) => return Answer::unsent(error.to_string()),
    };
    let method = match how.method {
        DeliverMethod::Post => Method::POST,
        DeliverMethod::Put => Method::PUT,
    };
    let sent = source.send(pass, &url, due.bytes, |url| {
        source
            .request(method.clone(), url)
            .header("Idempotency-Key", &due.idempotency_key)
            .header(header::CONTENT_TYPE, media_type(&due.name))
            .body(document.clone())
    });
    let (status, error) = match sent.await {
        Ok(receipt) => {
            let (event, words) = how.success.as_ref().map_or((Event::Accepted, None), |success| {
                let (event, words) = read(success, &receipt);
                (event, words.map(|words| source.clean(None, &format!("{}: {words}", shown(&url)))))
            });
            let health = Some(PollResult::Ok { near_limit: false });
            let status = Some(receipt.status.as_u16());
            return Answer { health, ..Answer::new(event, status, words) };
        }
        Err(failure) => failure,
    };
    let health = Some(error.fetch().result());
    let (reason, retry_after) = (Some(error.fetch().to_string()), retry_after(error.fetch()));
    // In doubt, and yet offered again: the partner cannot be asked.
    let doubted = due.state == State::InDoubt;
    let event = event_of(status, &error, doubted);
    let reason = if status == Some(409) && event == Event::AnswerLost {
        Some("an earlier answer was lost, and now the partner says that it conflicts (409): it may have it; ask the partner".to_owned())
    } else {
        reason
    };
    // What the partner will not take is the document's trouble, not the connection's.
    let health =
        if event == Event::Refused { Some(PollResult::Ok { near_limit: false }) } else { health };
    Answer { retry_after, health, ..Answer::new(event, status, reason) }
}

/// What a receipt means by its own word: taken, refused, or nobody knows.
fn read(success: &Success, receipt: &Receipt) -> (Event, Option<String>) {
    let Receipt { status, words } = receipt;
    let (SuccessRule::Equals { path, .. } | SuccessRule::NoError { path }) = &success.rule;
    let plan = Plan { records: None, deletes: None, scalars: std::slice::from_ref(path) };
    let (found, whole) = match path {
        _ if words.is_empty() => (Vec::new(), Ok(())),
        ScalarPath::Xml(_) => decode::xml::read(&words[..], &plan, |_, _| Flow::More),
        _ => decode::json::page(words, &plan, |_, _| Flow::More),
    };
    // What cannot be read to its end may say anything.
    let found = found.first().filter(|_| whole.is_ok()).cloned().unwrap_or_default();
    let judged = judge(&success.rule, &found);
    match judged.and_then(|()| whole.map_err(|_| Failure::Silent)) {
        Ok(()) => (Event::Accepted, None),
        Err(Failure::Silent) => {
            let words = format!(
                "the partner answered {status} and does not say that it took the document, so it may have it or not"
            );
            (Event::AnswerLost, Some(words))
        }
        Err(failure @ Failure::Said(_)) => {
            let event = match success.on_error {
                OnError::Retry => Event::Failed,
                OnError::Fail | OnError::Ignore => Event::Refused,
            };
            let words = format!("the partner answered {status}, and {}", failure.words());
            (event, Some(words))
        }
    }
}

/// What a failed attempt means: surely not received, perhaps received, or never to be taken.
fn event_of(status: Option<u16>, error: &Transport, doubted: bool) -> Event {
    match (status, error) {
        // It said that it has it, and what stands beside that says otherwise.
        (Some(200..300), _) => match error.fetch() {
            FetchError::Transient { reason: Reason::RemoteFault, .. } => Event::Failed,
            FetchError::Final { reason: Reason::RemoteFault, .. } => Event::Refused,
            _ => Event::AnswerLost,
        },
        // Under one key, a conflict is with what may have arrived, or is being taken in just now.
        (Some(409), _) if doubted => Event::AnswerLost,
        (Some(status), _) if !matches!(status, 502 | 504) => match status {
            401 | 403 | 408 | 425 | 429 | 500.. => Event::Failed,
            _ => Event::Refused,
        },
        // A gateway that got no answer cannot know what happened behind it.
        (Some(_), _) | (None, Transport::Lost(_)) => Event::AnswerLost,
        (None, Transport::NotSent(_)) => Event::Failed,
    }
}

/// One question.
pub(super) async fn ask(
    source: &HttpSource,
    pass: Pass,
    how: Option<&Deliver>,
    due: &Due,
) -> Answer {
    let path = how.and_then(|how| how.status_path.as_deref());
    let Some(url) = path.and_then(|path| url_of(source, path, due)) else {
        return Answer::unsure(None, "`deliver.status_path` makes no URL; mend it");
    };
    match source.send(pass, &url, 0, |url| source.request(Method::GET, url)).await {
        Ok(receipt) => {
            let reason = Some("the answer was lost; asked, the partner has it".to_owned());
            Answer::new(Event::Found, Some(receipt.status.as_u16()), reason)
        }
        Err((Some(404), _)) => {
            let reason = Some(
                "the answer was lost; asked, the partner does not have it, so it is sent again"
                    .to_owned(),
            );
            Answer::new(Event::NotFound, Some(404), reason)
        }
        Err((status, error)) => Answer {
            retry_after: retry_after(error.fetch()),
            health: Some(error.fetch().result()),
            ..Answer::unsure(status, error.fetch().to_string())
        },
    }
}

fn retry_after(error: &FetchError) -> Option<Duration> {
    if let FetchError::Throttled { retry_after, .. } = error { *retry_after } else { None }
}

fn url_of(source: &HttpSource, path: &str, due: &Due) -> Option<Url> {
    let base = source.http.base_url.as_str().trim_end_matches('/');
    format!("{base}{}", path.replace("{key}", &due.idempotency_key)).parse().ok()
}

async fn document(originals: Originals, due: &Due) -> Result<bytes::Bytes, StoreError> {
    if due.bytes > DOCUMENT_MAX {
        return Err(StoreError::Conflict(
            "the document is larger than 256 MiB; deliver it through a folder".to_owned(),
        ));
    }
    let (hash, size) = (due.hash.clone(), usize::try_from(due.bytes).unwrap_or(0));
    let read = tokio::task::spawn_blocking(move || {
        let mut document = Vec::with_capacity(size);
        let copied = originals.open(&hash)?.take(DOCUMENT_MAX + 1).read_to_end(&mut document);
        copied.map_err(|source| StoreError::Io { path: hash.into(), source })?;
        Ok(document.into())
    });
    read.await.map_err(|_| StoreError::Closed)?
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "ndjson" | "jsonl" => "application/x-ndjson",
        "xml" => "application/xml",
        "csv" => "text/csv",
        "txt" => "text/plain",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_doubt_and_never_failure() {
        let error = |lost: bool| {
            let fetch =
                FetchError::of(Reason::ReadTimeout, &"http://p.example".parse().unwrap(), "x");
            if lost { Transport::Lost(fetch) } else { Transport::NotSent(fetch) }
        };
        for (status, lost, expected, why) in [
            (None, true, Event::AnswerLost, "sent, and no answer"),
            (None, false, Event::Failed, "never left"),
            (Some(504), true, Event::AnswerLost, "the gateway cannot know"),
            (Some(500), true, Event::Failed, "it says that it has it not"),
            (Some(503), true, Event::Failed, "come later"),
            (Some(429), true, Event::Failed, "come later"),
            (Some(401), true, Event::Failed, "our credentials, which somebody mends"),
            (Some(409), true, Event::Refused, "never taken"),
            (Some(422), true, Event::Refused, "never taken"),
        ] {
            assert_eq!(event_of(status, &error(lost), false), expected, "{why}");
        }
        assert_eq!(event_of(Some(409), &error(true), true), Event::AnswerLost, "it may be there");
        let (reason, text) = (Reason::RemoteFault, String::new());
        for (fault, expected, why) in [
            (FetchError::Transient { reason, text: text.clone() }, Event::Failed, "come later"),
            (FetchError::Final { reason, text: text.clone() }, Event::Refused, "never taken"),
            (FetchError::Final { reason: Reason::NotJson, text }, Event::AnswerLost, "a log-in"),
        ] {
            assert_eq!(event_of(Some(200), &Transport::Lost(fault), false), expected, "{why}");
        }
    }
}
