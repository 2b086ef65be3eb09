//! Where the real programs are. Cargo builds no other package's programs for a test or for the demo, so this does.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, bail};

/// The two programs, built from this source in the profile of whoever asks.
#[derive(Clone, Debug)]
pub struct Programs {
    pub marsadd: PathBuf,
    pub marsad: PathBuf,
}

/// Builds the programs if they are missing or older than their source, once in a process; Cargo's own lock keeps
/// several processes apart.
pub fn programs() -> anyhow::Result<&'static Programs> {
    static PROGRAMS: OnceLock<Result<Programs, String>> = OnceLock::new();
    let built = PROGRAMS.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_ref().map_err(|error| anyhow::anyhow!("cannot build marsadd and marsad: {error}"))
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn build() -> anyhow::Result<Programs> {
    let place = Place::of(&std::env::current_exe()?)?;
    let programs =
        Programs { marsadd: place.folder.join("marsadd"), marsad: place.folder.join("marsad") };
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_another_build) {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace()).args(["build", "--locked", "--workspace"]);
    command.args(["--bin", "marsadd", "--bin", "marsad", "--profile", &place.profile]);
    command.arg("--target-dir").arg(&place.target).stdin(Stdio::null());
    if let Some(triple) = &place.triple {
        command.args(["--target", triple]);
    }
    if !std::io::stderr().is_terminal() {
        // Nobody watches: only what goes wrong is worth a word.
        command.arg("--quiet");
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => bail!("cargo build ended with {status}"),
        // Moved to a machine without Cargo, together with the programs: they are what there is.
        Err(_) if programs.marsadd.exists() && programs.marsad.exists() => {}
        Err(error) => return Err(error).with_context(|| format!("cannot start {}", env!("CARGO"))),
    }
    Ok(programs)
}

/// Whether the variable tells a program about the build that it came from. Some build scripts read such, and would take
/// ours for another one, so that everything behind them was built anew each time.
fn is_of_another_build(name: &str) -> bool {
    let parts = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
        "__CARGO",
        "NEXTEST",
    ];
    matches!(name, "CARGO" | "OUT_DIR" | "CARGO_TARGET_TMPDIR")
        || parts.iter().any(|part| name.starts_with(part))
}

/// Where Cargo puts what it builds, as told by where this program stands: `TARGET[/TRIPLE]/PROFILE[/deps]/PROGRAM`.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    target: PathBuf,
    triple: Option<String>,
    profile: String,
}

impl Place {
    fn of(program: &Path) -> anyhow::Result<Self> {
        let unlike = || format!("{} does not stand where Cargo puts programs", program.display());
        let mut folder = program.parent().with_context(unlike)?;
        if folder.file_name().is_some_and(|name| name == "deps") {
            folder = folder.parent().with_context(unlike)?;
        }
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let profile = match name(folder).with_context(unlike)?.as_str() {
            "debug" => "dev".to_owned(),
            other => other.to_owned(),
        };
        let above = folder.parent().with_context(unlike)?;
        // Only the target folder itself carries Cargo's tag.
        let (target, triple) = match above.parent() {
            Some(target)
                if !above.join("CACHEDIR.TAG").exists() && target.join("CACHEDIR.TAG").exists() =>
            {
                (target, name(above))
            }
            _ => (above, None),
        };
        Ok(Self { folder: folder.to_owned(), target: target.to_owned(), triple, profile })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_program_tells_how_it_was_built() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("target");
        std::fs::create_dir_all(target.join("x86_64-unknown-linux-musl")).unwrap();
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        for (program, folder, triple, profile) in [
            ("debug/deps/e2e-0123", "debug", None, "dev"),
            ("release/demo", "release", None, "release"),
            (
                "x86_64-unknown-linux-musl/release/bench",
                "x86_64-unknown-linux-musl/release",
                Some("x86_64-unknown-linux-musl"),
                "release",
            ),
        ] {
            let place = Place::of(&target.join(program)).unwrap();
            let expected = Place {
                folder: target.join(folder),
                target: target.clone(),
                triple: triple.map(str::to_owned),
                profile: profile.to_owned(),
            };
            assert_eq!(place, expected, "{program}");
        }
    }
}
