//! Who asks: the peer's Unix credentials, and the roles that the configuration gives to that user and its groups.

use std::{
    collections::HashMap,
    ffi::CString,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use marsad_shared::role::{Grant, Role, Roles};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::time::Instant;

use super::door::Door;

/// How long what the system says of a user is remembered: a change of groups counts soon, and a look-up costs little.
const REMEMBER: Duration = Duration::from_secs(10);
/// Users remembered at once.
const USERS: usize = 1_024;

/// What the kernel says of the process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Connected<IncomingStream<'_, Door>> for Credentials {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// Who asks, as far as Marsad cares.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// The user's name; empty if the system knows none.
    pub(super) user: String,
    pub(super) roles: Roles,
}

/// Whom the configuration knows.
pub(super) struct Peers {
    grants: Vec<(Role, Vec<Grant>)>,
    /// Whoever started the daemon is admin.
    starter: u32,
    known: Mutex<HashMap<(u32, u32), (Instant, Peer)>>,
}

impl Peers {
    pub(super) fn new(grants: Vec<(Role, Vec<Grant>)>) -> Self {
        Self { grants, starter: nix::unistd::getuid().as_raw(), known: Mutex::default() }
    }

    /// The peer of those credentials.
    pub(super) async fn of(&self, who: Credentials) -> Peer {
        let now = Instant::now();
        if let Some((at, peer)) = self.lock().get(&(who.uid, who.gid))
            && now < *at + REMEMBER
        {
            return peer.clone();
        }
        // The system may ask a directory server.
        let looked = tokio::task::spawn_blocking(move || look_up(who)).await;
        let (user, groups) = looked.unwrap_or_default();
        let peer = Peer { uid: who.uid, roles: self.roles(who.uid, &user, &groups), user };
        let mut known = self.lock();
        if known.len() >= USERS {
            known.clear();
        }
        known.insert((who.uid, who.gid), (now, peer.clone()));
        peer
    }

    fn roles(&self, uid: u32, user: &str, groups: &[String]) -> Roles {
        let started = (uid == self.starter).then_some(Role::Admin);
        let granted = self.grants.iter().filter(|(_, grants)| {
            grants.iter().any(|grant| match grant {
                Grant::User(name) => name == user && !user.is_empty(),
                Grant::Group(name) => groups.contains(name),
            })
        });
        granted.map(|(role, _)| *role).chain(started).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(u32, u32), (Instant, Peer)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user's name and the names of its groups, as the system has them.
fn look_up(who: Credentials) -> (String, Vec<String>) {
    let user = User::from_uid(Uid::from_raw(who.uid)).ok().flatten();
    let name = user.as_ref().map(|user| user.name.clone()).unwrap_or_default();
    let gid = Gid::from_raw(who.gid);
    let listed =
        CString::new(name.as_str()).ok().filter(|name| !name.is_empty()).and_then(|name| {
            let own = user.as_ref().map_or(gid, |user| user.gid);
            getgrouplist(&name, own).ok()
        });
    let mut gids = listed.unwrap_or_default();
    gids.push(gid);
    let groups = gids
        .into_iter()
        .filter_map(|gid| Some(Group::from_gid(gid).ok().flatten()?.name))
        .collect();
    (name, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_from_the_user_and_its_groups_and_add_up() {
        let grants = vec![
            (Role::Viewer, vec![Grant::Group("marsad".into())]),
            (Role::Auditor, vec![Grant::User("salem".into())]),
        ];
        let peers = Peers { grants, starter: 7, known: Mutex::default() };
        let groups = ["marsad".to_owned()];
        for (uid, user, groups, expected, why) in [
            (1, "salem", &groups[..], vec![Role::Viewer, Role::Auditor], "both"),
            (1, "noura", &groups[..], vec![Role::Viewer], "by group"),
            (1, "noura", &[][..], vec![], "none"),
            (7, "", &[][..], vec![Role::Admin], "whoever started the daemon"),
        ] {
            assert_eq!(Vec::from(peers.roles(uid, user, groups)), expected, "{why}");
        }
    }
}
