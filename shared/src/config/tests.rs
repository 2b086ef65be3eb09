use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::{
    connection::{Auth, ClientProof, DeliverMethod, Link},
    feed::{FieldType, Origin, RecordsPath},
    partner::Cover,
    request::{Paging, Stop},
    schedule::Schedule,
};

mod mutated;
mod wrong;

/// The example of the design, word for word in its keys.
const EDUCATION: &str = r#"
[partner]
id        = "education"
name      = { en = "Education Authority", ar = "هيئة التعليم" }
runbook   = "runbooks/education.md"
budget    = "5000/d"
agreement = { reference = "MOU-2026-014", valid_until = 2027-12-31 }

[[connection]]
id         = "api"
base_url   = "https://data.education.example"
auth       = { kind = "oauth2", token_url = "/oauth/token", client_id = "marsad", client_secret = { file = "education.secret" } }
rate_limit = "60/min"
feeds_at_once = 2

[[feed]]
id          = "enrolments"
name        = { en = "School enrolments", ar = "قيد الطلبة" }
connection  = "api"
path        = "/v1/enrolments"
records     = "$.data[*]"
key         = ["id"]
pagination  = { kind = "cursor", param = "after", next = "$.meta.next" }
incremental = { field = "updated_at", param = "updated_since", lookback = "10m" }
schedule    = { every = "5m" }
freshness   = { every = "1h", grace = "15m", error_after = "4h" }
fields      = { id = "text", family_id = "text", child_eid = { type = "emirates_id", sensitive = true }, grade = "integer", updated_at = "timestamp" }

[[connection]]
id     = "drop"
import = "/srv/marsad/education/in"
export = "/srv/marsad/education/out"

[[connection]]
id       = "referrals"
base_url = "https://cases.education.example"
deliver  = { method = "POST", path = "/v1/referrals", status_path = "/v1/referrals/{key}", deadline = "2d" }
outbox   = "/srv/marsad/education/outbox"

[[feed]]
id         = "transfers"
connection = "drop"
files      = "transfers-*.csv"
key        = ["transfer_no"]
"#;

const MARSAD: &str = r#"
state_dir = "/var/lib/marsad"
socket    = "/run/marsad/marsad.sock"
timezone  = "Asia/Dubai"
partners  = "partners.d"
http      = "127.0.0.1:9464"
roles     = { viewer = ["group:marsad"], operator = ["group:marsad-ops"], admin = ["user:root"] }
"#;

/// A folder with a `marsad.toml` and partners.
struct Folder(TempDir);

