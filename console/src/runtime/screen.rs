//! The terminal: taken over, drawn upon, and given back, whatever happens.

use std::{
    io::{self, BufWriter, Stdout, Write as _},
    panic,
    sync::Once,
};

use crossterm::{
    clipboard::CopyToClipboard,
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute, queue,
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};
use nix::sys::termios::{FlushArg, tcflush};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};

use crate::{model::Model, view};

/// From so many changed cells on, the terminal is asked to show them in one go.
const MANY: usize = 500;

/// The terminal while it is ours. Gives it back when dropped.
pub(super) struct Screen {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    /// What the terminal shows, and the frame that is drawn next.
    shown: Buffer,
    next: Buffer,
    /// Whether what the terminal shows is not known.
    unknown: bool,
    tmux: bool,
}

impl Screen {
    /// Takes the terminal over. A panic gives it back before it says anything.
    pub(super) fn enter(tmux: bool) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        take_over()?;
        Ok(Self {
            // A frame of any size is written at once.
            backend: CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())),
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            unknown: true,
            tmux,
        })
    }

    /// Takes it over again, after a stop.
    pub(super) fn again(&mut self) -> io::Result<()> {
        // Somebody else may have set it up meanwhile: what was kept of it is put back first.
        let _ = disable_raw_mode();
        take_over()?;
        self.forget();
        Ok(())
    }

    /// Gives it back. Done twice it does no harm.
    #[expect(clippy::unused_self, reason = "only who has the terminal can give it back")]
    pub(super) fn leave(&mut self) {
        give_back();
    }

    /// Throws away what was typed and not read: it was meant for us, not for the shell behind us.
    #[expect(clippy::unused_self, reason = "only who has the terminal can empty it")]
    pub(super) fn discard_input(&mut self) {
        // Where that fails there is no terminal any more, and nobody to type.
        let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
    }

    /// The next frame is drawn as if nothing were shown.
    pub(super) fn forget(&mut self) {
        self.unknown = true;
    }

    /// Draws what differs from what is shown. Where nothing does, nothing is written.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        if self.next.area != area {
            self.next = Buffer::empty(area);
            self.unknown = true;
        }
        self.next.reset();
        view::draw(model, area, &mut self.next);
        if self.unknown {
            self.shown = Buffer::empty(area);
            queue!(self.backend, Clear(ClearType::All))?;
        }
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && !self.unknown {
            return Ok(());
        }
        let many = changes.len() >= MANY;
        if many {
            queue!(self.backend, BeginSynchronizedUpdate)?;
        }
        self.backend.draw(changes.into_iter())?;
        if many {
            queue!(self.backend, EndSynchronizedUpdate)?;
        }
        io::Write::flush(&mut self.backend)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        self.unknown = false;
        Ok(())
    }

    /// Puts the text into the terminal's clipboard, as far as the terminal lets us.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.backend;
        if self.tmux {
            // tmux passes on what is wrapped for it, with each ESC doubled.
            let mut inner = Vec::new();
            queue!(inner, CopyToClipboard::to_clipboard_from(text))?;
            out.write_all(b"\x1bPtmux;")?;
            for byte in inner {
                if byte == 0x1b {
                    out.write_all(b"\x1b")?;
                }
                out.write_all(&[byte])?;
            }
            out.write_all(b"\x1b\\")?;
        } else {
            queue!(out, CopyToClipboard::to_clipboard_from(text))?;
        }
        io::Write::flush(out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
}

/// Each step by itself: where one fails, as on a terminal that is gone, the others are tried all the same.
fn give_back() {
    let mut out = io::stdout();
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, Show);
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}
