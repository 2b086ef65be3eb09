//! The catalogue: what is configured, kept in the ledger so that lists need no configuration file. Never a secret.

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    connection::{Connection, Link},
    feed::{Feed, Origin},
    freshness::Promise,
    id::{ConnectionId, FeedId},
    partner::{Name, Partner},
    store::StoreError,
};

/// One configured thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Partner(Partner),
    Connection(ConnectionCard),
    Feed(FeedCard),
}

/// What lists say of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCard {
    pub id: ConnectionId,
    pub name: Name,
    pub kind: String,
    pub address: String,
}

/// What lists say of a feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedCard {
    pub id: FeedId,
    pub name: Name,
    pub connection: ConnectionId,
    pub promise: Option<Promise>,
    /// Whether all of it is read now and then (`sweep`).
    #[serde(default)]
    pub sweeps: bool,
}

impl Entry {
    /// Everything that a configuration names.
    pub fn of(config: &Config) -> Vec<Self> {
        let partners = config.partners.iter().cloned().map(Self::Partner);
        let connections =
            config.connections.iter().map(|c| Self::Connection(ConnectionCard::of(c)));
        let feeds = config.feeds.iter().map(|feed| Self::Feed(FeedCard::of(feed)));
        partners.chain(connections).chain(feeds).collect()
    }

    pub(in crate::store) fn parts(&self) -> Result<(&'static str, &str, String), StoreError> {
        let text = |body: serde_json::Result<String>| {
            body.map_err(|error| StoreError::Conflict(error.to_string()))
        };
        Ok(match self {
            Self::Partner(partner) => {
                ("partner", partner.id.as_str(), text(serde_json::to_string(partner))?)
            }
            Self::Connection(card) => {
                ("connection", card.id.as_str(), text(serde_json::to_string(card))?)
            }
            Self::Feed(card) => ("feed", card.id.as_str(), text(serde_json::to_string(card))?),
        })
    }
}

impl ConnectionCard {
    fn of(connection: &Connection) -> Self {
        let address = match &connection.link {
            Link::Http(http) => http.base_url.to_string(),
            Link::Folder(folder) => {
                let folders = [&folder.import, &folder.export];
                folders
                    .into_iter()
                    .flatten()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            }
        };
        Self {
            id: connection.id.clone(),
            name: connection.name.clone(),
            kind: connection.kind().to_owned(),
            address,
        }
    }
}

impl FeedCard {
    fn of(feed: &Feed) -> Self {
        Self {
            id: feed.id.clone(),
            name: feed.name.clone(),
            connection: feed.connection.clone(),
            promise: feed.promise,
            sweeps: match &feed.origin {
                Origin::Http(request) => request.sweep.is_some(),
                Origin::Files(_) => false,
            },
        }
    }
}
