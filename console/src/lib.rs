//! The console: a terminal UI, and the same verbs as a command line for scripts.

pub mod cli;
pub mod client;
