//! What a check is about.

use std::str::FromStr;

use marsad_shared::{
    id::{ConnectionId, FeedId, IdError, PartnerId},
    protocol::{ConnectionRow, FeedRow},
};

/// A SUBJECT of the command line. The four words go before a partner of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Exchanges,
    /// The import folders and the feeds that read them.
    Imports,
    /// Where alerts are sent.
    Channels,
    /// The daemon.
    Oneself,
    /// Its connections and feeds.
    Partner(PartnerId),
    /// An id alone: a connection and a feed of one partner never share a name.
    Either(FeedId),
    Feed(FeedId),
    Connection(ConnectionId),
}

impl Subject {
    pub(super) fn takes_connection(&self, row: &ConnectionRow) -> bool {
        match self {
            Self::Imports => row.kind == "folder",
            Self::Partner(id) => row.id.partner() == *id,
            Self::Either(id) => row.id.as_str() == id.as_str(),
            Self::Connection(id) => row.id == *id,
            Self::Exchanges | Self::Channels | Self::Oneself | Self::Feed(_) => false,
        }
    }

    /// `kind` is that of the connection over which the feed comes.
    pub(super) fn takes_feed(&self, row: &FeedRow, kind: Option<&str>) -> bool {
        match self {
            Self::Imports => kind == Some("folder"),
            Self::Partner(id) => row.id.partner() == *id,
            Self::Either(id) | Self::Feed(id) => row.id == *id,
            Self::Exchanges | Self::Channels | Self::Oneself | Self::Connection(_) => false,
        }
    }

    /// Why nothing was found for it.
    pub(super) fn nothing(&self) -> String {
        match self {
            Self::Exchanges | Self::Oneself => "nothing is known of it".to_owned(),
            Self::Imports => "no import folder is configured".to_owned(),
            Self::Channels => "no alert channel is configured".to_owned(),
            Self::Partner(id) => format!("there is no partner {id}"),
            Self::Either(id) => format!("there is no connection or feed {id}"),
            Self::Feed(id) => format!("there is no feed {id}"),
            Self::Connection(id) => format!("there is no connection {id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(match text {
            "exchanges" => Self::Exchanges,
            "imports" => Self::Imports,
            "channels" => Self::Channels,
            "self" => Self::Oneself,
            _ => match text.split_once(':') {
                Some(("feed", id)) => Self::Feed(id.parse()?),
                Some(("connection", id)) => Self::Connection(id.parse()?),
                _ if text.contains('/') => Self::Either(text.parse()?),
                _ => Self::Partner(text.parse()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_what_it_is() {
        for (text, expected) in [
            ("self", Some(Subject::Oneself)),
            ("exchanges", Some(Subject::Exchanges)),
            ("courts", Some(Subject::Partner("courts".parse().unwrap()))),
            ("courts/api", Some(Subject::Either("courts/api".parse().unwrap()))),
            ("feed:courts/orders", Some(Subject::Feed("courts/orders".parse().unwrap()))),
            ("connection:courts/api", Some(Subject::Connection("courts/api".parse().unwrap()))),
            ("feed:courts", None),
            ("run:r1", None),
            ("a/b/c", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
