//! The keymap: one table from which keys are dispatched, the footer drawn and the help written.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;

use crate::{
    message::Message,
    model::{Model, Popup, View},
};

/// What a key can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Up,
    Down,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    First,
    Last,
    /// Between the blocks of the overview, or the tabs of a thing.
    NextTab,
    PrevTab,
    Open,
    /// One step out: popup, filter, place. Never ends the program.
    Back,
    /// One step out, and at the root the end.
    Leave,
    Go(View),
    Filter,
    Palette,
    Help,
    Menu,
    Why,
    Resync,
    Mark,
    Sort,
    Reverse,
    Copy,
    Earlier,
    Later,
    Swap,
    Reread,
    Repaint,
    Suspend,
    Interrupt,
    /// In a form: the other choice.
    Toggle,
    /// Yes, and no, to a question.
    Accept,
    Refuse,
    /// In a prompt: done, and complete what was begun.
    Submit,
    Complete,
}

/// Which keys count: those of what is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Browse,
    Help,
    Menu,
    Why,
    Form,
    Confirm,
    /// Before something is lost: a reason and a confirmation are typed.
    Destroy,
    Filter,
    Palette,
}

impl Mode {
    pub const ALL: [Self; 9] = [
        Self::Browse,
        Self::Help,
        Self::Menu,
        Self::Why,
        Self::Form,
        Self::Confirm,
        Self::Destroy,
        Self::Filter,
        Self::Palette,
    ];

    pub const fn of(model: &Model) -> Self {
        match &model.popup {
            None => Self::Browse,
            Some(Popup::Help { .. }) => Self::Help,
            Some(Popup::Menu { .. }) => Self::Menu,
            Some(Popup::Why { .. }) => Self::Why,
            Some(Popup::Resync(_)) => Self::Form,
            Some(Popup::Confirm(_) | Popup::Replay(_)) => Self::Confirm,
            Some(Popup::Discard(_) | Popup::Decide(_)) => Self::Destroy,
            Some(Popup::Filter { .. }) => Self::Filter,
            Some(Popup::Palette { .. }) => Self::Palette,
        }
    }

    /// Whether letters go into a line of text.
    pub const fn edits(self) -> bool {
        matches!(self, Self::Destroy | Self::Filter | Self::Palette)
    }
}

/// A key, or the same one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chord {
    Char(char),
    Ctrl(char),
    Twice(char),
    Code(KeyCode),
}

