//! What Marsad's two programs have in common: the domain, its rules, the configuration, the store
//! and the protocol. Knows no network and no screen.

pub mod audit;
pub mod backoff;
pub mod clock;
pub mod exchange;
pub mod freshness;
pub mod health;
pub mod role;
pub mod schedule;
pub mod untrusted;
pub mod word;
