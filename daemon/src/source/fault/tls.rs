//! What TLS found wrong, in words that name the certificate, its dates and its hosts.

use std::net::IpAddr;

use jiff::Timestamp;
use marsad_shared::{health::Reason, untrusted::show_at_most};
use rustls::{
    AlertDescription as Alert, CertificateError as Bad, Error, PeerIncompatible,
    pki_types::UnixTime,
};

use super::{super::client::is_an_authoritys, Found, causes::cause};

/// No clock that is right says less: this program is younger.
const EPOCH: i64 = 1_767_225_600; // 2026-01-01

/// What it is, and on whose side, with what to do where that is more than the reason itself tells.
pub(super) fn of_tls(error: &Error) -> Found {
    match error {
        Error::InvalidCertificate(bad) => of_certificate(bad),
        Error::AlertReceived(alert) if is_about_ours(*alert) => {
            let (what, remedy) = of_ours(*alert);
            Found::new(Reason::Auth, format!("{what} (alert {alert:?})")).remedy(remedy)
        }
        Error::AlertReceived(Alert::ProtocolVersion)
        | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            let what = "TLS failed: the partner speaks neither TLS 1.2 nor 1.3, and older ones are not safe";
            Found::new(Reason::TlsHandshake, what)
                .remedy("ask the partner to turn TLS 1.2 or 1.3 on")
        }
        Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
        | Error::PeerIncompatible(_) => {
            let what = format!(
                "TLS failed: no cipher suite in common, or the partner asks for a certificate of ours ({error})"
            );
            Found::new(Reason::TlsHandshake, show_at_most(&what, 200)).remedy(
                "ask the partner which of the two: we speak ECDHE with AES-GCM or ChaCha20, and show `tls.cert`",
            )
        }
        Error::InvalidMessage(_) => {
            let what = format!("what answers there does not speak TLS ({error})");
            Found::new(Reason::TlsHandshake, show_at_most(&what, 200))
                .remedy("check the port in base_url, and whether http:// is meant")
        }
        _ => Found::new(Reason::TlsHandshake, show_at_most(&format!("TLS failed ({error})"), 200)),
    }
}

fn of_certificate(bad: &Bad) -> Found {
    match bad {
        Bad::ExpiredContext { time, not_after } => {
            let (end, now) = (date(*not_after), date(*time));
            let what = format!("the certificate was good until {end}, and our clock says {now}");
            Found::new(Reason::TlsExpired, what)
        }
        Bad::Expired => {
            Found::new(Reason::TlsExpired, "the certificate has expired (or our clock is wrong)")
        }
        Bad::NotValidYetContext { time, not_before } => {
            let (begin, now) = (date(*not_before), date(*time));
            let what = format!("the certificate is good from {begin} on, and our clock says {now}");
            if i64::try_from(time.as_secs()).is_ok_and(|now| now < EPOCH) {
                return Found::new(Reason::Clock, format!("{what}, which cannot be"));
            }
            let what = format!("{what}: one of the two is wrong, so check our clock first");
            Found::new(Reason::TlsUntrusted, what)
        }
        Bad::NotValidForNameContext { expected, presented } => {
            let host = expected.to_str();
            if is_named(&host, presented) {
                let what = format!(
                    "the address {host} stands in the certificate as a name and not as an IP address, so that it does not count"
                );
                return Found::new(Reason::TlsUntrusted, what).remedy(
                    "have the partner put it in as an IP address (subjectAltName IP), or use a name that the certificate is of in base_url",
                );
            }
            let names = presented.iter().map(|name| name_of(name)).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() {
                "nobody (it names no host among its alternative names)".to_owned()
            } else {
                show_at_most(&names, 120)
            };
            let what = format!("the certificate is of {names}, not of {host}");
            Found::new(Reason::TlsUntrusted, what).remedy(
                "use a name that it is of in base_url, or ask the partner for one of this host",
            )
        }
        Bad::UnknownIssuer => {
            let what = "nobody whom we trust vouches for the certificate";
            Found::new(Reason::TlsUntrusted, what).remedy(
                "put the partner's own authority into `tls.ca`, or ask the partner to send its whole chain",
            )
        }
        Bad::BadSignature => {
            let what = "a signature of the certificate does not hold: it is forged, or its key is too weak (RSA below 2048 bits)";
            Found::new(Reason::TlsUntrusted, what).remedy(NEW)
        }
        _ => of_form(bad),
    }
}