impl Chord {
    /// As the footer and the help write it. The same in every language, as it is on the key.
    pub fn label(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("^{c}"),
            Self::Twice(c) => format!("{c}{c}"),
            Self::Code(code) => match code {
                KeyCode::PageUp => "PgUp".to_owned(),
                KeyCode::PageDown => "PgDn".to_owned(),
                KeyCode::BackTab => "S-Tab".to_owned(),
                other => format!("{other:?}"),
            },
        }
    }

    fn is(self, key: &KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match (self, key.code) {
            (Self::Char(wanted), KeyCode::Char(c)) => c == wanted && !ctrl && !alt,
            (Self::Ctrl(wanted), KeyCode::Char(c)) => c == wanted && ctrl && !alt,
            (Self::Code(wanted), code) => wanted == code && !ctrl && !alt,
            _ => false,
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub mode: Mode,
    pub chords: &'static [Chord],
    pub action: Action,
    /// The key of what it does in the catalogue.
    pub says: &'static str,
    /// Its place in the footer; 0 keeps it out.
    pub foot: u8,
}

const fn bind(
    mode: Mode,
    chords: &'static [Chord],
    action: Action,
    says: &'static str,
    foot: u8,
) -> Binding {
    Binding { mode, chords, action, says, foot }
}

use Action as A;
use Chord::{Char, Code, Ctrl, Twice};
use Mode::{Browse, Confirm, Destroy, Filter, Form, Help, Menu, Palette, Why};

const UP: &[Chord] = &[Char('k'), Code(KeyCode::Up)];
const DOWN: &[Chord] = &[Char('j'), Code(KeyCode::Down)];
const OUT: &[Chord] = &[Code(KeyCode::Esc), Char('q')];
const STOP: &[Chord] = &[Ctrl('c')];
const PAUSE: &[Chord] = &[Ctrl('z')];

/// Every key there is.
pub const TABLE: &[Binding] = &[
    bind(Browse, &[Code(KeyCode::Enter)], A::Open, "key-open", 1),
    bind(Browse, &[Char('/')], A::Filter, "act-filter", 2),
    bind(Browse, &[Char(':')], A::Palette, "key-palette", 3),
    bind(Browse, &[Char('a')], A::Menu, "key-actions", 4),
    bind(Browse, &[Char('r')], A::Resync, "act-resync", 5),
    bind(Browse, &[Char('w')], A::Why, "act-why", 6),
    bind(Browse, &[Char('?')], A::Help, "nav-help", 7),
    bind(Browse, &[Code(KeyCode::Esc)], A::Back, "act-back", 0),
    bind(Browse, &[Char('q')], A::Leave, "act-back", 8),
    bind(Browse, &[Char(' ')], A::Mark, "act-mark", 0),
    bind(Browse, &[Char('s')], A::Sort, "act-sort", 9),
    bind(Browse, &[Char('S')], A::Reverse, "key-reverse", 0),
    bind(Browse, &[Char('y')], A::Copy, "key-copy_id", 0),
    bind(Browse, DOWN, A::Down, "key-down", 0),
    bind(Browse, UP, A::Up, "key-up", 0),
    bind(Browse, &[Twice('g'), Code(KeyCode::Home)], A::First, "key-first", 0),
    bind(Browse, &[Char('G'), Code(KeyCode::End)], A::Last, "key-last", 0),
    bind(Browse, &[Ctrl('d')], A::HalfDown, "key-half_down", 0),
    bind(Browse, &[Ctrl('u')], A::HalfUp, "key-half_up", 0),
    bind(Browse, &[Code(KeyCode::PageDown)], A::PageDown, "key-page_down", 0),
    bind(Browse, &[Code(KeyCode::PageUp)], A::PageUp, "key-page_up", 0),
    bind(Browse, &[Char(']'), Code(KeyCode::Tab)], A::NextTab, "key-next_tab", 0),
    bind(Browse, &[Char('['), Code(KeyCode::BackTab)], A::PrevTab, "key-prev_tab", 0),
    bind(Browse, &[Char('1')], A::Go(View::Overview), View::Overview.key(), 0),
    bind(Browse, &[Char('2')], A::Go(View::Connections), View::Connections.key(), 0),
    bind(Browse, &[Char('3')], A::Go(View::Feeds), View::Feeds.key(), 0),
    bind(Browse, &[Char('4')], A::Go(View::Exchanges), View::Exchanges.key(), 0),
    bind(Browse, &[Char('5')], A::Go(View::Groups), View::Groups.key(), 0),
    bind(Browse, &[Char('6')], A::Go(View::Runs), View::Runs.key(), 0),
    bind(Browse, &[Char('7')], A::Go(View::Records), View::Records.key(), 0),
    bind(Browse, &[Char('H')], A::Earlier, "key-earlier", 0),
    bind(Browse, &[Char('L')], A::Later, "key-later", 0),
    bind(Browse, &[Char('-')], A::Swap, "key-swap", 0),
    bind(Browse, &[Ctrl('r')], A::Reread, "act-refresh_view", 0),
    bind(Browse, &[Ctrl('l')], A::Repaint, "key-repaint", 0),
    bind(Browse, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Browse, STOP, A::Interrupt, "act-quit", 0),
    bind(Help, OUT, A::Back, "act-back", 1),
    bind(Help, &[Char('?')], A::Back, "act-back", 0),
    bind(Help, DOWN, A::Down, "key-down", 2),
    bind(Help, UP, A::Up, "key-up", 3),
    bind(Help, &[Code(KeyCode::PageDown), Ctrl('d')], A::PageDown, "key-page_down", 0),
    bind(Help, &[Code(KeyCode::PageUp), Ctrl('u')], A::PageUp, "key-page_up", 0),
    bind(Help, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Help, STOP, A::Interrupt, "act-quit", 0),
    bind(Why, OUT, A::Back, "act-back", 1),
    bind(Why, &[Char('w')], A::Back, "act-back", 0),
    bind(Why, DOWN, A::Down, "key-down", 2),
    bind(Why, UP, A::Up, "key-up", 3),
    bind(Why, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Why, STOP, A::Interrupt, "act-quit", 0),
    bind(Menu, &[Code(KeyCode::Enter)], A::Submit, "key-choose", 1),
    bind(Menu, OUT, A::Back, "act-back", 2),
    bind(Menu, DOWN, A::Down, "key-down", 3),
    bind(Menu, UP, A::Up, "key-up", 4),
    bind(Menu, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Menu, STOP, A::Interrupt, "act-quit", 0),
    bind(Form, &[Char('y')], A::Accept, "key-accept", 1),
    bind(Form, &[Char('n'), Code(KeyCode::Esc)], A::Refuse, "key-refuse", 2),
    bind(Form, &[Char('f'), Code(KeyCode::Tab), Char(' ')], A::Toggle, "key-scope", 3),
    bind(Form, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Form, STOP, A::Interrupt, "act-quit", 0),
    bind(Confirm, &[Char('y')], A::Accept, "key-accept", 1),
    bind(Confirm, &[Char('n'), Code(KeyCode::Esc)], A::Refuse, "key-refuse", 2),
    bind(Confirm, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Confirm, STOP, A::Interrupt, "act-quit", 0),
    bind(Destroy, &[Code(KeyCode::Tab), Code(KeyCode::BackTab)], A::Toggle, "key-other_line", 1),
    bind(Destroy, &[Code(KeyCode::Down), Code(KeyCode::Up)], A::Toggle, "key-other_line", 0),
    bind(Destroy, &[Code(KeyCode::Esc)], A::Refuse, "key-refuse", 2),
    bind(Destroy, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Destroy, STOP, A::Interrupt, "act-quit", 0),
    bind(Filter, &[Code(KeyCode::Enter)], A::Submit, "key-keep_filter", 1),
    bind(Filter, &[Code(KeyCode::Esc)], A::Back, "key-old_filter", 2),
    bind(Filter, &[Code(KeyCode::Down)], A::Down, "key-down", 0),
    bind(Filter, &[Code(KeyCode::Up)], A::Up, "key-up", 0),
    bind(Filter, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Filter, STOP, A::Interrupt, "act-quit", 0),
    bind(Palette, &[Code(KeyCode::Enter)], A::Submit, "key-run", 1),
    bind(Palette, &[Code(KeyCode::Tab)], A::Complete, "key-complete", 2),
    bind(Palette, &[Code(KeyCode::Esc)], A::Back, "act-back", 3),
    bind(Palette, &[Code(KeyCode::Down)], A::Down, "key-down", 4),
    bind(Palette, &[Code(KeyCode::Up)], A::Up, "key-up", 5),
    bind(Palette, PAUSE, A::Suspend, "key-suspend", 0),
    bind(Palette, STOP, A::Interrupt, "act-quit", 0),
];

/// What a key means as things stand.
pub fn message(model: &Model, key: KeyEvent) -> Option<Message> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let mode = Mode::of(model);
    let mut prefix = None;
    for binding in TABLE.iter().filter(|binding| binding.mode == mode) {
        for chord in binding.chords {
            match chord {
                Twice(c) if Char(*c).is(&key) => {
                    if model.prefix == Some(*c) {
                        return Some(Message::Do(binding.action));
                    }
                    prefix = Some(Message::Prefix(*c));
                }
                chord if chord.is(&key) => return Some(Message::Do(binding.action)),
                _ => {}
            }
        }
    }
    let edit = || {
        let event = crossterm::event::Event::Key(key);
        if mode.edits() { to_input_request(&event).map(Message::Edit) } else { None }
    };
    prefix.or_else(edit)
}

