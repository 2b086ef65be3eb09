//! Who may do what: the whole table in one place.
//!
//! The daemon asks here for every command of every peer; the console asks the same to say beforehand
//! which role a blocked action needs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::untrusted::show_at_most;
use crate::word::words;

words! {
    /// What a person is to Marsad. Not a ladder: an auditor reads what an operator may not.
    pub enum Role is "role" {
        /// Looks, masked.
        Viewer = "viewer",
        /// Also acts, where nothing is lost by it.
        Operator = "operator",
        /// Also does what cannot be taken back.
        Supervisor = "supervisor",
        /// Looks, and reads what the others did.
        Auditor = "auditor",
        /// May do all.
        Admin = "admin",
    }
}

words! {
    /// Everything that a peer can ask for.
    pub enum Act is "act" {
        Look = "look",
        ReadAudit = "read_audit",
        Resync = "resync",
        Send = "send",
        /// A connection, now.
        TestConnection = "test_connection",
        /// Sampling an endpoint or a file for a feed.
        DiscoverFeed = "discover_feed",
        RetryExchange = "retry_exchange",
        HoldExchange = "hold_exchange",
        ReleaseExchange = "release_exchange",
        CancelExchange = "cancel_exchange",
        ConfirmExchange = "confirm_exchange",
        PauseFeed = "pause_feed",
        ResumeFeed = "resume_feed",
        CancelRun = "cancel_run",
        /// What a run holds because somebody wanted to see it first.
        ReleaseRun = "release_run",
        /// What a run holds because it looked wrong: mass deletions, and what else the brake stopped.
        ApproveRun = "approve_run",
        DiscardRun = "discard_run",
        UndoRun = "undo_run",
        Rewind = "rewind",
        /// Of columns that came otherwise.
        DecideSchema = "decide_schema",
        DiscardQuarantine = "discard_quarantine",
        ReplayQuarantine = "replay_quarantine",
        /// Seeing what is masked.
        Reveal = "reveal",
        Reload = "reload",
        Backup = "backup",
    }
}

/// Whether a peer with this one role may do it.
pub const fn allows(role: Role, act: Act) -> bool {
    match role {
        Role::Admin => true,
        Role::Auditor => matches!(act, Act::Look | Act::ReadAudit),
        Role::Supervisor => matches!(least(act), Role::Viewer | Role::Operator | Role::Supervisor),
        Role::Operator => matches!(least(act), Role::Viewer | Role::Operator),
        Role::Viewer => matches!(least(act), Role::Viewer),
    }
}

/// The lowest role that may do it, for "needs the operator role".
pub const fn least(act: Act) -> Role {
    match act {
        Act::Look => Role::Viewer,
        Act::Resync
        | Act::Send
        | Act::TestConnection
        | Act::DiscoverFeed
        | Act::RetryExchange
        | Act::HoldExchange
        | Act::ReleaseExchange
        | Act::CancelExchange
        | Act::ConfirmExchange
        | Act::PauseFeed
        | Act::ResumeFeed
        | Act::CancelRun
        | Act::ReleaseRun
        | Act::DiscardRun
        | Act::UndoRun
        | Act::ReplayQuarantine => Role::Operator,
        Act::Rewind
        | Act::ApproveRun
        | Act::DecideSchema
        | Act::DiscardQuarantine
        | Act::Reveal => Role::Supervisor,
        Act::ReadAudit => Role::Auditor,
        Act::Reload | Act::Backup => Role::Admin,
    }
}

/// All the roles of one peer. Empty: a peer who gets nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(u8);

impl Roles {
    /// No role at all.
    pub const NONE: Self = Self(0);

    /// These and `role`.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    pub const fn contains(self, role: Role) -> bool {
        self.0 & 1 << role as u8 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of them may do it.
    pub fn allows(self, act: Act) -> bool {
        self.iter().any(|role| allows(role, act))
    }

    /// In the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Vec<Role>> for Roles {
    fn from(roles: Vec<Role>) -> Self {
        roles.into_iter().collect()
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}

/// Their words with commas between; `none` for none.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Role::word).collect();
        f.pad(&if words.is_empty() { "none".to_owned() } else { words.join(", ") })
    }
}

/// Whom the configuration gives a role: `user:NAME` or `group:NAME`, names of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grant {
    User(String),
    Group(String),
}

/// Text that names neither a user nor a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" names nobody; write user:NAME or group:NAME", show_at_most(.0, 80))]
pub struct BadGrant(String);

