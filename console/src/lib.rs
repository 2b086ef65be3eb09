//! The console: a terminal UI, and the same verbs as a command line for scripts.

pub mod catalogue;
pub mod cli;
pub mod client;
pub mod keys;
pub mod message;
pub mod model;
pub mod runtime;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
