//! What TLS found wrong, in words that name the certificate, its dates and its hosts.

use jiff::Timestamp;
use marsad_shared::{health::Reason, untrusted::show_at_most};
use rustls::{AlertDescription as Alert, CertificateError as Bad, Error, pki_types::UnixTime};

use super::causes::cause;

/// No clock that is right says less: this program is younger.
const EPOCH: i64 = 1_767_225_600; // 2026-01-01

/// What it is, and on whose side.
pub(super) fn of_tls(error: &Error) -> (Reason, String) {
    match error {
        Error::InvalidCertificate(bad) => of_certificate(bad),
        Error::AlertReceived(alert) if is_about_ours(*alert) => {
            let what = "the partner does not take our certificate (`tls.cert`), or misses one";
            (Reason::Auth, format!("{what} (alert {alert:?})"))
        }
        Error::AlertReceived(Alert::ProtocolVersion) | Error::PeerIncompatible(_) => {
            let what = format!("TLS failed: the partner does not speak what we do ({error})");
            (Reason::TlsHandshake, show_at_most(&what, 200))
        }
        _ => (Reason::TlsHandshake, show_at_most(&format!("TLS failed ({error})"), 200)),
    }
}

fn of_certificate(bad: &Bad) -> (Reason, String) {
    match bad {
        Bad::ExpiredContext { time, not_after } => {
            let (end, now) = (date(*not_after), date(*time));
            let what = format!("the certificate was good until {end}, and our clock says {now}");
            (Reason::TlsExpired, what)
        }
        Bad::Expired => {
            (Reason::TlsExpired, "the certificate has expired (or our clock is wrong)".to_owned())
        }
        Bad::NotValidYetContext { time, not_before } => {
            let (begin, now) = (date(*not_before), date(*time));
            let what = format!("the certificate is good from {begin} on, and our clock says {now}");
            if i64::try_from(time.as_secs()).is_ok_and(|now| now < EPOCH) {
                return (Reason::Clock, format!("{what}, which cannot be"));
            }
            (
                Reason::TlsUntrusted,
                format!("{what}: one of the two is wrong, so check our clock first"),
            )
        }
        Bad::NotValidForNameContext { expected, presented } => {
            let names = presented.iter().map(|name| name_of(name)).collect::<Vec<_>>().join(", ");
            let names =
                if names.is_empty() { "nobody".to_owned() } else { show_at_most(&names, 120) };
            let host = expected.to_str();
            (Reason::TlsUntrusted, format!("the certificate is of {names}, not of {host}"))
        }
        Bad::UnknownIssuer => {
            let what = "nobody whom we trust vouches for the certificate (a partner's own authority belongs into `tls.ca`)";
            (Reason::TlsUntrusted, what.to_owned())
        }
        _ => {
            let what = format!("the certificate is not trusted ({})", Error::from(bad.clone()));
            (Reason::TlsUntrusted, show_at_most(&what, 200))
        }
    }
}

/// `DnsName("a.example")` as `a.example`.
fn name_of(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, behind)| behind.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
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
            (Bad::UnknownIssuer, Reason::TlsUntrusted, &["nobody whom we trust", "tls.ca"]),
            (Bad::Revoked, Reason::TlsUntrusted, &["not trusted"]),
        ] {
            let (found, text) = of_tls(&Error::InvalidCertificate(bad));
            assert_eq!(found, reason, "{text}");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        let (reason, text) = of_tls(&Error::AlertReceived(Alert::CertificateRequired));
        assert!(reason == Reason::Auth && text.contains("tls.cert"), "{text}");
    }
}