impl Folder {
    fn new(marsad: &str, partners: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("marsad.toml", marsad);
        fs::create_dir(folder.path().join("partners.d")).unwrap();
        for (name, text) in partners {
            folder.write(&format!("partners.d/{name}.toml"), text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn secret(&self, name: &str, text: &str, mode: u32) {
        self.write(name, text);
        let path = self.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, environment: &Environment) -> Result<Config, ConfigErrors> {
        Config::load(&self.path().join("marsad.toml"), environment)
    }

    /// What is said, with the folder's own name left out.
    fn said(&self) -> Vec<String> {
        let errors = match self.load(&Environment::empty()) {
            Ok(_) => return Vec::new(),
            Err(errors) => errors.to_string(),
        };
        let folder = format!("{}/", self.path().display());
        errors.replace(&folder, "").lines().map(str::to_owned).collect()
    }
}

#[test]
fn an_agreement_covers_a_feed_a_column_of_one_or_a_column_of_all() {
    let text = EDUCATION.replace(
        "valid_until = 2027-12-31 }",
        "fields = [\"id\", \"updated_at\", \"enrolments.grade\", \"transfers.*\"] }",
    );
    let folder = Folder::new(MARSAD, &[("education", &text)]);
    folder.secret("partners.d/education.secret", "s3cret\n", 0o600);
    let config = folder.load(&Environment::empty()).unwrap_or_else(|errors| panic!("{errors}"));
    let [enrolments, transfers] = &config.feeds[..] else { panic!("two feeds") };
    for (column, expected) in [("id", true), ("grade", true), ("child_eid", false), ("Id", false)] {
        assert_eq!(enrolments.cover.has(column), expected, "{column}");
    }
    assert_eq!(transfers.cover, Cover::All, "all of it, whatever it brings");
    let fields = config.partners[0].agreement.as_ref().unwrap().fields.as_ref().unwrap();
    assert_eq!(fields[3], "transfers.*");
    assert_eq!(enrolments.fields.len(), 5, "what is declared stays declared");
}

#[test]
fn the_example_of_the_design_loads_and_means_what_it_says() {
    let folder = Folder::new(MARSAD, &[("education", EDUCATION)]);
    folder.secret("partners.d/education.secret", "s3cret\n", 0o600);
    let config = folder.load(&Environment::empty()).unwrap_or_else(|errors| panic!("{errors}"));

    assert_eq!(config.state_dir, Path::new("/var/lib/marsad"));
    assert_eq!(config.http, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.grace, Duration::from_secs(10));
    let roles: Vec<Role> = config.roles.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, [Role::Viewer, Role::Operator, Role::Admin]);

    let partner = &config.partners[0];
    assert_eq!(partner.name.ar.as_deref(), Some("هيئة التعليم"));
    assert_eq!(partner.agreement.as_ref().unwrap().valid_until.unwrap().to_string(), "2027-12-31");
    assert_eq!(
        partner.runbook.as_deref().unwrap(),
        folder.path().join("partners.d/runbooks/education.md")
    );
    let budget = partner.budget.as_ref().unwrap();
    assert_eq!((budget.calls.get(), budget.per), (5_000, Duration::from_hours(24)));
    assert_eq!(budget.zone.iana_name(), Some("Asia/Dubai"));

    let [api, drop, referrals] = &config.connections[..] else { panic!("three connections") };
    let Link::Http(http) = &api.link else { panic!("api is HTTP") };
    assert_eq!(http.rate_limit.unwrap().per, Duration::from_mins(1));
    assert_eq!(http.feeds_at_once.map(std::num::NonZeroU32::get), Some(2));
    let Auth::OAuth2(oauth) = &http.auth else { panic!("oauth2") };
    assert_eq!(oauth.token_url.as_str(), "https://data.education.example/oauth/token");
    let ClientProof::Body(secret) = &oauth.proof else { panic!("a secret in the form") };
    assert_eq!(secret.expose_secret(), "s3cret");
    assert!(
        matches!(&drop.link, Link::Folder(pair) if pair.import.is_some() && pair.export.is_some())
    );
    let Link::Http(http) = &referrals.link else { panic!("referrals is HTTP") };
    let deliver = http.deliver.as_ref().unwrap();
    assert_eq!((deliver.method, deliver.deadline), (DeliverMethod::Post, Duration::from_hours(48)));

    let [enrolments, transfers] = &config.feeds[..] else { panic!("two feeds") };
    assert_eq!(enrolments.id.as_str(), "education/enrolments");
    let names: Vec<_> = enrolments.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names,
        ["id", "family_id", "child_eid", "grade", "updated_at"],
        "in the order of writing"
    );
    assert!(enrolments.fields[2].sensitive && enrolments.fields[2].kind == FieldType::EmiratesId);
    let Origin::Http(request) = &enrolments.origin else { panic!("over HTTP") };
    assert!(matches!(&enrolments.records, RecordsPath::Plain(names) if names == &["data"]));
    assert!(matches!(&request.pagination.kind, Paging::Cursor { param, .. } if param == "after"));
    assert_eq!(request.schedule, Schedule::Every { every: Duration::from_mins(5) });
    assert_eq!(request.pagination.max_pages, 100_000);
    let promise = enrolments.promise.unwrap();
    assert_eq!(promise.error_after, Duration::from_hours(4));
    let Origin::Files(files) = &transfers.origin else { panic!("of files") };
    assert!(files.is_match("transfers-2026.csv") && !files.is_match("other.csv"));
    assert!(transfers.fields.is_empty() && transfers.promise.is_none());
}

#[test]
fn a_preset_says_what_its_block_does_not() {
    let partner = |feed: &str| {
        format!(
            "[partner]\nid = \"p\"\n[[connection]]\nid = \"api\"\nbase_url = \"https://p.example\"\n\
             [[feed]]\nid = \"f\"\nconnection = \"api\"\npath = \"/x\"\nkey = [\"id\"]\n{feed}\n"
        )
    };
    for (block, kind, by, stop, why) in [
        ("preset = \"odata\"", "NextUrl", "Delta", Stop::Next, "as it stands"),
        ("preset = \"odata\"\nmode = \"snapshot\"", "NextUrl", "-", Stop::Next, "all of it"),
        (
            "preset = \"odata\"\nincremental = { field = \"ModifiedOn\" }",
            "NextUrl",
            "Field",
            Stop::Next,
            "a filter in place of delta links",
        ),
        ("preset = \"ckan\"", "Offset", "-", Stop::Total, "counted up to the total"),
        (
            "preset = \"ckan\"\npagination = { size = 7, stop = \"empty\" }",
            "Offset",
            "-",
            Stop::Empty,
            "single keys of a block",
        ),
        (
            "preset = \"ckan\"\npagination = { kind = \"none\" }",
            "None",
            "-",
            Stop::Next,
            "another kind takes nothing over",
        ),
        ("preset = \"opendatasoft\"", "Offset", "-", Stop::Total, "as it stands"),
        ("preset = \"jsonapi\"", "NextUrl", "-", Stop::Next, "as it stands"),
    ] {
        let folder = Folder::new("", &[("p", &partner(block))]);
        let config = folder.load(&Environment::empty()).unwrap_or_else(|e| panic!("{block}: {e}"));
        let Origin::Http(request) = &config.feeds[0].origin else { panic!("over HTTP") };
        let is = |debug: String, wanted: &str| {
            assert!(debug.starts_with(wanted), "{block}: {why}: {debug}");
        };
        is(format!("{:?}", request.pagination.kind), kind);
        is(request.incremental.as_ref().map_or("-".to_owned(), |i| format!("{:?}", i.by)), by);
        assert_eq!(request.pagination.stop, stop, "{block}: {why}");
    }
    let wrong = "preset = \"ckan\"\nformat = \"csv\"";
    let folder = Folder::new("", &[("p", &partner(wrong))]);
    assert!(folder.said()[0].starts_with("partners.d/p.toml:11: "), "at the word that says it");
}

#[test]
fn three_mistakes_are_three_lines_each_where_it_is() {
    let marsad = "state_dir = \"state\"\ntimezone = \"Mars/Olympus\"\n";
    let partner = "[partner]\nid = \"courts\"\n\n[[connection]]\nid = \"api\"\nbase_ulr = \"https://courts.example\"\n\
                   base_url = \"ftp://courts.example\"\n";
    let folder = Folder::new(marsad, &[("courts", partner)]);
    assert_eq!(
        folder.said(),
        [
            "marsad.toml:2: timezone: \"Mars/Olympus\" is not a time zone; write it as an IANA name such as \"Asia/Dubai\"",
            "partners.d/courts.toml:6: connection.api.base_ulr: unknown key; did you mean base_url?",
            "partners.d/courts.toml:7: connection.api.base_url: \"ftp://courts.example\" cannot be polled; use http or https",
        ]
    );
}

#[test]
fn the_start_for_somebody_new_checks_clean_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("new/marsad");
    let written = init(&start).unwrap();
    assert_eq!(written[0], start.join("marsad.toml"));
    let config = Config::load(&written[0], &Environment::empty()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.socket, start.join("run/marsad.sock"));
    assert_eq!(config.feeds[0].id.as_str(), "example/visits");

