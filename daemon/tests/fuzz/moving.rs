//! Records that change, go and come while a partner counts them for us: whatever moves, a walk by offset that ends well has
//! passed nothing that its cursor passes.

use std::{collections::HashMap, sync::LazyLock};

use marsad_daemon::{
    decode::Scalar,
    source::walk::{Ask, Facts, Marks, Onward, WalkError, Walker},
};
use marsad_shared::feed::{Feed, Origin};

use crate::{Choices, TIME, walking::configured};

/// What the partner gives at once.
const SIZE: usize = 4;
/// So many pages in, nothing moves any more: a partner that never rests is never read to its end.
const RESTLESS: usize = 60;

/// A partner's records, each a key and when it was changed last, in the order of that.
#[derive(Debug)]
struct Register {
    records: Vec<(u64, u64)>,
    clock: u64,
}

impl Register {
    fn new(records: u64) -> Self {
        Self { records: (0..records).map(|key| (key, key)).collect(), clock: records }
    }

    /// Something happens to it, or nothing.
    fn live(&mut self, choices: &mut Choices<'_>) {
        self.clock += 1;
        let at = choices.below(self.records.len().max(1));
        match choices.below(5) {
            0 if at < self.records.len() => {
                let (key, _) = self.records.remove(at);
                self.records.push((key, self.clock));
            }
            1 if at < self.records.len() => {
                self.records.remove(at);
            }
            2 => self.records.push((1_000 + self.clock, self.clock)),
            _ => {}
        }
    }

    fn page(&self, ask: &Ask) -> Vec<(u64, u64)> {
        let from = if let Ask::Number(from) = ask { *from } else { 0 };
        let from = usize::try_from(from).unwrap();
        self.records.iter().skip(from).take(SIZE).copied().collect()
    }

    fn facts(&self, page: &[(u64, u64)], ask: &Ask) -> Facts {
        let mark = |(key, at): &(u64, u64)| key * 1_000_003 + at;
        let from = if let Ask::Number(from) = ask { *from } else { 0 };
        let more = from + (page.len() as u64) < self.records.len() as u64;
        Facts {
            rows: page.len() as u64,
            more: Scalar::Json(more.to_string()),
            total: Scalar::Json(self.records.len().to_string()),
            content: page.iter().map(mark).fold(7, |hash: u64, mark| hash.rotate_left(5) ^ mark),
            marks: Marks { taken: page.iter().map(mark).collect(), refused: Vec::new() },
            ..Facts::default()
        }
    }
}

#[test]
fn what_moves_while_it_is_counted_is_not_passed() {
    static FEEDS: LazyLock<Vec<Feed>> = LazyLock::new(|| {
        let rules = ["", ", more = \"$.more\"", ", total = \"$.total\"", ", overlap = 3"];
        let sized = format!(", size_param = \"n\", size = {SIZE}, stop = \"short\"");
        let rules = rules.into_iter().chain([sized.as_str()]);
        let paging = rules.map(|rule| format!("kind = \"offset\", param = \"o\"{rule}"));
        let cursor = "incremental = { field = \"at\", param = \"since\" }\n\
                      fields = { id = \"integer\", at = \"timestamp\" }";
        configured(paging, cursor)
    });
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let Origin::Http(request) = &choices.one(&FEEDS).origin else { return };
        let mut register = Register::new(choices.below(40) as u64);
        let (mut walker, mut ask) = (Walker::new(request), Ask::First);
        let mut had: HashMap<u64, u64> = HashMap::new();
        for number in 0.. {
            let page = register.page(&ask);
            had.extend(page.iter().copied());
            let facts = register.facts(&page, &ask);
            // A run that ended between two pages is gone on with as if it had not.
            let stand = walker.stand().clone();
            match walker.next(&ask, &facts) {
                Ok(Onward::Page(next)) => ask = next,
                Ok(Onward::Split) => panic!("none of these feeds is split"),
                Ok(Onward::End) => break,
                Err(WalkError::Shifting { .. } | WalkError::Short { .. }) => return,
                Err(error) => {
                    panic!("{error}: page {number}, {ask:?} of {register:?} behind {stand:?}")
                }
            }
            if choices.below(6) == 0 {
                let stand = walker.stand().clone();
                (walker, ask) = Walker::resume(request, walker.pages, walker.rows, stand, ask);
            }
            if number < RESTLESS {
                register.live(&mut choices);
            }
        }
        let cursor = had.values().max().copied().unwrap_or_default();
        for (key, at) in &register.records {
            let safe = had.get(key) == Some(at) || *at > cursor;
            assert!(safe, "{key} of {at} was passed by {cursor}: {register:?}, {had:?}");
        }
    });
}
