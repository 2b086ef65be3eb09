//! A large table that comes again and again: rows that stand in it as they stood in the last one are not read anew, and
//! the bank is what the table says, whatever became of the last one.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::ensure;
use marsad_shared::run::Outcome;

use super::Folder;

const KEYS: &str = "files = \"people-*.csv\"\nkey = [\"id\"]\nmode = \"snapshot\"\n\
                    fields = { id = \"text\", seen = \"integer\", name = \"text\" }\n";

type People = BTreeMap<u32, u32>;

/// So large that a table is recalled at all.
fn table(people: &People) -> Vec<u8> {
    let mut text = "id,seen,name\n".to_owned();
    for (id, seen) in people {
        let _ = writeln!(
            text,
            "p{id:06},{seen},  a name that is as long as any and written with blanks around it  "
        );
    }
    assert!(text.len() > 1024 * 1024);
    text.into_bytes()
}

/// Compares what the bank has, row by row.
fn compare(folder: &Folder, people: &People) -> anyhow::Result<()> {
    let have = folder.rows("people", &["id", "seen"])?;
    ensure!(have.len() == people.len(), "{} rows instead of {}", have.len(), people.len());
    for (have, (id, seen)) in have.iter().zip(people) {
        ensure!(*have == format!("p{id:06}|{seen}"), "{have} instead of {id}|{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn the_bank_is_what_a_large_table_says_whatever_became_of_the_last_one() -> anyhow::Result<()>
{
    let folder = Folder::with(&[("people", KEYS)]).await?;
    let first: People = (0..25_000).map(|id| (id, 0)).collect();
    folder.drop("people", "people-1.csv", &table(&first)).await?;
    compare(&folder, &first)?;

    let mut second = first.clone();
    second.retain(|id, _| id % 50 != 0);
    second.extend((30_000..31_000).chain((0..25_000).step_by(99)).map(|id| (id, 1)));
    let run = folder.drop("people", "people-2.csv", &table(&second)).await?;
    assert_eq!(run.counts.received, second.len() as u64, "{run:?}");
    assert!(run.counts.balances() && run.counts.unchanged > 20_000, "{run:?}");
    compare(&folder, &second)?;

    // What was recalled of the last table is not what the bank has.
    folder.daemon.json(&["undo", &run.id.to_string(), "--reason", "it was another one"]).await?;
    compare(&folder, &first)?;
    second.insert(40_000, 2);
    let run = folder.drop("people", "people-3.csv", &table(&second)).await?;
    assert!(run.counts.balances() && run.counts.inserted == 1_001, "{run:?}");
    compare(&folder, &second)?;

    // Nor where it never came to the bank.
    let mut held: People = second.keys().map(|id| (*id, 3)).collect();
    held.retain(|id, _| *id < 17_000);
    let run = folder.drop("people", "people-4.csv", &table(&held)).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    let mut last = held.clone();
    last.extend(second.range(17_000..).map(|(id, seen)| (*id, *seen)));
    let run = folder.drop("people", "people-5.csv", &table(&last)).await?;
    assert!(run.counts.balances() && run.counts.updated > 16_000, "{run:?}");
    compare(&folder, &last)?;
    Ok(())
}