/// What to ask for where a certificate is of no use to anybody.
const NEW: &str = "ask the partner for a new certificate";

/// A certificate that is made in a way that we do not take.
fn of_form(bad: &Bad) -> Found {
    let said = Error::from(bad.clone()).to_string();
    let is = |word: &str| said.contains(word);
    let what = if is("UnsupportedSignatureAlgorithm") {
        "the certificate is signed in a way that is no longer safe, such as SHA-1"
    } else if is_an_authoritys(&Error::from(bad.clone())) {
        let what = "the certificate is an authority's and not a server's, as those are that a server makes for itself";
        return Found::new(Reason::TlsUntrusted, what).remedy(
            "compare it with the partner, and put this very certificate into `tls.ca`, or ask for another",
        );
    } else if is("UnsupportedCertVersion") {
        "the certificate is of a version before X.509 v3, which can name no host"
    } else {
        let what = format!("the certificate is not trusted ({said})");
        return Found::new(Reason::TlsUntrusted, show_at_most(&what, 200));
    };
    Found::new(Reason::TlsUntrusted, what).remedy(NEW)
}

/// `DnsName("a.example")` as `a.example`.
fn name_of(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, behind)| behind.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// Whether a host that is an address stands among the names of a certificate as text.
fn is_named(host: &str, presented: &[String]) -> bool {
    let Ok(address) = host.parse::<IpAddr>() else { return false };
    presented.iter().any(|name| name_of(name).parse() == Ok(address))
}

/// What an alert says of the certificate that we showed, or did not show, and what to do about it.
const fn of_ours(alert: Alert) -> (&'static str, &'static str) {
    match alert {
        Alert::CertificateExpired => (
            "the partner says that our certificate (`tls.cert`) is no longer good, or not yet",
            "check until when it is good and have it renewed, or compare our clock with the partner's",
        ),
        Alert::CertificateRequired | Alert::NoCertificate => (
            "the partner misses a certificate of ours",
            "ask the partner for one, and put it into `tls.cert` and `tls.key`",
        ),
        Alert::UnknownCA | Alert::CertificateUnknown => (
            "the partner does not know who made our certificate (`tls.cert`)",
            "ask the partner whose it takes, and put the whole chain into `tls.cert`",
        ),
        Alert::CertificateRevoked => (
            "the partner says that our certificate (`tls.cert`) was revoked",
            "ask the partner for a new one",
        ),
        _ => (
            "the partner does not take our certificate (`tls.cert`), or misses one",
            "check who made it and until when it is good, or ask the partner to let it in",
        ),
    }
}

