//! All that is on screen, and nothing else: the views only read it, and `update` alone changes it.

use std::{collections::BTreeSet, sync::Arc};

use fluent_bundle::FluentValue;
use jiff::{Timestamp, tz::TimeZone};
use marsad_shared::{
    id::{ConnectionId, FeedId, RunId},
    protocol::{ConnectionRow, FeedRow, RunRow, Status},
};

use crate::{
    catalogue::Catalogue,
    message::Fetch,
    theme::{Theme, Tone},
};

pub mod actions;
mod filter;
pub mod layout;
mod list;
pub mod palette;
mod place;
mod popup;
mod recent;
pub mod row;
mod rows;
mod sort;
mod trail;
mod trouble;
mod weight;
pub mod why;
pub mod words;

#[cfg(test)]
pub(crate) mod build;

pub use self::{
    filter::Filter,
    list::{HELD, List, PAGE, SCAN, Stay, Want},
    place::{Address, Place, Source, Subject, View},
    popup::{
        Cause, Choice, DecideForm, Deed, DiscardForm, Form, Held, Item, Popup, Reach, ReplayForm,
    },
    recent::{News, recent},
    row::{Fact, Label, Row},
    rows::facts,
    sort::{By, Sort},
    trail::{Stop, Trail},
    trouble::{About, Trouble, troubles},
    weight::Weight,
};

/// How many seconds a toast stays.
const TOAST: i64 = 8;

/// Whether the daemon is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It was not heard yet.
    Connecting,
    Live,
    /// It has not answered since then, for this reason.
    Away {
        since: Timestamp,
        why: String,
    },
    /// A state folder is read in its place.
    Offline,
}

/// A line that goes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub tone: Tone,
    pub until: Timestamp,
}

/// All that is on screen.
#[derive(Debug)]
pub struct Model {
    pub catalogue: Catalogue,
    pub theme: Theme,
    pub zone: TimeZone,
    /// Which of several installations this is.
    pub site: String,
    pub size: (u16, u16),
    pub now: Timestamp,
    pub link: Link,
    pub status: Option<Status>,
    pub connections: Vec<Arc<ConnectionRow>>,
    pub feeds: Vec<Arc<FeedRow>>,
    /// The last runs, newest first.
    pub recent: Vec<Arc<RunRow>>,
    pub trail: Trail,
    pub popup: Option<Popup>,
    /// The first key of two.
    pub prefix: Option<char>,
    pub toast: Option<Toast>,
    /// Runs that were ordered here and have not ended.
    pub ordered: BTreeSet<RunId>,
    tickets: u64,
}

impl Model {
    pub fn new(site: String, theme: Theme, zone: TimeZone, link: Link, now: Timestamp) -> Self {
        Self {
            catalogue: Catalogue::english(),
            theme,
            zone,
            site,
            size: (80, 24),
            now,
            link,
            status: None,
            connections: Vec::new(),
            feeds: Vec::new(),
            recent: Vec::new(),
            trail: Trail::new(Place::new(View::Overview, None)),
            popup: None,
            prefix: None,
            toast: None,
            ordered: BTreeSet::new(),
            tickets: 0,
        }
    }

    /// Where one is.
    pub fn here(&self) -> &Place {
        self.trail.here()
    }

    pub fn here_mut(&mut self) -> &mut Place {
        self.trail.here_mut()
    }

    pub fn selected(&self) -> Option<&Row> {
        self.here().list.selected_row()
    }

    /// The feed that is selected, or that this place is about.
    pub fn feed(&self) -> Option<&FeedId> {
        let of_place = || self.here().subject.as_ref().and_then(Subject::feed);
        self.selected().and_then(Row::feed).or_else(of_place)
    }

    /// The connection that is selected, or that this place is about.
    pub fn connection(&self) -> Option<&ConnectionId> {
        let of_place = || self.here().subject.as_ref().and_then(Subject::connection);
        self.selected().and_then(Row::connection).or_else(of_place)
    }

    pub fn feed_row(&self, id: &FeedId) -> Option<&Arc<FeedRow>> {
        self.feeds.iter().find(|row| row.id == *id)
    }

    pub fn say(&self, key: &str) -> String {
        self.catalogue.say(key).into_owned()
    }

    pub fn say_with<const N: usize>(
        &self,
        key: &str,
        args: [(&'static str, FluentValue<'_>); N],
    ) -> String {
        self.catalogue.say_with(key, args)
    }

    /// Shows a line for a while.
    pub fn tell(&mut self, text: String, tone: Tone) {
        let until = self
            .now
            .saturating_add(jiff::SignedDuration::from_secs(TOAST))
            .unwrap_or(Timestamp::MAX);
        self.toast = Some(Toast { text, tone, until });
    }

    /// How many rows of the list are on the screen.
    pub fn height(&self) -> usize {
        layout::list_rows(self)
    }

    /// Makes the list of rows that are held anew, where it is made of what is held.
    pub fn rebuild(&mut self) {
        let Some(mut rows) = rows::held(self) else { return };
        let height = self.height();
        self.hold_selection();
        let list = &mut self.here_mut().list;
        rows.retain(|row| list.filter.passes(row));
        list.hold_all(rows);
        list.reveal(height);
    }

    /// The same at somebody's own wish: the selection goes with its row, the first one too.
    pub fn rebuild_around(&mut self) {
        let list = &mut self.here_mut().list;
        if list.seek.is_none() {
            list.seek = list.selected_row().map(Row::key);
        }
        self.rebuild();
    }

    /// Rows are about to come: what is in front, other than a line of input, is about the row that is selected now.
    pub fn hold_selection(&mut self) {
        let typed = matches!(self.popup, Some(Popup::Filter { .. } | Popup::Palette { .. }));
        let free = self.popup.is_none() || typed;
        self.here_mut().list.stay = if free { Stay::OnTop } else { Stay::OnItsRow };
    }

    /// The page to fetch now, if the list on screen wants one and none is under way.
    pub fn fetch(&mut self) -> Option<Fetch> {
        if matches!(self.link, Link::Away { .. } | Link::Connecting) {
            return None;
        }
        let source = self.here().source()?;
        let (height, ticket) = (self.height(), self.tickets + 1);
        let place = self.here_mut();
        let want = place.list.next_want(height, ticket)?;
        let query = place.list.query(&want, place.query());
        self.tickets = ticket;
        Some(Fetch { ticket, source, query })
    }

    /// The newest time that any fact on hand bears: how fresh the whole screen is.
    pub fn newest(&self) -> Option<Timestamp> {
        let feeds = self.feeds.iter().flat_map(|row| [row.checked_at, row.arrived_at]);
        let links = self.connections.iter().map(|row| row.last_ok_at);
        let runs = self.recent.iter().map(|row| row.ended_at.or(Some(row.started_at)));
        feeds.chain(links).chain(runs).flatten().filter(|at| *at <= self.now).max()
    }
}
