//! `marsad`: the console and the command line. Here only what the process itself has: flags, environment, runtime.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use jiff::tz::TimeZone;
use marsad_console::cli::{self, Surroundings};
use marsad_shared::{clock::SystemClock, config::Environment};

fn main() -> ExitCode {
    // Before the first HTTP client is built; an `Err` only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let around = Surroundings {
        clock: Arc::new(SystemClock),
        zone: TimeZone::system(),
        no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        environment: environment(),
    };
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(env::args_os().collect(), around)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "marsad: cannot start its threads: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The environment, which is read here alone.
fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the environment")]
    Environment::new(|name| env::var(name).ok())
}
