//! A partner's port: a server that can go away and come back on the same port, and lines that can be cut at any byte.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Mutex,
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A server on a port of its own, whoever it serves.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    router: Router,
    standing: Mutex<Standing>,
}

#[derive(Debug)]
enum Standing {
    Up(Up),
    /// Nobody listens, and the port is kept, so that no other server is found there meanwhile.
    Away(Option<TcpSocket>),
}

#[derive(Debug)]
struct Up {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on `port` of the loopback address, or on a free one if that is 0 or taken.
    pub async fn start(router: Router, port: u16) -> anyhow::Result<Self> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listener = match TcpListener::bind(local(port)).await {
            Ok(listener) => listener,
            Err(_) if port != 0 => TcpListener::bind(local(0)).await?,
            Err(error) => return Err(error).context("cannot listen on 127.0.0.1"),
        };
        let address = listener.local_addr()?;
        let up = Up::start(listener, router.clone());
        Ok(Self { address, router, standing: Mutex::new(Standing::Up(up)) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes away: connections are refused, and those that stand are cut.
    pub async fn close(&self) {
        let mut standing = self.standing.lock().await;
        if let Standing::Up(Up { stop, task }) = &mut *standing {
            stop.cancel();
            // An error would be a panic of the server's, which it has already told.
            let _ = task.await;
            *standing = Standing::Away(kept(self.address).ok());
        }
    }

    /// Comes back on the same port.
    pub async fn reopen(&self) -> anyhow::Result<()> {
        let mut standing = self.standing.lock().await;
        if let Standing::Away(port) = &mut *standing {
            let port = port.take().map_or_else(|| kept(self.address), Ok);
            let listener = port.and_then(|port| port.listen(BACKLOG));
            let listener =
                listener.with_context(|| format!("cannot come back on {}", self.address))?;
            *standing = Standing::Up(Up::start(listener, self.router.clone()));
        }
        Ok(())
    }
}

/// So many may wait to be let in.
const BACKLOG: u32 = 1_024;

/// A port that is ours, and on which nobody listens.
fn kept(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Lines that were cut just now still count.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Standing::Up(up) = self.standing.get_mut() {
            up.stop.cancel();
        }
    }
}

impl Up {
    fn start(listener: TcpListener, router: Router) -> Self {
        let stop = CancellationToken::new();
        let lines = Lines { listener, cut_all: stop.clone() };
        let service = router.into_make_service_with_connect_info::<Line>();
        let ended = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // It never gives an error: trouble with one line ends that line.
            let _ = axum::serve(lines, service).with_graceful_shutdown(ended).await;
        });
        Self { stop, task }
    }
}

/// One client's connection, in the hand of whoever answers on it.
#[derive(Clone, Debug)]
pub struct Line {
    cut: CancellationToken,
    /// How many bytes may still be written before the line is cut.
    left: Arc<AtomicUsize>,
}

impl Line {
    /// Cuts the line now; never comes back.
    pub async fn cut(&self) -> ! {
        self.cut.cancel();
        std::future::pending().await
    }

    /// Cuts the line after so many more bytes, headers included.
    pub fn cut_after(&self, bytes: usize) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// The listener whose lines can be cut.
#[derive(Debug)]
pub struct Lines {
    listener: TcpListener,
    cut_all: CancellationToken,
}

impl Listener for Lines {
    type Io = LineIo;
    type Addr = Line;

    async fn accept(&mut self) -> (LineIo, Line) {
        let (stream, _) = Listener::accept(&mut self.listener).await;
        // Small answers would else wait for the acknowledgement of the ones before.
        let _ = stream.set_nodelay(true);
        let cut = self.cut_all.child_token();
        let line = Line { cut: cut.clone(), left: Arc::new(AtomicUsize::new(usize::MAX)) };
        (LineIo { stream, cut: Box::pin(cut.cancelled_owned()), line: line.clone() }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line { cut: self.cut_all.clone(), left: Arc::default() })
    }
}

/// The bytes of a line, until it is cut.
#[derive(Debug)]
pub struct LineIo {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    line: Line,
}

impl LineIo {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for LineIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for LineIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let left = self.line.left.load(Ordering::SeqCst);
        let bytes = bytes.get(..left.min(bytes.len())).unwrap_or(bytes);
        if bytes.is_empty() {
            self.line.cut.cancel();
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = written
            && left != usize::MAX
        {
            self.line.left.fetch_sub(written, Ordering::SeqCst);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
