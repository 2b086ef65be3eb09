//! The Unix socket: who asks, whether they may, what they get. HTTP and JSON as [`marsad_shared::protocol`] says.
//!
//! Every command passes the same gate: role, audit, effect, audit (`gate`).

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use jiff::Timestamp;
use marsad_shared::{
    config::Config,
    connection::Connection,
    feed::{Feed, Origin},
    id::{ConnectionId, FeedId},
    protocol::{Problem, ProblemCode},
    request::Incremental,
};
use tokio::net::UnixListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::services::Services;

mod act;
mod decide;
mod discard;
mod door;
mod events;
mod gate;
mod look;
mod peer;
pub mod problem;
mod quarantine;
mod read;
mod replay;
mod reveal;
mod rewind;
mod schema;

use door::Door;
use peer::{Peer, Peers};
use problem::Refusal;

/// What every request needs.
pub struct Api {
    services: Arc<Services>,
    connections: HashMap<ConnectionId, Arc<Connection>>,
    /// The incremental ones, with how they are read.
    incremental: HashMap<FeedId, Incremental>,
    peers: Peers,
    started_at: Timestamp,
    /// Commands under way. They end by themselves, whether or not their clients wait.
    acts: TaskTracker,
    stop: CancellationToken,
}

/// The socket, bound and not yet served.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    api: Arc<Api>,
}

impl Socket {
    /// Binds the configured path: in a folder that nobody else can change, with mode 0660.
    ///
    /// # Errors
    /// If the folder is open to others, or something other than a socket of ours is in the way. Call it only while
    /// holding `state_dir`: a socket that is left over is replaced.
    pub fn bind(
        config: &Config,
        connections: &[Arc<Connection>],
        feeds: &[Arc<Feed>],
        services: Arc<Services>,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let path = config.socket.clone();
        // A bare name stands in the folder that we are in.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        close_folder(folder, &path)?;
        clear(&path)?;
        // Made without a moment in which others could connect: the mask is set before the name exists.
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o117));
        let bound = UnixListener::bind(&path);
        nix::sys::stat::umask(before);
        let listener = bound.with_context(|| format!("cannot listen on {}", path.display()))?;
        let api = Api {
            connections: connections
                .iter()
                .map(|connection| (connection.id.clone(), Arc::clone(connection)))
                .collect(),
            incremental: feeds
                .iter()
                .filter_map(|feed| Some((feed.id.clone(), incremental(feed)?)))
                .collect(),
            peers: Peers::new(config.roles.clone()),
            started_at: services.clock.now(),
            services,
            acts: TaskTracker::new(),
            stop,
        };
        Ok(Self { listener, path, api: Arc::new(api) })
    }

    /// Answers until `stop`; then lets requests and commands under way end.
    pub async fn serve(self) -> anyhow::Result<()> {
        let (stop, acts) = (self.api.stop.clone(), self.api.acts.clone());
        let app = routes(self.api).into_make_service_with_connect_info::<peer::Credentials>();
        info!(socket = %self.path.display(), "answering");
        let served = axum::serve(Door::new(self.listener), app)
            .with_graceful_shutdown(stop.cancelled_owned());
        let served = served.await.context("the socket failed");
        acts.close();
        acts.wait().await;
        served?;
        // The next start replaces it anyway.
        let _ = fs::remove_file(&self.path);
        Ok(())
    }
}

fn incremental(feed: &Feed) -> Option<Incremental> {
    match &feed.origin {
        Origin::Http(request) => request.incremental.clone(),
        Origin::Files(_) => None,
    }
}

fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/status", get(read::status))
        .route("/v1/partners", get(read::partners))
        .route("/v1/partners/{id}", get(read::partner))
        .route("/v1/connections", get(read::connections))
        .route("/v1/connections/{partner}/{name}", get(read::connection))
        .route("/v1/connections/{partner}/{name}/test", post(look::connection))
        .route("/v1/discover", post(look::discover))
        .route("/v1/feeds", get(read::feeds))
        .route("/v1/feeds/{partner}/{name}", get(read::feed))
        .route("/v1/runs", get(read::runs))
        .route("/v1/runs/act", post(decide::run))
        .route("/v1/runs/{id}", get(read::run))
        .route("/v1/records/{partner}/{name}", get(read::records))
        .route("/v1/records/{partner}/{name}/{*key}", get(read::record))
        .route("/v1/cursors/{partner}/{name}", get(read::cursor))
        .route("/v1/cursors/{partner}/{name}/{id}", get(read::cursor_move))
        .route("/v1/quarantine", get(read::quarantine))
        .route("/v1/quarantine/groups", get(read::quarantine_groups))
        .route("/v1/quarantine/groups/{id}", get(read::quarantine_group))
        .route("/v1/quarantine/{id}", get(read::quarantine_item))
        .route("/v1/quarantine/replay", post(replay::replay))
        .route("/v1/quarantine/discard", post(discard::discard))
        .route("/v1/quarantine/{id}/reveal", post(quarantine::reveal))
        .route("/v1/exchanges", get(read::exchanges).post(act::send))
        .route("/v1/exchanges/{id}", get(read::exchange))
        .route("/v1/exchanges/act", post(act::exchanges))
        .route("/v1/audit", get(read::audit))
        .route("/v1/audit/verify", get(read::audit_verify))
        .route("/v1/audit/{seq}", get(read::audit_entry))
        .route("/v1/events", get(events::events))
        .route("/v1/resync", post(act::resync))
        .route("/v1/reveal", post(reveal::reveal))
        .route("/v1/rewind", post(rewind::rewind))
        .route("/v1/schema", get(schema::show))
        .route("/v1/schema/decide", post(schema::decide))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), admit))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(api)
}

/// Finds out who asks; a peer without a role gets nothing.
async fn admit(
    State(api): State<Arc<Api>>,
    ConnectInfo(who): ConnectInfo<peer::Credentials>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let peer = api.peers.of(who).await;
    if peer.roles.is_empty() {
        tracing::warn!(uid = peer.uid, user = %marsad_shared::untrusted::show(&peer.user), "a peer without a role was refused");
        return Err(Refusal(Problem {
            code: ProblemCode::NotAllowed,
            what: "nothing is shown to you".to_owned(),
            why: format!("user {} (uid {}) has no role", peer.user, peer.uid),
            remedy: "ask an administrator for a role in `roles` of marsad.toml".to_owned(),
        }));
    }
    request.extensions_mut().insert(peer);
    Ok(next.run(request).await)
}

async fn nowhere() -> Refusal {
    problem::not_found("this address", "look it up in the documentation of the protocol").into()
}

/// Makes the socket's folder, or sees to it that nobody else can change what is in it (security T14).
fn close_folder(folder: &Path, socket: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    if !folder.exists() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {shown} for the socket"))?;
        // Whatever the mask: the group that may connect must get through.
        return fs::set_permissions(folder, fs::Permissions::from_mode(0o750))
            .with_context(|| format!("cannot close {shown} to others"));
    }
    let about = fs::metadata(folder).with_context(|| format!("cannot look at {shown}"))?;
    let (me, mode) = (nix::unistd::geteuid().as_raw(), about.mode() & 0o7777);
    if about.uid() != me && about.uid() != 0 {
        bail!(
            "the socket's folder {shown} belongs to user {}; put `socket` into a folder of ours or root's",
            about.uid()
        );
    }
    if mode & 0o027 == 0 {
        return Ok(());
    }
    let others: Vec<_> =
        fs::read_dir(folder)?.flatten().filter(|entry| entry.path() != socket).collect();
    if about.uid() == me && others.is_empty() {
        return fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o750))
            .with_context(|| format!("cannot close {shown} to others"));
    }
    bail!(
        "the socket's folder {shown} is open to others (mode {mode:04o}); run: chmod 750 {shown}, or put `socket` into a folder of its own"
    )
}

/// Removes a socket that an earlier daemon left: we hold the lock of `state_dir`, so nobody answers there for us.
fn clear(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
        Ok(about) if about.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                bail!(
                    "another program answers on {}; stop it, or choose another `socket`",
                    path.display()
                );
            }
            fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))
        }
        Ok(_) => bail!(
            "{} is in the way and is no socket; remove it, or choose another `socket`",
            path.display()
        ),
    }
}