/// Whether an alert speaks of the certificate that we showed, or did not show.
fn is_about_ours(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

fn date(time: UnixTime) -> String {
    instant(time).map_or_else(|| "an impossible time".to_owned(), |at| at.to_string())
}

fn instant(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

/// Until when the partner's certificate was good, where that is what went wrong.
pub fn peer_until(error: &reqwest::Error) -> Option<Timestamp> {
    match cause(error)? {
        Error::InvalidCertificate(Bad::ExpiredContext { not_after, .. }) => instant(*not_after),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;
    use std::time::Duration;

    fn at(text: &str) -> UnixTime {
        let seconds = text.parse::<Timestamp>().unwrap().as_second();
        UnixTime::since_unix_epoch(Duration::from_secs(seconds.unsigned_abs()))
    }

    /// What the library of certificates says under no name of its own.
    fn other(name: &'static str) -> Bad {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Said(&'static str);
        Bad::Other(rustls::OtherError(std::sync::Arc::new(Said(name))))
    }

    fn check(error: &Error, reason: Reason, parts: &[&str]) {
        let found = of_tls(error);
        let text = format!("{}; {}", found.what, found.remedy);
        assert_eq!(found.reason, reason, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        let told_apart =
            !found.remedy.contains(';') || found.remedy == super::super::remedy(reason);
        assert!(told_apart, "{text}");
    }

    #[test]
    fn each_certificate_that_is_refused_says_what_is_wrong_with_it() {
        let host = || ServerName::try_from("api.p.example").unwrap();
        let now = || at("2026-11-24T10:00:00Z");
        for (bad, reason, parts) in [
            (
                Bad::ExpiredContext { time: now(), not_after: at("2026-11-20T00:00:00Z") },
                Reason::TlsExpired,
                &["until 2026-11-20T00:00:00Z", "clock says 2026-11-24T10:00:00Z"][..],
            ),
            (
                Bad::NotValidYetContext { time: now(), not_before: at("2026-12-01T00:00:00Z") },
                Reason::TlsUntrusted,
                &["from 2026-12-01T00:00:00Z", "check our clock"],
            ),
            (
                Bad::NotValidYetContext {
                    time: at("1970-01-01T00:05:00Z"),
                    not_before: at("2026-01-01T00:00:00Z"),
                },
                Reason::Clock,
                &["our clock says 1970-01-01T00:05:00Z, which cannot be"],
            ),
            (
                Bad::NotValidForNameContext {
                    expected: host(),
                    presented: vec!["DnsName(\"a.example\")".to_owned(), "\u{1b}[2J".to_owned()],
                },
                Reason::TlsUntrusted,
                &["is of a.example, \\u{1b}[2J, not of api.p.example"],
            ),
            (
                Bad::NotValidForNameContext { expected: host(), presented: Vec::new() },
                Reason::TlsUntrusted,
                &["of nobody", "not of api.p.example", "base_url"],
            ),
            (
                Bad::NotValidForNameContext {
                    expected: ServerName::try_from("127.0.0.1").unwrap(),
                    presented: vec!["DnsName(\"127.0.0.1\")".to_owned()],
                },
                Reason::TlsUntrusted,
                &["127.0.0.1 stands in the certificate as a name", "subjectAltName IP", "base_url"],
            ),
            (
                Bad::NotValidForNameContext {
                    expected: ServerName::try_from("127.0.0.1").unwrap(),
                    presented: vec!["IpAddress(127.0.0.2)".to_owned()],
                },
                Reason::TlsUntrusted,
                &["is of 127.0.0.2, not of 127.0.0.1"],
            ),
            (
                Bad::UnknownIssuer,
                Reason::TlsUntrusted,
                &["nobody whom we trust", "tls.ca", "its whole chain"],
            ),
            (Bad::BadSignature, Reason::TlsUntrusted, &["forged", "2048", "new certificate"]),
            (other("CaUsedAsEndEntity"), Reason::TlsUntrusted, &["an authority's"]),
            (other("UnsupportedCertVersion"), Reason::TlsUntrusted, &["before X.509 v3"]),
            (
                Bad::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: vec![1],
                    supported_algorithms: Vec::new(),
                },
                Reason::TlsUntrusted,
                &["no longer safe, such as SHA-1", "new certificate"],
            ),
            (Bad::Revoked, Reason::TlsUntrusted, &["not trusted"]),
        ] {
            check(&Error::InvalidCertificate(bad), reason, parts);
        }
    }

    #[test]
    fn each_handshake_that_fails_says_whom_to_ask_for_what() {
        use rustls::InvalidMessage;
        for (error, reason, parts) in [
            (
                Error::AlertReceived(Alert::CertificateRequired),
                Reason::Auth,
                &["misses a certificate of ours", "tls.cert"][..],
            ),
            (Error::AlertReceived(Alert::CertificateExpired), Reason::Auth, &["have it renewed"]),
            (
                Error::AlertReceived(Alert::UnknownCA),
                Reason::Auth,
                &["who made our", "whole chain"],
            ),
            (Error::AlertReceived(Alert::AccessDenied), Reason::Auth, &["does not take our"]),
            (
                Error::AlertReceived(Alert::ProtocolVersion),
                Reason::TlsHandshake,
                &["neither TLS 1.2 nor 1.3", "turn TLS 1.2 or 1.3 on"],
            ),
            (
                Error::AlertReceived(Alert::HandshakeFailure),
                Reason::TlsHandshake,
                &["no cipher suite in common, or", "tls.cert"],
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                Reason::TlsHandshake,
                &["does not speak TLS", "http:// is meant"],
            ),
            (Error::HandshakeNotComplete, Reason::TlsHandshake, &["TLS failed"]),
        ] {
            check(&error, reason, parts);
        }
    }
}
