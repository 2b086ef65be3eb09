//! Partners, connections and feeds: what is configured, with what is known of each, judged at the caller's time.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{
    Reader,
    catalogue::{ConnectionCard, FeedCard},
    limit, page, passes,
};
use crate::{
    certificate::{Certificates, Validity},
    freshness::{self, Freshness, Promise},
    health::{Health, Limits, Reason, Standing},
    id::{FeedId, PartnerId, RunId},
    partner::Partner,
    protocol::{BLIND, BudgetRow, CallsRow, ConnectionRow, FeedRow, ListQuery, PartnerRow},
    store::{
        StoreError,
        cache::table,
        ledger::{maybe_parsed, maybe_time_at},
    },
};

/// Why a connection is degraded (health-and-freshness.md section 1).
const SLOW: &str = "too many of its last answers came slowly, or asked us to come less often";

impl Reader {
    /// Partners, in the order of their ids.
    pub fn partners(
        &self,
        query: &ListQuery,
        now: Timestamp,
    ) -> Result<Vec<PartnerRow>, StoreError> {
        let connections = self.all_connections(now)?;
        let partners = self.cards::<Partner>("partner")?.into_iter();
        let partners = partners.filter(|card| passes(query.partner.as_ref(), card.id.as_str()));
        let rows = partners.map(|partner| {
            let mine = |id: PartnerId| id == partner.id;
            let mut by_health = BTreeMap::new();
            for row in connections.iter().filter(|row| mine(row.id.partner())) {
                *by_health.entry(row.health.word().to_owned()).or_default() += 1;
            }
            let feeds = self.feeds_by_freshness(&Stretch::of_partner(partner.id.as_str()), now)?;
            let (budget, calls) = self.spent(&partner, now)?;
            Ok(PartnerRow {
                id: partner.id.clone(),
                name: partner.name,
                agreement: partner.agreement,
                runbook: partner.runbook.map(|path| path.display().to_string()),
                connections: by_health,
                feeds,
                budget,
                calls,
            })
        });
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        Ok(page(rows.into_iter(), query, |row| row.id.as_str()))
    }

    /// A partner's budget of calls in its present period; null where nothing was agreed.
    pub fn budget(&self, id: &PartnerId, now: Timestamp) -> Result<Option<BudgetRow>, StoreError> {
        let partner = self.cards::<Partner>("partner")?.into_iter().find(|card| card.id == *id);
        partner.map_or(Ok(None), |partner| Ok(self.spent(&partner, now)?.0))
    }

    /// What is spent of a partner's budget in the present period, and by whom, who spent most first.
    fn spent(
        &self,
        partner: &Partner,
        now: Timestamp,
    ) -> Result<(Option<BudgetRow>, Vec<CallsRow>), StoreError> {
        let Some(budget) = &partner.budget else { return Ok((None, Vec::new())) };
        let period = budget.period(now);
        let sql = "SELECT who, n FROM calls WHERE partner = ? AND since = ? ORDER BY n DESC, who";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let since = period.since.as_microsecond();
        let calls = statement.query_map(params![partner.id.as_str(), since], |row| {
            Ok(CallsRow { feed: row.get(0)?, n: row.get::<_, i64>(1)?.cast_unsigned() })
        })?;
        let calls = calls.collect::<Result<Vec<_>, _>>()?;
        let (limit, spent) = (u64::from(budget.calls.get()), calls.iter().map(|row| row.n).sum());
        let row = BudgetRow {
            limit,
            per_s: budget.per.as_secs(),
            spent,
            left: limit.saturating_sub(spent),
            renews_at: period.renews,
        };
        Ok((Some(row), calls))
    }

    /// Connections, in the order of their ids.
    pub fn connections(
        &self,
        query: &ListQuery,
        now: Timestamp,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let rows = self.all_connections(now)?.into_iter().filter(|row| {
            passes(query.partner.as_ref(), row.id.partner().as_str())
                && passes(query.connection.as_ref(), row.id.as_str())
                && passes(query.state.as_ref(), row.health.word())
        });
        Ok(page(rows, query, |row| row.id.as_str()))
    }

