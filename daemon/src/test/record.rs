//! The last step: whether the answer holds records that the feed can take. Told by the names of their fields and by
//! counts; no value is shown.

use std::{io::Cursor, sync::Arc};

use bytes::Bytes;
use marsad_shared::{
    feed::{Feed, Format},
    health::PollResult,
    protocol::TestStep,
    record::Layout,
};
use reqwest::StatusCode;
use tokio::time::Instant;

use super::Trial;
use crate::{
    decode::DecodeError,
    intake::{self, Intake, Origins},
    pull::page::format_of,
    shape::Shaper,
    source::http::Answer,
};

/// As many names are shown.
const NAMES: usize = 40;

pub(super) async fn look(trial: &mut Trial, feed: &Arc<Feed>, answer: Answer) {
    let began = Instant::now();
    let name = feed.id.to_string();
    if answer.status == StatusCode::NO_CONTENT {
        return trial.good(TestStep::Record, began, format!("{name}: no records just now"));
    }
    let format = feed.format.unwrap_or_else(|| format_of(&answer));
    let (feed, body) = (Arc::clone(feed), answer.body);
    let read = tokio::task::spawn_blocking(move || read(&feed, format, &body)).await;
    let read = read.unwrap_or_else(|_| {
        Err(DecodeError::Format("it could not be decoded; report this".to_owned()))
    });
    match read {
        Ok(Seen { rows: 0, .. }) | Err(DecodeError::Nothing) => {
            trial.good(TestStep::Record, began, format!("{name}: no records just now"));
        }
        Ok(seen) if seen.refused == 0 => {
            trial.good(TestStep::Record, began, format!("{name}: {}", seen.words()));
        }
        Ok(seen) => {
            let text = format!("{name}: {}", seen.words());
            let remedy =
                "compare the feed's fields with the partner's; what is refused goes to quarantine";
            trial.bad(TestStep::Record, began, &text, remedy);
        }
        Err(error) => {
            let text = format!("{name}: {error}");
            let (what, remedy) = text
                .rsplit_once("; ")
                .unwrap_or((&text, "compare the answer with the feed's format"));
            trial.bad(TestStep::Record, began, what, remedy);
            trial.result = Some((PollResult::Fail(error.reason()), Some(text)));
        }
    }
}

/// What the page holds.
struct Seen {
    rows: u64,
    refused: usize,
    /// Why the first was refused: names a field, and no value.
    why: Option<String>,
    names: Vec<String>,
}

impl Seen {
    fn words(&self) -> String {
        let more = if self.names.len() > NAMES { ", …" } else { "" };
        let names = self.names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
        let rows = self.rows;
        match &self.why {
            None => format!("{rows} records on the first page, with {names}{more}"),
            Some(why) => format!(
                "{} of {rows} records on the first page are refused, the first because {why}; they have {names}{more}",
                self.refused
            ),
        }
    }
}

/// Reads the page as the feed does.
fn read(feed: &Feed, format: Format, body: &Bytes) -> Result<Seen, DecodeError> {
    // What stands there, whatever the feed wants of it.
    let bare = Feed { key: Vec::new(), fields: Vec::new(), ..feed.clone() };
    let found = intake::infer(&bare, format, Cursor::new(body.clone()))?;
    let names = found.fields.into_iter().map(|field| field.name).collect();
    let layout = if feed.fields.is_empty() {
        intake::infer(feed, format, Cursor::new(body.clone()))?
    } else {
        Layout::new(feed.fields.clone(), &feed.key).map_err(|missing| {
            DecodeError::Layout(format!("the key {missing:?} is no field; mend `key`"))
        })?
    };
    let shaper = Shaper::new(feed, layout);
    let intake = Intake { feed, shaper: &shaper, format, seed: 0, origins: Origins::default() };
    let piece = intake.page(body, &[]).1?;
    let why = piece.refused.first().map(|refusal| refusal.reason.clone());
    Ok(Seen { rows: piece.rows(), refused: piece.refused.len(), why, names })
}
