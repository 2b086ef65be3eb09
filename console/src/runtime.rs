//! The only part that touches terminal and socket: input becomes messages, effects become requests, and a frame is drawn
//! when something on it has changed.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use crossterm::event::EventStream;
use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use marsad_shared::clock::Clock;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

use crate::{
    client::Client,
    message::{Effect, Message},
    model::{Link, Model},
    theme::Theme,
    update::update,
};

mod follow;
mod input;
mod screen;
mod signals;
mod work;

use self::{screen::Screen, signals::Signals};

/// Messages that wait for the screen. Enough for a page of each kind; who finds it full waits, as the screen is behind.
const WAITING: usize = 64;
/// The shortest time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);
/// The same over a network, where a frame costs more than it tells.
const FRAME_REMOTE: Duration = Duration::from_millis(100);
/// The longest, when the terminal is slow to take what it is given.
const FRAME_SLOWEST: Duration = Duration::from_millis(400);
/// A terminal that takes longer than this for a frame is slow.
const SLOW: Duration = Duration::from_millis(50);
/// How long the first frame waits for something to show.
const PATIENCE: Duration = Duration::from_millis(40);

/// What the program's environment says, read by `main`.
pub struct Options {
    /// Which of several installations this is; shown in the header.
    pub site: String,
    pub zone: TimeZone,
    /// No colours under `NO_COLOR`; frames without line characters where the locale is not UTF-8.
    pub theme: Theme,
    /// Whether the terminal is at the other end of a network: under `SSH_CONNECTION`.
    pub remote: bool,
    /// Whether tmux stands in between: under `TMUX`.
    pub tmux: bool,
    pub clock: Arc<dyn Clock>,
}

/// Shows the console until its user leaves, the terminal goes away, or a signal ends it.
///
/// # Errors
/// If there is no terminal, or it cannot be set up.
pub async fn run(client: Client, options: Options) -> anyhow::Result<()> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!(
            "the console needs a terminal; for scripts there are commands, as in: marsad status --json"
        );
    }
    let signals = Signals::new().context("cannot listen for signals")?;
    let screen = Screen::enter(options.tmux).context("cannot set up the terminal")?;
    let mut console = Console::new(client, &options, signals, screen)?;
    let outcome = console.live().await;
    console.screen.leave();
    outcome
}

struct Console {
    model: Model,
    client: Client,
    clock: Arc<dyn Clock>,
    screen: Screen,
    signals: Signals,
    tasks: JoinSet<()>,
    inbox: mpsc::Receiver<Message>,
    outbox: mpsc::Sender<Message>,
    /// Tells the follower to read everything again.
    reread: Arc<Notify>,
    frame: Duration,
    shortest: Duration,
    drawn_at: Option<Instant>,
    /// Whether anything may look different, and whether a key is waiting to see it.
    dirty: bool,
    urgent: bool,
}

impl Console {
    fn new(
        client: Client,
        options: &Options,
        signals: Signals,
        screen: Screen,
    ) -> anyhow::Result<Self> {
        let theme = options.theme;
        let link = if client.is_offline() { Link::Offline } else { Link::Connecting };
        let now = options.clock.now();
        let mut model = Model::new(options.site.clone(), theme, options.zone.clone(), link, now);
        model.size = crossterm::terminal::size().context("cannot learn the terminal's size")?;
        let (outbox, inbox) = mpsc::channel(WAITING);
        let reread = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let clock = Arc::clone(&options.clock);
        tasks.spawn(follow::run(client.clone(), clock, outbox.clone(), Arc::clone(&reread)));
        let shortest = if options.remote { FRAME_REMOTE } else { FRAME };
        let clock = Arc::clone(&options.clock);
        let (frame, drawn_at) = (shortest, None);
        let (dirty, urgent) = (true, false);
        Ok(Self {
            model,
            client,
            clock,
            screen,
            signals,
            tasks,
            inbox,
            outbox,
            reread,
            frame,
            shortest,
            drawn_at,
            dirty,
            urgent,
        })
    }

