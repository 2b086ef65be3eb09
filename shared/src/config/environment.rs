//! What the configuration may know of the process's environment.

use std::{fmt, path::PathBuf, sync::Arc};

/// The names of environment variables, looked up where the configuration says `{ env = "NAME" }`, and for the folder
/// behind `{ credential = "NAME" }`. Only `main.rs` may ask the process, so it brings the question along.
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// An environment that answers with `look_up`, typically `|name| std::env::var(name).ok()`.
    pub fn new(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// An environment in which nothing is set.
    pub fn empty() -> Self {
        Self::new(|_| None)
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// Where systemd puts what `LoadCredential=` names.
    pub(super) fn credentials(&self) -> Option<PathBuf> {
        self.variable("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

/// Says nothing of what is set: it may be secret.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
