//! The steps of a pair of folders: each can be looked into and written to, and there is room.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use marsad_shared::{connection::Folder, protocol::TestStep};
use tokio::time::Instant;

use super::Trial;
use crate::services::Route;

/// Less room than this is told as trouble, in bytes.
const ROOM: u64 = 64 * 1024 * 1024;

pub(super) async fn walk(trial: &mut Trial, folder: &Folder, route: &Route) {
    let name = format!(".marsad-test-{}", route.connection.id.as_str().replace('/', "-"));
    let folders = [(TestStep::Import, &folder.import), (TestStep::Export, &folder.export)];
    let folders = folders.map(|(step, path)| path.clone().map(|path| (step, path)));
    for (step, path) in folders.into_iter().flatten() {
        let began = Instant::now();
        let (shown, name) = (path.display().to_string(), name.clone());
        let looked = tokio::task::spawn_blocking(move || look(&path, &name, step)).await;
        let looked = looked.unwrap_or_else(|_| Err((io::ErrorKind::Other.into(), "look into")));
        match looked {
            Ok(Seen { waiting, room }) => {
                let text = format!(
                    "{shown}: can be written to, {waiting} files in it, {} MiB free",
                    room / 1024 / 1024
                );
                if room < ROOM {
                    return trial.bad(step, began, &text, "free some space on that disk");
                }
                trial.good(step, began, text);
            }
            Err((error, act)) => {
                let text = format!("marsadd cannot {act} {shown} ({error})");
                let remedy = format!("make the folder, and let marsadd {act} it");
                return trial.bad(step, began, &text, &remedy);
            }
        }
    }
}

struct Seen {
    waiting: usize,
    room: u64,
}

type Failed = (io::Error, &'static str);

fn look(path: &Path, name: &str, step: TestStep) -> Result<Seen, Failed> {
    let mut waiting = 0;
    for entry in fs::read_dir(path).map_err(|error| (error, "look into"))? {
        let entry = entry.map_err(|error| (error, "look into"))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let file = entry.file_type().is_ok_and(|kind| kind.is_file());
        waiting += usize::from(file && !hidden);
    }
    write(path, name).map_err(|error| {
        (error, if step == TestStep::Import { "move files within" } else { "write to" })
    })?;
    let room = nix::sys::statvfs::statvfs(path).map_err(|error| (error.into(), "look into"))?;
    let room = room.blocks_available().saturating_mul(room.fragment_size());
    Ok(Seen { waiting, room })
}

/// Makes a file, gives it another name and takes it away again. Its name begins as names do that nobody takes.
fn write(path: &Path, name: &str) -> io::Result<()> {
    let (one, other) = (path.join(format!("{name}.part")), path.join(format!("{name}-moved.part")));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&one).or_else(|error| {
        // One that a killed daemon left is ours to use.
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(error);
        }
        fs::remove_file(&one)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&one)
    })?;
    let moved = fs::rename(&one, &other);
    fs::remove_file(if moved.is_ok() { &other } else { &one })?;
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_looked_into_and_written_to_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv", ".hidden"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("done")).unwrap();
        // What a killed daemon left is no trouble.
        fs::write(folder.path().join(".marsad-test-x.part"), "").unwrap();
        let seen =
            look(folder.path(), ".marsad-test-x", TestStep::Import).map_err(|(e, _)| e).unwrap();
        assert_eq!(seen.waiting, 2);
        assert!(seen.room > 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        let gone = folder.path().join("gone");
        assert_eq!(look(&gone, "x", TestStep::Export).map(drop).unwrap_err().1, "look into");
    }
}
