//! Requests to the daemon: pages, single things, orders. Each is a task, so that no answer ever holds up a key.

use std::sync::Arc;

use marsad_shared::{
    id::{ExchangeId, RunId},
    protocol::{CursorRow, ExchangeRow, QuarantineGroup, QuarantineRow, RecordRow, RunRow},
};
use tokio::sync::mpsc::Sender;

use crate::{
    client::{Client, ClientError},
    message::{Effect, Fetch, Message},
    model::{Address, Row, Source},
};

/// How long one request for a run's end may wait, in seconds; then it is asked again.
const WAIT_S: u32 = 60;

/// Fetches a page.
pub(super) async fn page(client: Client, fetch: Fetch, outbox: Sender<Message>) {
    let query = &fetch.query;
    let rows = match &fetch.source {
        Source::Exchanges => {
            client.list::<ExchangeRow>(&(), query).await.map(|rows| all(rows, Row::Exchange))
        }
        Source::Quarantine => {
            client.list::<QuarantineRow>(&(), query).await.map(|rows| all(rows, Row::Quarantine))
        }
        Source::Groups => {
            client.list::<QuarantineGroup>(&(), query).await.map(|rows| all(rows, Row::Group))
        }
        Source::Runs => client.list::<RunRow>(&(), query).await.map(|rows| all(rows, Row::Run)),
        Source::Moves(feed) => {
            client.list::<CursorRow>(feed, query).await.map(|rows| all(rows, Row::Move))
        }
        Source::Records(feed) => {
            client.list::<RecordRow>(feed, query).await.map(|rows| all(rows, Row::Record))
        }
    };
    let page = Message::Page(fetch.ticket, rows.map_err(|error| error.told()));
    // A closed inbox means that the console is closing.
    let _ = outbox.send(page).await;
}

fn all<T>(rows: Vec<T>, row: fn(Arc<T>) -> Row) -> Vec<Row> {
    rows.into_iter().map(|each| row(Arc::new(each))).collect()
}

/// Does what the daemon has a part in; the rest is the runtime's own.
pub(super) async fn perform(client: Client, effect: Effect, outbox: Sender<Message>) {
    let message = match effect {
        Effect::Find(address) => {
            let row = find(&client, &address).await.map_err(|error| error.told());
            Message::Found(address, row)
        }
        Effect::Preview(order) => {
            let reply = client.resync(&order).await.map_err(|error| error.told());
            Message::Previewed(order, reply)
        }
        Effect::Resync(order) => {
            Message::Ordered(client.resync(&order).await.map_err(|error| error.told()))
        }
        Effect::Follow(run) => match ended(&client, run).await {
            Some(run) => Message::Ended(Box::new(run)),
            None => return,
        },
        Effect::Act(order) => {
            let reply = client.act(order.verb, order.ids, order.reason).await;
            Message::Acted(reply.map_err(|error| error.told()))
        }
        Effect::Replay(order) => {
            let reply = client.replay(&order).await.map_err(|error| error.told());
            if order.dry_run {
                Message::ReplayTried(order, reply)
            } else {
                Message::Replayed(reply)
            }
        }
        Effect::Discard(order) => {
            let reply = client.discard(&order).await.map_err(|error| error.told());
            if order.dry_run {
                Message::DiscardTried(order, reply)
            } else {
                Message::Discarded(reply)
            }
        }
        Effect::Decide(order) => {
            Message::Decided(client.decide(&order).await.map_err(|error| error.told()))
        }
        Effect::Settle(order) => {
            Message::Settled(client.settle(&order).await.map_err(|error| error.told()))
        }
        Effect::Test(connection) => {
            let reply = client.test(&connection, None).await;
            Message::Tested(reply.map_err(|error| error.told()))
        }
        Effect::Quit | Effect::Suspend | Effect::Repaint | Effect::Reread | Effect::Copy(_) => {
            return;
        }
    };
    let _ = outbox.send(message).await;
}

async fn find(client: &Client, address: &Address) -> Result<Row, ClientError> {
    Ok(match address {
        Address::Run(id) => Row::Run(client.one::<RunRow>(&(), &id.to_string()).await?.into()),
        Address::Exchange(id) => exchange(client, *id).await?,
        Address::Quarantine(id) => Row::Item(client.quarantine_item(*id).await?.into()),
        Address::Record(feed, key) => Row::Record(client.one::<RecordRow>(feed, key).await?.into()),
        Address::Feed(id) => Row::Feed(client.one(&(), id.as_str()).await.map(Arc::new)?),
        Address::Connection(id) => {
            Row::Connection(client.one(&(), id.as_str()).await.map(Arc::new)?)
        }
    })
}

async fn exchange(client: &Client, id: ExchangeId) -> Result<Row, ClientError> {
    Ok(Row::Exchange(client.one::<ExchangeRow>(&(), &id.to_string()).await?.into()))
}

/// The run when it has ended; `None` if the daemon went away meanwhile: the list of runs tells then.
async fn ended(client: &Client, id: RunId) -> Option<RunRow> {
    loop {
        let run = client.run_wait(id, WAIT_S).await.ok()?;
        if run.ended_at.is_some() {
            return Some(run);
        }
    }
}
