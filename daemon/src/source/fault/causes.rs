//! What stands behind an error, one cause after the other.

use std::{error::Error, io};

/// Every cause, from the outermost. An I/O error that wraps another error hides it from `source`: it gives that one's
/// cause in place of the error itself. Here it is looked into.
pub(super) fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes: Vec<&(dyn Error + 'static)> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        causes.push(error);
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    causes
}

/// The first cause of a kind.
pub(super) fn cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).into_iter().find_map(|cause| cause.downcast_ref())
}
