//! What the tests, the demo and the benchmarks stand on: the real programs, and partners that are not.

pub mod bank;
pub mod build;
pub mod daemon;
pub mod partner;
pub mod screen;
