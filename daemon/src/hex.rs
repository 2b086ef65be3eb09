//! Bytes as other programs write them.

use std::fmt::Write as _;

/// Each byte as two digits, in small letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
