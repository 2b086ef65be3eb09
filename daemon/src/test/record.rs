//! The last step: whether the answer holds records that the feed can take. Told by the names of their fields and by
//! counts; no value is shown.

use std::{path::Path, sync::Arc, time::Duration};

use marsad_shared::{
    feed::{Feed, Origin},
    partner::Cover,
    protocol::TestStep,
    record::Layout,
    untrusted::show_at_most,
};
use reqwest::StatusCode;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Trial;
use crate::{
    columns::covered,
    decode::DecodeError,
    intake::{Intake, Origins},
    pull::{
        envelope::Envelope,
        page,
        reading::{Read, Reading},
        room::{Room, Rooms, Size},
    },
    shape::Shaper,
    source::{
        call::Call,
        fault::shown,
        http::{Answer, HttpSource},
    },
    trouble::Trouble,
};

/// As many names are shown.
const NAMES: usize = 40;
/// The longest words of a partner that are shown, in characters.
const WORDS: usize = 200;
/// How long a person waits until there is room for a large page.
const ROOM: Duration = Duration::from_secs(20);

pub(super) async fn look(
    trial: &mut Trial,
    source: &HttpSource,
    feed: &Arc<Feed>,
    answer: Answer,
    call: Call,
    rooms: &Rooms,
    folder: &Path,
) {
    let began = Instant::now();
    let name = feed.id.to_string();
    if answer.status == StatusCode::NO_CONTENT || answer.nothing {
        // As a walk takes it.
        return trial.good(TestStep::Record, began, format!("{name}: no records just now"));
    }
    let reading = Reading::of(feed, &answer).hiding(source.mask());
    if let Err(error) = page::whole(&answer, &reading, &call.url) {
        let error = error.rewritten(|text| call.veil(text.to_owned()));
        return trial.fault(TestStep::Record, began, &error);
    }
    let Some((room, most)) = room(rooms, &reading, feed).await else {
        let what = format!("{name}: the page is large, and others as large are being read");
        return trial.bad(TestStep::Record, began, &what, "try again in a moment");
    };
    let (feed, url, folder) = (Arc::clone(feed), call.url.clone(), folder.to_owned());
    let read = move || read(&feed, &reading, &answer, &url, most, &folder);
    let read = tokio::task::spawn_blocking(read).await;
    drop(room);
    let read = read
        .unwrap_or_else(|_| Err(Trouble::File("it could not be decoded; report this".to_owned())))
        .map_err(|trouble| trouble.rewritten(|text| source.clean(Some(&call), text)))
        .map(|seen| {
            let shown = |words: String| show_at_most(&source.clean(Some(&call), &words), WORDS);
            Seen { left_out: seen.left_out.map(shown), ..seen }
        });
    match read {
        Ok(Seen { left_out: Some(why), .. }) => {
            let text = format!("{name}: the answer is left out by `success` ({why})");
            trial.bad(TestStep::Record, began, &text, "tell the partner, or mend `success`");
        }
        Ok(Seen { rows: 0, .. }) | Err(Trouble::Decode { error: DecodeError::Nothing, .. }) => {
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
        Err(Trouble::Fetch(error)) => trial.fault(TestStep::Record, began, &error),
        Err(trouble) => {
            let text = trouble.text();
            let (what, remedy) = text
                .rsplit_once("; ")
                .unwrap_or((&text, "compare the answer with the feed's format and records"));
            trial.bad(TestStep::Record, began, &format!("{name}: {what}"), remedy);
            trial.result = Some((trouble.result(), Some(text.clone())));
        }
    }
}

/// Room for the page, and how much: as much as the feed would come to have in a run. `None`: there is none in time.
async fn room(rooms: &Rooms, reading: &Reading, feed: &Feed) -> Option<(Room, usize)> {
    let (size, never) = (reading.size(feed, &[]), CancellationToken::new());
    let size = if size == Size::Small { size } else { Size::Giant };
    let room = timeout(ROOM, rooms.enter(size, &never)).await.ok().flatten()?;
    Some((room, size.max(Size::Middle).most()))
}

/// What the page holds.
struct Seen {
    rows: u64,
    refused: usize,
    /// Why the first was refused: names a field, and no value.
    why: Option<String>,
    names: Vec<String>,
    /// Why a run would take nothing of it.
    left_out: Option<String>,
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
fn read(
    feed: &Feed,
    reading: &Reading,
    answer: &Answer,
    url: &Url,
    most: usize,
    folder: &Path,
) -> Result<Seen, Trouble> {
    let decoded = |error| Trouble::decode(shown(url), error);
    let layout = if feed.fields.is_empty() {
        reading.infer(feed, folder).map_err(decoded)?
    } else {
        Layout::new(feed.fields.clone(), &feed.key).map_err(|missing| {
            decoded(DecodeError::Layout(format!("the key {missing:?} is no field; mend `key`")))
        })?
    };
    let (layout, outside) =
        covered(feed, layout).map_err(|what| decoded(DecodeError::Layout(what)))?;
    let own = || layout.fields.iter().map(|field| field.name.clone()).collect();
    // What stands there, whatever the feed wants of it.
    let bare = Feed { key: Vec::new(), fields: Vec::new(), cover: Cover::All, ..feed.clone() };
    let found = reading.infer(&bare, folder);
    let names =
        found.map_or_else(|_| own(), |found| found.fields.into_iter().map(|f| f.name).collect());
    let envelope = match &feed.origin {
        Origin::Http(request) => Envelope::of(feed, request),
        Origin::Files(_) => Envelope::default(),
    };
    let shaper = Shaper::new(feed, layout, outside);
    let (encoding, set) = (reading.encoding(), reading.set());
    let origins = Origins { encoding, set, ..Origins::default() };
    let intake = Intake {
        feed,
        shaper: &shaper,
        format: reading.format,
        seed: 0,
        origins,
        references: None,
        recall: None,
    };
    let Read { found, piece, .. } = reading.page(&intake, envelope.paths(), most, folder);
    // An answer that says that it is an error is one, whatever its records look like.
    let said = envelope.said(&found, answer, url)?;
    if said.has_none() {
        return Ok(Seen { rows: 0, refused: 0, why: None, names, left_out: said.failed });
    }
    let piece = piece.map_err(decoded)?;
    let why = piece.refused.first().map(|refusal| refusal.reason.clone());
    let (rows, refused) = (piece.rows(), piece.refused.len());
    Ok(Seen { rows, refused, why, names, left_out: None })
}
