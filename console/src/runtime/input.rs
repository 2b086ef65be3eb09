//! Reading the keyboard: what is typed, what is pasted, and what only looks typed.

use std::task::Poll;

use crossterm::event::{Event, EventStream, KeyEvent, KeyEventKind};
use futures_util::StreamExt as _;

use super::{Console, Quit};
use crate::{
    keys::{self, Mode},
    message::Message,
};

/// More keys than this in one reading were not typed by a hand.
const BURST: usize = 8;
/// The most events of one reading.
const TAKEN: usize = 4096;

impl Console {
    /// One event and all that have come with it: what came at once was pasted, or is a key held down.
    pub(super) async fn input(
        &mut self,
        first: Event,
        input: &mut EventStream,
    ) -> anyhow::Result<Option<Quit>> {
        let mut events = vec![first];
        // Polled as this task: the stream keeps the first waker that it is given.
        while events.len() < TAKEN
            && let Poll::Ready(Some(Ok(event))) = futures_util::poll!(input.next())
        {
            events.push(event);
        }
        let typed: Vec<KeyEvent> = events
            .iter()
            .filter_map(|event| match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => Some(*key),
                _ => None,
            })
            .collect();
        let acts = typed.iter().filter(|key| !keys::moves(**key)).count();
        let burst = is_burst(&typed);
        if burst && !Mode::of(&self.model).edits() && acts > 0 {
            self.apply(Message::Burst(typed.len()))?;
            events.retain(|event| !matches!(event, Event::Key(_)));
            self.urgent = true;
        }
        for event in events {
            let message = match event {
                Event::Key(key) => {
                    self.urgent = true;
                    // What was pasted into a line is text: it neither submits the line nor leaves it.
                    let message = keys::message(&self.model, key);
                    message.filter(|message| !burst || only_text(message))
                }
                Event::Paste(text) => {
                    self.urgent = true;
                    Some(Message::Pasted(text))
                }
                Event::Resize(width, height) => Some(Message::Resized(width, height)),
                _ => None,
            };
            if let Some(message) = message
                && let Some(quit) = self.apply(message)?
            {
                return Ok(Some(quit));
            }
        }
        Ok(None)
    }
}

/// Whether the message only writes into a line, or only moves.
fn only_text(message: &Message) -> bool {
    match message {
        Message::Edit(_) | Message::Prefix(_) => true,
        Message::Do(action) => keys::is_movement(*action),
        _ => false,
    }
}

/// Whether so many keys came in one reading that no hand typed them; one key held down is no burst.
fn is_burst(typed: &[KeyEvent]) -> bool {
    let same = typed.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    typed.len() > BURST && !same
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    #[test]
    fn a_paste_is_told_from_a_key_held_down() {
        let keys = |text: &str| -> Vec<KeyEvent> {
            text.chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)).collect()
        };
        for (text, expected, why) in [
            ("", false, "nothing"),
            ("resync q", false, "eight may be fast fingers"),
            ("resync qq", true, "nine are not"),
            ("jjjjjjjjjjjjjjjj", false, "one key held down"),
        ] {
            assert_eq!(is_burst(&keys(text)), expected, "{why}");
        }
    }
}
