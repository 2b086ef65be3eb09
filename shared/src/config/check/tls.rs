//! What a connection's TLS stands on: files that are there, are what they should be, and belong together.

use super::{Scope, secret::secret};
use crate::{
    certificate::{BadFile, Material, Part},
    config::{
        raw::RawTls,
        source::Report,
        table::{At, Given},
        value::Location,
    },
    connection::{Identity, Tls},
};

/// Checks `tls`. `https`: whether the connection uses TLS at all.
pub(super) fn tls(
    at: &At<RawTls>,
    https: bool,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Tls> {
    let raw = &at.value;
    if !https {
        report.wrong(&at.place, "means nothing to http", "use https in base_url");
        return None;
    }
    if raw.ca.is_absent() && raw.cert.is_absent() && raw.key.is_absent() {
        let remedy = "add ca for whom we trust, cert and key for who we are, or take it out";
        report.missing(&at.place, "says nothing", remedy);
        return None;
    }
    for (one, other, name) in [(&raw.cert, &raw.key, "key"), (&raw.key, &raw.cert, "cert")] {
        if !one.is_absent() && other.is_absent() {
            let remedy = "a certificate and its key go together";
            report.missing(&at.place.child(name), "is missing", remedy);
        }
    }
    let passphrase = match &raw.passphrase {
        Given::Absent => Some(None),
        given => given.here().and_then(|at| secret(at, scope, report)).map(Some),
    };
    if raw.key.is_absent() {
        raw.passphrase.refuse(report, "has no use without `key`");
    }
    if [&raw.ca, &raw.cert, &raw.key].iter().any(|given| matches!(given, Given::Wrong)) {
        return None;
    }
    let file = |given: &Given<Location>| given.value().map(|location| location.0.clone());
    let identity = match (file(&raw.cert), file(&raw.key)) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some(Identity { cert, key, passphrase: passphrase? }),
        _ => return None,
    };
    let tls = Tls { ca: file(&raw.ca), identity };
    match Material::read(&tls) {
        Ok(_) => Some(tls),
        Err(error) => {
            say(raw, &error, report);
            None
        }
    }
}

fn say(raw: &RawTls, error: &BadFile, report: &mut Report<'_>) {
    let place = match error.part {
        Part::Ca => raw.ca.place(),
        Part::Cert => raw.cert.place(),
        Part::Key => raw.key.place(),
        Part::Passphrase => raw.passphrase.place(),
    };
    if let Some(place) = place {
        let problem = format!("{} {}", super::shown(&error.file), error.problem);
        report.wrong(place, problem, error.remedy.clone());
    }
}
