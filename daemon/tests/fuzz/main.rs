//! Bytes that nobody wrote: whatever comes, a decoder neither panics nor makes more of it than it holds; what is whole is
//! read as it was written, and what is cut off is never taken for whole.
//!
//! Each target runs for about a second here; a fuzzer may drive the same targets for hours.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests, with what they share"
)]

use std::time::Duration;

mod archives;
mod documents;
mod json;
mod moving;
mod paths;
#[expect(dead_code, reason = "other tests read pages by it too")]
#[path = "../reading/mod.rs"]
mod reading;
mod sdmx;
mod values;
mod walking;
mod xml;
#[path = "../../../tests/tests/e2e/zip.rs"]
mod zip;

/// How long each target runs in the tests.
const TIME: Duration = Duration::from_millis(900);

/// Bytes as a row of choices; past their end all choices are the first.
struct Choices<'b> {
    bytes: std::slice::Iter<'b, u8>,
}

impl<'b> Choices<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or_default()) % limit
    }

    fn one<'c, T>(&mut self, of: &'c [T]) -> &'c T {
        let at = self.below(of.len());
        of.get(at).unwrap()
    }

    /// A place in something of that length.
    fn place(&mut self, len: usize) -> usize {
        (self.below(256) * 256 + self.below(256)) % len.max(1)
    }

    /// The document with a byte or two changed, doubled or left out.
    fn spoilt(&mut self, document: &str) -> Vec<u8> {
        let mut bytes = document.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.place(bytes.len());
            match self.below(3) {
                0 => bytes.insert(at, *self.one(b"\"'<>&;[]{}:,\\/ \n\0\xff=!-]")),
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = *self.one(b"\"'<>&;[]{}:,\\/0a \n\xc3=");
                    }
                }
            }
        }
        bytes
    }
}
