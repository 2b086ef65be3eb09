//! Partners, connections and feeds: what is configured, with what is known of each, judged at the caller's time.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{
    Reader,
    catalogue::{ConnectionCard, FeedCard},
    page, passes,
};
use crate::{
    certificate::{Certificates, Validity},
    freshness::{self, Freshness},
    health::{Health, Limits, Reason, Standing},
    id::{PartnerId, RunId},
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
        let (connections, feeds) = (self.all_connections(now)?, self.all_feeds(now)?);
        let partners = self.cards::<Partner>("partner")?.into_iter();
        let partners = partners.filter(|card| passes(query.partner.as_ref(), card.id.as_str()));
        let rows = partners.map(|partner| {
            let mine = |id: PartnerId| id == partner.id;
            let mut by_health = BTreeMap::new();
            for row in connections.iter().filter(|row| mine(row.id.partner())) {
                *by_health.entry(row.health.word().to_owned()).or_default() += 1;
            }
            let mut by_freshness = BTreeMap::new();
            for row in feeds.iter().filter(|row| mine(row.id.partner())) {
                *by_freshness.entry(row.freshness.word().to_owned()).or_default() += 1;
            }
            let (budget, calls) = self.spent(&partner, now)?;
            Ok(PartnerRow {
                id: partner.id.clone(),
                name: partner.name,
                agreement: partner.agreement,
                runbook: partner.runbook.map(|path| path.display().to_string()),
                connections: by_health,
                feeds: by_freshness,
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
        let rows = self.all_feeds(now)?.into_iter().filter(|row| {
            passes(query.partner.as_ref(), row.id.partner().as_str())
                && passes(query.connection.as_ref(), row.connection.as_str())
                && passes(query.feed.as_ref(), row.id.as_str())
                && passes(query.state.as_ref(), row.freshness.word())
        });
        Ok(page(rows, query, |row| row.id.as_str()))
    }

    pub(super) fn all_connections(&self, now: Timestamp) -> Result<Vec<ConnectionRow>, StoreError> {
        let mut standings = self.standings()?;
        let mut certificates = self.certificates()?;
        let mut next: HashMap<String, (u64, Option<Timestamp>)> = HashMap::new();
        let due = self.next_times()?;
        for feed in self.cards::<FeedCard>("feed")? {
            let (feeds, at) = next.entry(feed.connection.as_str().to_owned()).or_default();
            *feeds += 1;
            let feed_at = due.get(feed.id.as_str()).copied();
            *at = [*at, feed_at].into_iter().flatten().min();
        }
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

    pub(super) fn all_feeds(&self, now: Timestamp) -> Result<Vec<FeedRow>, StoreError> {
        let mut states = self.feed_states()?;
        let mut positions = self.positions()?;
        let (mut quarantine, mut drift) = (self.counts("quarantine")?, self.open_drift()?);
        let rows = self.cards::<FeedCard>("feed")?.into_iter().map(|card| {
            let state = states.remove(card.id.as_str()).unwrap_or_default();
            let (rows, cursor) = positions.remove(card.id.as_str()).unwrap_or_default();
            let drift = drift.remove(card.id.as_str()).unwrap_or_default();
            FeedRow { drift, ..feed_row(card, state, rows, cursor, &mut quarantine, now) }
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
            cards.extend(
                serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?).ok(),
            );
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

    fn next_times(&self) -> Result<HashMap<String, Timestamp>, StoreError> {
        let sql = "SELECT feed, next_at FROM feed_state WHERE next_at IS NOT NULL";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let times =
            statement.query_map([], |row| Ok((row.get(0)?, super::time_at(row, "next_at")?)))?;
        Ok(times.collect::<Result<_, _>>()?)
    }

    fn feed_states(&self) -> Result<HashMap<String, State>, StoreError> {
        let mut statement = self.ledger.prepare_cached("SELECT * FROM feed_state")?;
        let states = statement.query_map([], |row| Ok((row.get("feed")?, State::of(row)?)))?;
        Ok(states.collect::<Result<_, _>>()?)
    }

    fn positions(&self) -> Result<HashMap<String, (u64, Option<String>)>, StoreError> {
        let mut statement =
            self.cache.prepare_cached("SELECT feed, rows, cursor FROM marsad_feed")?;
        let positions = statement.query_map([], |row| {
            Ok((row.get(0)?, (row.get::<_, i64>(1)?.cast_unsigned(), row.get(2)?)))
        })?;
        Ok(positions.collect::<Result<_, _>>()?)
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
        })
    }
}

fn feed_row(
    card: FeedCard,
    state: State,
    rows: u64,
    cursor: Option<String>,
    quarantine: &mut BTreeMap<String, u64>,
    now: Timestamp,
) -> FeedRow {
    let promise = card.promise.as_ref();
    let freshness = freshness::judge(now, state.checked_at, promise);
    let waits = state.waits.is_some();
    let reason = match (freshness, state.waits.or(state.reason)) {
        (_, reason @ Some(_)) if waits => reason,
        (Freshness::Unknown, None) => Some("never read".to_owned()),
        // A reason that did not keep the run from being good is told with the run.
        (Freshness::Fresh | Freshness::Due, _)
            if state.last_outcome.is_some_and(crate::run::Outcome::is_good) =>
        {
            None
        }
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
        rows,
        cursor,
        last_run: state.last_run,
        last_outcome: state.last_outcome,
        next_at: state.next_at,
        paused: false,
        drift: Vec::new(),
        id: card.id,
    }
}
