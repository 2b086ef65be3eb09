//! Looking at a partner now: trying a connection, and sampling data for a feed.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use marsad_shared::{
    protocol::{Discover, SAMPLE_MAX, TestReply},
    untrusted::{show, show_lines},
};
use tokio::io::AsyncReadExt as _;

use super::{
    args,
    fail::{Done, FAILED, Fail},
    out::Out,
};
use crate::client::Client;

/// Tries a connection. As JSON the answer is a [`TestReply`] `{id ok steps[{step ok ms text}] remedy}`; exit 1 if a step
/// failed.
pub(super) async fn test(client: &Client, order: args::Test, out: &mut Out) -> Done {
    let reply = client.test(&order.connection, order.reason).await?;
    out.answer(&reply, |_| tried(&reply))?;
    if reply.ok { Ok(()) } else { Err(Fail::Said(FAILED)) }
}

fn tried(reply: &TestReply) -> String {
    let mut lines = vec![format!("{} {}", reply.id, if reply.ok { "ok" } else { "FAILED" })];
    lines.extend(reply.steps.iter().map(|step| {
        let how = if step.ok { "ok" } else { "FAILED" };
        format!("  {:<8} {how:<6} {:>6} ms  {}", step.step, step.ms, show(&step.text))
    }));
    lines.extend(reply.remedy.iter().map(|remedy| format!("  do: {}", show(remedy))));
    lines.push(String::new());
    lines.join("\n")
}

/// Samples an endpoint or a file and prints a `[[feed]]` block; what is to be said beside it goes to stderr. As JSON the
/// answer is a `Discovered` `{connection style feed block notes}`.
pub(super) async fn discover(client: &Client, order: args::Discover, out: &mut Out) -> Done {
    let args::Discover { what, connection, records } = order;
    let mut asked = Discover { connection, records, ..Discover::default() };
    let mut bytes = Vec::new();
    if what.starts_with("http://") || what.starts_with("https://") {
        asked.url = Some(what);
    } else {
        let file = PathBuf::from(what);
        bytes = beginning(&file).await?;
        asked.cut = bytes.len() > SAMPLE_MAX;
        bytes.truncate(SAMPLE_MAX);
        asked.name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    }
    let found = client.discover(&asked, bytes).await?;
    out.answer(&found, |_| show_lines(&found.block).into_owned())?;
    if !out.json {
        let notes: Vec<_> = found.notes.iter().map(|note| show(note)).collect();
        // Where stderr is gone too there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{}", notes.join("\n"));
    }
    Ok(())
}

/// The file's first bytes: one more than are sent, if it has them.
async fn beginning(file: &Path) -> Result<Vec<u8>, Fail> {
    let failed = |why: &dyn ToString| {
        let remedy = "name a file that this user may read, or a URL that begins with http";
        Fail::here(format!("cannot sample {}", file.display()), why, remedy)
    };
    let open = tokio::fs::File::open(file).await.map_err(|error| failed(&error))?;
    let about = open.metadata().await.map_err(|error| failed(&error))?;
    if !about.is_file() {
        return Err(failed(&"it is no file"));
    }
    let mut bytes = Vec::new();
    let most = SAMPLE_MAX as u64 + 1;
    open.take(most).read_to_end(&mut bytes).await.map_err(|error| failed(&error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use marsad_shared::protocol::{TestStep, Tried};

    use super::*;

    #[test]
    fn each_step_has_its_line_and_nothing_that_a_terminal_obeys() {
        let step = |step, ok, text: &str| Tried { step, ok, ms: 12, text: text.to_owned() };
        let reply = TestReply {
            id: "health/api".parse().unwrap(),
            ok: false,
            steps: vec![
                step(TestStep::Resolve, true, "127.0.0.1"),
                step(TestStep::Tls, false, "it is signed by \u{1b}[2J"),
            ],
            remedy: Some("compare it".to_owned()),
        };
        assert_eq!(
            tried(&reply),
            "health/api FAILED\n\
             \x20 resolve  ok         12 ms  127.0.0.1\n\
             \x20 tls      FAILED     12 ms  it is signed by \\u{1b}[2J\n\
             \x20 do: compare it\n"
        );
    }
}
