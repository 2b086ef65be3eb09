//! Room in memory for the rows of large pages: bounded for all feeds together, taken before anything is held, and given
//! back when the rows are in their place.
//!
//! Small pages, which most are, never wait: what they may take is little. A page that turns out to need more room than it
//! has is read once more, with more; nobody waits for room while holding some, so nobody waits for ever.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// So many pages of middle size are held at once, and so many giants, over all feeds. Giants have a room of their own, so
/// that no other page waits for one.
const MIDDLES: usize = 8;
const GIANTS: usize = 1;
/// So many pages are on their way into the bank ahead of what is known to be there, over all feeds: one commit does for them
/// all. Where many feeds are read they share commits anyway.
pub(super) const AHEAD: usize = 4;

/// How much room a page needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    Small,
    Middle,
    Giant,
}

impl Size {
    /// The size of a page whose body may be about `bytes` long. `held`: all of it; `built`: it has to be built as values.
    pub(crate) fn of(bytes: u64, held: bool, built: bool) -> Self {
        let kib = bytes / 1024;
        match (built, held) {
            (true, _) if kib <= 64 => Self::Small,
            (true, true) => Self::Middle,
            (false, true) => Self::Small,
            (false, false) if kib <= 16 * 1024 => Self::Middle,
            (_, false) => Self::Giant,
        }
    }

    /// What the rows of such a page may take, in bytes. The largest is twice the largest body: rows of many short values
    /// take more than what they are written in.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Small => 8 * 1024 * 1024,
            Self::Middle => 32 * 1024 * 1024,
            Self::Giant => 512 * 1024 * 1024,
        }
    }

    /// The next larger one.
    pub(crate) const fn larger(self) -> Option<Self> {
        match self {
            Self::Small => Some(Self::Middle),
            Self::Middle => Some(Self::Giant),
            Self::Giant => None,
        }
    }
}

/// The room that there is for the pages of all feeds.
#[derive(Debug)]
pub struct Rooms {
    middles: Arc<Semaphore>,
    giants: Arc<Semaphore>,
    ahead: Arc<Semaphore>,
}

/// Room for one page, as long as it is kept.
#[derive(Debug, Default)]
pub(crate) struct Room(
    #[expect(dead_code, reason = "it is there to be given back")] Option<OwnedSemaphorePermit>,
);

impl Default for Rooms {
    fn default() -> Self {
        Self {
            middles: Arc::new(Semaphore::new(MIDDLES)),
            giants: Arc::new(Semaphore::new(GIANTS)),
            ahead: Arc::new(Semaphore::new(AHEAD)),
        }
    }
}

impl Rooms {
    /// Room for a page, in the order of asking; `None`: stopped before there was any.
    pub(crate) async fn enter(&self, size: Size, stop: &CancellationToken) -> Option<Room> {
        let room = match size {
            Size::Small => return Some(Room::default()),
            Size::Middle => &self.middles,
            Size::Giant => &self.giants,
        };
        // It is never closed.
        let permit = stop.run_until_cancelled(Arc::clone(room).acquire_owned()).await?.ok()?;
        Some(Room(Some(permit)))
    }

    /// Room for a page behind one of which it is not known yet that it is in the bank; `None`: there is none now.
    pub(crate) fn ahead(&self) -> Option<Room> {
        Arc::clone(&self.ahead).try_acquire_owned().ok().map(|permit| Room(Some(permit)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_page_has_as_much_room_as_its_body_may_need() {
        let mib = 1024 * 1024;
        for (bytes, held, built, expected, why) in [
            (200_000, true, false, Size::Small, "most pages"),
            (mib, true, false, Size::Small, "the largest that is held"),
            (mib + 1, false, false, Size::Middle, "larger than that"),
            (200 * mib, false, false, Size::Giant, "a giant"),
            (40_000, true, true, Size::Small, "values are many times what they are written in"),
            (200_000, true, true, Size::Middle, "values are many times what they are written in"),
            (2 * mib, false, true, Size::Giant, "values are many times what they are written in"),
        ] {
            assert_eq!(Size::of(bytes, held, built), expected, "{why}");
        }
        assert!(Size::Small.most() < Size::Middle.most());
        assert!(Size::Middle.most() < Size::Giant.most());
    }

    #[tokio::test]
    async fn giants_wait_for_each_other_and_nobody_else_for_them() {
        let (rooms, stop) = (Rooms::default(), CancellationToken::new());
        let first = rooms.enter(Size::Giant, &stop).await.unwrap();
        let mut second = Box::pin(rooms.enter(Size::Giant, &stop));
        assert!((&mut second).now_or_never().is_none(), "there is room for one");
        let middles: Vec<_> = (0..MIDDLES)
            .map(|_| rooms.enter(Size::Middle, &stop).now_or_never().unwrap())
            .collect();
        assert!(rooms.enter(Size::Middle, &stop).now_or_never().is_none(), "and for so many");
        assert!(rooms.enter(Size::Small, &stop).now_or_never().is_some(), "small ones never wait");
        drop((first, middles));
        assert!(second.now_or_never().unwrap().is_some(), "room is given back");
        let held = rooms.enter(Size::Giant, &stop).await;
        let waits = rooms.enter(Size::Giant, &stop);
        stop.cancel();
        assert!(waits.await.is_none(), "who is stopped waits no longer");
        drop(held);
    }
}