    // What stands in comments is an example too.
    let example = fs::read_to_string(&written[1]).unwrap();
    let block = example.split_once("#\n# [[connection]]").unwrap().1;
    let block: Vec<_> = block.lines().map(|line| line.trim_start_matches(['#', ' '])).collect();
    fs::write(&written[1], format!("{example}\n[[connection]]{}\n", block.join("\n"))).unwrap();
    let token = start.join("partners.d/example.token");
    fs::write(&token, "secret").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::load(&written[0], &Environment::empty()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.feeds[1].id.as_str(), "example/cases");

    fs::remove_file(&written[0]).unwrap();
    let before = fs::read_to_string(&written[1]).unwrap();
    let error = init(&start).unwrap_err();
    assert!(matches!(&error, InitError::Exists(path) if *path == written[1]), "{error}");
    assert!(!written[0].exists() && fs::read_to_string(&written[1]).unwrap() == before);
}

#[test]
fn the_schema_that_is_kept_is_the_schema_that_is_read() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/schema.json");
    let kept = fs::read_to_string(kept).unwrap_or_default();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap_or_default();
    assert!(
        kept == schema(),
        "the keys have changed; run: cargo run --bin marsad -- config schema > config/schema.json"
    );
}

#[test]
fn what_the_readme_shows_of_auth_is_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let shown: Vec<_> = readme.lines().filter(|line| line.starts_with("auth = {")).collect();
    assert!(shown.len() >= 8, "{shown:?}");
    for line in shown {
        let text = format!(
            "[partner]\nid = \"courts\"\n[[connection]]\nid = \"api\"\nbase_url = \"https://courts.example\"\n{line}\n"
        );
        let folder = Folder::new("", &[("courts", &text)]);
        folder.secret("partners.d/courts.secret", "s3cret", 0o600);
        folder.secret("partners.d/first.secret", "s3cret", 0o600);
        folder.secret("partners.d/ours.key", include_str!("../signing/rsa.test.pem"), 0o600);
        assert_eq!(folder.said(), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn what_the_readme_shows_of_columns_is_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, behind) = readme.split_once("\n[feed.fields]\n").unwrap();
    let (shown, _) = behind.split_once("```").unwrap();
    let text = format!(
        "[partner]\nid = \"courts\"\n[[connection]]\nid = \"api\"\nbase_url = \"https://courts.example\"\n\
         [[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nkey = [\"id\"]\n[feed.fields]\n{shown}\n"
    );
    let social = "[partner]\nid = \"social\"\n[[connection]]\nid = \"in\"\nimport = \"in\"\n\
                  [[feed]]\nid = \"families\"\nconnection = \"in\"\nfiles = \"*.csv\"\nkey = [\"id\"]\n";
    let folder = Folder::new("", &[("courts", &text), ("social", social)]);
    let config = folder.load(&Environment::empty()).unwrap_or_else(|errors| panic!("{errors}"));
    let kinds: HashSet<_> = config.feeds[0].fields.iter().map(|field| field.kind).collect();
    assert_eq!(kinds.len(), FieldType::ALL.len(), "each type is shown");
}

