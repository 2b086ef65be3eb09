//! Tables of mistakes: what is written, and what exactly is said.

use super::*;

mod agreement;
mod auth;
mod deliver;
mod feed;
mod field;
mod files;
mod references;
mod tls;

/// A partner that lacks nothing. Each case adds to it.
const PARTNER: &str = "[partner]\nid = \"courts\"\n";
const HTTP: &str = "[[connection]]\nid = \"api\"\nbase_url = \"https://courts.example\"\n";
const DROP: &str = "[[connection]]\nid = \"drop\"\nimport = \"in\"\n";
const FEED: &str =
    "[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nkey = [\"no\"]\n";
const FILES: &str =
    "[[feed]]\nid = \"cases\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"no\"]\n";

/// What is said of a partner's file, without the file's name.
fn said_of(partner: &str) -> Vec<String> {
    let folder = Folder::new("", &[("courts", partner)]);
    let said = folder.said().into_iter();
    said.map(|line| line.strip_prefix("partners.d/courts.toml:").unwrap_or(&line).to_owned())
        .collect()
}

/// Checks that the last line of `before` and `line` is what the one mistake is about.
fn one_mistake(before: &[&str], line: &str, expected: &str) {
    let text = format!("{}{line}\n", before.concat());
    let at = before.concat().lines().count() + 1;
    assert_eq!(said_of(&text), [format!("{at}: {expected}")], "{line}");
}

#[test]
fn of_the_daemons_file() {
    for (text, expected) in [
        ("state_dri = \"state\"", "1: state_dri: unknown key; did you mean state_dir?"),
        (
            "colour = \"green\"",
            "1: colour: unknown key; the keys here are: state_dir, socket, timezone, partners, http, grace, roles, retention",
        ),
        (
            "\nstate_dir = 5",
            "2: state_dir: is a whole number, not a path; write it as a path in quotes, absolute or from this file's folder",
        ),
        (
            "state_dir = \"\"",
            "1: state_dir: is empty; write it as a path in quotes, absolute or from this file's folder",
        ),
        (
            "grace = \"10\"",
            "1: grace: \"10\" is not a duration; write it as \"30s\", \"15m\", \"6h\" or \"2d\"",
        ),
        (
            "grace = 10",
            "1: grace: is a whole number, not a duration; write it as \"30s\", \"15m\", \"6h\" or \"2d\"",
        ),
        ("grace = \"3years\"", "1: grace: \"3years\" is longer than a year; write a shorter time"),
        (
            "http = \"9464\"",
            "1: http: \"9464\" is not an address with a port; write it as \"127.0.0.1:9464\"",
        ),
        (
            "http = \"0.0.0.0:9464\"",
            "1: http: \"0.0.0.0:9464\" can be reached from other machines; use a loopback address such as \"127.0.0.1:9464\"",
        ),
        (
            "retention = { originals = \"23h\" }",
            "1: retention.originals: is shorter than a day: nobody could look at it before it is gone; write \"1d\" or more",
        ),
        (
            "[retention]\nquarantine = 90",
            "2: retention.quarantine: is a whole number, not a duration; write it as \"30s\", \"15m\", \"6h\" or \"2d\"",
        ),
        (
            "retention = { original = \"90d\" }",
            "1: retention.original: unknown key; did you mean originals?",
        ),
        ("roles = { viewr = [] }", "1: roles.viewr: unknown key; did you mean viewer?"),
        (
            "roles = { viewer = \"group:a\" }",
            "1: roles.viewer: is text, not a list; write it as a list in [ ]",
        ),
        (
            "roles = { viewer = [\"group:a\", \"root\"] }",
            "1: roles.viewer[2]: \"root\" names nobody; write it as \"user:NAME\" or \"group:NAME\"",
        ),
        (
            "timezone = \"Dubai\\u001b[2J\"",
            "1: timezone: \"Dubai\\u{1b}[2J\" is not a time zone; write it as an IANA name such as \"Asia/Dubai\"",
        ),
        (
            "partners = \"nowhere\"",
            "1: partners: nowhere cannot be read (No such file or directory (os error 2)); run: mkdir nowhere",
        ),
        (
            "grace = 10s",
            "1: syntax: string values must be quoted, expected literal string; mend the line: TOML is `key = value`, with text in quotes",
        ),
    ] {
        assert_eq!(Folder::new(text, &[]).said(), [format!("marsad.toml:{expected}")], "{text}");
    }
    let long = "s".repeat(108);
    let said = Folder::new(&format!("socket = \"/{long}\""), &[]).said();
    assert_eq!(
        said,
        [
            "marsad.toml:1: socket: is longer than the 107 bytes that a socket's path may have; choose a shorter path"
        ]
    );
}

