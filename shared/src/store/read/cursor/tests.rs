use serde_json::json;

use super::*;
use crate::{
    feed::{Field, ScalarPath},
    record::{Batch, Layout},
    store::{
        Store,
        cache::{Ended, Last, Manner, PageEnd, Position, Validators, Walk},
    },
};

/// A bank with one feed, whose `seq` and `at` grow together.
struct Bank {
    folder: tempfile::TempDir,
    store: Store,
    feed: FeedId,
    layout: Layout,
}

impl Bank {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state")).unwrap();
        let fields = [
            Field::new("id", FieldType::Text),
            Field::new("seq", FieldType::Integer),
            Field::new("at", FieldType::Timestamp),
        ];
        let layout = Layout::new(fields.to_vec(), &["id".to_owned()]).unwrap();
        let feed: FeedId = "courts/orders".parse().unwrap();
        let (id, prepared) = (feed.clone(), layout.clone());
        store.cache.call_blocking(move |cache| cache.prepare(&id, &prepared)).unwrap();
        Self { folder, store, feed, layout }
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.folder.path().join("state")).unwrap()
    }

    /// One run of one page that brings the rows of these numbers and leaves the position so; `deleted`: they are gone.
    fn page(&self, run: i64, numbers: &[i64], deleted: bool, end: PageEnd) {
        let mut batch = Batch::new(&self.layout, self.store.seed);
        for number in numbers {
            let mut row = batch.row();
            row.text(&number.to_string());
            row.integer(*number);
            row.text(&time(*number));
            if deleted { row.finish_gone() } else { row.finish() }
        }
        let (feed, at) = (self.feed.clone(), Timestamp::from_second(run).unwrap());
        let page = self.store.cache.call_blocking(move |cache| {
            cache.begin_pages(&feed, RunId(run), Manner::default())?;
            cache.apply_page(&feed, &batch, at, |_| end)?;
            cache.end(&feed)
        });
        page.unwrap();
    }

    /// A run that is read to its end, and moves the cursor there.
    fn read(&self, run: i64, numbers: &[i64], cursor: &str) {
        self.page(run, numbers, false, last(run, cursor));
    }

    fn rewind(&self, to: Option<&str>) -> Result<(), StoreError> {
        let (feed, to, at) =
            (self.feed.clone(), to.map(str::to_owned), Timestamp::from_second(900).unwrap());
        self.store.cache.call_blocking(move |cache| {
            cache.rewind(&feed, to.as_deref(), at, "rewound: mended", "ali")
        })
    }

    fn position(&self) -> Position {
        let feed = self.feed.clone();
        self.store.cache.call_blocking(move |cache| cache.position(&feed)).unwrap()
    }

    fn preview(&self, column: &str, to: Option<&str>) -> Result<RewindPreview, String> {
        let measure = By::Field(column.to_owned());
        self.reader()
            .rewind_preview(&self.feed, &measure, to, same)
            .map_err(|error| error.to_string())
    }
}

fn same(cursor: Option<&str>) -> Option<String> {
    cursor.map(str::to_owned)
}

fn time(number: i64) -> String {
    Timestamp::from_second(number).unwrap().to_string()
}

fn last(run: i64, cursor: &str) -> PageEnd {
    let counts = crate::run::Counts::default();
    let ended = Ended::of(RunId(run), counts);
    PageEnd::Last(Last {
        cursor: Some(cursor.to_owned()),
        validators: Some(Validators { etag: Some("x".to_owned()), ..Validators::default() }),
        reason: "read to the end",
        actor: None,
        ended,
    })
}

fn walk(run: i64) -> Walk {
    Walk {
        run: RunId(run),
        began_at: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
        full: false,
        since: None,
        best: None,
        next: json!({ "page": 2 }),
        pages: 1,
        bytes: 1,
        counts: crate::run::Counts::default(),
    }
}

#[test]
fn every_move_is_kept_and_a_rewind_drops_what_would_hide_the_reading() {
    let bank = Bank::new();
    bank.read(1, &[1, 2, 3], "3");
    bank.read(2, &[4, 5], "5");
    bank.read(3, &[], "5");
    assert!(bank.position().validators.is_some());
    bank.page(4, &[6], false, PageEnd::More(walk(4)));
    bank.rewind(Some("3")).unwrap();
    let position = bank.position();
    assert_eq!((position.cursor.as_deref(), position.rows), (Some("3"), 6));
    assert_eq!((position.walk, position.validators), (None, None));
    bank.rewind(None).unwrap();

    let rows = bank.reader().cursor(&bank.feed, &ListQuery::default()).unwrap();
    let said: Vec<_> = rows
        .iter()
        .map(|row| {
            let run = row.run.map(|run| run.0);
            (row.id.0, row.value.as_deref(), run, row.actor.as_deref(), row.current)
        })
        .collect();
    assert_eq!(
        said,
        [
            (4, None, None, Some("ali"), true),
            (3, Some("3"), None, Some("ali"), false),
            (2, Some("5"), Some(2), None, false),
            (1, Some("3"), Some(1), None, false),
        ],
        "a run that left it where it was moved nothing"
    );
    assert_eq!((rows[0].reason.as_str(), rows[0].moved_at.as_second()), ("rewound: mended", 900));
    let some = ListQuery { after: Some("c3".to_owned()), limit: Some(1), ..ListQuery::default() };
    assert_eq!(bank.reader().cursor(&bank.feed, &some).unwrap(), rows[2..3]);
    assert_eq!(bank.reader().cursor_move(&bank.feed, MoveId(3)).unwrap().as_ref(), rows.get(1));
    let other: FeedId = "courts/cases".parse().unwrap();
    assert_eq!(bank.reader().cursor_move(&other, MoveId(3)).unwrap(), None, "of another feed");
}

