//! Trying a connection now: what is asked, and how each step went.

use serde::{Deserialize, Serialize};

use crate::{id::ConnectionId, word::words};

/// An order to try a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Why, for the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

words! {
    /// The steps of a trial, in their order: the first six of an HTTP connection, the others of folders.
    pub enum TestStep is "step" {
        /// The host's name to addresses.
        Resolve = "resolve",
        Connect = "connect",
        Tls = "tls",
        /// What proves who we are, fetched where it is fetched, and accepted.
        Auth = "auth",
        /// The status, and when the first byte came.
        Answer = "answer",
        /// The first records of the first feed, as that feed reads them.
        Record = "record",
        /// The folder can be looked into and written to, and there is room.
        Import = "import",
        Export = "export",
    }
}

/// How one step went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub step: TestStep,
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub ms: u64,
    pub text: String,
}

/// How a trial went. Steps behind one that failed were not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReply {
    pub id: ConnectionId,
    pub ok: bool,
    pub steps: Vec<Tried>,
    /// What to do about the step that failed; null where all is well.
    pub remedy: Option<String>,
}