#[test]
fn of_the_partner() {
    for (text, expected) in [
        ("", "1: partner: is missing; add it to this block"),
        ("[partner]", "1: partner.id: is missing; add it to this block"),
        ("\n[partner]\nname = \"Courts\"", "2: partner.id: is missing; add it to this block"),
        (
            "[partner]\nid = \"Courts\"",
            "2: partner.id: \"Courts\" is not an id; write it as 1 to 64 of a-z, 0-9 and single '-' inside, such as \"civil-registry\"",
        ),
        (
            "[partner]\nid = \"a\"\nid = \"b\"",
            "3: syntax: duplicate key; mend the line: TOML is `key = value`, with text in quotes",
        ),
        (
            "[partner]\nid = \"sqlite-team\"",
            "2: partner.id: \"sqlite-team\" would name tables that SQLite keeps for itself; choose an id that does not begin with sqlite",
        ),
        (
            "[partner]\nid = \"a\"\nname = { ar = \"محاكم\" }",
            "3: partner.name.en: is missing; add it to this block",
        ),
        (
            "[partner]\nid = \"a\"\nname = 7",
            "3: partner.name: is a whole number, not a table; write it as text, or { en = \"…\", ar = \"…\" }",
        ),
        (
            "[partner]\nid = \"a\"\nagreement = { reference = \"M\", valid_until = \"2027\" }",
            "3: partner.agreement.valid_until: is text, not a day; write it as 2027-12-31, without quotes",
        ),
        (
            "[partner]\nid = \"a\"\nbudget = \"5000\"",
            "3: partner.budget: \"5000\" is not a rate; write it as \"60/min\", or with /s, /h or /d",
        ),
        (
            "[partner]\nid = \"a\"\nbudget = \"9/s\"",
            "3: partner.budget: is a budget of a second, and nobody counts who spent it; write it as the `rate_limit` of each connection, or for a longer time, such as \"5000/d\"",
        ),
        (
            "[partner]\nid = \"a\"\nagreement = { reference = \"M\", fields = [] }",
            "3: partner.agreement.fields: names no field, so that nothing could be kept; name what was agreed, or take it out",
        ),
        (
            "[partner]\nid = \"a\"\n[conection]\nid = \"b\"",
            "3: conection: unknown key; did you mean connection?",
        ),
        (
            "[partner]\nid = \"a\"\n[connection]\nid = \"b\"",
            "3: connection: is a table, not a list; write it as [[connection]], a block for each",
        ),
    ] {
        assert_eq!(said_of(text), [expected], "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_a_connection() {
    let bare = "[[connection]]\nid = \"api\"\n";
    for (before, line, expected) in [
        (
            bare,
            "base_url = \"data.example\"",
            "connection.api.base_url: \"data.example\" is not an absolute URL; write it as \"https://data.partner.example\"",
        ),
        (
            bare,
            "base_url = \"localhost:80\"",
            "connection.api.base_url: \"localhost:80\" is not an absolute URL; write it as \"https://data.partner.example\"",
        ),
        (
            bare,
            "base_url = \"ftp://a.example\"",
            "connection.api.base_url: \"ftp://a.example\" cannot be polled; use http or https",
        ),
        (
            bare,
            "base_url = \"https://me:pass@a.example\"",
            "connection.api.base_url: holds a user name or password; put it into `auth`, as a secret",
        ),
        (
            bare,
            "base_url = \"https://a.example/?k=v\"",
            "connection.api.base_url: \"https://a.example/?k=v\" has a query or a fragment; write them in the `path` of each feed",
        ),
        (
            HTTP,
            "rate_limit = \"60\"",
            "connection.api.rate_limit: \"60\" is not a rate; write it as \"60/min\", or with /s, /h or /d",
        ),
        (
            HTTP,
            "rate_limit = \"0/min\"",
            "connection.api.rate_limit: \"0/min\" is not a rate; write it as \"60/min\", or with /s, /h or /d",
        ),
        (
            HTTP,
            "rate_limit = \"9000000/s\"",
            "connection.api.rate_limit: \"9000000/s\" is more than a million requests; write a lower rate, or none",
        ),
        (
            HTTP,
            "feeds_at_once = 0",
            "connection.api.feeds_at_once: reads nothing; write at least 1, or take it out",
        ),
        (
            HTTP,
            "timeouts = { connect = \"0s\" }",
            "connection.api.timeouts.connect: is no time at all; write a longer one",
        ),
        (
            HTTP,
            "timeouts = { conect = \"1s\" }",
            "connection.api.timeouts.conect: unknown key; did you mean connect?",
        ),
        (
            HTTP,
            "tls = {}",
            "connection.api.tls: says nothing; add ca for whom we trust, cert and key for who we are, or take it out",
        ),
        (
            HTTP,
            "proxy = \"proxy.example:3128\"",
            "connection.api.proxy: \"proxy.example:3128\" is not the URL of a proxy; write it as \"http://proxy.example:3128\", or with https or socks5",
        ),
        (
            HTTP,
            "proxy = \"http://me:pass@proxy.example\"",
            "connection.api.proxy: holds a user name or password; leave them out: a proxy that asks who we are is not supported",
        ),
        (
            HTTP,
            "http2 = \"off\"",
            "connection.api.http2: is text, not true or false; write it as true or false, without quotes",
        ),
        (
            HTTP,
            "headers = { Authorization = \"Bearer hunter2\" }",
            "connection.api.headers.Authorization: would show a secret; put it into `auth`",
        ),
        (
            HTTP,
            "headers = { cookie = \"hunter2\" }",
            "connection.api.headers.cookie: would show a secret; put it into `auth`",
        ),
        (
            HTTP,
            "headers = { Host = \"a.example\" }",
            "connection.api.headers.Host: is set by Marsad; take it out",
        ),
        (
            HTTP,
            "headers = { \"Transfer-Encoding\" = \"chunked\" }",
            "connection.api.headers.Transfer-Encoding: is set by Marsad; take it out",
        ),
        (
            HTTP,
            "headers = { \"X Y\" = \"z\" }",
            "connection.api.headers.X Y: \"X Y\" is not the name of a header; write a name such as \"X-Api-Key\"",
        ),
        (
            HTTP,
            "headers = { \"X-Office\" = \"الشارقة\" }",
            "connection.api.headers.X-Office: has characters that a header cannot carry; write it in ASCII, percent-encoded where need be",
        ),
        (
            &format!("{HTTP}headers = {{ \"X-Road-Client\" = \"AE/GOV/1/m\" }}\n"),
            "redirects = true",
            "connection.api.redirects: means a redirect would be followed over X-Road; take it out",
        ),
        (
            HTTP,
            "outbox = \"out\"",
            "connection.api.outbox: has nowhere to be delivered; add `deliver`, or `export` for a folder",
        ),
        (
            DROP,
            "proxy = \"http://proxy.example:3128\"",
            "connection.drop.proxy: means nothing to a connection of folders; take it out",
        ),
        (
            DROP,
            "auth = { kind = \"none\" }",
            "connection.drop.auth: means nothing to a connection of folders; take it out",
        ),
        (
            DROP,
            "deliver = { deadline = \"1d\" }",
            "connection.drop.deliver: needs a folder to put documents into; add `export`",
        ),
        (
            DROP,
            "marker = \"done\"",
            "connection.drop.marker: \"done\" is not the ending of a name; write one such as \".done\" or \".sha256\"",
        ),
        (
            HTTP,
            "marker = \".done\"",
            "connection.api.marker: means nothing without a folder to import from; take it out",
        ),
    ] {
        one_mistake(&[PARTNER, before], line, expected);
    }
    for (block, expected) in [
        (
            "[[connection]]\nid = \"api\"",
            "3: connection.api: has neither base_url nor import or export; say where the partner is: base_url for HTTP, import and export for folders",
        ),
        (
            "[[connection]]\nbase_url = \"http://a.example\"",
            "3: connection[1].id: is missing; add it to this block",
        ),
        (
            "[[connection]]\nid = \"api\"\nbase_url = \"http://a.example\"\nimport = \"in\"",
            "3: connection.api: has both base_url and a folder; make two connections of it",
        ),
        (
            "[[connection]]\nid = \"a\"\nimport = \"in\"\noutbox = \"in\"\nexport = \"out\"",
            "6: connection.a.outbox: \"in\" is already the import of courts/a; give each its own folder",
        ),
        (
            "[[connection]]\nid = \"a\"\nimport = \"x\"\n[[connection]]\nid = \"a\"\nimport = \"y\"",
            "7: connection.a.id: \"a\" is already the id of a connection; give each connection and feed of a partner an id of its own",
        ),
    ] {
        let said = said_of(&format!("{PARTNER}{block}"));
        let said: Vec<_> = said.iter().map(|line| without_folder(line)).collect();
        assert_eq!(said, [expected], "{block}");
    }
}

/// The folder of a test has another name each time.
fn without_folder(line: &str) -> String {
    line.replace("\"partners.d/", "\"")
}

#[test]
fn of_how_requests_prove_who_we_are() {
    for (auth, expected) in [
        (
            "kind = \"magic\"",
            ".kind: \"magic\" is unknown; use \"none\", \"api_key\", \"basic\", \"bearer\", \"digest\", \"jwt\", \"oauth2\" or \"login\"",
        ),
        ("token = { env = \"TOKEN\" }", ".kind: is missing; add it to this block"),
        ("kind = \"bearer\"", ".token: is missing; add token = { file = \"NAME\" }"),
        (
            "kind = \"bearer\", token = \"hunter2\"",
            ".token: is text, not a table; write it as { file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }",
        ),
        (
            "kind = \"bearer\", token = {}",
            ".token: must have exactly one of file, env and credential; write { file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }",
        ),
        (
            "kind = \"bearer\", token = { env = \"TOKEN\" }",
            ".token.env: \"TOKEN\" is not set; set it where the daemon is started",
        ),
        (
            "kind = \"bearer\", token = { env = \"hunter-2\" }",
            ".token.env: is not the name of a variable; name one with letters, digits and _",
        ),
        (
            "kind = \"bearer\", token = { credential = \"a\" }",
            ".token.credential: there is no $CREDENTIALS_DIRECTORY; start the daemon by systemd with LoadCredential=, or use { file = \"…\" }",
        ),
        ("kind = \"none\", user = \"me\"", ".user: does not belong to this kind; take it out"),
        (
            "kind = \"api_key\", header = \"X Key\", key = { env = \"SET\" }",
            ".header: \"X Key\" is not the name of a header; write a name such as \"X-Api-Key\"",
        ),
        (
            "kind = \"api_key\", key = { env = \"SET\" }",
            ": must have exactly one of header, query, body and cookie; add header = \"X-Api-Key\", or query, body or cookie with the key's name",
        ),
        (
            "kind = \"oauth2\", token_url = \"token\", client_id = \"m\", client_secret = { env = \"SET\" }",
            ".token_url: \"token\" is neither an absolute URL nor a path from /; write it as \"https://login.partner.example/token\" or \"/oauth/token\"",
        ),
    ] {
        let folder =
            Folder::new("", &[("courts", &format!("{PARTNER}{HTTP}auth = {{ {auth} }}\n"))]);
        let environment = Environment::new(|name| (name == "SET").then(|| "s3cret".to_owned()));
        let said = folder.load(&environment).unwrap_err().to_string();
        let file = folder.path().join("partners.d/courts.toml");
        assert_eq!(said, format!("{}:6: connection.api.auth{expected}", file.display()), "{auth}");
        assert!(!said.contains("hunter"), "a secret in the wrong place is not repeated");
    }
}

#[test]
fn of_secrets_that_are_not_there_or_open_to_others() {
    for (text, mode, expected) in [
        (None, 0, "s.token does not exist; put the secret there, then: chmod 600 s.token"),
        (Some("secret"), 0o640, "s.token is open to others (mode 0640); run: chmod 600 s.token"),
        (Some("secret"), 0o604, "s.token is open to others (mode 0604); run: chmod 600 s.token"),
        (Some(""), 0o600, "s.token is empty; put the secret there"),
        (Some("\n"), 0o600, "s.token is empty; put the secret there"),
        (
            Some("one\ntwo"),
            0o600,
            "s.token holds more than one line, or control characters; leave the secret alone in it, on one line",
        ),
    ] {
        let auth = "auth = { kind = \"bearer\", token = { file = \"s.token\" } }\n";
        let folder = Folder::new("", &[("courts", &format!("{PARTNER}{HTTP}{auth}"))]);
        if let Some(text) = text {
            folder.secret("partners.d/s.token", text, mode);
        }
        let said: Vec<_> = folder
            .said()
            .iter()
            .map(|line| line.replace("partners.d/s.token", "s.token"))
            .collect();
        assert_eq!(
            said,
            [format!("partners.d/courts.toml:6: connection.api.auth.token.file: {expected}")]
        );
    }
}

#[test]
fn a_folder_is_no_secret() {
    let auth = "auth = { kind = \"bearer\", token = { file = \"secrets\" } }\n";
    let folder = Folder::new("", &[("courts", &format!("{PARTNER}{HTTP}{auth}"))]);
    fs::create_dir(folder.path().join("partners.d/secrets")).unwrap();
    assert_eq!(
        folder.said(),
        [
            "partners.d/courts.toml:6: connection.api.auth.token.file: partners.d/secrets is a folder; name the file in it that holds the secret"
        ]
    );
}

#[test]
fn files_without_measure_are_survived() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let wide = (1..=20_000).map(|n| format!("key{n} = {n}\n")).collect::<Vec<_>>().concat();
    let long = format!("state_dir = \"{}\"", "x".repeat(5 * 1024 * 1024));
    for (text, least, said_of_it) in [
        (deep, 1, "syntax"),
        (wide, 20_000, "marsad.toml:20000: key20000: unknown key; "),
        (long, 1, "marsad.toml:1: file: cannot be read (it is longer than 4194304 bytes); "),
    ] {
        let said = Folder::new(&text, &[]).said();
        assert!(
            said.len() >= least && said.iter().any(|line| line.contains(said_of_it)),
            "{said_of_it}"
        );
    }
}

#[test]
fn a_folder_may_be_written_by_many_and_watched_by_one() {
    let two = |one: &str, other: &str| {
        said_of(&format!(
            "{PARTNER}[[connection]]\nid = \"export-a\"\n{one}\n[[connection]]\nid = \"b\"\n{other}\n"
        ))
    };
    assert_eq!(two("export = \"/out\"", "export = \"/out\""), Vec::<String>::new());
    for (one, other, role) in [
        ("import = \"/x\"", "export = \"/x\"", "import"),
        ("export = \"/x\"", "import = \"/x\"", "export"),
        ("import = \"/x\"", "import = \"/x/\"", "import"),
    ] {
        let said = two(one, other);
        let [line] = &said[..] else { panic!("{said:?}") };
        assert!(line.contains(&format!("is already the {role} of courts/export-a; ")), "{line}");
    }
}

#[test]
fn across_files() {
    let other = format!("{PARTNER}{DROP}");
    let folder = Folder::new("", &[("a", &other), ("b", &other)]);
    assert_eq!(
        folder.said(),
        [
            "partners.d/b.toml:2: partner.id: \"courts\" is already the partner of partners.d/a.toml; give each partner an id of its own",
            "partners.d/b.toml:5: connection.drop.import: \"partners.d/in\" is already the import of courts/drop; give each its own folder",
        ]
    );
    // An editor's file is nobody's, and neither is one of another kind.
    folder.write("partners.d/b.toml", "[partner]\nid = \"b\"\n");
    folder.write("partners.d/.#c.toml", "broken");
    folder.write("partners.d/c.toml~", "broken");
    assert_eq!(folder.said(), Vec::<String>::new());
    // What cannot be read is one mistake of many.
    fs::create_dir(folder.path().join("partners.d/d.toml")).unwrap();
    fs::write(folder.path().join("partners.d/e.toml"), b"a = \"\xff\"").unwrap();
    assert_eq!(
        folder.said(),
        [
            "partners.d/d.toml:1: file: cannot be read (is a directory); let it be a text file that the daemon may read",
            "partners.d/e.toml:1: file: cannot be read (byte 6 is not UTF-8); let it be a text file that the daemon may read",
        ]
    );
}

#[test]
fn of_a_file_that_is_not_there() {
    let error = Config::load(Path::new("nowhere/marsad.toml"), &Environment::empty()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "nowhere/marsad.toml:1: file: cannot be read (No such file or directory (os error 2)); \
         name it with --config, or make a start with: marsad config init DIR"
    );
}

#[test]
fn broken_syntax_hides_no_other_mistake_and_invents_none() {
    let said = said_of(
        "[partner]\nid = \"courts\nname = 7\n\n[[connection]]\nid = \"api\"\nbase_url = \"ftp://a.example\"\nrate = = 1\n",
    );
    let places: Vec<_> =
        said.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        places,
        ["2: syntax", "3: partner.name", "7: connection.api.base_url", "8: syntax"],
        "{said:#?}"
    );
}
