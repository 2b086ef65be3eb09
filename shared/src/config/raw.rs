//! The files as people write them: every key, with what it means. Only `check` sees these; everyone else gets a
//! checked [`Config`](super::Config).
//!
//! The comments here are the words of the JSON schema, so they speak to whoever writes the files.

use super::{
    table::{At, Or, table},
    value::{Day, Id, Location, Loopback, Span, Zone},
};
use crate::connection::RateLimit;
use crate::role::Grant;

mod connection;
mod feed;
mod field;
mod request;

pub(super) use connection::{
    RawAssertion, RawAuth, RawConnection, RawDeliver, RawSecret, RawSend, RawTimeouts, RawTls,
};
pub(super) use feed::{RawDeleted, RawFeed, RawFreshness, RawSchedule};
pub(super) use field::{Fields, RawField, RawFieldTable};
pub(super) use request::{
    RawAbort, RawChanged, RawEach, RawExport, RawIncremental, RawPagination, RawSuccess,
};

table! {
    /// `marsad.toml`: the daemon's own file.
    pub struct RawDaemon, as "a table" {
        /// The daemon's own folder, closed to everybody else. Default: `/var/lib/marsad`.
        may state_dir: Location,
        /// The Unix socket where console and command line find the daemon. Default: `/run/marsad/marsad.sock`.
        may socket: Location,
        /// The IANA zone of times that name none. Default: `Asia/Dubai`.
        may timezone: Zone,
        /// The folder whose `*.toml` files are one partner each; names that begin with a dot are passed over. Default:
        /// `partners.d`, beside this file.
        may partners: Location,
        /// A loopback address where health and metrics are served over HTTP. Default: nowhere.
        may http: Loopback,
        /// How long a stop may take before what is left is aborted. Default: `10s`.
        may grace: Span,
        /// Who may do what. Whoever started the daemon is admin too; a peer without a role gets nothing.
        may roles: RawRoles,
        /// How long what came is kept.
        may retention: RawRetention,
    }
    later {}
}

table! {
    /// How long what came is kept, byte for byte; what is in the bank stays.
    pub struct RawRetention, as "{ originals = \"90d\", quarantine = \"90d\" }" {
        /// Files that were imported, and documents that were delivered: so long behind the last time that they were needed. A
        /// feed's last file, a file that is held, and a document that is still to be delivered are kept longer. At least
        /// `1d`. Default: `90d`.
        may originals: Span,
        /// What was refused, rows and whole files: so long behind the last time that it was. At least `1d`. Default: `90d`.
        may quarantine: Span,
    }
    later {}
}

table! {
    /// For each role the users and groups that have it, as `user:NAME` or `group:NAME`.
    pub struct RawRoles, as "{ viewer = [\"group:NAME\"] }" {
        /// Looks, masked.
        may viewer: Vec<Grant>,
        /// Also resyncs, sends, retries, holds, releases, cancels, pauses.
        may operator: Vec<Grant>,
        /// Also discards, rewinds, approves, reveals.
        may supervisor: Vec<Grant>,
        /// Looks, and reads the audit.
        may auditor: Vec<Grant>,
        /// May do all.
        may admin: Vec<Grant>,
    }
    later {}
}

table! {
    /// A file of `partners.d`: one partner, how it is reached, and what is read from it.
    pub struct RawPartnerFile, as "a table" {
        /// Who the partner is.
        must partner: RawPartner,
        /// The ways to reach it.
        may connection: Vec<At<RawConnection>>,
        /// The datasets that are read from it.
        may feed: Vec<At<RawFeed>>,
    }
    later {}
}

table! {
    /// An agency that data is exchanged with.
    pub struct RawPartner, as "[partner]" {
        /// Names the partner for ever: the first part of every id.
        must id: Id,
        /// What people call it. Default: its id.
        may name: Name,
        /// What was agreed with it.
        may agreement: RawAgreement,
        /// A text file for whoever is called in the night.
        may runbook: Location,
        /// The most calls in a period, over all connections and feeds; a day begins at midnight in `timezone`. What is
        /// delivered may go beyond it. Default: no limit.
        may budget: RateLimit,
    }
    later {}
}

/// A name in one language or two.
pub(super) type Name = Or<String, RawName>;

table! {
    /// A name in the languages of the house.
    pub struct RawName, as "text, or { en = \"…\", ar = \"…\" }" {
        /// In English.
        must en: String,
        /// In Arabic. Default: the English one.
        may ar: String,
    }
    later {}
}

table! {
    /// An agreement with a partner.
    pub struct RawAgreement, as "{ reference = \"…\", valid_until = 2027-12-31 }" {
        /// The reference under which both sides file it.
        must reference: String,
        /// Its last day.
        may valid_until: Day,
        /// The fields that it covers: `"feed.column"`, `"feed.*"` for all of a feed, or `"column"` for that one of every feed.
        /// What it does not cover is dropped before anything is stored. Default: everything.
        may fields: Vec<At<String>>,
    }
    later {}
}
