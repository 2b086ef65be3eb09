//! The one gate that every command passes: a role, the audit, the effect, the audit (promise 6).

use std::sync::Arc;

use marsad_shared::{
    audit::{Deed, Entry, Head, Phase},
    protocol::{EventKind, Problem},
    role::Act,
    store::StoreError,
};
use tracing::{error, info, warn};

use super::{
    Api, Peer,
    problem::{Refusal, bad_request, failed, not_allowed, unavailable},
};

/// The longest reason that a person may give, in bytes.
const REASON_MAX: usize = 2_000;

/// What is asked for, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) peer: Peer,
    pub(super) act: Act,
    /// The id of what it is about.
    pub(super) object: String,
    /// Why, as the person said.
    pub(super) reason: Option<String>,
    /// What exactly, for the audit.
    pub(super) detail: String,
}

impl Api {
    /// May this peer do it? Then it is written down, done, and written down how it ended: all that in a task of its own,
    /// so that a client that hangs up leaves nothing half done. `effect` gives its result, and that in words.
    pub(super) async fn audited<R: Send + 'static>(
        self: &Arc<Self>,
        command: Command,
        effect: impl Future<Output = Result<(R, String), Problem>> + Send + 'static,
    ) -> Result<R, Refusal> {
        self.audited_from(command, |_| effect).await
    }

    /// The same, where the effect is told the number of the entry that says it was begun: it writes more than one of how
    /// it went.
    pub(super) async fn audited_from<R, F>(
        self: &Arc<Self>,
        command: Command,
        effect: impl FnOnce(i64) -> F + Send + 'static,
    ) -> Result<R, Refusal>
    where
        R: Send + 'static,
        F: Future<Output = Result<(R, String), Problem>> + Send + 'static,
    {
        let api = Arc::clone(self);
        let passed = self.acts.spawn(async move { api.pass(&command, effect).await });
        passed.await.unwrap_or_else(|_| Err(unavailable().into()))
    }

    async fn pass<R, F>(
        &self,
        command: &Command,
        effect: impl FnOnce(i64) -> F,
    ) -> Result<R, Refusal>
    where
        F: Future<Output = Result<(R, String), Problem>>,
    {
        if command.reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX) {
            return Err(bad_request("the reason is longer than 2,000 bytes").into());
        }
        let roles = command.peer.roles;
        let not_audited = |error| failed("it could not be audited, so it was not done", &error);
        if !roles.allows(command.act) {
            let refused = self.deed(command, Phase::Refused, command.detail.clone(), None);
            self.note(refused).await.map_err(not_audited)?;
            return Err(not_allowed(command.act, roles).into());
        }
        let begun = self.deed(command, Phase::Begun, command.detail.clone(), None);
        let begun = self.note(begun).await.map_err(not_audited)?;
        let done = effect(begun).await;
        let (phase, outcome) = match &done {
            Ok((_, outcome)) => (Phase::Done, outcome.clone()),
            Err(problem) => (Phase::Failed, problem.why.clone()),
        };
        let ended = self.deed(command, phase, outcome.clone(), Some(begun));
        if let Err(error) = self.note(ended).await {
            // What has happened has happened: whoever asked for it is told so, and the log says what the audit cannot.
            error!(begun, object = %command.object, phase = ?phase, outcome, %error, "how a command ended could not be audited");
        }
        done.map(|(result, _)| result).map_err(Refusal)
    }

    /// What a command says of itself in the audit.
    pub(super) fn deed(
        &self,
        command: &Command,
        phase: Phase,
        detail: String,
        of: Option<i64>,
    ) -> Deed {
        Deed {
            seq: 0,
            at: self.services.clock.now(),
            uid: command.peer.uid,
            user: command.peer.user.clone(),
            role: command.peer.roles.to_string(),
            action: command.act.word().to_owned(),
            object: command.object.clone(),
            reason: command.reason.clone(),
            phase,
            detail,
            of,
        }
    }

    /// Adds an entry to the audit; gives its number.
    async fn note(&self, deed: Deed) -> Result<i64, StoreError> {
        let entry = self.services.store.ledger.call(move |ledger| ledger.audit(deed)).await?;
        let seq = entry.deed.seq;
        self.note_head(entry).await;
        Ok(seq)
    }

    /// Notes beside the database, in the log and for whoever listens that an entry was added.
    pub(super) async fn note_head(&self, entry: Entry) {
        let at = entry.deed.at;
        let head = Head { seq: entry.deed.seq, hash: entry.hash };
        let services = Arc::clone(&self.services);
        let noted =
            tokio::task::spawn_blocking(move || services.store.folder.note_head(head)).await;
        if let Err(error) = noted.unwrap_or(Err(StoreError::Closed)) {
            warn!(%error, "the audit's head could not be noted");
        }
        info!(seq = head.seq, hash = %head.hash, "audit head");
        self.services.events.tell(at, EventKind::Audit, Some(head.seq.to_string()));
    }
}
