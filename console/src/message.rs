//! All that can happen to the model, and all that the runtime is asked to do in turn.

use jiff::Timestamp;
use marsad_shared::{
    id::{ConnectionId, RunId},
    protocol::{
        ActOutcome, ConnectionRow, Discard, DiscardReply, Event, ExchangeAct, FeedRow, ListQuery,
        Problem, Replay, ReplayReply, Resync, ResyncReply, RunAct, RunActReply, RunRow,
        SchemaOrder, SchemaReply, Status, TestReply,
    },
};
use tui_input::InputRequest;

use crate::{
    keys::Action,
    model::{Address, Row, Source},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key that the keymap knows.
    Do(Action),
    /// The first key of two.
    Prefix(char),
    /// A key for the line that is being edited.
    Edit(InputRequest),
    /// Text that was pasted.
    Pasted(String),
    /// So many keys came at once that nobody typed them.
    Burst(usize),
    Resized(u16, u16),
    /// It is now so late.
    Tick(Timestamp),
    /// The daemon answers; everything is about to be read anew.
    Back(Timestamp),
    /// The daemon does not answer, for this reason.
    Away(Timestamp, String),
    /// The daemon said that something changed, or that it lives.
    Heard(Event),
    Status(Box<Status>),
    Connections(Vec<ConnectionRow>),
    /// Every feed there is.
    Feeds(Vec<FeedRow>),
    /// Feeds as they are now; the others stay.
    SomeFeeds(Vec<FeedRow>),
    Recent(Vec<RunRow>),
    /// The page of this ticket.
    Page(u64, Result<Vec<Row>, Problem>),
    /// What was to be looked at.
    Found(Address, Result<Row, Problem>),
    Previewed(Resync, Result<ResyncReply, Problem>),
    Ordered(Result<ResyncReply, Problem>),
    /// A run that was ordered here has ended.
    Ended(Box<RunRow>),
    Acted(Result<Vec<ActOutcome>, Problem>),
    Decided(Result<RunActReply, Problem>),
    /// What a replay or a discard would do.
    ReplayTried(Replay, Result<ReplayReply, Problem>),
    DiscardTried(Discard, Result<DiscardReply, Problem>),
    /// What became of one.
    Replayed(Result<ReplayReply, Problem>),
    Discarded(Result<DiscardReply, Problem>),
    /// What was decided of what came otherwise.
    Settled(Result<SchemaReply, Problem>),
    /// A connection was tried.
    Tested(Result<TestReply, Problem>),
}

/// Something to do, by whoever may touch the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Quit,
    /// Give the terminal back and stop, until somebody says `fg`.
    Suspend,
    /// Draw everything again.
    Repaint,
    /// Read everything again.
    Reread,
    /// Put the text into the terminal's clipboard.
    Copy(String),
    Find(Address),
    Preview(Resync),
    Resync(Resync),
    /// Say when this run has ended.
    Follow(RunId),
    Act(ExchangeAct),
    /// Decide about a run.
    Decide(RunAct),
    /// About quarantine: as a question, or in earnest.
    Replay(Replay),
    Discard(Discard),
    /// Decide of what came otherwise in a feed.
    Settle(SchemaOrder),
    /// Try a connection now.
    Test(ConnectionId),
}

/// A page to fetch, for [`Message::Page`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    pub ticket: u64,
    pub source: Source,
    pub query: ListQuery,
}
