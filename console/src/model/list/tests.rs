use marsad_shared::exchange::State;
use proptest::prelude::*;

use super::*;
use crate::model::build;

/// A list of the daemon's: exchanges `x1` to `xN`, the newest first, asked in pages.
struct Source(i64);

impl Source {
    fn page(&self, query: &ListQuery) -> Vec<Row> {
        let number = |id: &String| id.trim_start_matches('x').parse::<i64>().unwrap();
        let limit = usize::try_from(query.limit.unwrap()).unwrap();
        let row = |id| Row::Exchange(build::exchange(id, State::Pending).into());
        match (&query.after, &query.before) {
            (Some(id), _) => (1..number(id)).rev().take(limit).map(row).collect(),
            (_, Some(id)) => {
                let above = if id.is_empty() { 1 } else { number(id) + 1 };
                let mut ids: Vec<_> = (above..=self.0).take(limit).collect();
                ids.reverse();
                ids.into_iter().map(row).collect()
            }
            _ => (1..=self.0).rev().take(limit).map(row).collect(),
        }
    }

    /// Answers until the list wants nothing more; how many rows were asked for.
    fn serve(&self, list: &mut List, height: usize, ticket: &mut u64) -> usize {
        let mut rows = 0;
        loop {
            *ticket += 1;
            let Some(want) = list.next_want(height, *ticket) else { return rows };
            let page = self.page(&list.query(&want, ListQuery::default()));
            rows += page.len();
            assert!(rows < 100_000, "it never has enough");
            list.take(*ticket, Ok(page), height);
        }
    }
}

fn selected(list: &List) -> String {
    list.selected_row().map(Row::key).unwrap_or_default()
}

fn list(filter: &str) -> List {
    List::new(Filter::new(filter), Sort::default())
}

#[test]
fn a_list_of_any_length_is_walked_a_window_at_a_time() {
    let (source, mut ticket, height) = (Source(5_000), 0, 20);
    let mut list = list("");
    source.serve(&mut list, height, &mut ticket);
    for id in (1..=5_000).rev() {
        assert_eq!(selected(&list), format!("x{id}"));
        list.select(list.selected + 1, height);
        source.serve(&mut list, height, &mut ticket);
        assert!(list.rows.len() <= HELD + PAGE, "{} rows are held", list.rows.len());
    }
    assert!(list.ends && !list.begins);
    for id in 2..=5_000 {
        list.select(list.selected.saturating_sub(1), height);
        source.serve(&mut list, height, &mut ticket);
        assert_eq!(selected(&list), format!("x{id}"), "and all the way back");
    }
    assert!(list.begins);
}

#[test]
fn both_ends_are_one_page_away() {
    let (source, mut ticket, height) = (Source(1_000_000), 0, 20);
    let mut list = list("");
    source.serve(&mut list, height, &mut ticket);
    list.to_end(true, height);
    let read = source.serve(&mut list, height, &mut ticket);
    assert_eq!((selected(&list).as_str(), read), ("x1", PAGE));
    list.to_end(false, height);
    let read = source.serve(&mut list, height, &mut ticket);
    assert_eq!((selected(&list).as_str(), read), ("x1000000", PAGE));
}

#[test]
fn a_filter_that_finds_nothing_gives_up_for_a_while() {
    let (source, mut ticket, height) = (Source(90_000), 0, 20);
    let mut list = list("nowhere");
    let read = source.serve(&mut list, height, &mut ticket);
    assert!(read <= SCAN * (PATIENCE as usize + 1), "{read} rows were read");
    assert!(list.paused_scan());
    list.select(1, height);
    assert!(source.serve(&mut list, height, &mut ticket) > 0, "and goes on when moved");
}

#[test]
fn a_filter_finds_what_stands_far_behind() {
    let (source, mut ticket, height) = (Source(15_000), 0, 20);
    let mut list = list("name:referral-77.json");
    source.serve(&mut list, height, &mut ticket);
    assert_eq!(list.rows.iter().map(Row::key).collect::<Vec<_>>(), ["x77"]);
    assert!(list.ends);
}

#[test]
fn news_leave_the_selection_where_it_was() {
    let (mut ticket, height) = (0, 20);
    let mut list = list("");
    Source(500).serve(&mut list, height, &mut ticket);
    list.select(3, height);
    assert_eq!(selected(&list), "x497");
    list.refresh();
    Source(510).serve(&mut list, height, &mut ticket);
    assert_eq!((selected(&list).as_str(), list.rows[0].key().as_str()), ("x497", "x510"));
    list.select(0, height);
    list.refresh();
    Source(511).serve(&mut list, height, &mut ticket);
    assert_eq!(selected(&list), "x511", "who stands on top stays there");
}

#[test]
fn a_late_answer_and_a_refusal_do_no_harm() {
    let mut list = list("");
    let want = list.next_want(20, 1);
    assert_eq!(want, Some(Want::First));
    list.take(7, Ok(Source(9).page(&list.query(&Want::First, ListQuery::default()))), 20);
    assert!(list.rows.is_empty(), "nobody asked for that");
    let problem = Problem {
        code: marsad_shared::protocol::ProblemCode::Failed,
        what: "no".to_owned(),
        why: "because".to_owned(),
        remedy: "wait".to_owned(),
    };
    list.take(1, Err(problem), 20);
    assert_eq!(list.next_want(20, 2), None, "not again by itself");
    list.restart();
    assert_eq!(list.next_want(20, 3), Some(Want::First));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_selection_stays_in_the_list_and_on_the_screen(
        length in 0_i64..1_500,
        steps in prop::collection::vec((0_u8..6, 1_usize..60), 1..20),
    ) {
        let (source, mut ticket) = (Source(length), 0);
        let mut list = list("");
        for (step, height) in steps {
            let at = list.selected;
            match step {
                0 => list.select(at + 1, height),
                1 => list.select(at.saturating_sub(1), height),
                2 => list.select(at + height, height),
                3 => list.select(at.saturating_sub(height), height),
                4 => list.to_end(true, height),
                _ => list.to_end(false, height),
            }
            source.serve(&mut list, height, &mut ticket);
            prop_assert_eq!(list.rows.is_empty(), length == 0);
            prop_assert!(list.selected < list.rows.len().max(1));
            prop_assert!(list.top <= list.selected && list.selected < list.top + height);
            let numbers: Vec<i64> =
                list.rows.iter().map(|row| row.key().trim_start_matches('x').parse().unwrap()).collect();
            prop_assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "a gap: {numbers:?}");
        }
    }
}
