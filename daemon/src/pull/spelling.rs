//! How a partner is asked for times: in its own spelling, as far as that is known, and once more where it turns out to be
//! another.

use jiff::Timestamp;
use marsad_shared::{
    record::Spelling,
    request::{By, Request},
};

use super::course::Course;
use crate::source::asking::Leg;

impl Course {
    /// How the times are written that its first leg is asked for by: as the partner writes its own, or else as `start` is.
    pub(super) fn first_spelling(&self, request: &Request) -> Spelling {
        self.spelling.unwrap_or_else(|| spelling_of_start(request))
    }

    /// Notes how its legs are asked for, if by times in the partner's own spelling.
    pub(super) fn ask_in_spelling(&mut self, request: &Request) {
        let Some(incremental) = &request.incremental else { return };
        let Leg { since, until, spelling, .. } = &self.leg;
        let by_times = since.is_some() || until.is_some() || incremental.start.is_some();
        let is_asked =
            matches!(incremental.by, By::Field(_)) && incremental.writing.is_the_partners();
        self.asked = (by_times && is_asked).then_some(*spelling);
    }

    /// Whether the partner turned out to write its times otherwise than its legs were asked for, so that it may have left out
    /// more than what came within the second at which the walk begins; each stretch of time has such a second.
    pub(super) fn is_respelled(&self) -> bool {
        self.asked.zip(self.spelling).is_some_and(|(asked, known)| {
            known.is_far_from(&asked) || self.leg.until.is_some() && asked != known
        })
    }

    /// Hears how the partner writes its times. What is under way is asked for as it was: a partner's token may be good for the
    /// very same parameters alone, and where one stretch of time ends the next one begins.
    pub(super) fn hear_spelling(&mut self, spelling: Option<Spelling>) {
        let Some(spelling) = spelling else { return };
        self.spelling = Some(self.spelling.map_or(spelling, |known| known.followed_by(spelling)));
    }
}

/// How the time is written from which a feed starts, as far as that tells.
pub(super) fn spelling_of_start(request: &Request) -> Spelling {
    let start = request.incremental.as_ref().and_then(|incremental| incremental.start.as_deref());
    start.and_then(Spelling::of).unwrap_or_default()
}

/// A whole second that lies before a time, however many digits that is written with: `Z` is greater than any digit, and greater
/// than the point before them, so that who compares texts has `07.25Z` before `07.2Z`, and both before `07Z`.
pub(super) fn before_second(since: &str) -> String {
    let Ok(at) = since.parse::<Timestamp>() else { return since.to_owned() };
    let second = Timestamp::from_second(at.as_second() - 1);
    second.map_or_else(|_| since.to_owned(), |second| second.to_string())
}
