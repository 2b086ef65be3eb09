//! Partners that exist on this machine only: real HTTP servers and real folders on loopback, with data made from a
//! seed and faults that can be switched while they run.
//!
//! Each partner knows its own truth, so that a test can hold bank and source side by side, row by row.

pub mod api;
pub mod config;
pub mod data;
pub mod desk;
pub mod fault;
pub mod line;
pub mod office;
pub mod random;
pub mod script;
pub mod tls;

pub use api::{Api, Paging};
pub use config::PartnerFile;
pub use data::{Cell, Dataset, Row, Truth};
pub use desk::Desk;
pub use fault::{Fault, Switch};
pub use office::Office;
pub use script::{Asked, Reply, Script};
