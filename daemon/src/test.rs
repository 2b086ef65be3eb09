//! `test CONNECTION`: tries a connection now, a step after the other, and says which one failed and what to do.
//!
//! One request, short waits. Steps behind one that failed are not tried. What it finds counts for the connection's health
//! as a probe's would, because it is one.

use std::time::Duration;

use jiff::Timestamp;
use marsad_shared::{
    connection::Link,
    health::PollResult,
    protocol::{TestReply, TestStep, Tried},
    untrusted::show_at_most,
};
use tokio::time::{Instant, error::Elapsed, timeout};

use crate::{
    services::{Route, Services},
    source::{fault::FetchError, http::HttpSource, places::Place},
};

mod folder;
mod http;
mod record;
mod tls;

/// The longest text of a step, in characters: partners write into it.
const TEXT_MAX: usize = 600;

/// Tries the connection of `route`.
pub async fn test(services: &Services, route: &Route) -> TestReply {
    let mut trial = Trial::default();
    match (&route.connection.link, &route.source) {
        (Link::Folder(folder), _) => folder::walk(&mut trial, folder, route).await,
        (Link::Http(_), Some(source)) => {
            if let Ok(_place) = place(&mut trial, source).await {
                http::walk(&mut trial, source, &route.feeds, services).await;
            }
        }
        (Link::Http(_), None) => {}
    }
    if let Some((result, detail)) = trial.result {
        services.report_health(&route.connection.id, result, detail).await;
    }
    let ok = trial.steps.iter().all(|step| step.ok);
    TestReply { id: route.connection.id.clone(), ok, steps: trial.steps, remedy: trial.remedy }
}

/// The place of a feed that is read, where their number is bounded: the partner would count us as one more.
///
/// # Errors
/// [`Elapsed`] if none is free soon; then the trial says so.
async fn place(trial: &mut Trial, source: &HttpSource) -> Result<Option<Place>, Elapsed> {
    let Some(places) = source.places() else { return Ok(None) };
    let began = Instant::now();
    let place = timeout(TURN, places.take(Timestamp::MIN)).await;
    if place.is_err() {
        let text = format!("not tried: {}", places.why());
        trial.bad(TestStep::Answer, began, &text, "try it again when a feed has been read");
    }
    place.map(Some)
}

/// A trial under way.
#[derive(Default)]
struct Trial {
    steps: Vec<Tried>,
    remedy: Option<String>,
    /// What it means for the connection's health, where it means anything.
    result: Option<(PollResult, Option<String>)>,
}

impl Trial {
    fn good(&mut self, step: TestStep, since: Instant, text: impl AsRef<str>) {
        self.step(step, true, since, text.as_ref());
    }

    fn bad(&mut self, step: TestStep, since: Instant, text: &str, remedy: &str) {
        self.step(step, false, since, text);
        self.remedy = Some(show_at_most(remedy, TEXT_MAX));
    }

    fn step(&mut self, step: TestStep, ok: bool, since: Instant, text: &str) {
        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let text = show_at_most(text, TEXT_MAX);
        // A later finding about a step takes the place of an earlier one.
        self.steps.retain(|tried| tried.step != step);
        self.steps.push(Tried { step, ok, ms, text });
    }

    /// A step that failed as requests fail: its words are what, and what to do.
    fn fault(&mut self, step: TestStep, since: Instant, error: &FetchError) {
        let (what, remedy) = error.parted();
        self.bad(step, since, &what, &remedy);
        self.result = Some((error.result(), Some(error.to_string())));
    }
}

/// How long a place may take to be free: who waits for it is a person.
const TURN: Duration = Duration::from_secs(20);
/// How long each of the first steps may take.
const PROBE: Duration = Duration::from_secs(5);
