//! `marsad up`: a daemon of one's own beside the console, for a desk or a trial.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use marsad_shared::config;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout, timeout_at},
};
use uuid::Uuid;

use super::{args::Place, fail::Fail, place};
use crate::client::{Client, ClientError, chain};

/// How long the daemon may take from its start to its first answer.
const START: Duration = Duration::from_secs(30);
/// How long after a failed try the socket is tried again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long the daemon may take to stop, its own grace period included, before it is killed.
const STOP: Duration = Duration::from_mins(1);
/// How many lines of its log explain why the daemon ended, and how far back they are looked for, in bytes.
const LINES: usize = 3;
const TAIL: u64 = 8 * 1024;

/// The configuration to start with: the one that is named, else a trial in `dir`, made at the first time.
pub(super) fn configuration(place: &Place, dir: &Path) -> Result<PathBuf, Fail> {
    if place.offline.is_some() || place.socket.is_some() {
        return Err(Fail::Usage(
            "up starts a daemon of its own; name its --config and nothing else",
        ));
    }
    if let Some(file) = &place.config {
        return Ok(file.clone());
    }
    let file = dir.join("marsad.toml");
    if !file.exists() {
        config::init(dir).map_err(|error| {
            let what = format!("cannot make a trial configuration in {}", dir.display());
            Fail::here(
                what,
                &chain(&error),
                "name another folder, or a configuration with --config",
            )
        })?;
    }
    Ok(file)
}

/// A daemon that answers at the configuration's socket, and the child if one had to be started for it.
pub(super) async fn start(
    file: &Path,
    program: Option<&Path>,
) -> Result<(Client, Option<Daemon>), Fail> {
    let client = Client::online(&place::socket_of(file)?)?;
    match client.status().await {
        Err(ClientError::Unreachable { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Ok((client, None)),
    }
    let mut daemon = Daemon::start(file, program)?;
    match daemon.answers(&client).await {
        Ok(()) => Ok((client, Some(daemon))),
        Err(fail) => {
            daemon.stop().await;
            Err(fail)
        }
    }
}

/// `marsadd` as our child.
pub(super) struct Daemon {
    child: Child,
    log: Log,
}

/// Where the child writes its log: the screen is the console's. A file and no pipe, so that a daemon whose console was
/// killed can go on writing.
struct Log {
    path: PathBuf,
    /// Where the file ended before this start.
    from: u64,
}

impl Log {
    /// Beside the configuration, or among the temporary files where this user may not write there.
    fn open(config: &Path) -> io::Result<(Self, File)> {
        let beside = config.with_extension("log");
        let temporary = || env::temp_dir().join(format!("marsad-{}.log", Uuid::now_v7()));
        let append = |path: PathBuf| {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            Ok((Self { from: file.metadata()?.len(), path }, file))
        };
        append(beside).or_else(|_: io::Error| append(temporary()))
    }

    /// The last lines that were written since the start.
    fn last(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.from.max(end.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join(" / ")
    }
}

impl Daemon {
    fn start(file: &Path, program: Option<&Path>) -> Result<Self, Fail> {
        let beside = program.and_then(Path::parent).map(|folder| folder.join("marsadd"));
        let marsadd = beside.filter(|path| path.is_file()).unwrap_or_else(|| "marsadd".into());
        let failed = |error: io::Error| {
            let what = format!("cannot start {}", marsadd.display());
            Fail::here(what, &error, "install marsadd beside marsad, or in the PATH")
        };
        let (log, stderr) = Log::open(file).map_err(failed)?;
        let child = Command::new(&marsadd)
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn();
        Ok(Self { child: child.map_err(failed)?, log })
    }

    /// Waits for the first answer; a child that ends before it has failed, and its last words say why.
    async fn answers(&mut self, client: &Client) -> Result<(), Fail> {
        let end = Instant::now() + START;
        loop {
            tokio::select! {
                ended = self.child.wait() => return Err(self.failed(ended.ok())),
                answer = timeout_at(end, client.status()) => match answer {
                    Ok(Ok(_)) => return Ok(()),
                    Ok(Err(ClientError::Unreachable { .. })) if Instant::now() < end => sleep(AGAIN).await,
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => {
                        let why = format!("no answer within {}s", START.as_secs());
                        return Err(Fail::here("marsadd does not come up", &why, "start it alone to see its log"));
                    }
                },
            }
        }
    }

    fn failed(&self, status: Option<ExitStatus>) -> Fail {
        let how = status.map_or("its end is not known".to_owned(), |status| status.to_string());
        let said = self.log.last();
        let why = if said.is_empty() { how } else { format!("{how}; it said: {said}") };
        let remedy = format!("mend that; the whole log is {}", self.log.path.display());
        Fail::here("marsadd has ended", &why, remedy)
    }

    /// Asks it to stop and waits until it has.
    pub(super) async fn stop(mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // An error means that it is gone already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(STOP, self.child.wait()).await.is_err() {
            // It had its time; what it was doing goes on at the next start.
            let _ = self.child.kill().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn place(config: Option<&str>, socket: Option<&str>) -> Place {
        Place { config: config.map(Into::into), socket: socket.map(Into::into), offline: None }
    }

    #[test]
    fn a_trial_is_made_once_and_a_named_configuration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let trial = folder.path().join("trial");
        let file = configuration(&place(None, None), &trial).unwrap();
        assert_eq!(file, trial.join("marsad.toml"));
        std::fs::write(&file, "# mine\n").unwrap();
        configuration(&place(None, None), &trial).unwrap();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "# mine\n",
            "the second time it is as it was left"
        );
        let named =
            configuration(&place(Some("/etc/m.toml"), None), &folder.path().join("none")).unwrap();
        assert_eq!(named, Path::new("/etc/m.toml"));
        assert!(!folder.path().join("none").exists());
        assert_eq!(configuration(&place(None, Some("/s")), &trial).unwrap_err().code(), 2);
    }

    #[test]
    fn a_log_tells_what_was_said_since_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("marsad.toml");
        std::fs::write(folder.path().join("marsad.log"), "from an earlier start\n").unwrap();
        let (log, mut file) = Log::open(&config).unwrap();
        assert_eq!(log.last(), "");
        for n in 0..5_000 {
            writeln!(file, "line {n}").unwrap();
        }
        assert_eq!(log.last(), "line 4997 / line 4998 / line 4999");
        let elsewhere = Log::open(Path::new("/proc/none/marsad.toml")).unwrap().0.path;
        assert!(elsewhere.starts_with(env::temp_dir()), "{}", elsewhere.display());
        std::fs::remove_file(elsewhere).unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_ends_before_it_answers_says_why() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("marsad.toml");
        std::fs::write(&config, "").unwrap();
        // Any program that refuses `--config` will do.
        std::os::unix::fs::symlink("/bin/ls", folder.path().join("marsadd")).unwrap();
        let client = Client::online(&folder.path().join("m.sock")).unwrap();
        let mut daemon = Daemon::start(&config, Some(&folder.path().join("marsad"))).unwrap();
        let text = daemon.answers(&client).await.unwrap_err().text().unwrap();
        assert!(text.contains("marsadd has ended") && text.contains("--config"), "{text}");
        daemon.stop().await;
    }
}
