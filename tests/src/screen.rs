//! A terminal with somebody in front of it: a program on a pty, its screen as a person would see it, and keys.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::{sync::watch, time::timeout};

use crate::daemon::LIMIT;

/// Keys that are no letters.
pub const ENTER: &str = "\r";
pub const ESCAPE: &str = "\u{1b}";
pub const CTRL_Z: &str = "\u{1a}";

/// The terminal. What runs in it ends with the value.
pub struct Screen {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<u64>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// All that came.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Screen {
    /// Starts `program` with `arguments` in a terminal of so many columns and rows.
    pub fn open(
        program: &Path,
        arguments: &[&str],
        (columns, rows): (u16, u16),
    ) -> anyhow::Result<Self> {
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        Self::start(command, columns, rows)
    }

    /// A shell with job control, that prompts with `$ `.
    pub fn shell(folder: &Path, (columns, rows): (u16, u16)) -> anyhow::Result<Self> {
        let mut command = CommandBuilder::new("sh");
        command.arg("-i");
        command.cwd(folder);
        command.env("PS1", "$ ");
        command.env_remove("ENV");
        Self::start(command, columns, rows)
    }

    fn start(mut command: CommandBuilder, columns: u16, rows: u16) -> anyhow::Result<Self> {
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let child = pair.slave.spawn_command(command)?;
        let (reader, writer) = (pair.master.try_clone_reader()?, pair.master.take_writer()?);
        let one = NonZeroU16::MIN;
        let parser = vt100::Parser::new(
            NonZeroU16::new(rows).unwrap_or(one),
            NonZeroU16::new(columns).unwrap_or(one),
            0,
        );
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let writer = Arc::new(Mutex::new(writer));
        let (tell, changed) = watch::channel(0);
        let (into, answers) = (Arc::clone(&seen), Arc::clone(&writer));
        // Ends when the other side of the pty is gone.
        std::thread::spawn(move || read(reader, &into, &answers, &tell));
        Ok(Self { seen, changed, writer, child, master: pair.master })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Presses keys.
    pub fn keys(&self, keys: &str) -> anyhow::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(keys.as_bytes())?;
        Ok(writer.flush()?)
    }

    /// The screen as lines of text.
    pub fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Every byte that came, from the first on.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen().bytes.clone()
    }

    /// Whether the terminal is as a shell wants it: its own screen, a cursor, no special modes.
    pub fn is_plain(&self) -> bool {
        let seen = self.seen();
        let screen = seen.parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }

    /// Waits until the screen is as `right` wants it. `what` names it for whoever reads the failure.
    pub async fn until(
        &mut self,
        what: &str,
        right: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let found = timeout(LIMIT, async {
            loop {
                let text = self.text();
                if right(&text) {
                    return Some(text);
                }
                if self.changed.changed().await.is_err() {
                    let text = self.text();
                    return right(&text).then_some(text);
                }
            }
        });
        match found.await {
            Ok(Some(text)) => Ok(text),
            _ => bail!("never on the screen: {what}; it shows:\n{}", self.text()),
        }
    }

    /// Waits until `text` is on the screen.
    pub async fn until_text(&mut self, text: &str) -> anyhow::Result<String> {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) -> anyhow::Result<()> {
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 })?;
        if let (Some(rows), Some(columns)) = (NonZeroU16::new(rows), NonZeroU16::new(columns)) {
            self.seen().parser.set_size(rows, columns);
        }
        Ok(())
    }

    /// The process in the terminal.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.process_id().context("the program has ended")
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid()?)?), signal)?)
    }

    /// Waits for the program's end, and gives its exit code.
    pub async fn until_ended(&mut self) -> anyhow::Result<u32> {
        let ended = timeout(LIMIT, async {
            // The stream ends with the last process that holds the pty.
            while self.changed.changed().await.is_ok() {}
        });
        ended.await.context("the program does not end")?;
        Ok(self.child.wait()?.exit_code())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(
    mut from: Box<dyn Read + Send>,
    into: &Mutex<Seen>,
    answers: &Mutex<Box<dyn Write + Send>>,
    tell: &watch::Sender<u64>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length) else { return };
        let position = {
            let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
            seen.parser.process(bytes);
            seen.bytes.extend_from_slice(bytes);
            seen.parser.screen().cursor_position()
        };
        for answer in answers_to(bytes, position) {
            let mut writer = answers.lock().unwrap_or_else(PoisonError::into_inner);
            // A program that ended meanwhile needs no answer.
            let _ = writer.write_all(answer.as_bytes()).and_then(|()| writer.flush());
        }
        tell.send_modify(|count| *count += 1);
    }
}

/// What a real terminal answers to the questions among `bytes`, so that no program waits for it.
fn answers_to(bytes: &[u8], (row, column): (u16, u16)) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let questions = [
        ("\u{1b}[6n", format!("\u{1b}[{};{}R", row + 1, column + 1)),
        ("\u{1b}[5n", "\u{1b}[0n".to_owned()),
        ("\u{1b}[c", "\u{1b}[?62;22c".to_owned()),
        ("\u{1b}[0c", "\u{1b}[?62;22c".to_owned()),
        ("\u{1b}[?u", "\u{1b}[?0u".to_owned()),
        ("\u{1b}]11;?", "\u{1b}]11;rgb:0000/0000/0000\u{1b}\\".to_owned()),
    ];
    let times = |(question, answer): (&str, String)| vec![answer; text.matches(question).count()];
    questions.into_iter().flat_map(times).collect()
}