#[test]
fn what_the_readme_shows_of_agreements_is_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let shown = readme.lines().find(|line| line.starts_with("agreement = {")).unwrap();
    let feed = |id: &str| {
        format!("[[feed]]\nid = \"{id}\"\nconnection = \"api\"\npath = \"/x\"\nkey = [\"no\"]\n")
    };
    let text = format!(
        "[partner]\nid = \"courts\"\n{shown}\n[[connection]]\nid = \"api\"\nbase_url = \"https://courts.example\"\n{}{}",
        feed("cases"),
        feed("visits")
    );
    assert_eq!(Folder::new("", &[("courts", &text)]).said(), Vec::<String>::new());
}

#[test]
fn what_the_readme_shows_of_a_feed_is_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let block = readme.split_once("preset     = ").unwrap().1.split_once("```").unwrap().0;
    let block = format!("preset     = {block}");
    let lines: Vec<_> = block.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 13, "{lines:?}");
    // They do not all go together: each stands in a feed of its own.
    for line in lines {
        let other = if line.starts_with("path") { "" } else { "path = \"/x/{id}\"\n" };
        let body = if line.starts_with("method") { "json = {}\n" } else { "" };
        let text = format!(
            "[partner]\nid = \"p\"\n[[connection]]\nid = \"api\"\nbase_url = \"https://p.example\"\n[[feed]]\nid = \"f\"\n\
             connection = \"api\"\nkey = [\"id\"]\n{other}{body}\
             fields = {{ id = \"text\", op = \"text\", seq = \"integer\", updated_at = \"timestamp\" }}\n{line}\n"
        );
        let folder = Folder::new("", &[("p", &text)]);
        assert_eq!(folder.said(), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn what_the_readme_shows_of_files_is_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let block = readme.split_once("files   = ").unwrap().1.split_once("```").unwrap().0;
    let text = format!(
        "[partner]\nid = \"p\"\n[[connection]]\nid = \"drop\"\nimport = \"in\"\n[[feed]]\nid = \"f\"\n\
         connection = \"drop\"\nkey = [\"id\"]\nfiles   = {block}"
    );
    let folder = Folder::new("", &[("p", &text)]);
    assert_eq!(folder.said(), Vec::<String>::new(), "{text}");
}

#[test]
fn the_files_to_start_from_are_clean_once_their_secrets_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let credentials = tempfile::tempdir().unwrap();
    for name in ["education-client-secret", "education-referrals-token"] {
        let path = credentials.path().join(name);
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o440)).unwrap();
    }
    let folder = credentials.path().to_str().unwrap().to_owned();
    let environment =
        Environment::new(move |name| (name == "CREDENTIALS_DIRECTORY").then(|| folder.clone()));
    let config = Config::load(&root.join("marsad.toml"), &environment);
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.connections.len(), config.feeds.len()), (3, 2));

    let bare = Config::load(&root.join("marsad.toml"), &Environment::empty()).unwrap_err();
    assert!(bare.iter().all(|error| error.key.ends_with(".credential")), "{bare}");
    assert_eq!(bare.len(), 2);
}
