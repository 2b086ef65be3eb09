//! The configuration: files as people write them, checked whole into values that everyone else can rely on.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    connection::Connection,
    feed::Feed,
    partner::Partner,
    role::{Grant, Role},
};

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The daemon's file, as it was named.
    pub file: PathBuf,
    /// `marsadd`'s own folder (DESIGN section 3).
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    /// The zone of what names none.
    pub timezone: TimeZone,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; a loopback address.
    pub http: Option<SocketAddr>,
    /// How long a stop may take before what is left is aborted.
    pub grace: Duration,
    /// Who may do what, beside whoever started the daemon, who is admin.
    pub roles: Vec<(Role, Vec<Grant>)>,
    pub partners: Vec<Partner>,
    pub connections: Vec<Connection>,
    pub feeds: Vec<Feed>,
    /// BLAKE3 of all files read, in hex: tells one configuration from another.
    pub hash: String,
}
