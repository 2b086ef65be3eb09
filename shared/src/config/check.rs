//! From the files as written to values that everyone else can rely on. Pure but for the secrets, which are read here,
//! because whether they are there and closed to others belongs to the check.

mod agreement;
mod auth;
mod connection;
mod encoding;
mod feed;
mod field;
mod headers;
mod incremental;
mod keeping;
mod paging;
mod path;
mod records;
pub(super) mod references;
mod request;
mod retention;
mod rules;
mod schedule;
mod secret;
mod tls;
mod token;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;

use self::agreement::Agreed;
use super::{
    Environment,
    raw::{Name as RawName, RawConnection, RawDaemon, RawPartner, RawPartnerFile, RawRoles},
    source::{Place, Report, quoted},
    table::{At, Given, Or},
    value::{Id, Location, Span},
};
use crate::{
    connection::{Connection, RateLimit},
    feed::Feed,
    id::PartnerId,
    partner::{Agreement, Budget, Name, Partner},
    retention::Retention,
    role::{Grant, Role},
    untrusted::show,
};

/// The longest name of a Unix socket that Linux takes, in bytes.
const SOCKET_MAX: usize = 107;
/// The shortest period of a budget.
const BUDGET_MIN: Duration = Duration::from_mins(1);

/// What `marsad.toml` says, checked.
#[derive(Debug)]
pub(super) struct Daemon {
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    pub timezone: TimeZone,
    pub partners: PathBuf,
    /// Where `partners` stands, for what is wrong with the folder.
    pub partners_place: Place,
    pub http: Option<std::net::SocketAddr>,
    pub grace: Duration,
    pub roles: Vec<(Role, Vec<Grant>)>,
    pub retention: Retention,
}

/// Checks the daemon's file. What is wrong is replaced by its default, so that the partners can be checked as well.
pub(super) fn daemon(raw: &RawDaemon, report: &mut Report<'_>) -> Daemon {
    let path = |given: &Given<Location>, default: &str| {
        given.value().map_or_else(|| PathBuf::from(default), |location| location.0.clone())
    };
    let socket = path(&raw.socket, "/run/marsad/marsad.sock");
    if let Some(at) = raw.socket.here()
        && socket.as_os_str().len() > SOCKET_MAX
    {
        let problem =
            format!("is longer than the {SOCKET_MAX} bytes that a socket's path may have");
        report.wrong(&at.place, problem, "choose a shorter path");
    }
    let beside = report.source.folder().join("partners.d");
    let partners_place = raw
        .partners
        .here()
        .map_or_else(|| Place::default().child("partners"), |at| at.place.clone());
    Daemon {
        state_dir: path(&raw.state_dir, "/var/lib/marsad"),
        socket,
        timezone: raw.timezone.value().map_or_else(dubai, |zone| zone.0.clone()),
        partners: raw.partners.value().map_or(beside, |location| location.0.clone()),
        partners_place,
        http: raw.http.value().map(|address| address.0),
        grace: raw.grace.value().map_or(Duration::from_secs(10), |span| span.0),
        roles: raw.roles.value().map(roles).unwrap_or_default(),
        retention: retention::retention(&raw.retention, report),
    }
}

fn dubai() -> TimeZone {
    TimeZone::get("Asia/Dubai").expect("the zones are built in")
}

fn roles(raw: &RawRoles) -> Vec<(Role, Vec<Grant>)> {
    Role::ALL
        .into_iter()
        .filter_map(|role| {
            let grants = match role {
                Role::Viewer => &raw.viewer,
                Role::Operator => &raw.operator,
                Role::Supervisor => &raw.supervisor,
                Role::Auditor => &raw.auditor,
                Role::Admin => &raw.admin,
            };
            Some((role, grants.value()?.clone()))
        })
        .collect()
}

/// What a partner's file is checked against.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub timezone: &'a TimeZone,
    pub environment: &'a Environment,
}

/// What was met in the files before: ids and folders that may not come twice, each with who has it.
#[derive(Debug, Default)]
pub(super) struct Met {
    partners: HashMap<String, PathBuf>,
    folders: HashMap<PathBuf, FolderUse>,
}

/// What a folder is to which connection.
#[derive(Debug)]
struct FolderUse {
    role: &'static str,
    of: String,
}

/// What a partner's file says, checked. Incomplete where the report says something.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub partner: Option<Partner>,
    pub connections: Vec<Connection>,
    pub feeds: Vec<Feed>,
    pub references: Vec<references::Written>,
}

/// Checks a partner's file.
pub(super) fn partner_file(
    raw: &RawPartnerFile,
    scope: &Scope<'_>,
    met: &mut Met,
    report: &mut Report<'_>,
) -> Checked {
    let partner = raw.partner.value().and_then(|raw| partner(raw, scope, met, report));
    // With a wrong id all else can still be checked; nothing of it is used.
    let id = partner.as_ref().map_or_else(
        || "unnamed".parse().expect("it is a name"),
        |partner: &Partner| partner.id.clone(),
    );
    let mut checked = Checked { partner, ..Checked::default() };
    let empty = Vec::new();
    let raw_connections = raw.connection.value().unwrap_or(&empty);
    let connected = connection::Names::of(raw_connections, !matches!(raw.connection, Given::Wrong));
    let mut names = HashMap::new();
    for raw in raw_connections {
        unique(&raw.value.id, "connection", &mut names, report);
        folders_are_its_own(&raw.value, &id, met, report);
        checked.connections.extend(connection::connection(raw, &id, scope, report));
    }
    let (mut patterns, none) = (HashMap::new(), Vec::new());
    let raw_feeds = raw.feed.value().unwrap_or(&none);
    let agreed = Agreed::of(raw, raw_feeds, report);
    for raw in raw_feeds {
        unique(&raw.value.id, "feed", &mut names, report);
        feed::files_are_its_own(&raw.value, &mut patterns, report);
        let feed = feed::feed(raw, &id, &connected, scope, report);
        let cover = agreed.cover_of(&raw.value, report);
        let feed = feed.map(|feed| Feed { cover, ..feed });
        let refers = feed.as_ref().map(|feed| references::written(&raw.value, feed, report));
        checked.references.extend(refers.into_iter().flatten());
        checked.feeds.extend(feed);
    }
    checked
}

