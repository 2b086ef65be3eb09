//! What to do, in a few words.

use marsad_shared::health::Reason;

/// What to do about a status that tells more than its kind.
pub(super) const fn remedy_of(status: u16) -> Option<&'static str> {
    Some(match status {
        402 | 451 => "ask whoever agreed with the partner: it is no fault of technology",
        405 => "ask the partner which method it takes there (`method`)",
        406 | 415 => {
            "ask the partner which format it speaks there (`headers`: Accept, Content-Type)"
        }
        409 | 423 => "ask the partner what it is busy with, if it stays",
        413 | 414 | 431 => "ask for less at a time (`size`, or shorter stretches)",
        _ => return None,
    })
}

/// What to do about a reason, in a few words.
pub(super) const fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "check the name (base_url, token_url) and our resolver",
        Reason::ConnectRefused | Reason::ConnectTimeout => {
            "ask the partner whether the service runs; it is tried again"
        }
        Reason::TlsHandshake | Reason::TlsUntrusted => {
            "compare the partner's certificate with what was agreed"
        }
        Reason::TlsExpired => "ask the partner for a new certificate",
        Reason::Auth => "check the credentials, or ask the partner to let us in",
        Reason::Http4xx => "check path and parameters against the partner's documentation",
        Reason::Network => "check our own network; the partner is not to blame",
        Reason::Resolver => {
            "check our resolver (/etc/resolv.conf) and the way to it; the partner is not to blame"
        }
        Reason::Disk | Reason::DbBusy | Reason::Clock => {
            "mend it here; the partner is not to blame"
        }
        Reason::GatewayFault => {
            "tell whoever runs the gateway: the partner behind it may not be to blame"
        }
        Reason::TooLarge => "ask for smaller pages (`size`)",
        _ => "it is tried again; if it stays, tell the partner",
    }
}
