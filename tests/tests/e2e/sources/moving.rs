//! Records that move while they are read: changed ones go to the end of the list, deleted ones leave it, and the page that
//! is asked for next by its place begins too far on. Nothing of it is lost, and no cursor passes it.

use std::sync::{Arc, Mutex};

use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::partner::{Asked, Cell, Reply, Row};
use serde_json::{Value, json};

use super::{Agency, COLUMNS, Case, rows, some};

/// How many rows the partner has when it is first asked, and how many it gives at once.
const ALL: u64 = 60;
const SIZE: usize = 10;

const OFFSET: &str = "kind = \"offset\", param = \"offset\"";
const CURSOR: &str = "incremental = { field = \"at\", param = \"since\" }";

/// The partner's rows: which, and when each was changed, in seconds.
type Rows = Vec<(u64, u64)>;

/// What happens at the partner behind request number `n`, which is the last one's answer that is not touched by it.
type Life = fn(&mut Rows, usize);

/// A list in the order of change that lives while it is read, shared with the test.
#[derive(Clone)]
struct Register(Arc<Mutex<Rows>>);

impl Register {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((0..ALL).map(|n| (n, n)).collect())))
    }

    /// A page of it, from `from` on, of what was changed since; behind it life goes on.
    fn page(&self, asked: &Asked, from: u64, life: Life) -> Reply {
        let mut rows = self.0.lock().unwrap();
        let since = asked.param("since").unwrap_or_default().to_owned();
        let told: Vec<Value> =
            rows.iter().filter(|(_, at)| super::at(*at) >= since).map(written).collect();
        let from = usize::try_from(from).unwrap();
        let page: Vec<_> = told.iter().skip(from).take(SIZE).collect();
        let more = from + page.len() < told.len();
        let on = from / SIZE + 2;
        let next = more.then(|| format!("{}?since={since}&page={on}&limit={SIZE}", asked.path));
        let reply = json!({ "data": page, "total": told.len(), "more": more, "next": next });
        let reply = Reply::json(&reply);
        life(&mut rows, asked.before);
        rows.sort_by_key(|(_, at)| *at);
        reply
    }

    fn by_offset(&self, feed: &'static str, paging: &str, life: Life) -> Case {
        let (register, keys) = (self.clone(), format!("pagination = {{ {paging} }}\n{CURSOR}"));
        Case::new(feed, &keys, move |asked| {
            register.page(asked, asked.number("offset").unwrap(), life)
        })
    }

    fn by_page(&self, feed: &'static str, paging: &str, life: Life) -> Case {
        let paging = format!("kind = \"page\", param = \"page\"{paging}");
        let (register, keys) = (self.clone(), format!("pagination = {{ {paging} }}\n{CURSOR}"));
        Case::new(feed, &keys, move |asked| {
            let from = (asked.number("page").unwrap() - 1) * SIZE as u64;
            // A moment may cure it: it is asked for again in the same run, and then in the next.
            let down = feed == "page-resumed" && from == 20 && asked.before < 6;
            if down { Reply::status(503) } else { register.page(asked, from, life) }
        })
    }

    /// By URLs that the partner gives, which number its pages.
    fn by_url(&self, feed: &'static str, life: Life) -> Case {
        let register = self.clone();
        let keys = format!("pagination = {{ kind = \"next_url\", next = \"$.next\" }}\n{CURSOR}");
        Case::new(feed, &keys, move |asked| {
            let page = asked.number("page").unwrap_or(1);
            register.page(asked, (page - 1) * SIZE as u64, life)
        })
    }

    /// Its rows, as the bank should keep them.
    fn kept(&self) -> Vec<Row> {
        let mut rows = self.0.lock().unwrap().clone();
        rows.sort_unstable();
        rows.iter()
            .map(|(n, at)| {
                let id = format!("r{n:05}");
                vec![Cell::Text(id), Cell::Integer(n.cast_signed()), Cell::Text(super::at(*at))]
            })
            .collect()
    }
}

fn written((n, at): &(u64, u64)) -> Value {
    json!({ "id": format!("r{n:05}"), "n": n, "at": super::at(*at) })
}

/// The row at this place is changed, and so moves to the end.
fn change(rows: &mut Rows, place: usize) {
    let newest = rows.iter().map(|(_, at)| *at).max().unwrap_or_default();
    if let Some((_, at)) = rows.get_mut(place) {
        *at = newest + 1;
    }
}