    /// Goes round until somebody leaves.
    async fn live(&mut self) -> anyhow::Result<()> {
        let mut input = EventStream::new();
        let started = Instant::now();
        loop {
            self.fetch();
            self.draw_if_due(started)?;
            let due = self.due(started);
            let second = self.to_next_second();
            tokio::select! {
                event = input.next() => match event {
                    Some(Ok(event)) => {
                        if self.input(event, &mut input).await?.is_some() { return Ok(()) }
                    }
                    Some(Err(_)) | None => return Ok(()), // the terminal is gone
                },
                Some(message) = self.inbox.recv() => {
                    if self.apply(message)?.is_some() { return Ok(()) }
                }
                Some(ended) = self.tasks.join_next() => {
                    ended.context("a part of the console broke down")?;
                }
                signal = self.signals.next() => match signal {
                    signals::Signal::End => {
                        self.screen.discard_input();
                        return Ok(());
                    }
                    signals::Signal::Stop => self.suspend()?,
                    signals::Signal::Continue => self.resume()?,
                },
                () = tokio::time::sleep_until(due), if self.dirty => {}
                () = tokio::time::sleep(second) => {
                    let now = self.clock.now();
                    self.apply(Message::Tick(now))?;
                }
            }
        }
    }

    /// Until the next second begins, by the clock that is shown.
    fn to_next_second(&self) -> Duration {
        let nanos = u64::try_from(self.clock.now().subsec_nanosecond()).unwrap_or(0);
        Duration::from_nanos(1_000_000_000_u64.saturating_sub(nanos)) + Duration::from_millis(1)
    }

    /// When the next frame may be drawn.
    fn due(&self, started: Instant) -> Instant {
        match self.drawn_at {
            Some(at) => at + self.frame,
            None => started + PATIENCE,
        }
    }

    fn draw_if_due(&mut self, started: Instant) -> anyhow::Result<()> {
        let first = self.drawn_at.is_none() && self.model.status.is_some();
        if self.dirty && (self.urgent || first || Instant::now() >= self.due(started)) {
            let before = Instant::now();
            self.screen.draw(&self.model).context("cannot draw")?;
            let took = before.elapsed();
            self.frame = if took > SLOW {
                (self.frame * 2).min(FRAME_SLOWEST)
            } else {
                self.frame.mul_f32(0.9).max(self.shortest)
            };
            self.drawn_at = Some(Instant::now());
            (self.dirty, self.urgent) = (false, false);
        }
        Ok(())
    }

    fn apply(&mut self, message: Message) -> anyhow::Result<Option<Quit>> {
        self.dirty = true;
        match update(&mut self.model, message) {
            None => {}
            Some(Effect::Quit) => return Ok(Some(Quit)),
            Some(Effect::Suspend) => self.suspend()?,
            Some(Effect::Repaint) => self.screen.forget(),
            Some(Effect::Reread) => self.reread.notify_one(),
            Some(Effect::Copy(text)) => self.screen.copy(&text).context("cannot copy")?,
            Some(effect) => {
                let (client, outbox) = (self.client.clone(), self.outbox.clone());
                self.tasks.spawn(work::perform(client, effect, outbox));
            }
        }
        Ok(None)
    }

    fn fetch(&mut self) {
        if let Some(fetch) = self.model.fetch() {
            self.dirty = true;
            let (client, outbox) = (self.client.clone(), self.outbox.clone());
            self.tasks.spawn(work::page(client, fetch, outbox));
        }
    }

    /// Gives the terminal back and stops; goes on here when somebody says `fg`.
    fn suspend(&mut self) -> anyhow::Result<()> {
        self.screen.leave();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).context("cannot stop")?;
        self.resume()
    }

    fn resume(&mut self) -> anyhow::Result<()> {
        self.screen.again().context("cannot set up the terminal again")?;
        let (width, height) = crossterm::terminal::size().context("cannot learn the size")?;
        let now = self.clock.now();
        self.apply(Message::Tick(now))?;
        self.apply(Message::Resized(width, height))?;
        self.urgent = true;
        Ok(())
    }
}

/// Somebody leaves.
struct Quit;
