//! Pages that are handed over before it is known whether those in front of them are in the bank.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use super::*;
use crate::store::Writer;

/// Whose fault it is that the second of four pages is not kept.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Nobody,
    /// Its own: what it did is taken back, and nothing else.
    Page,
    /// That of the commit, of which it is the last page.
    Commit,
}

/// Hands four pages of a walk over, of a record each. Gives for each whether it was kept, and the keys that are there.
async fn four_pages(fails: Fails) -> (Vec<bool>, Vec<String>) {
    let bank = Bank::new(false);
    let batches: Vec<_> =
        (1..=4).map(|key| bank.batch(&[Row { key, content: Some(key), version: None }])).collect();
    let Bank { _folder: folder, cache, feed, .. } = bank;
    let writer = Writer::start("cache", cache).unwrap();
    // While a job waits, all that is handed over behind it gathers, and is one commit.
    let gate = || {
        let (go, wait) = mpsc::channel::<()>();
        (go, move |_: &mut Cache| wait.recv().map_err(|_| StoreError::Closed))
    };
    let ((go, wait), (go_on, wait_again)) = (gate(), gate());
    drop(writer.hand(wait).await.unwrap());
    let mut again = matches!(fails, Fails::Commit).then_some(wait_again);
    let mut handed = Vec::new();
    for (at, batch) in batches.into_iter().enumerate() {
        if let Some(wait) = again.take_if(|_| at == 2) {
            // The first two pages are in a commit that waits, and the others gather behind it.
            drop(writer.hand(wait).await.unwrap());
            go.send(()).unwrap();
        }
        let feed = feed.clone();
        let page = move |cache: &mut Cache| {
            if at == 0 {
                cache.begin_pages(&feed, RunId(1), Manner::default())?;
            }
            cache.apply_page(&feed, &batch, Timestamp::UNIX_EPOCH, |_| PageEnd::Broken)?;
            match (at, fails) {
                (1, Fails::Page) => Err(StoreError::Braked("too many".to_owned())),
                (1, Fails::Commit) => {
                    let first = AtomicBool::new(true);
                    Ok(cache.db.commit_hook(Some(move || first.swap(false, Ordering::Relaxed)))?)
                }
                _ => Ok(()),
            }
        };
        handed.push(writer.hand(page).await.unwrap());
    }
    // Whichever of them somebody still waits at.
    let _ = (go.send(()), go_on.send(()));
    let mut kept = Vec::new();
    for handed in handed {
        kept.push(handed.hear().await.is_ok());
    }
    let read = |cache: &mut Cache| {
        let mut all = cache.db.prepare("SELECT id FROM courts__orders ORDER BY id")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?)
    };
    let keys = writer.call(read).await.unwrap();
    tokio::task::spawn_blocking(|| writer.close()).await.unwrap();
    drop(folder);
    (kept, keys)
}

#[tokio::test]
async fn no_page_is_kept_behind_one_that_was_taken_back() {
    let kept = |fails| four_pages(fails);
    assert_eq!(
        kept(Fails::Nobody).await,
        (vec![true; 4], ["1", "2", "3", "4"].map(Into::into).into())
    );
    assert_eq!(
        kept(Fails::Page).await,
        (vec![true, false, false, false], vec!["1".to_owned()]),
        "those behind it stand on it"
    );
    assert_eq!(kept(Fails::Commit).await, (vec![false; 4], Vec::new()), "nor behind a commit");
}
