//! Why a measurement failed, and where to look first.

use crate::word::words;

words! {
    /// Why a measurement failed.
    pub enum Reason is "reason" {
        Dns = "dns",
        ConnectRefused = "connect_refused",
        ConnectTimeout = "connect_timeout",
        TlsHandshake = "tls_handshake",
        TlsExpired = "tls_expired",
        TlsUntrusted = "tls_untrusted",
        /// Our credentials were refused: 401 or 403.
        Auth = "auth",
        Http4xx = "http_4xx",
        Http5xx = "http_5xx",
        FirstByteTimeout = "first_byte_timeout",
        ReadTimeout = "read_timeout",
        TooLarge = "too_large",
        Truncated = "truncated",
        NotJson = "not_json",
        Encoding = "encoding",
        Decode = "decode",
        Schema = "schema",
        Checksum = "checksum",
        /// An error inside a success, such as a 200 with a fault envelope.
        RemoteFault = "remote_fault",
        GatewayFault = "gateway_fault",
        /// This and all below are our own: no network here.
        Network = "network",
        Resolver = "resolver",
        Disk = "disk",
        DbBusy = "db_busy",
        Clock = "clock",
    }
}

words! {
    /// Where the fault lies, as far as the reason alone can tell.
    pub enum Side is "side" {
        Ours = "ours",
        /// Between us and the partner.
        Network = "network",
        Tls = "tls",
        /// What stands before the partner's own system.
        Gateway = "gateway",
        Partner = "partner",
        /// It answered, and what it sent cannot be used.
        Data = "data",
    }
}

impl Reason {
    /// Our own fault: never held against a partner.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Network | Self::Resolver | Self::Disk | Self::DbBusy | Self::Clock)
    }

    /// Asking again at once cannot help, and may lock us out: down without a second try.
    pub const fn is_final_at_once(self) -> bool {
        matches!(self, Self::Auth | Self::TlsExpired | Self::TlsUntrusted)
    }

    /// Nobody is there to answer, whatever is asked.
    pub const fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::ConnectRefused
                | Self::ConnectTimeout
                | Self::TlsHandshake
                | Self::TlsExpired
                | Self::TlsUntrusted
                | Self::Http5xx
                | Self::FirstByteTimeout
                | Self::ReadTimeout
                | Self::Truncated
                | Self::GatewayFault
        )
    }

    /// Where to look first.
    pub const fn side(self) -> Side {
        match self {
            // The partner's server decided, and it is our credential that it did not like.
            Self::Auth
            | Self::Network
            | Self::Resolver
            | Self::Disk
            | Self::DbBusy
            | Self::Clock => Side::Ours,
            Self::Dns | Self::ConnectTimeout | Self::ReadTimeout | Self::Truncated => Side::Network,
            Self::TlsHandshake | Self::TlsExpired | Self::TlsUntrusted => Side::Tls,
            Self::GatewayFault => Side::Gateway,
            Self::ConnectRefused
            | Self::Http4xx
            | Self::Http5xx
            | Self::FirstByteTimeout
            | Self::RemoteFault => Side::Partner,
            Self::TooLarge
            | Self::NotJson
            | Self::Encoding
            | Self::Decode
            | Self::Schema
            | Self::Checksum => Side::Data,
        }
    }
}
