//! The way one came: the places that are stepped out of, and the ones visited before.

use super::{Filter, Place, Row, Sort, Subject, View};

/// How many visits are remembered.
const VISITS: usize = 50;

/// A way from a root view down to here, with what was visited before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    root: Place,
    deeper: Vec<Place>,
    before: Vec<Vec<Stop>>,
    after: Vec<Vec<Stop>>,
}

/// A place without its rows: enough to come back to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    view: View,
    subject: Option<Subject>,
    filter: String,
    sort: Sort,
    row: Option<String>,
}

impl Stop {
    fn of(place: &Place) -> Self {
        Self {
            view: place.view,
            subject: place.subject.clone(),
            filter: place.list.filter.text().to_owned(),
            sort: place.list.sort,
            row: place.list.selected_row().map(Row::key),
        }
    }

    fn place(self) -> Place {
        let mut place = Place::new(self.view, self.subject);
        place.list.filter = Filter::new(&self.filter);
        (place.list.sort, place.list.seek) = (self.sort, self.row);
        place
    }
}

impl Trail {
    pub const fn new(root: Place) -> Self {
        Self { root, deeper: Vec::new(), before: Vec::new(), after: Vec::new() }
    }

    pub fn here(&self) -> &Place {
        self.deeper.last().unwrap_or(&self.root)
    }

    pub fn here_mut(&mut self) -> &mut Place {
        self.deeper.last_mut().unwrap_or(&mut self.root)
    }

    /// From the root to here.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.root).chain(&self.deeper)
    }

    pub fn is_root(&self) -> bool {
        self.deeper.is_empty()
    }

    /// One step in.
    pub fn push(&mut self, place: Place) {
        self.remember();
        self.deeper.push(place);
    }

    /// One step out; whether there was one.
    pub fn pop(&mut self) -> bool {
        if self.deeper.is_empty() {
            return false;
        }
        self.remember();
        self.deeper.pop();
        true
    }

    /// To another root.
    pub fn jump(&mut self, root: Place) {
        self.remember();
        (self.root, self.deeper) = (root, Vec::new());
    }

    /// To the place visited before this one; whether there was one.
    pub fn earlier(&mut self) -> bool {
        let Some(visit) = self.before.pop() else { return false };
        self.after.push(self.stops());
        self.walk(visit);
        true
    }

    /// Back again from [`earlier`](Self::earlier).
    pub fn later(&mut self) -> bool {
        let Some(visit) = self.after.pop() else { return false };
        self.before.push(self.stops());
        self.walk(visit);
        true
    }

    /// To the last place visited, so that doing it twice comes back.
    pub fn swap(&mut self) -> bool {
        let Some(visit) = self.before.pop() else { return false };
        self.remember();
        self.walk(visit);
        true
    }

    fn stops(&self) -> Vec<Stop> {
        self.places().map(Stop::of).collect()
    }

    fn remember(&mut self) {
        self.after.clear();
        self.before.push(self.stops());
        if self.before.len() > VISITS {
            self.before.remove(0);
        }
    }

    fn walk(&mut self, visit: Vec<Stop>) {
        let mut places = visit.into_iter().map(Stop::place);
        if let Some(root) = places.next() {
            self.root = root;
        }
        self.deeper = places.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(trail: &Trail) -> View {
        trail.here().view
    }

    #[test]
    fn a_way_can_be_gone_back_and_forth() {
        let mut trail = Trail::new(Place::new(View::Overview, None));
        assert!(!trail.pop() && !trail.earlier() && !trail.later() && !trail.swap());
        trail.jump(Place::new(View::Feeds, None));
        trail.push(Place::new(View::Runs, None));
        assert!(trail.pop());
        assert_eq!(view(&trail), View::Feeds, "out is not before");
        assert!(trail.earlier());
        assert_eq!((view(&trail), trail.places().count()), (View::Runs, 2));
        assert!(trail.later());
        assert_eq!(view(&trail), View::Feeds);
        assert!(trail.swap());
        assert_eq!(view(&trail), View::Runs);
        assert!(trail.swap());
        assert_eq!(view(&trail), View::Feeds, "twice is back");
    }

    #[test]
    fn only_so_many_visits_are_remembered() {
        let mut trail = Trail::new(Place::new(View::Overview, None));
        for _ in 0..3 * VISITS {
            trail.jump(Place::new(View::Feeds, None));
        }
        assert_eq!(std::iter::from_fn(|| trail.earlier().then_some(())).count(), VISITS);
    }
}
