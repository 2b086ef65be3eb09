//! Manners toward a partner: what its answers ask of us, and what time it is there.

pub mod clock;
