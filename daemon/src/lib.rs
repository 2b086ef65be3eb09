//! The daemon's parts: sources, the pipeline, the courier, health, and the socket. `marsadd` puts them together.

pub mod books;
pub mod columns;
pub mod courier;
pub mod decode;
pub mod discover;
pub mod events;
pub mod health;
pub mod housekeeping;
pub mod import;
pub mod intake;
pub mod jitter;
pub mod outbox;
pub mod poll;
pub mod probe;
pub mod progress;
pub mod pull;
pub mod readers;
pub mod run;
pub mod services;
pub mod shape;
pub mod socket;
pub mod source;
pub mod supervisor;
pub mod test;
pub mod trouble;
pub mod watch;
