//! Where pages come from: a partner's API, or files that are complete. Only here does a feed touch the world.

pub mod asking;
pub mod auth;
pub mod call;
pub mod client;
pub mod cursor;
pub mod fault;
pub mod folder;
pub mod http;
pub mod link;
pub mod manners;
pub mod oauth;
pub mod unpack;
pub mod walk;
