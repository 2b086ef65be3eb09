//! A web server that is not ours: nginx, with every kind of certificate that a partner may have, and with the pages that it
//! answers by itself. What failed has the right reason, and says on whose side it is and what to do.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use marsad_shared::health::Reason;
use marsad_tests::{
    daemon::{Daemon, Home, Process},
    partner::tls::{Authority, Pair, self_signed},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::waits;

/// The host that every server is.
const HOST: &str = "127.0.0.1";
const ROWS: &str = r#"[{ "id": 1 }, { "id": 2 }]"#;
/// What every server answers with if its case says nothing else.
const FILES: &str = "location / { root www; types { application/json json; } }";

/// One server, the connection to it, and how that goes.
struct Case {
    /// Of the connection, its feed and its certificate.
    name: &'static str,
    pair: Option<Pair>,
    /// Lines of its `server` block.
    lines: String,
    /// Of the connection, beside `base_url`.
    connection: String,
    /// Of the feed, beside the usual ones.
    feed: String,
    /// How often it is read.
    every: &'static str,
    /// Why it fails, and words that it says so in; `None`: it does not.
    fails: Option<(Reason, &'static [&'static str])>,
}

impl Case {
    fn tls(name: &'static str, pair: Pair) -> Self {
        let connection = "tls = { ca = \"root.pem\" }".to_owned();
        Self {
            name,
            pair: Some(pair),
            lines: FILES.into(),
            connection,
            feed: String::new(),
            every: "1h",
            fails: None,
        }
    }

    fn plain(name: &'static str, lines: &str) -> Self {
        let (lines, connection) = (lines.to_owned(), String::new());
        Self { name, pair: None, lines, connection, feed: String::new(), every: "1h", fails: None }
    }

    fn lines(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.lines);
        self
    }

    fn connection(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.connection);
        self
    }

    fn feed(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.feed);
        self
    }

    const fn fails(mut self, reason: Reason, words: &'static [&'static str]) -> Self {
        self.fails = Some((reason, words));
        self
    }
}

/// nginx in a folder of its own.
struct Nginx {
    folder: TempDir,
    process: Process,
    ports: Vec<u16>,
}

impl Nginx {
    /// Starts it with a server for each case and `files` beside their certificates; comes back when they listen.
    async fn start(cases: &[Case], files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("marsad-nginx-").tempdir()?;
        let at = folder.path();
        fs::create_dir(at.join("www"))?;
        fs::write(at.join("www/rows.json"), ROWS)?;
        for (name, text) in files {
            put(at, name, text)?;
        }
        let ports = free_ports(cases.len())?;
        let mut servers = String::new();
        for (case, port) in cases.iter().zip(&ports) {
            let tls = match &case.pair {
                None => String::new(),
                Some(pair) => {
                    show(at, case.name, pair)?;
                    format!("ssl_certificate {0}.pem; ssl_certificate_key {0}.key;", case.name)
                }
            };
            let ssl = if case.pair.is_some() { " ssl http2" } else { "" };
            writeln!(servers, "server {{ listen {HOST}:{port}{ssl}; {tls}\n{} }}", case.lines)?;
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .concat();
        // One process alone: it is gone when it is killed.
        let config = format!(
            "daemon off; master_process off; pid pid; error_log log; events {{}}\n\
             http {{ access_log off; {temporary}\n{servers}}}\n"
        );
        fs::write(at.join("nginx.conf"), config)?;
        let process = started(at)?;
        let nginx = Self { folder, process, ports };
        nginx.listens().await?;
        Ok(nginx)
    }

    /// Starts it again: it reads its certificates anew.
    async fn again(&mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.process.pid)?), Signal::SIGKILL)?;
        self.process.until_ended().await?;
        self.process = started(self.at())?;
        self.listens().await
    }

    async fn listens(&self) -> anyhow::Result<()> {
        for port in &self.ports {
            while tokio::net::TcpStream::connect((HOST, *port)).await.is_err() {
                let ended = self.process.ended();
                ensure!(ended.is_none(), "nginx: {}", fs::read_to_string(self.at().join("log"))?);
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }
}

fn started(folder: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "log"]).stdin(Stdio::null());
    Process::start(&mut command).context("is nginx installed?")
}

/// Ports that nobody had a moment ago.
fn free_ports(number: usize) -> anyhow::Result<Vec<u16>> {
    let held = (0..number).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let held = held.collect::<Result<Vec<_>, _>>()?;
    Ok(held.iter().map(|port| Ok(port.local_addr()?.port())).collect::<std::io::Result<_>>()?)
}

/// Puts a certificate and its key where they are looked for, closed to others.
fn show(folder: &Path, name: &str, pair: &Pair) -> anyhow::Result<()> {
    put(folder, &format!("{name}.pem"), &pair.cert)?;
    put(folder, &format!("{name}.key"), &pair.key)
}

