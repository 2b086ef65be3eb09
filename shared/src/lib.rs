//! What Marsad's two programs have in common: the domain, its rules, the configuration, the store
//! and the protocol. Knows no network and no screen.

pub mod audit;
pub mod backoff;
pub mod bound;
pub mod brake;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod connection;
pub mod drift;
pub mod exchange;
pub mod feed;
pub mod fold;
pub mod freshness;
pub mod health;
pub mod hijri;
pub mod id;
pub mod mask;
pub mod order;
pub mod partner;
pub mod period;
pub mod phone;
pub mod protocol;
pub mod quarantine;
pub mod record;
pub mod request;
pub mod retention;
pub mod role;
pub mod run;
pub mod schedule;
pub mod signing;
pub mod store;
pub mod untrusted;
pub mod word;