impl FromStr for Grant {
    type Err = BadGrant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadGrant(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(bad)?;
        // What no passwd or group file can hold; anything else is the name service's to know.
        let odd = |c: char| c == ':' || c == ',' || c == '/' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(odd) {
            return Err(bad());
        }
        match kind {
            "user" => Ok(Self::User(name.to_owned())),
            "group" => Ok(Self::Group(name.to_owned())),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Grant {
    type Error = BadGrant;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::User(name) => format!("user:{name}"),
            Grant::Group(name) => format!("group:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_design_says() {
        // viewer, operator, supervisor, auditor, admin
        for (act, may, why) in [
            (Act::Look, "vosaA", "everybody with a role looks"),
            (
                Act::ReadAudit,
                "---aA",
                "what people did is for the auditor, not for those who did it",
            ),
            (Act::Resync, "-os-A", "an operator resyncs"),
            (Act::Send, "-os-A", "sends, which is delivering like a retry"),
            (Act::TestConnection, "-os-A", "tries connections: a request more to the partner"),
            (Act::DiscoverFeed, "-os-A", "and samples what a partner has"),
            (Act::RetryExchange, "-os-A", "retries"),
            (Act::HoldExchange, "-os-A", "holds"),
            (Act::ReleaseExchange, "-os-A", "releases"),
            (Act::CancelExchange, "-os-A", "cancels"),
            (Act::ConfirmExchange, "-os-A", "and writes down that the partner confirmed"),
            (Act::PauseFeed, "-os-A", "pauses"),
            (Act::ResumeFeed, "-os-A", "and resumes"),
            (Act::CancelRun, "-os-A", "cancels"),
            (Act::ReleaseRun, "-os-A", "releases what waits for a word"),
            (Act::ApproveRun, "--s-A", "what the brake stopped is the supervisor's to approve"),
            (Act::DiscardRun, "-os-A", "what never was in the bank can be read again"),
            (Act::UndoRun, "-os-A", "undoing gives back what was there"),
            (Act::Rewind, "--s-A", "a rewind is the supervisor's"),
            (Act::DecideSchema, "--s-A", "what is a column is the supervisor's to approve"),
            (Act::DiscardQuarantine, "--s-A", "discarding loses data: the supervisor's"),
            (Act::ReplayQuarantine, "-os-A", "replaying loses none"),
            (
                Act::Reveal,
                "--s-A",
                "what is masked is the supervisor's to see, and not the auditor's",
            ),
            (Act::Reload, "----A", "the administrator's"),
            (Act::Backup, "----A", "the administrator's: a copy of everything leaves"),
        ] {
            for (role, mark) in Role::ALL.into_iter().zip(may.chars()) {
                assert_eq!(allows(role, act), mark != '-', "{role} {act}: {why}");
            }
            assert!(allows(least(act), act), "{act}: the least role that may is one that may");
        }
    }

    #[test]
    fn several_roles_add_up_and_none_is_nothing() {
        let both: Roles = [Role::Auditor, Role::Operator].into_iter().collect();
        assert!(
            both.allows(Act::ReadAudit) && both.allows(Act::Resync) && !both.allows(Act::Backup)
        );
        assert_eq!(both.to_string(), "operator, auditor");
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["operator","auditor"]"#);
        assert_eq!(
            serde_json::from_str::<Roles>(r#"["auditor","operator","auditor"]"#).unwrap(),
            both
        );
        assert!(Roles::NONE.is_empty() && Act::ALL.into_iter().all(|act| !Roles::NONE.allows(act)));
        assert_eq!(Roles::NONE.to_string(), "none");
    }

    #[test]
    fn a_grant_names_a_user_or_a_group() {
        for (text, expected) in [
            ("user:root", Some(Grant::User("root".into()))),
            ("group:marsad-ops", Some(Grant::Group("marsad-ops".into()))),
            ("user:EXAMPLE\\سالم", Some(Grant::User("EXAMPLE\\سالم".into()))),
            ("root", None),
            ("user:", None),
            ("users:root", None),
            ("user:a b", None),
            ("group:a:b", None),
            ("User:root", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
            if let Some(grant) = expected {
                assert_eq!(String::from(grant), text);
            }
        }
        let said = "root\u{7}".parse::<Grant>().unwrap_err().to_string();
        assert_eq!(said, r#""root\u{7}" names nobody; write user:NAME or group:NAME"#);
    }
}