/// Puts a file in its place at once, closed to others.
fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let part = folder.join(".part");
    fs::write(&part, text)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))?;
    Ok(fs::rename(part, folder.join(name))?)
}

/// A pair that no library of today makes: `openssl` does, with those arguments.
fn made_by_openssl(authority: &Authority, arguments: &[&str]) -> anyhow::Result<Pair> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::write(at("ca.pem"), &authority.pem)?;
    fs::write(at("ca.key"), authority.key())?;
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "100", "-subj", "/CN=old"]);
    command.args([
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=CA:FALSE",
    ]);
    command.args(arguments).arg("-CA").arg(at("ca.pem")).arg("-CAkey").arg(at("ca.key"));
    command.arg("-keyout").arg(at("key")).arg("-out").arg(at("cert"));
    let made = command.output().context("is openssl installed?")?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(Pair { cert: fs::read_to_string(at("cert"))?, key: fs::read_to_string(at("key"))? })
}

/// The partner's file: a connection and a feed for each case.
fn partner(cases: &[Case], nginx: &Nginx) -> anyhow::Result<String> {
    let mut text = "[partner]\nid = \"p\"\n".to_owned();
    for (case, port) in cases.iter().zip(&nginx.ports) {
        let (name, scheme) = (case.name, if case.pair.is_some() { "https" } else { "http" });
        // What a case says of its own comes first: a key that it has is not written twice.
        let base = format!("base_url = \"{scheme}://{HOST}:{port}\"\n");
        let base = if case.connection.contains("base_url") { String::new() } else { base };
        let connection = case.connection.replace("{port}", &port.to_string());
        let path = if case.feed.contains("path") { "" } else { "path = \"/rows.json\"\n" };
        write!(
            text,
            "\n[[connection]]\nid = \"{name}\"\n{base}{connection}\n\n[[feed]]\nid = \"{name}-rows\"\n\
             connection = \"{name}\"\n{path}{}\nkey = [\"id\"]\nfields = {{ id = \"integer\" }}\n\
             schedule = {{ every = \"{}\" }}\n",
            case.feed, case.every
        )?;
    }
    Ok(text)
}

/// Runs all cases, and compares each with what it is to say, in its run and to `marsad test`.
async fn all_go_as_said(cases: &[Case], nginx: &Nginx, home: Home) -> anyhow::Result<Daemon> {
    fs::write(home.path().join("partners.d/p.toml"), partner(cases, nginx)?)?;
    let daemon = Daemon::start(home).await?;
    for case in cases {
        let name = case.name;
        let feed = format!("p/{name}-rows");
        let run = waits::run(&daemon, &feed, 0, "ended", |run| run.ended_at.is_some()).await?;
        let reason = run.reason.clone().unwrap_or_default();
        let tried = daemon.cli(&["test", &format!("p/{name}")]).await?;
        let Some((cause, words)) = case.fails else {
            ensure!(run.outcome.is_good() && run.counts.received == 2, "{name}: {reason}");
            ensure!(tried.code == 0, "{name}: {}{}", tried.out, tried.err);
            continue;
        };
        ensure!(run.cause == Some(cause), "{name}: {:?}: {reason}", run.cause);
        for word in words {
            ensure!(reason.contains(word), "{name}: no {word:?} in {reason}");
            ensure!(tried.out.contains(word), "{name}: no {word:?} in {}", tried.out);
        }
        ensure!(tried.code == 1 && tried.out.contains("\n  do: "), "{name}: {}", tried.out);
    }
    Ok(daemon)
}