#[test]
fn a_feed_that_was_never_read_has_nothing_to_go_back_to() {
    let bank = Bank::new();
    let said = bank.preview("seq", None).unwrap_err();
    assert!(said.contains("stands at the beginning") && said.contains("--full"), "{said}");
    let (feed, at): (FeedId, _) = ("courts/cases".parse().unwrap(), Timestamp::UNIX_EPOCH);
    let set = bank
        .store
        .cache
        .call_blocking(move |cache| cache.rewind(&feed, None, at, "rewound", "ali"));
    assert!(matches!(set, Err(StoreError::Conflict(_))), "{set:?}");
}

#[test]
fn a_preview_says_where_to_how_far_and_how_much_lies_behind() {
    let bank = Bank::new();
    bank.read(1, &[8, 9, 10], "10");
    bank.read(2, &[11, 12, 13], "13");
    bank.page(3, &[12], true, last(3, "13"));
    let record = |key| bank.reader().record(&bank.feed, key).unwrap().unwrap();
    assert_eq!(record("12").deleted_at.map(Timestamp::as_second), Some(3));
    assert_eq!(record("12").fields["seq"], 12, "what it held is kept");
    assert_eq!(record("11").deleted_at, None);
    for (to, expected, back, rows, why) in [
        (Some("9"), Some("9"), Some(4), 4, "numbers, not text; what is deleted does not count"),
        (Some(" 010 "), Some("10"), Some(3), 3, "as the bank would write it"),
        (Some("c1"), Some("10"), Some(3), 3, "a move"),
        (Some("r1"), Some("10"), Some(3), 3, "a run that moved it"),
        (Some("13"), Some("13"), Some(0), 1, "where it stands"),
        (None, None, None, 5, "the beginning"),
    ] {
        let preview = bank.preview("seq", to).unwrap();
        assert_eq!((preview.to.as_deref(), preview.back), (expected, back), "{why}");
        assert_eq!((preview.rows, preview.rows_now), (Some(rows), 5), "{why}");
        assert_eq!((preview.from.as_deref(), preview.back_s), (Some("13"), None), "{why}");
    }
    for (to, part) in [
        ("14", "lies ahead of the cursor (13)"),
        ("r2000", "nor a whole number"),
        ("1.5", "nor a whole number"),
    ] {
        let said = bank.preview("seq", Some(to)).unwrap_err();
        assert!(said.contains(part), "{to}: {said}");
    }
    bank.rewind(Some("9")).unwrap();
    let preview = bank.preview("seq", Some("c2")).unwrap();
    assert_eq!(preview.to.as_deref(), Some("13"), "a point of the history was reached once");
    assert_eq!(preview.back, None);
}

#[test]
fn times_are_told_in_seconds_and_tokens_are_the_partners_to_read() {
    let bank = Bank::new();
    bank.read(1, &[100, 160], &time(160));
    let preview = bank.preview("at", Some("1970-01-01T04:01:40.5+04:00")).unwrap();
    assert_eq!(preview.to.as_deref(), Some("1970-01-01T00:01:40.5Z"));
    assert_eq!(
        (preview.back_s, preview.rows),
        (Some(59), Some(1)),
        "after the first, to the instant"
    );

    let reader = bank.reader();
    let token = |to| {
        reader.rewind_preview(
            &bank.feed,
            &By::Token(ScalarPath::parse("$.next").unwrap()),
            to,
            same,
        )
    };
    let said = token(Some("anything")).unwrap_err().to_string();
    assert!(said.contains("partner's own token") && said.contains("cursor show"), "{said}");
    let preview = token(Some("c1")).unwrap();
    assert_eq!((preview.to.as_deref(), preview.rows), (Some(&*time(160)), None));
    let clock = reader.rewind_preview(&bank.feed, &By::Clock, Some(&time(100)), same);
    assert_eq!(clock.unwrap().back_s, Some(60));
}