/// Whether the action only moves: doing it by mistake harms nothing.
pub const fn is_movement(action: Action) -> bool {
    matches!(
        action,
        A::Up
            | A::Down
            | A::HalfUp
            | A::HalfDown
            | A::PageUp
            | A::PageDown
            | A::First
            | A::Last
            | A::NextTab
            | A::PrevTab
    )
}

/// Whether the key only moves, where nothing is in front.
pub fn moves(key: KeyEvent) -> bool {
    let bindings = TABLE.iter().filter(|b| b.mode == Browse && is_movement(b.action));
    bindings.flat_map(|binding| binding.chords).any(|chord| match chord {
        Twice(c) => Char(*c).is(&key),
        chord => chord.is(&key),
    })
}

/// The bindings of the footer, in its order.
pub fn footer(mode: Mode) -> Vec<&'static Binding> {
    let mut all: Vec<_> = TABLE.iter().filter(|b| b.mode == mode && b.foot > 0).collect();
    all.sort_by_key(|binding| binding.foot);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for mode in Mode::ALL {
            let mut seen: Vec<Chord> = Vec::new();
            for chord in TABLE.iter().filter(|b| b.mode == mode).flat_map(|b| b.chords) {
                let single = match chord {
                    Twice(c) => Char(*c),
                    other => *other,
                };
                assert!(!seen.contains(&single), "{single:?} twice in {mode:?}");
                seen.push(single);
            }
        }
    }

    #[test]
    fn each_place_can_be_left_stopped_and_suspended() {
        for mode in Mode::ALL {
            for wanted in [Code(KeyCode::Esc), Ctrl('c'), Ctrl('z')] {
                let bound = TABLE.iter().any(|b| b.mode == mode && b.chords.contains(&wanted));
                assert!(bound, "{wanted:?} in {mode:?}");
            }
        }
    }

    #[test]
    fn enter_confirms_no_act() {
        for mode in [Form, Confirm, Destroy] {
            for binding in TABLE.iter().filter(|binding| binding.mode == mode) {
                assert!(!binding.chords.contains(&Code(KeyCode::Enter)), "{mode:?}");
            }
        }
    }

    #[test]
    fn keys_become_messages() {
        let mut model = build::model().build();
        for (event, expected, why) in [
            (key(KeyCode::Char('j')), Some(Message::Do(A::Down)), "a letter"),
            (key(KeyCode::Char('G')), Some(Message::Do(A::Last)), "a capital"),
            (key(KeyCode::Char('g')), Some(Message::Prefix('g')), "the first of two"),
            (key(KeyCode::Char('x')), None, "bound to nothing"),
            (key(KeyCode::Char('3')), Some(Message::Do(A::Go(View::Feeds))), "a digit"),
            (
                KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL),
                Some(Message::Do(A::HalfDown)),
                "with control",
            ),
            (KeyEvent::new(KeyCode::Char('j'), KeyModifiers::ALT), None, "Alt is never needed"),
        ] {
            assert_eq!(message(&model, event), expected, "{why}");
        }
        model.prefix = Some('g');
        assert_eq!(message(&model, key(KeyCode::Char('g'))), Some(Message::Do(A::First)));
    }

    #[test]
    fn moving_is_told_from_acting() {
        for (code, expected) in
            [(KeyCode::Char('j'), true), (KeyCode::Char('g'), true), (KeyCode::Char('r'), false)]
        {
            assert_eq!(moves(key(code)), expected, "{code:?}");
        }
    }
}
