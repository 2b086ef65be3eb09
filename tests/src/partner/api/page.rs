//! A page of rows: picked by the partner's way of paging, spoilt by its faults, written as its clients know it.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Front, Paging};
use crate::partner::{
    data::{Dataset, Truth},
    fault::Fault,
};

/// One page, before it is written.
#[derive(Debug, Default)]
struct Page {
    rows: Vec<Value>,
    /// What asks for the one behind it.
    next: Option<String>,
    size: usize,
}

impl Front {
    /// The page that was asked for, as the partner has it now.
    pub(super) fn written(
        &self,
        query: &HashMap<String, String>,
        fault: Option<&Fault>,
    ) -> Written {
        let mut page = self.page(query, fault);
        match fault {
            Some(Fault::Loop) => page.next = page.next.map(|_| "1".to_owned()),
            Some(Fault::DoubleKeys) => double_first(&mut page, self.plan.dataset),
            Some(Fault::BadRows) => page.rows.push(bad_row(self, query)),
            _ => {}
        }
        let mut written = written(self.plan.paging, page);
        if fault == Some(&Fault::Garbage) {
            garble(&mut written.body);
        }
        written
    }

    fn page(&self, query: &HashMap<String, String>, fault: Option<&Fault>) -> Page {
        let mut truth = self.truth();
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
        let size = number("limit")
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(self.plan.page)
            .min(self.plan.page);
        let again = fault == Some(&Fault::Loop);
        let since = query.get("updated_since").and_then(|text| text.parse::<Timestamp>().ok());
        let mut page = Page { size, ..Page::default() };
        let numbers = match self.plan.paging {
            Paging::Cursor => {
                let token =
                    query.get("after").and_then(|token| u64::from_str_radix(token, 16).ok());
                let from = token.or_else(|| since.map(Truth::tick_before)).unwrap_or_default();
                let rows = truth.after(if again { 0 } else { from }, size + 1);
                page.next = rows
                    .get(size - 1)
                    .filter(|_| rows.len() > size)
                    .map(|(tick, _)| format!("{tick:x}"));
                rows.into_iter().take(size).map(|(_, number)| number).collect::<Vec<_>>()
            }
            Paging::Offset => {
                let from = if again { 0 } else { number("offset").unwrap_or_default() };
                if fault == Some(&Fault::Shift) && from > 0 {
                    let first = truth.changed_since(since).next().unwrap_or_default();
                    truth.touch(first);
                }
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                truth.changed_since(since).skip(from).take(size).collect()
            }
            Paging::Page | Paging::Link | Paging::NextUrl => {
                let at = if again { 1 } else { number("page").unwrap_or(1).max(1) };
                let from = (at - 1).saturating_mul(size as u64);
                let end = truth.len().min(from.saturating_add(size as u64));
                page.next = (end < truth.len()).then(|| (at + 1).to_string());
                (from..end).collect()
            }
        };
        page.rows = numbers
            .into_iter()
            .map(|number| self.plan.dataset.json(&truth.row(number)).into())
            .collect();
        page
    }
}

/// A page as it goes over the line.
#[derive(Debug)]
pub(super) struct Written {
    body: Vec<u8>,
    link: Option<String>,
}

impl Written {
    pub(super) fn length(&self) -> usize {
        self.body.len()
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        if let Some(link) = self.link.and_then(|link| link.parse().ok()) {
            headers.insert(header::LINK, link);
        }
        response
    }
}

fn written(paging: Paging, page: Page) -> Written {
    let Page { rows, next, size } = page;
    let behind = |path: &str| next.as_ref().map(|next| format!("{path}?page={next}&limit={size}"));
    let (body, link) = match paging {
        Paging::Cursor => (json!({ "data": rows, "meta": { "next": next } }), None),
        Paging::Offset => (json!({ "items": rows }), None),
        Paging::Page => (json!({ "data": rows }), None),
        Paging::Link => {
            (Value::Array(rows), behind("").map(|target| format!("<{target}>; rel=\"next\"")))
        }
        Paging::NextUrl => (json!({ "value": rows, "next": behind("") }), None),
    };
    Written { body: body.to_string().into_bytes(), link }
}

/// Makes the second half unreadable, in the same length.
fn garble(body: &mut [u8]) {
    let half = body.len() / 2;
    body.get_mut(half..).into_iter().flatten().for_each(|byte| *byte = b'?');
}

/// The first row once more, before itself, as it never was: the later one has to win.
fn double_first(page: &mut Page, dataset: &Dataset) {
    let Some(Value::Object(mut older)) = page.rows.first().cloned() else { return };
    if let Some(family) = older.get_mut("family_ref") {
        *family = "F-OLD".into();
    }
    debug_assert!(older.contains_key(dataset.key_column()), "a row has its key");
    page.rows.insert(0, Value::Object(older));
}

/// A row whose time of change is none, under a key of its own for each page.
fn bad_row(front: &Front, query: &HashMap<String, String>) -> Value {
    let dataset = front.plan.dataset;
    let page = ["page", "offset", "after"]
        .iter()
        .find_map(|name| query.get(*name))
        .map_or("0", String::as_str);
    let mut row = dataset.json(&front.truth().row(0));
    row.insert(dataset.key_column().to_owned(), format!("BAD-{page}").into());
    row.insert(dataset.changed_column().to_owned(), "31/02/2026".into());
    Value::Object(row)
}
