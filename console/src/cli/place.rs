//! Where the daemon is: a socket that is named, or the one that the configuration names.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use marsad_shared::clock::Clock;

use super::{args::Place, fail::Fail};
use crate::client::Client;

/// Where both programs look for the configuration.
pub(super) const CONFIG: &str = "/etc/marsad/marsad.toml";
/// The socket of a configuration that names none.
const SOCKET: &str = "/run/marsad/marsad.sock";

/// The client for what the command line names.
pub(super) async fn client(place: &Place, clock: Arc<dyn Clock>) -> Result<Client, Fail> {
    Ok(match &place.offline {
        Some(_) if place.socket.is_some() => {
            return Err(Fail::Usage("--offline and --socket name two places; name one"));
        }
        Some(state_dir) => Client::offline(state_dir, clock).await?,
        None => Client::online(&socket(place)?)?,
    })
}

/// The daemon's socket: `--socket`, else what the configuration says.
pub(super) fn socket(place: &Place) -> Result<PathBuf, Fail> {
    match (&place.socket, &place.config) {
        (Some(socket), _) => Ok(socket.clone()),
        (None, Some(file)) => socket_of(file),
        (None, None) => match std::fs::read_to_string(CONFIG) {
            Ok(text) => named(&text, Path::new(CONFIG)),
            // Whoever may not read the configuration, or has none, finds the daemon where it usually is.
            Err(_) => Ok(SOCKET.into()),
        },
    }
}

/// The socket that the configuration in `file` names.
pub(super) fn socket_of(file: &Path) -> Result<PathBuf, Fail> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "name one that exists, or the daemon's socket with --socket",
            _ => "name the daemon's socket with --socket",
        };
        Fail::here(format!("cannot read {}", file.display()), &error, remedy)
    })?;
    named(&text, file)
}

/// The `socket` of a configuration; nothing else of it is looked at, so that whoever may read no secret can ask all the
/// same. A relative path starts at the folder of the file.
fn named(text: &str, file: &Path) -> Result<PathBuf, Fail> {
    let failed = |why: &dyn ToString| {
        Fail::here(
            format!("cannot tell the socket from {}", file.display()),
            why,
            "correct the file (marsad config check), or name the socket with --socket",
        )
    };
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| failed(&error.message()))?;
    let socket = match table.get("socket") {
        None => SOCKET,
        Some(socket) => socket.as_str().ok_or_else(|| failed(&"its key \"socket\" is no text"))?,
    };
    Ok(file.parent().unwrap_or(Path::new("")).join(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_socket_and_nothing_else_of_it_matters() {
        for (text, expected, why) in [
            ("socket = \"/run/m.sock\"", Some("/run/m.sock"), "absolute"),
            ("socket = \"run/m.sock\"", Some("/etc/marsad/run/m.sock"), "from the file's folder"),
            ("state_dir = \"/s\"", Some(SOCKET), "where it usually is"),
            (
                "unknown = [1]\n[more]\nsocket = \"no\"\n",
                Some(SOCKET),
                "only the key at the top counts",
            ),
            ("socket = 7", None, "no text"),
            ("socket = ", None, "no TOML"),
        ] {
            let socket = named(text, Path::new("/etc/marsad/marsad.toml"));
            assert_eq!(socket.ok().as_deref(), expected.map(Path::new), "{why}");
        }
        let here = named("socket = \"m.sock\"", Path::new("marsad.toml")).unwrap();
        assert_eq!(here, Path::new("m.sock"), "a file without a folder is here");
    }

    #[test]
    fn a_named_socket_goes_before_the_configuration() {
        let place = |socket: Option<&str>, config: Option<&str>| Place {
            socket: socket.map(Into::into),
            config: config.map(Into::into),
            offline: None,
        };
        let found = socket(&place(Some("/a.sock"), Some("/nowhere/marsad.toml"))).unwrap();
        assert_eq!(found, Path::new("/a.sock"));
        let missing = socket(&place(None, Some("/nowhere/marsad.toml"))).unwrap_err();
        assert_eq!(missing.code(), 1);
        assert!(missing.text().unwrap().contains("--socket"));
    }
}
