//! Where clients come in: at most so many at once, each known by the credentials that the kernel gives.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use nix::sys::resource::{Resource, getrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tracing::warn;

use super::peer::Credentials;

/// Clients at once: many consoles and scripts, and far below the files that a process may open.
const GUESTS: usize = 256;
/// Of one user, so that nobody can shut the others out.
const GUESTS_OF_ONE: usize = 96;
/// Files that are kept for the work itself, however few the process may open: the databases and what reads them, one
/// connection, one import. Half of all others is for clients.
const RESERVED: u64 = 32;
/// Clients who come in all the same.
const GUESTS_LEAST: usize = 4;
/// How long to wait when the system has no file left for a client.
const BREATH: Duration = Duration::from_millis(200);
/// What a client too many is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
{\"code\":\"unavailable\",\"what\":\"marsadd does not answer\",\"why\":\"too many clients\",\"do\":\"close some and try again\"}";

/// The listening socket.
pub(super) struct Door {
    listener: UnixListener,
    room: Arc<Semaphore>,
    /// The room of each user that was here.
    rooms: HashMap<u32, Arc<Semaphore>>,
}

impl Door {
    pub(super) fn new(listener: UnixListener) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(GUESTS)), rooms: HashMap::new() }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = Credentials;

    async fn accept(&mut self) -> (Guest, Credentials) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "a client could not be let in");
                    sleep(BREATH).await;
                    continue;
                }
            };
            let Ok(credentials) = stream.peer_cred() else { continue };
            let credentials = Credentials { uid: credentials.uid(), gid: credentials.gid() };
            let own = self
                .rooms
                .entry(credentials.uid)
                .or_insert_with(|| Arc::new(Semaphore::new(GUESTS_OF_ONE)));
            let places =
                (Arc::clone(own).try_acquire_owned(), Arc::clone(&self.room).try_acquire_owned());
            let inside = GUESTS - self.room.available_permits();
            if let ((Ok(own), Ok(one)), true) = (places, inside <= most()) {
                return (Guest { stream, _places: [own, one] }, credentials);
            }
            // A small answer fits the socket's buffer, or the client does without.
            let _ = stream.try_write(FULL);
        }
    }

    fn local_addr(&self) -> io::Result<Credentials> {
        Ok(Credentials {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        })
    }
}

/// So many clients may be here at once, of the files that the process may open now.
fn most() -> usize {
    let Ok((files, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return GUESTS };
    let spare = usize::try_from(files.saturating_sub(RESERVED) / 2).unwrap_or(GUESTS);
    spare.clamp(GUESTS_LEAST, GUESTS)
}

/// A client that was let in; its place is free again when it goes.
pub(super) struct Guest {
    stream: UnixStream,
    _places: [OwnedSemaphorePermit; 2],
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