fn partner(
    raw: &RawPartner,
    scope: &Scope<'_>,
    met: &mut Met,
    report: &mut Report<'_>,
) -> Option<Partner> {
    let id = raw.id.here().and_then(|id| partner_id(id, met, report));
    let agreement = match raw.agreement.value() {
        None => None,
        Some(agreement) => Some(Agreement {
            reference: agreement.reference.value()?.clone(),
            valid_until: agreement.valid_until.value().map(|day| day.0),
            fields: agreement::written(agreement),
        }),
    };
    let budget = raw.budget.here().and_then(|budget| self::budget(budget, scope, report));
    let id: PartnerId = id?;
    let name = name(&raw.name, id.as_str())?;
    let runbook = raw.runbook.value().map(|location| location.0.clone());
    Some(Partner { id, name, agreement, runbook, budget })
}

fn budget(budget: &At<RateLimit>, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<Budget> {
    let RateLimit { requests, per } = budget.value;
    if per < BUDGET_MIN {
        let problem = "is a budget of a second, and nobody counts who spent it";
        let remedy = "write it as the `rate_limit` of each connection, or for a longer time, such as \"5000/d\"";
        report.wrong(&budget.place, problem, remedy);
        return None;
    }
    Some(Budget { calls: requests, per, zone: scope.timezone.clone() })
}

fn partner_id(id: &At<Id>, met: &mut Met, report: &mut Report<'_>) -> Option<PartnerId> {
    let text = &id.value.0;
    // Its tables begin with it, and SQLite keeps `sqlite_` for its own.
    if text.split('-').next() == Some("sqlite") {
        let problem = format!("{} would name tables that SQLite keeps for itself", quoted(text));
        report.wrong(&id.place, problem, "choose an id that does not begin with sqlite");
    }
    if let Some(other) = met.partners.get(text) {
        let problem = format!("{} is already the partner of {}", quoted(text), shown(other));
        report.wrong(&id.place, problem, "give each partner an id of its own");
    }
    met.partners.insert(text.clone(), report.source.file.clone());
    text.parse().ok()
}

fn shown(path: &Path) -> String {
    show(&path.to_string_lossy()).into_owned()
}

/// Connections and feeds of a partner share one set of names.
fn unique<'r>(
    id: &'r Given<Id>,
    what: &'static str,
    names: &mut HashMap<&'r str, &'static str>,
    report: &mut Report<'_>,
) {
    let Some(id) = id.here() else { return };
    if let Some(other) = names.insert(&id.value.0, what) {
        let problem = format!("{} is already the id of a {other}", quoted(&id.value.0));
        let remedy = "give each connection and feed of a partner an id of its own";
        report.wrong(&id.place, problem, remedy);
    }
}

/// Two watchers of one folder would take each other's files. Several connections may well put files into one that
/// nobody watches.
fn folders_are_its_own(
    raw: &RawConnection,
    partner: &PartnerId,
    met: &mut Met,
    report: &mut Report<'_>,
) {
    let id = raw.id.value().map_or("?", |id| id.0.as_str());
    for (role, folder) in
        [("import", &raw.import), ("outbox", &raw.outbox), ("export", &raw.export)]
    {
        let Some(at) = folder.here() else { continue };
        let path = &at.value.0;
        let other = met.folders.get(path).filter(|other| [role, other.role] != ["export"; 2]);
        if let Some(FolderUse { role, of }) = other {
            let problem = format!("\"{}\" is already the {role} of {of}", shown(path));
            report.wrong(&at.place, problem, "give each its own folder");
        }
        met.folders.insert(path.clone(), FolderUse { role, of: format!("{partner}/{id}") });
    }
}

/// The name that was given, or `id` where none was.
fn name(given: &Given<RawName>, id: &str) -> Option<Name> {
    Some(match given {
        Given::Wrong => return None,
        Given::Absent => Name { en: id.to_owned(), ar: None },
        Given::Here(at) => match &at.value {
            Or::Text(en) => Name { en: en.clone(), ar: None },
            Or::Other(raw) => Name { en: raw.en.value()?.clone(), ar: raw.ar.value().cloned() },
        },
    })
}

/// A duration that was given, or `default`. Nothing at all is no duration here.
fn span(given: &Given<Span>, default: Duration, report: &mut Report<'_>) -> Option<Duration> {
    let found = given.or(Span(default))?.0;
    if let Some(at) = given.here()
        && found.is_zero()
    {
        report.wrong(&at.place, "is no time at all", "write a longer one");
        return None;
    }
    Some(found)
}

/// Whether text can stand behind a base URL.
fn is_path(at: &At<String>, report: &mut Report<'_>) -> bool {
    let text = &at.value;
    if !text.starts_with('/') {
        let problem = format!("{} does not begin with /", quoted(text));
        report.wrong(
            &at.place,
            problem,
            "write what stands behind `base_url`, such as \"/v1/records\"",
        );
        return false;
    }
    if text.contains('#') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let problem = format!("{} has a #, a blank or a control character", quoted(text));
        report.wrong(&at.place, problem, "write it percent-encoded, as %23 or %20");
        return false;
    }
    true
}
