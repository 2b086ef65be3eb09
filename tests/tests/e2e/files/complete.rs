//! Files that are complete: by their markers, and as their markers say.

use std::{fs, process::Command};

use marsad_shared::run::Outcome;

use super::Folder;

const AREAS: &str =
    "files = \"*.csv\"\nkey = [\"id\"]\nfields = { id = \"text\", area = \"text\" }";

#[tokio::test]
async fn with_markers_a_file_waits_for_its_own_and_is_checked_by_it() -> anyhow::Result<()> {
    let folder = Folder::marked("marker = \".sha256\"", &[("areas", AREAS)]).await?;
    let content = "id,area\n1,كلباء\n";
    fs::write(folder.path.join("first.csv"), content)?;
    // Somebody else's file comes and goes meanwhile: the folder is looked at while the first one waits.
    fs::write(folder.path.join("second.csv"), content)?;
    fs::write(folder.path.join("second.csv.sha256"), "0".repeat(64))?;
    let run = folder.ended("areas", 0, "second.csv").await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(run.outcome, Outcome::Held, "{reason}");
    assert!(reason.contains("is not what its .sha256 says"), "{reason}");
    assert!(folder.path.join("first.csv").exists(), "it waits");
    let sums = Command::new("sha256sum").arg("first.csv").current_dir(&folder.path).output()?;
    fs::write(folder.path.join("first.csv.sha256"), sums.stdout)?;
    let run = folder.ended("areas", 0, "first.csv").await?;
    assert_eq!(run.outcome, Outcome::Succeeded, "{run:#?}");
    assert_eq!(folder.rows("areas", &["id", "area"])?, ["1|كلباء"]);
    let away = async || {
        let gone = [
            "done/first.csv",
            "done/first.csv.sha256",
            "held/second.csv",
            "held/second.csv.sha256",
        ];
        let all = gone.iter().all(|name| folder.path.join(name).exists());
        Ok(all.then_some(()))
    };
    folder.daemon.until("files and markers put away", async |_| away().await).await
}
