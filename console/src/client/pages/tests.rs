use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use marsad_shared::{
    clock::ManualClock,
    feed::{Field, FieldType, Rules},
    id::{FeedId, RunId},
    protocol::{ExchangeRow, ListQuery, RecordRow},
    record::{Batch, Layout},
    store::{
        Store,
        cache::{Ended, FileEnd, Manner},
        ledger::NewExchange,
    },
};

use super::*;
use marsad_shared::protocol::ProblemCode;

/// A state folder with so many exchanges.
async fn state(folder: &Path, exchanges: u64) {
    let store = Store::open(folder).unwrap();
    let filled = store.ledger.call(move |ledger| {
        for n in 0..exchanges {
            ledger.accept(&NewExchange {
                connection: "courts/out".parse().unwrap(),
                origin: n.to_string(),
                name: "a.json".to_owned(),
                hash: "ab".to_owned(),
                bytes: 1,
                idempotency_key: n.to_string(),
                at: Timestamp::UNIX_EPOCH,
                deadline_at: Timestamp::UNIX_EPOCH,
            })?;
        }
        Ok(())
    });
    filled.await.unwrap();
}

#[tokio::test]
async fn a_list_longer_than_an_answer_comes_in_pages_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = folder.path().join("state");
    state(&state_dir, 2_050).await;
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let client = Client::offline(&state_dir, clock).await.unwrap();
    for (limit, after, pages, why) in [
        (Some(0), None, vec![1000, 1000, 50], "all of them"),
        (None, None, vec![100], "as many as a list holds when nobody says"),
        (Some(7), None, vec![7], "a few"),
        (Some(1000), None, vec![1000], "exactly one answer"),
        (Some(1200), None, vec![1000, 200], "more than an answer holds, and no more"),
        (Some(0), Some("x51"), vec![50], "behind a row"),
        (Some(0), Some("x1"), vec![], "behind the last"),
    ] {
        let query = ListQuery { limit, after: after.map(str::to_owned), ..ListQuery::default() };
        let mut asked = client.pages::<ExchangeRow>((), query);
        let (mut got, mut last) = (Vec::new(), i64::MAX);
        while let Some(page) = asked.next().await.unwrap() {
            got.push(page.len());
            for row in page {
                assert!(row.id.0 < last, "{why}: in order, none twice");
                last = row.id.0;
            }
        }
        assert_eq!(got, pages, "{why}");
    }
}

#[tokio::test]
async fn a_client_of_a_folder_says_what_is_not_there_and_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = folder.path().join("state");
    state(&state_dir, 1).await;
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let client = Client::offline(&state_dir, clock.clone()).await.unwrap();
    assert!(client.is_offline() && client.place() == state_dir);
    assert!(!client.status().await.unwrap().daemon.running);
    assert_eq!(client.one::<ExchangeRow>(&(), "x1").await.unwrap().id.to_string(), "x1");
    let code = |answer: Answer<ExchangeRow>| match answer.unwrap_err() {
        super::super::ClientError::Problem(problem) => problem.code,
        other => panic!("{other}"),
    };
    assert_eq!(code(client.one(&(), "x2").await), ProblemCode::NotFound);
    assert_eq!(code(client.one(&(), "r1").await), ProblemCode::BadRequest);
    let refused = client.send(&"courts/out".parse().unwrap(), "a", "b", None).await.unwrap_err();
    assert_eq!(refused, super::super::ClientError::Offline("sending"));
    let nowhere: FeedId = "courts/none".parse().unwrap();
    assert!(
        client.records(&nowhere, &ListQuery::default()).await.is_err(),
        "no feed is not an empty one"
    );
    let none = Client::offline(&folder.path().join("none"), clock).await.unwrap_err();
    assert!(matches!(none, super::super::ClientError::Problem(p) if p.code == ProblemCode::Failed));
}

/// A state folder with so many records of one feed, whose key is sensitive or not.
async fn bank(folder: &Path, records: i64, sensitive: bool) -> FeedId {
    let store = Store::open(folder).unwrap();
    let feed: FeedId = "health/children".parse().unwrap();
    let id = Field {
        name: "id".to_owned(),
        kind: FieldType::Integer,
        from: vec!["id".to_owned()],
        required: true,
        sensitive,
        format: None,
        zone: None,
        rules: Rules::default(),
    };
    let layout = Layout::new(vec![id], &["id".to_owned()]).unwrap();
    let mut batch = Batch::new(&layout, store.seed);
    for n in 0..records {
        let mut row = batch.row();
        row.integer(n);
        row.finish();
    }
    let mine = feed.clone();
    let filled = store.cache.call(move |cache| {
        cache.prepare(&mine, &layout)?;
        cache.begin_load(&mine, RunId(1), Manner::default())?;
        cache.load(&mine, &batch, Timestamp::UNIX_EPOCH)?;
        let had = FileEnd { hash: "ab".to_owned(), name: "a.csv".to_owned() };
        cache.finish_files(&mine, &[had], Timestamp::UNIX_EPOCH, |counts| {
            Ended::of(RunId(1), counts)
        })
    });
    filled.await.unwrap();
    feed
}

#[tokio::test]
async fn records_are_listed_to_their_end_whether_or_not_their_key_may_be_seen() {
    for (sensitive, records, total, ends_well, why) in [
        (false, 1_001, 1_001, true, "behind a plain key"),
        (true, 999, 999, true, "one answer is enough"),
        (true, 1_001, 1_001, true, "behind a masked key, by its place"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let feed = bank(&state_dir, records, sensitive).await;
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let client = Client::offline(&state_dir, clock).await.unwrap();
        let query = ListQuery { limit: Some(0), ..ListQuery::default() };
        let mut pages = client.pages::<RecordRow>(feed, query);
        let mut got = 0;
        let end = loop {
            match pages.next().await {
                Ok(Some(page)) => got += page.len(),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert_eq!((got, end), (total, ends_well), "{why}");
    }
}