/// The certificates of servers, good and bad.
fn servers(root: &Authority) -> anyhow::Result<Vec<Case>> {
    let good = || root.pair(HOST, 300);
    let between = root.below("Between")?;
    let alone = between.pair(HOST, 300)?;
    let whole = Pair { cert: format!("{}{}", alone.cert, between.pem), ..alone.clone() };
    let old = format!("ssl_ciphers DEFAULT:@SECLEVEL=0; {FILES}");
    Ok(vec![
        Case::tls("good", good()?),
        Case::tls("chain", whole),
        Case::tls("ends-soon", root.pair(HOST, 5)?),
        Case::tls("expired", root.pair(HOST, -2)?)
            .fails(Reason::TlsExpired, &["was good until", "our clock says", "new certificate"]),
        Case::tls("not-yet", root.pair_between(HOST, 30, 300)?)
            .fails(Reason::TlsUntrusted, &["is good from", "check our clock first"]),
        Case::tls("wrong-host", root.pair("other.example", 300)?)
            .fails(Reason::TlsUntrusted, &["is of other.example, not of 127.0.0.1", "base_url"]),
        Case::tls("no-chain", alone)
            .fails(Reason::TlsUntrusted, &["nobody whom we trust", "tls.ca", "whole chain"]),
        Case::tls("stranger", Authority::new("Stranger")?.pair(HOST, 300)?)
            .fails(Reason::TlsUntrusted, &["nobody whom we trust", "tls.ca"]),
        Case::tls("self-made", self_signed(HOST, false)?)
            .fails(Reason::TlsUntrusted, &["nobody whom we trust"]),
        Case::tls("self-made-authority", self_signed(HOST, true)?).fails(
            Reason::TlsUntrusted,
            &["an authority's and not a server's", "this very certificate into `tls.ca`"],
        ),
        Case::tls("short-key", made_by_openssl(root, &["-newkey", "rsa:1024"])?)
            .lines(&old)
            .fails(Reason::TlsUntrusted, &["too weak (RSA below 2048 bits)", "new certificate"]),
        Case::tls("sha1", made_by_openssl(root, &["-newkey", "rsa:2048", "-sha1"])?)
            .lines(&old)
            .fails(Reason::TlsUntrusted, &["no longer safe, such as SHA-1", "new certificate"]),
        Case::tls("tls-1-1", good()?)
            .lines(&format!("ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; {FILES}"))
            .fails(Reason::TlsHandshake, &["neither TLS 1.2 nor 1.3", "turn TLS 1.2 or 1.3 on"]),
        Case::tls("tls-1-2", good()?).lines(&format!("ssl_protocols TLSv1.2; {FILES}")),
        Case::tls("tls-1-3", good()?).lines(&format!("ssl_protocols TLSv1.3; {FILES}")),
        Case::tls("old-cipher", good()?)
            .lines(&format!("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA; {FILES}"))
            .fails(Reason::TlsHandshake, &["no cipher suite in common", "AES-GCM"]),
        Case::plain("no-tls", FILES)
            .connection("base_url = \"https://127.0.0.1:{port}\"")
            .fails(Reason::TlsHandshake, &["does not speak TLS", "the port in base_url"]),
        Case::tls("without-tls", good()?)
            .connection("base_url = \"http://127.0.0.1:{port}\"")
            .fails(Reason::Http4xx, &["TLS is spoken there", "write https:// into base_url"]),
    ])
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx-light"]
async fn every_kind_of_certificate_is_taken_or_refused_with_its_reason() -> anyhow::Result<()> {
    let root = Authority::new("Root")?;
    let mut cases = servers(&root)?;
    let own = self_signed(HOST, true)?;
    let written_down = own.cert.clone();
    cases.push(Case::tls("written-down", own).connection("tls = { ca = \"own.pem\" }"));
    let nginx = Nginx::start(&cases, &[]).await?;
    let home = Home::new()?;
    let folder = home.path().join("partners.d");
    put(&folder, "root.pem", &root.pem)?;
    put(&folder, "own.pem", &written_down)?;
    all_go_as_said(&cases, &nginx, home).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx-light"]
async fn a_server_that_asks_who_we_are_is_told_and_says_what_it_misses() -> anyhow::Result<()> {
    let (root, ours) = (Authority::new("Root")?, Authority::new("Ours")?);
    let home = Home::new()?;
    let folder = home.path().join("partners.d");
    put(&folder, "root.pem", &root.pem)?;
    show(&folder, "right", &ours.pair("marsad.example", 300)?)?;
    show(&folder, "stranger", &Authority::new("Stranger")?.pair("marsad.example", 300)?)?;
    show(&folder, "expired", &ours.pair("marsad.example", -2)?)?;
    let asks = |version: &str| {
        format!(
            "ssl_client_certificate ours.pem; ssl_verify_client on; ssl_protocols {version}; {FILES}"
        )
    };
    let shown = |name: &str| {
        format!("tls = {{ ca = \"root.pem\", cert = \"{name}.pem\", key = \"{name}.key\" }}")
    };
    let case =
        |name, version| anyhow::Ok(Case::tls(name, root.pair(HOST, 300)?).lines(&asks(version)));
    let misses: &[&str] = &["misses a certificate of ours", "`tls.cert`"];
    let refused: &[&str] = &["does not take our certificate", "until when it is good"];
    let mut cases = vec![
        case("none", "TLSv1.3")?.fails(Reason::Auth, misses),
        case("none-1-2", "TLSv1.2")?.fails(Reason::Auth, misses),
        case("right", "TLSv1.3")?.connection(&shown("right")),
        case("right-1-2", "TLSv1.2")?.connection(&shown("right")),
        case("wrong", "TLSv1.3")?.connection(&shown("stranger")).fails(Reason::Auth, refused),
        case("ended", "TLSv1.3")?.connection(&shown("expired")).fails(Reason::Auth, refused),
    ];
    cases.push(Case::tls("own-word", root.pair(HOST, 300)?).lines(
        "ssl_client_certificate ours.pem; ssl_verify_client optional; location / { if ($ssl_client_verify != SUCCESS) { return 403; } }",
    ).fails(Reason::Auth, &["403 Forbidden", "let us in"]));
    let nginx = Nginx::start(&cases, &[("ours.pem", &ours.pem)]).await?;
    all_go_as_said(&cases, &nginx, home).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx-light"]
async fn what_a_web_server_does_by_itself_is_borne_or_named() -> anyhow::Result<()> {
    let root = Authority::new("Root")?;
    // Takes connections and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let silent = silent.local_addr()?;
    let [nobody] = free_ports(1)?[..] else { anyhow::bail!("no free port") };
    let tls = |name| anyhow::Ok(Case::tls(name, root.pair(HOST, 300)?));
    let answers = |text: &str| format!("location / {{ {text} }}");
    let to =
        |port: u16| answers(&format!("proxy_pass http://{HOST}:{port}; proxy_read_timeout 1s;"));
    let http1 = "tls = { ca = \"root.pem\" }\nhttp2 = false";
    let cases = vec![
        tls("http-2")?,
        tls("http-1")?.connection(http1),
        tls("gzip")?.lines(&format!("gzip on; gzip_min_length 1; gzip_types application/json; {FILES}")),
        // What is put in on the way has no length: it comes in chunks.
        tls("chunks")?.connection(http1).lines(&format!("sub_filter_types application/json; sub_filter no no; {FILES}")),
        tls("within")?
            .lines("location = /rows.json { return 301 /new/rows.json; } location /new/ { alias www/; types { application/json json; } }")
            .connection("tls = { ca = \"root.pem\" }\nredirects = true"),
        Case::plain("to-https", "return 301 https://$host:1$request_uri;")
            .fails(Reason::Http4xx, &["redirects to https://127.0.0.1:1/rows.json", "base_url"]),
        tls("no-such-page")?.lines(&answers("return 404;")).fails(Reason::Http4xx, &["404 Not Found", "path"]),
        tls("too-much")?
            .lines(&format!("client_max_body_size 10; {}", to(nobody)))
            .feed("method = \"POST\"\njson = { open = true, of = \"families\" }")
            .fails(Reason::Http4xx, &["413"]),
        tls("too-long")?
            .connection(http1)
            .lines(&format!("large_client_header_buffers 2 512; client_header_buffer_size 512; {FILES}"))
            .feed(&format!("path = \"/rows.json?of={}\"", "0123456789".repeat(100)))
            .fails(Reason::Http4xx, &["414"]),
        tls("nobody-behind")?.lines(&to(nobody)).fails(Reason::Http5xx, &["502", "tell the partner"]),
        tls("slow-behind")?.lines(&to(silent.port())).fails(Reason::Http5xx, &["504", "tell the partner"]),
        tls("shut")?.lines(&answers("return 503;")).fails(Reason::Http5xx, &["503", "tell the partner"]),
        tls("hangs-up")?.connection(http1).lines(&answers("return 444;")).fails(Reason::Truncated, &["cut before an answer"]),
    ];
    let nginx = Nginx::start(&cases, &[]).await?;
    let home = Home::new()?;
    put(&home.path().join("partners.d"), "root.pem", &root.pem)?;
    all_go_as_said(&cases, &nginx, home).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx-light"]
async fn certificates_that_change_on_either_side_are_taken_as_they_are() -> anyhow::Result<()> {
    let (root, stranger) = (Authority::new("Root")?, Authority::new("Stranger")?);
    let mut case = Case::tls("api", root.pair(HOST, 300)?);
    case.every = "1s";
    let mut nginx = Nginx::start(std::slice::from_ref(&case), &[]).await?;
    let home = Home::new()?;
    let folder = home.path().join("partners.d");
    put(&folder, "root.pem", &stranger.pem)?;
    fs::write(folder.join("p.toml"), partner(&[case], &nginx)?)?;
    let daemon = Daemon::start(home).await?;
    let feed = "p/api-rows";
    let (run, _) = waits::failed_run(&daemon, feed, 0).await?;
    assert_eq!(run.cause, Some(Reason::TlsUntrusted));

    put(&folder, "root.pem", &root.pem)?;
    let run = waits::good_run(&daemon, feed, waits::number(&run)).await?;
    put(&folder, "root.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")?;
    let run = waits::good_run(&daemon, feed, waits::number(&run)).await?;

    show(nginx.at(), "api", &root.pair(HOST, -2)?)?;
    nginx.again().await?;
    let (run, reason) = waits::failed_run(&daemon, feed, waits::number(&run)).await?;
    assert_eq!(run.cause, Some(Reason::TlsExpired), "{reason}");
    show(nginx.at(), "api", &root.pair(HOST, 300)?)?;
    nginx.again().await?;
    waits::good_run(&daemon, feed, waits::number(&run)).await?;
    Ok(())
}
