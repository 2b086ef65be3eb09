//! Whether what should be in an encoding in which nearly every byte is a letter is UTF-8 after all: text of any such
//! encoding is UTF-8 by accident only where it is ASCII.

/// The letters beyond ASCII that were met so far, all of them UTF-8.
#[derive(Debug, Default)]
pub struct Letters {
    met: bool,
    /// The begin of a letter that the last piece ended in.
    begun: Vec<u8>,
}

impl Letters {
    /// With the next piece; `None`: it is no UTF-8.
    pub fn with(mut self, piece: &[u8]) -> Option<Self> {
        if self.begun.is_empty() && piece.is_ascii() {
            return Some(self);
        }
        self.begun.extend_from_slice(piece);
        self.met |= !self.begun.is_ascii();
        let begun = match std::str::from_utf8(&self.begun) {
            Ok(_) => self.begun.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return None,
        };
        self.begun.drain(..begun);
        Some(self)
    }

    /// Whether there was a letter beyond ASCII so far.
    pub const fn any(&self) -> bool {
        self.met
    }

    /// Whether there was a letter beyond ASCII at all, and the last one is whole.
    pub fn is_utf8(&self) -> bool {
        self.met && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_told_from_what_only_looks_like_it() {
        let windows = encoding_rs::WINDOWS_1256.encode("قيد الطلبة").0.into_owned();
        for (bytes, expected, why) in [
            ("رقم,قيد".as_bytes(), true, "letters of two bytes"),
            (b"id,name".as_slice(), false, "ASCII is the same in both"),
            (&windows, false, "windows-1256"),
            (&"قيد".as_bytes()[..3], false, "it ends inside a letter"),
        ] {
            for step in 1..=4 {
                let pieces = bytes.chunks(step);
                let letters = pieces.into_iter().try_fold(Letters::default(), Letters::with);
                let told = letters.is_some_and(|letters| letters.is_utf8());
                assert_eq!(told, expected, "{why}, {step} bytes at a time");
            }
        }
    }
}
