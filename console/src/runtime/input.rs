//! Reading the keyboard: what is typed, what is pasted, and what only looks typed.

use std::task::Poll;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
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
        let mut events: Vec<Event> = events.into_iter().flat_map(apart).collect();
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

/// Esc and a key right behind it reach us as that key with Alt, which nothing here needs: they are taken apart again.
fn apart(event: Event) -> Vec<Event> {
    match event {
        Event::Key(key) if key.modifiers.contains(KeyModifiers::ALT) => {
            let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            let rest = KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key };
            vec![Event::Key(escape), Event::Key(rest)]
        }
        event => vec![event],
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
    use super::*;

    #[test]
    fn escape_and_a_key_are_two_keys() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let colon = KeyCode::Char(':');
        let both = vec![key(KeyCode::Esc, KeyModifiers::NONE), key(colon, KeyModifiers::NONE)];
        assert_eq!(apart(key(colon, KeyModifiers::ALT)), both);
        let control = key(KeyCode::Char('d'), KeyModifiers::CONTROL);
        assert_eq!(apart(control.clone()), vec![control], "nothing to take apart");
    }

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
