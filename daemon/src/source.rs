//! Where pages come from: a partner's API, or files that are complete. Only here does a feed touch the world.

pub mod asking;
pub mod auth;
#[cfg(test)]
mod bench;
pub mod body;
pub mod breaker;
pub mod call;
pub mod client;
pub mod cursor;
pub mod doubt;
pub mod fault;
pub mod folder;
pub mod gate;
pub mod http;
pub mod link;
pub mod manners;
pub mod ours;
pub mod places;
pub mod proof;
pub mod said;
pub mod spend;
pub mod success;
pub mod walk;
