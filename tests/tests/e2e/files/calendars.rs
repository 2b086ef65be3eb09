//! A day that a row says in both calendars: the same, one apart, or another one.

use marsad_shared::run::Outcome;

use super::Folder;

#[tokio::test]
async fn days_that_are_one_apart_are_taken_and_counted_and_others_refused() -> anyhow::Result<()> {
    let keys = "files = \"visits-*.csv\"\nkey = [\"no\"]\nfields = { no = \"text\", day = \"date\", \
                day_h = { type = \"hijri_date\", gregorian = \"day\" } }";
    let folder = Folder::with(&[("visits", keys)]).await?;
    let rows = "no,day,day_h\n1,2026-02-18,1447-09-01\n2,2026-02-19,1447-09-01\n3,2026-02-17,1447-09-01\n\
                4,2026-02-20,1447-09-01\n5,2026-02-18,\n";
    let run = folder.drop("visits", "visits-1.csv", rows.as_bytes()).await?;
    assert_eq!((run.outcome, run.counts.inserted), (Outcome::Partial, 4), "{run:#?}");
    let mark = "2 rows were taken whose day_h is a day from the date of the other calendar";
    let shown = folder.daemon.cli(&["runs", "show", &run.id.to_string()]).await?;
    assert!(shown.out.contains(mark), "{}", shown.out);
    let refused = folder.daemon.client.quarantine("office/visits").await?;
    let lines: Vec<_> = refused.iter().map(|item| item.place.line).collect();
    assert_eq!(lines, [Some(5)], "{refused:#?}");

    let run =
        folder.drop("visits", "visits-2.csv", b"no,day,day_h\n6,2026-02-18,1447-09-01\n").await?;
    assert_eq!(
        (run.outcome, run.reason),
        (Outcome::Succeeded, None),
        "days that agree need no word"
    );
    Ok(())
}