    /// Feeds, in the order of their ids.
    pub fn feeds(&self, query: &ListQuery, now: Timestamp) -> Result<Vec<FeedRow>, StoreError> {
        let (mut quarantine, mut drift) = (self.counts("quarantine")?, self.open_drift()?);
        let most = limit(query) as usize;
        let mut rows = Vec::new();
        self.each_feed(&Stretch::of(query), |card: FeedCard, state| {
            if rows.len() == most {
                return Ok(ControlFlow::Break(()));
            }
            let mut row = feed_row(card, state, &mut quarantine, now);
            if passes(query.connection.as_ref(), row.connection.as_str())
                && passes(query.state.as_ref(), row.freshness.word())
            {
                (row.rows, row.cursor) = self.position(&row.id)?;
                row.drift = drift.remove(row.id.as_str()).unwrap_or_default();
                rows.push(row);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// How many feeds of a stretch stand how; how none does is left out.
    pub(super) fn feeds_by_freshness(
        &self,
        stretch: &Stretch,
        now: Timestamp,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        /// What freshness asks of a feed's card.
        #[derive(serde::Deserialize)]
        struct Promised {
            promise: Option<Promise>,
        }
        let mut feeds: HashMap<Freshness, u64> = HashMap::new();
        self.each_feed(stretch, |card: Promised, state| {
            let freshness = freshness::judge(now, state.checked_at, card.promise.as_ref());
            *feeds.entry(freshness).or_default() += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(feeds.into_iter().map(|(freshness, n)| (freshness.word().to_owned(), n)).collect())
    }

    /// Shows `each` the configured feeds of a stretch, in the order of their ids, with how they stand, until it breaks off:
    /// one at a time, for there may be very many.
    fn each_feed<T: serde::de::DeserializeOwned>(
        &self,
        stretch: &Stretch,
        mut each: impl FnMut(T, State) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT c.body, s.* FROM catalogue c LEFT JOIN feed_state s ON s.feed = c.id \
                   WHERE c.kind = 'feed' AND c.id >= ?1 AND c.id <= ?2 AND c.id IS NOT ?3 ORDER BY c.id";
        let Stretch { from, to, after } = stretch;
        let mut statement = self.ledger.prepare_cached(sql)?;
        let mut rows = statement.query(params![from, to, after])?;
        while let Some(row) = rows.next()? {
            let Some(card) = card(row)? else { continue };
            if each(card, State::of(row)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn all_connections(&self, now: Timestamp) -> Result<Vec<ConnectionRow>, StoreError> {
        let mut standings = self.standings()?;
        let mut certificates = self.certificates()?;
        let mut next = self.next_times()?;
        let rows = self.cards::<ConnectionCard>("connection")?.into_iter().map(|card| {
            let (standing, detail) =
                standings.remove(card.id.as_str()).unwrap_or_else(|| (Standing::new(now), None));
            let standing = standing.at(now, &Limits::default());
            let known = certificates.remove(card.id.as_str()).unwrap_or_default();
            let certificate = known.validity(now);
            let ends = certificate.is_some_and(|validity| validity != Validity::Fine);
            let (feeds, next_at) = next.remove(card.id.as_str()).unwrap_or_default();
            ConnectionRow {
                id: card.id,
                name: card.name,
                kind: card.kind,
                address: card.address,
                health: standing.state,
                since_at: standing.since,
                reason: match standing.reason {
                    Some(reason) => Some(detail.unwrap_or_else(|| reason.word().to_owned())),
                    None if standing.state == Health::Degraded => Some(SLOW.to_owned()),
                    // Our own trouble, or a note, is told beside the state, which it never changes.
                    None if detail.is_some() => detail,
                    None => known.warning(now),
                },
                cause: standing.reason,
                side: standing.reason.map(Reason::side),
                overlays: [ends.then_some("certificate"), standing.is_blind().then_some(BLIND)]
                    .into_iter()
                    .flatten()
                    .map(str::to_owned)
                    .collect(),
                certificate_until_at: known.theirs_until,
                our_certificate_until_at: known.ours_until,
                certificate,
                last_ok_at: standing.last_ok_at,
                next_at,
                fails: standing.fails,
                feeds,
                wait_until_at: None,
                wait_reason: None,
                clock_offset_s: None,
            }
        });
        Ok(rows.collect())
    }

    /// What waits for a decision in each feed, what holds it first.
    fn open_drift(&self) -> Result<HashMap<String, Vec<String>>, StoreError> {
        let sql = "SELECT feed, field || ' ' || change FROM drift WHERE decision = 'open' \
                   ORDER BY feed, change = 'new', field";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut drift: HashMap<String, Vec<String>> = HashMap::new();
        while let Some(row) = rows.next()? {
            drift.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        Ok(drift)
    }

    /// Every configured thing of a kind, in the order of ids. One that an older version wrote otherwise is left out
    /// until the next start writes it anew.
    fn cards<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let mut statement =
            self.ledger.prepare_cached("SELECT body FROM catalogue WHERE kind = ? ORDER BY id")?;
        let mut rows = statement.query([kind])?;
        let mut cards = Vec::new();
        while let Some(row) = rows.next()? {
            cards.extend(card(row)?);
        }
        Ok(cards)
    }

    fn standings(&self) -> Result<HashMap<String, (Standing, Option<String>)>, StoreError> {
        let mut statement =
            self.ledger.prepare_cached("SELECT connection, standing, detail FROM health")?;
        let mut rows = statement.query([])?;
        let mut standings = HashMap::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            if let Ok(standing) = serde_json::from_str(&text) {
                standings.insert(row.get(0)?, (standing, row.get(2)?));
            }
        }
        Ok(standings)
    }

    fn certificates(&self) -> Result<HashMap<String, Certificates>, StoreError> {
        let sql = "SELECT connection, theirs_until_at, ours_until_at FROM certificates";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let known = statement.query_map([], |row| {
            let theirs_until = maybe_time_at(row, "theirs_until_at")?;
            let ours_until = maybe_time_at(row, "ours_until_at")?;
            Ok((row.get(0)?, Certificates { theirs_until, ours_until }))
        })?;
        Ok(known.collect::<Result<_, _>>()?)
    }

    /// How many feeds each connection has, and when the first of them is due.
    fn next_times(&self) -> Result<HashMap<String, (u64, Option<Timestamp>)>, StoreError> {
        let sql = "SELECT c.body ->> 'connection' AS connection, count(*), min(s.next_at) AS next_at \
                   FROM catalogue c LEFT JOIN feed_state s ON s.feed = c.id WHERE c.kind = 'feed' \
                   AND c.body ->> 'connection' IS NOT NULL GROUP BY 1";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let times = statement.query_map([], |row| {
            let feeds = row.get::<_, i64>(1)?.cast_unsigned();
            Ok((row.get(0)?, (feeds, maybe_time_at(row, "next_at")?)))
        })?;
        Ok(times.collect::<Result<_, _>>()?)
    }

    /// How many living records a feed has, and where its cursor stands.
    fn position(&self, feed: &FeedId) -> Result<(u64, Option<String>), StoreError> {
        let sql = "SELECT rows, cursor FROM marsad_feed WHERE feed = ?";
        let position = self.cache.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        });
        Ok(position.optional()?.unwrap_or_default())
    }
}

/// The card in a row of the catalogue; `None`: an older version wrote it otherwise.
fn card<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<Option<T>> {
    Ok(serde_json::from_str(row.get_ref("body")?.as_str()?).ok())
}

/// A stretch of feeds, by their ids.
#[derive(Debug)]
pub(super) struct Stretch {
    from: String,
    to: String,
    /// Not this one.
    after: Option<String>,
}

impl Stretch {
    /// Behind whatever an id may be made of.
    const END: &str = "~";

    pub(super) fn all() -> Self {
        Self { from: String::new(), to: Self::END.to_owned(), after: None }
    }

    fn of_partner(partner: &str) -> Self {
        Self { from: format!("{partner}/"), to: format!("{partner}/{}", Self::END), after: None }
    }

    /// Those among which a query's are.
    fn of(query: &ListQuery) -> Self {
        let partner = query.partner.as_deref();
        let Self { mut from, mut to, .. } = partner.map_or_else(Self::all, Self::of_partner);
        if let Some(feed) = &query.feed {
            (from, to) = (from.max(feed.clone()), to.min(feed.clone()));
        }
        let after = query.after.clone();
        from = from.max(after.clone().unwrap_or_default());
        Self { from, to, after }
    }
}

/// What a feed's row in `feed_state` says.
#[derive(Debug, Default)]
struct State {
    checked_at: Option<Timestamp>,
    arrived_at: Option<Timestamp>,
    event_at: Option<Timestamp>,
    last_run: Option<RunId>,
    last_outcome: Option<crate::run::Outcome>,
    reason: Option<String>,
    next_at: Option<Timestamp>,
    /// Why it is due and not read.
    waits: Option<String>,
    unswept: Option<String>,
}

impl State {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            checked_at: maybe_time_at(row, "checked_at")?,
            arrived_at: maybe_time_at(row, "arrived_at")?,
            event_at: maybe_time_at(row, "event_at")?,
            last_run: row.get::<_, Option<i64>>("last_run")?.map(RunId),
            last_outcome: maybe_parsed(row, "last_outcome")?,
            reason: row.get("reason")?,
            next_at: maybe_time_at(row, "next_at")?,
            waits: row.get("waits")?,
            unswept: row.get("unswept")?,
        })
    }
}

/// A feed's row, but for what only the cache knows, and what waits for a decision.
fn feed_row(
    card: FeedCard,
    state: State,
    quarantine: &mut BTreeMap<String, u64>,
    now: Timestamp,
) -> FeedRow {
    let promise = card.promise.as_ref();
    let freshness = freshness::judge(now, state.checked_at, promise);
    let waits = state.waits.is_some();
    // What was said of a sweep that is no longer wanted is over.
    let unswept = state.unswept.filter(|_| card.sweeps);
    let is_good = state.last_outcome.is_some_and(crate::run::Outcome::is_good);
    let reason = match (freshness, state.waits.or(state.reason)) {
        (_, reason @ Some(_)) if waits => reason,
        (Freshness::Unknown, None) => Some("never read".to_owned()),
        // What is gone may be among what is fresh.
        (Freshness::Fresh | Freshness::Due | Freshness::Late | Freshness::Exempt, _)
            if is_good && unswept.is_some() =>
        {
            unswept.clone()
        }
        // A reason that did not keep the run from being good is told with the run.
        (Freshness::Fresh | Freshness::Due, _) if is_good => None,
        (_, reason) => reason,
    };
    FeedRow {
        quarantine: quarantine.remove(card.id.as_str()).unwrap_or_default(),
        table: table::name_of(&card.id),
        name: card.name,
        connection: card.connection,
        freshness,
        since_at: freshness::since(now, state.checked_at, promise),
        reason,
        checked_at: state.checked_at,
        arrived_at: state.arrived_at,
        event_at: state.event_at,
        deadline_at: freshness::deadline(state.checked_at, promise),
        every_s: promise.map(|promise| promise.every.as_secs()),
        rows: 0,
        cursor: None,
        last_run: state.last_run,
        last_outcome: state.last_outcome,
        unswept,
        next_at: state.next_at,
        paused: false,
        drift: Vec::new(),
        id: card.id,
    }
}

#[cfg(test)]
mod tests;
