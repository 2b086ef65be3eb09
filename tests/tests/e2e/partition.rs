//! A network that parts daemon and partner, in every way in which networks do: what is under way ends by its time-outs, the
//! feed goes on within a minute after the network does, and nothing is left behind.
//!
//! Daemon and partner are in network namespaces of their own, with one line between them.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use marsad_shared::health::{Reason, Side};
use marsad_tests::daemon::{Daemon, Home, Process};
use tempfile::TempDir;

use crate::waits;

/// Within so long of the network's return the feed is good again.
const RECOVERY: Duration = Duration::from_mins(1);
const THEIRS: &str = "10.203.57.1";
const OURS: &str = "10.203.57.2";
const FEED: &str = "p/rows";

/// Two namespaces and the line between them. They go with the value.
struct Line {
    ours: String,
    theirs: String,
}

impl Line {
    fn new() -> anyhow::Result<Self> {
        let pid = std::process::id();
        let line = Self { ours: format!("marsad-{pid}-o"), theirs: format!("marsad-{pid}-t") };
        let (ours, theirs) = (&line.ours, &line.theirs);
        let (far, near) = (format!("mt{pid}"), format!("mo{pid}"));
        for name in [ours, theirs] {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        ip(&["-n", ours, "link", "add", &near, "type", "veth", "peer", "name", &far])?;
        ip(&["-n", ours, "link", "set", &far, "netns", theirs])?;
        for (name, end, address) in [(ours, &near, OURS), (theirs, &far, THEIRS)] {
            ip(&["-n", name, "address", "add", &format!("{address}/30"), "dev", end])?;
            ip(&["-n", name, "link", "set", end, "up"])?;
        }
        Ok(line)
    }

    /// From now on nothing passes one of our hooks: `output`, what we send; `input`, what we are sent.
    fn cut(&self, hooks: &[&str]) -> anyhow::Result<()> {
        self.nft("add table inet cut")?;
        for hook in hooks {
            self.nft(&format!(
                "add chain inet cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
            ))?;
        }
        Ok(())
    }

    fn heal(&self) -> anyhow::Result<()> {
        self.nft("delete table inet cut")
    }

    fn nft(&self, rule: &str) -> anyhow::Result<()> {
        ip(&["netns", "exec", &self.ours, "nft", rule])
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for name in [&self.ours, &self.theirs] {
            // What is not there needs no end.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let said = Command::new("ip").args(arguments).output().context("is iproute2 installed?")?;
    ensure!(said.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// The partner: nginx on the far end of the line, which keeps lines open and serves a file.
struct Partner {
    folder: TempDir,
    process: Process,
}

impl Partner {
    fn start(line: &Line) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("marsad-nginx-").tempdir()?;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid pid; error_log log; events {{}}\n\
             http {{ access_log off; {temporary} server {{ listen {THEIRS}:80; root .; }} }}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config)?;
        fs::write(folder.path().join("rows.json"), r#"[{ "id": 1 }]"#)?;
        let process = Self::process(line, &folder)?;
        Ok(Self { folder, process })
    }

    fn process(line: &Line, folder: &TempDir) -> anyhow::Result<Process> {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &line.theirs,
            "nginx",
            "-c",
            "nginx.conf",
            "-e",
            "log",
            "-p",
        ]);
        Process::start(command.arg(folder.path()).stdin(Stdio::null()))
    }

    /// Its machine loses power and comes back: it knows nothing of the lines that it had.
    fn again(&mut self, line: &Line) -> anyhow::Result<()> {
        self.process = Self::process(line, &self.folder)?;
        Ok(())
    }
}

/// What the daemon holds: open files, and threads.
fn held(daemon: &Daemon) -> anyhow::Result<(usize, usize)> {
    let count =
        |what: &str| anyhow::Ok(fs::read_dir(format!("/proc/{}/{what}", daemon.pid()?))?.count());
    Ok((count("fd")?, count("task")?))
}

/// The daemon on the near end, with a feed that is read every second.
async fn daemon(line: &Line) -> anyhow::Result<Daemon> {
    let home = Home::new()?.before(&format!("exec ip netns exec {} \"$0\" \"$@\"", line.ours));
    let text = format!(
        "[partner]\nid = \"p\"\n\n[[connection]]\nid = \"api\"\nbase_url = \"http://{THEIRS}\"\n\
         timeouts = {{ connect = \"1s\", first_byte = \"2s\", idle = \"2s\", total = \"5s\" }}\n\n\
         [[feed]]\nid = \"rows\"\nconnection = \"api\"\npath = \"/rows.json\"\nkey = [\"id\"]\n\
         fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1s\" }}\n"
    );
    fs::write(home.path().join("partners.d/p.toml"), text)?;
    Daemon::start(home).await
}

#[tokio::test]
#[ignore = "needs root, nginx and network namespaces: apt-get install nginx-light iproute2 nftables"]
async fn a_network_that_parts_us_ends_runs_and_leaves_nothing_behind() -> anyhow::Result<()> {
    let line = Line::new()?;
    let mut partner = Partner::start(&line)?;
    let daemon = daemon(&line).await?;
    let mut last = waits::number(&waits::good_run(&daemon, FEED, 0).await?);
    for _ in 0..3 {
        last = waits::number(&waits::good_run(&daemon, FEED, last).await?);
    }
    let before = held(&daemon)?;
    for (what, hooks, restarts) in [
        ("cut", &["input", "output"][..], false),
        ("what we send is lost", &["output"], false),
        ("what we are sent is lost", &["input"], false),
        ("the other end forgot us meanwhile", &["input", "output"], true),
    ] {
        line.cut(hooks)?;
        let (run, reason) = waits::failed_run(&daemon, FEED, last).await?;
        let cause = run.cause.with_context(|| format!("{what}: {reason}"))?;
        ensure!(
            matches!(
                cause,
                Reason::ConnectTimeout | Reason::FirstByteTimeout | Reason::ReadTimeout
            ),
            "{what}: {cause}: {reason}"
        );
        ensure!(cause.side() != Side::Ours && reason.contains("; "), "{what}: {reason}");
        if restarts {
            partner.again(&line)?;
        }
        line.heal()?;
        let healed = Instant::now();
        last = waits::number(&waits::good_run(&daemon, FEED, waits::number(&run)).await?);
        ensure!(healed.elapsed() < RECOVERY, "{what}: after {:?}", healed.elapsed());
        let left = async |_: &_| {
            let now = held(&daemon)?;
            let more = now.0 > before.0 || now.1 > before.1;
            ensure!(!more, "{what}: open files and threads were {before:?}, are {now:?}");
            Ok(Some(()))
        };
        daemon.until(&format!("nothing is left of: {what}"), left).await?;
    }
    Ok(())
}