fn still(_: &mut Rows, _: usize) {}

/// After each of the first pages a row that was read is changed.
fn early(rows: &mut Rows, before: usize) {
    if before < 4 {
        change(rows, before);
    }
}

/// All of the page that was just read is changed.
fn whole_page(rows: &mut Rows, before: usize) {
    if before == 2 {
        for place in 15..15 + SIZE {
            change(rows, place);
        }
    }
}

/// So much is deleted that the list ends before the next page begins.
fn fall(rows: &mut Rows, before: usize) {
    if before == 3 {
        rows.drain(3..33);
    }
}

/// The list is in another order each time it is asked for.
fn shuffle(rows: &mut Rows, _: usize) {
    for (n, at) in rows.iter_mut() {
        *at = (*at * 7 + *n * 31 + 11) % 1_000;
    }
}

#[tokio::test]
async fn by_offset_nothing_slips_between_two_pages() -> anyhow::Result<()> {
    let lives: [Life; 4] = [still, early, whole_page, fall];
    let (mut registers, mut cases) = (Vec::new(), Vec::new());
    for (rule, feeds) in [
        ("", ["still", "early", "whole-page", "fall"]),
        (", total = \"$.total\"", ["t-still", "t-early", "t-whole-page", "t-fall"]),
        (", more = \"$.more\"", ["m-still", "m-early", "m-whole-page", "m-fall"]),
        (
            ", size_param = \"limit\", size = 10, stop = \"short\", overlap = 3",
            ["s-still", "s-early", "s-whole-page", "s-fall"],
        ),
    ] {
        for (feed, life) in feeds.into_iter().zip(lives) {
            let register = Register::new();
            cases.push(register.by_offset(feed, &format!("{OFFSET}{rule}"), life));
            registers.push((feed, register));
        }
    }
    let agency = Agency::start(cases).await?;
    for (feed, register) in registers {
        let run = agency.first(feed).await?;
        let alive = register.kept();
        let mut had = agency.rows(feed, &COLUMNS)?;
        if feed.ends_with("fall") {
            // What is no longer there is not known to be gone: it is no part of this.
            had.retain(|row| alive.contains(row));
        }
        assert_eq!(had, alive, "{feed}: {run:#?}");
        let newest = alive.iter().map(|row| &row[2]).max().cloned();
        assert_eq!(agency.cursor(feed).await?.map(Cell::Text), newest, "{feed}");
        if feed.ends_with("still") {
            assert_eq!(run.counts.duplicate, 0, "what is asked for twice is no record: {run:#?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_list_without_an_order_moves_no_cursor() -> anyhow::Result<()> {
    let register = Register::new();
    let agency = Agency::start(vec![register.by_offset("shuffled", OFFSET, shuffle)]).await?;
    let words = ["does not join the one before", "a field that is unique"];
    agency.fails("shuffled", Reason::RemoteFault, &words).await?;
    assert_eq!(agency.cursor("shuffled").await?, None);
    Ok(())
}

/// Numbered pages cannot repeat a row of the one before: where records moved, the cursor waits for a walk in which none did.
#[tokio::test]
async fn by_page_the_cursor_waits_while_records_move() -> anyhow::Result<()> {
    let fewer: Life = |rows, before| {
        if before == 2 {
            rows.remove(0);
        }
    };
    let now: Life = |rows, before| {
        if before == 2
            && let Some((_, at)) = rows.first_mut()
        {
            let began: jiff::Timestamp = super::BEGAN.parse().unwrap();
            let seconds = super::incremental::now().duration_since(began).as_secs() + 1;
            *at = seconds.cast_unsigned();
        }
    };
    // A change that is older than the walk when it is first seen: the partner's times do not tell of it.
    let behind: Life = |rows, before| {
        if before == 2 {
            change(rows, 0);
        }
    };
    let (dipped, changed, late) = (Register::new(), Register::new(), Register::new());
    let (url, quiet) = (Register::new(), Register::new());
    let cases = vec![
        url.by_url("url-changed", behind),
        quiet.by_url("url-quiet", still),
        late.by_page("page-late", "", behind),
        dipped.by_page("page-dipped", ", total = \"$.total\", stop = \"empty\"", fewer),
        changed.by_page("page-changed", "", now),
    ];
    let agency = Agency::start(cases).await?;
    for (feed, register) in [
        ("page-dipped", dipped),
        ("page-changed", changed),
        ("page-late", late),
        ("url-changed", url),
    ] {
        let run = agency.ended(feed, 0).await?;
        let reason = run.reason.as_deref().unwrap_or_default();
        assert!(
            run.outcome == Outcome::Succeeded && reason.contains("the cursor stays"),
            "{run:#?}"
        );
        assert_eq!(agency.cursor(feed).await?, None, "{feed}");
        agency.again(feed).await?;
        let alive = register.kept();
        let mut had = agency.rows(feed, &COLUMNS)?;
        had.retain(|row| alive.contains(row));
        assert_eq!(had, alive, "{feed}");
        assert!(agency.cursor(feed).await?.is_some(), "{feed}");
    }
    agency.first("url-quiet").await?;
    agency.again("url-quiet").await?;
    assert!(agency.cursor("url-quiet").await?.is_some(), "where nothing moved");
    Ok(())
}

/// What is deleted between two pages moves another record past the reader, and leaves no trace: not even the total, if another
/// comes meanwhile. All of it is read once more before a cursor passes it, and what came since waits for its own second look.
#[tokio::test]
async fn by_page_a_cursor_waits_for_a_second_look() -> anyhow::Result<()> {
    let life: Life = |rows, before| {
        if before == 2 {
            rows.remove(0);
            rows.push((ALL, ALL));
        }
        if before == 8 {
            rows.push((ALL + 1, ALL + 1));
        }
    };
    for paging in ["", ", more = \"$.more\"", ", total = \"$.total\""] {
        let (feed, register) = ("page-lost", Register::new());
        let agency = Agency::start(vec![register.by_page(feed, paging, life)]).await?;
        let first = agency.first(feed).await?;
        let lacks = || {
            let had = agency.rows(feed, &COLUMNS)?;
            anyhow::Ok(register.kept().iter().filter(|row| !had.contains(row)).count())
        };
        assert_eq!(lacks()?, 1, "one has slipped: {first:#?}");
        let reason = first.reason.unwrap_or_default();
        assert!(reason.contains("the cursor stays"), "{paging}: {reason}");
        assert_eq!(agency.cursor(feed).await?, None, "{paging}");
        agency.again(feed).await?;
        assert_eq!(lacks()?, 0, "{paging}");
        assert_eq!(agency.cursor(feed).await?, Some(super::at(ALL)), "{paging}");
        agency.again(feed).await?;
        assert_eq!(agency.cursor(feed).await?, Some(super::at(ALL + 1)), "{paging}");
    }
    Ok(())
}

/// Of a list that is read whole by numbered pages, a record that slips from the page that comes next to the one that was
/// just read is lacked, and is not gone: it is looked for once more.
#[tokio::test]
async fn by_page_what_one_read_lacks_is_looked_for_once_more() -> anyhow::Result<()> {
    // Six pages a walk. In the second one the first record is deleted behind page 2, and so the first of page 3 slips.
    let life: Life = |rows, before| {
        if before == 7 {
            rows.remove(0);
        }
    };
    let (feed, register) = ("page-slipped", Register::new());
    let paging = "{ kind = \"page\", param = \"page\", more = \"$.more\" }";
    let keys = format!("pagination = {paging}\nmode = \"snapshot\"");
    let list = register.clone();
    let case = Case::new(feed, &keys, move |asked| {
        list.page(asked, (asked.number("page").unwrap() - 1) * SIZE as u64, life)
    });
    let agency = Agency::start(vec![case]).await?;
    agency.first(feed).await?;
    let all = agency.rows(feed, &COLUMNS)?;
    for (pages, absent, slipped, why) in [
        (12, 0, true, "one that slipped lives, and so nothing is taken for gone"),
        (12, 1, false, "the one that was deleted, which two reads lack"),
        (6, 0, false, "a list that lacks nothing is read once"),
    ] {
        let run = agency.again(feed).await?;
        assert_eq!((run.pages, run.counts.absent), (pages, absent), "{why}: {run:#?}");
        let says = run.reason.unwrap_or_default().contains("the second read had other records");
        assert_eq!(says, slipped, "{why}");
        let alive = if slipped { all.clone() } else { register.kept() };
        assert_eq!(agency.rows(feed, &COLUMNS)?, alive, "{why}");
    }
    Ok(())
}

/// What a partner counts may be an estimate, and too low. A record is gone only if nothing stands behind that end.
#[tokio::test]
async fn a_count_that_is_too_low_takes_no_record_for_gone() -> anyhow::Result<()> {
    let counts = "pagination = { kind = \"offset\", param = \"offset\", total = \"$.total\" }\nmode = \"snapshot\"";
    // How many it has, and how many it says that it has.
    let has = Arc::new(Mutex::new((33_u64, 33_u64)));
    let list = Arc::clone(&has);
    let case = Case::new("estimate", counts, move |asked| {
        let ((all, said), from) = (*list.lock().unwrap(), asked.number("offset").unwrap());
        if from >= all {
            return Reply::status(400);
        }
        Reply::json(&json!({ "total": said, "data": rows(some(from, 10, all)) }))
    });
    let agency = Agency::start(vec![case]).await?;
    agency.first("estimate").await?;
    *has.lock().unwrap() = (33, 30);
    let run = agency.again("estimate").await?;
    assert_eq!(run.counts.absent, 0, "{run:#?}");
    agency.same("estimate", 0..33)?;
    *has.lock().unwrap() = (30, 30);
    let run = agency.again("estimate").await?;
    assert_eq!(run.counts.absent, 3, "what two reads lack, and nothing behind them has: {run:#?}");
    agency.same("estimate", 0..30)
}

/// What a partner gives behind its last page, where it counts pages or names no count there: each is an end, and none of it
/// keeps a record that is gone.
#[tokio::test]
async fn what_stands_behind_the_last_page_is_an_end_however_it_is_said() -> anyhow::Result<()> {
    let paging = "kind = \"page\", param = \"page\", start = 1, total_pages = \"$.pages\"";
    let has = Arc::new(Mutex::new(30_u64));
    let case = |name, more: &str| {
        let list = Arc::clone(&has);
        let keys = format!("pagination = {{ {paging}{more} }}\nmode = \"snapshot\"");
        Case::new(name, &keys, move |asked| {
            let (all, number) = (*list.lock().unwrap(), asked.number("page").unwrap());
            let pages = all.div_ceil(10);
            let page = |number: u64| rows(some((number - 1) * 10, 10, all));
            Reply::json(&match name {
                _ if number <= pages => json!({ "pages": pages, "data": page(number) }),
                "again" => json!({ "pages": pages, "data": page(pages) }),
                "bare" => json!({ "data": [] }),
                "unlisted" => json!({ "pages": pages }),
                _ => json!({ "pages": pages, "data": [] }),
            })
        })
    };
    let cases = ["empty", "again", "bare", "unlisted"].map(|name| case(name, ""));
    let cases = cases.into_iter().chain([case("measured", ", max_pages = 3")]).collect();
    let agency = Agency::start(cases).await?;
    for feed in ["empty", "again", "bare", "unlisted", "measured"] {
        agency.first(feed).await?;
    }
    *has.lock().unwrap() = 25;
    for feed in ["empty", "again", "bare", "unlisted", "measured"] {
        let run = agency.again(feed).await?;
        assert_eq!((run.counts.absent, &run.reason), (5, &None), "{feed}: {run:#?}");
        agency.same(feed, 0..25)?;
    }
    Ok(())
}

/// Where a record has moved, the walk goes back some pages and comes on again: that is no disorder of the partner's.
#[tokio::test]
async fn going_back_is_no_disorder_where_a_walk_is_split() -> anyhow::Result<()> {
    let register = Register::new();
    let keys = format!(
        "pagination = {{ {OFFSET}, size_param = \"limit\", size = {SIZE} }}\n\
         incremental = {{ field = \"at\", param = \"since\", split = 200 }}"
    );
    let there = register.clone();
    let case = Case::new("split", &keys, move |asked| {
        there.page(asked, asked.number("offset").unwrap(), |rows, n| {
            // The first rows are changed while the third page is on its way.
            if n == 1 {
                for (row, at) in rows.iter_mut().take(3) {
                    *at = 100 + *row;
                }
            }
        })
    });
    let agency = Agency::start(vec![case]).await?;
    let run = agency.first("split").await?;
    assert_eq!(run.outcome, Outcome::Succeeded, "{run:#?}");
    assert_eq!(agency.rows("split", &COLUMNS)?, register.kept());
    Ok(())
}
