//! `marsad`: the console and the command line. Here only what the process itself has: flags, environment, runtime.

use std::{
    env, fs,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use jiff::tz::TimeZone;
use marsad_console::{
    cli::{self, Surroundings},
    runtime::Options,
    theme::Theme,
};
use marsad_shared::{clock::SystemClock, config::Environment};

fn main() -> ExitCode {
    // Before the first HTTP client is built; an `Err` only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let around = Surroundings {
        console: Options {
            site: site(),
            zone: TimeZone::system(),
            theme: Theme { colour: !is_set("NO_COLOR"), ascii: !speaks_utf8() },
            remote: is_set("SSH_CONNECTION"),
            tmux: is_set("TMUX"),
            clock: Arc::new(SystemClock),
        },
        environment: environment(),
        program: env::current_exe().ok(),
    };
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(env::args_os().collect(), around)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "marsad: cannot start its threads: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether the terminal takes UTF-8: so the locale says, and where there is none, so it is nowadays.
fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var_os(name).filter(|value| !value.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Which of several installations this is: the machine's name.
fn site() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// The environment, which is read here alone.
fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the environment")]
    Environment::new(|name| env::var(name).ok())
}
