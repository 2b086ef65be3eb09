//! What stands behind a closing quote. The `csv` crate joins it to the cell without a word, and so a cell would be read
//! that nobody wrote.

use memchr::memchr;

/// Follows the quotes of a file on its way to the reader.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    at: At,
    delimiter: u8,
    /// The last byte so far.
    last: Option<u8>,
    /// Bytes so far.
    bytes: u64,
    /// Quotes so far: of a whole file there is an even number.
    count: u64,
    /// Where cells go on behind their closing quotes, as positions in the file, oldest first.
    junk: Vec<u64>,
}

/// Where a file stands between two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Outside,
    Quoted,
    /// Behind a quote inside quotes: it ends them, or stands for one if another follows.
    Quote,
}

impl Quotes {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, ..Self::default() }
    }

    /// Whether some quote stands alone so far.
    pub(super) const fn is_odd(&self) -> bool {
        self.count % 2 == 1
    }

    /// Whether a cell that began with a quote goes on.
    pub(super) fn is_open(&self) -> bool {
        self.at == At::Quoted
    }

    /// Follows the next piece of the file.
    pub(super) fn follow(&mut self, piece: &[u8]) {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            if self.at == At::Quote {
                at += self.behind_quote(rest, at);
                continue;
            }
            let Some(skipped) = memchr(b'"', rest) else { break };
            let before = (at + skipped).checked_sub(1).and_then(|at| piece.get(at)).copied();
            self.at = match self.at {
                // A quote inside a cell that began without one is a letter.
                At::Outside if before.or(self.last).is_some_and(|b| !self.ends_cell(b)) => {
                    At::Outside
                }
                At::Outside => At::Quoted,
                _ => At::Quote,
            };
            self.count += 1;
            at += skipped + 1;
        }
        self.last = piece.last().copied().or(self.last);
        self.bytes += piece.len() as u64;
    }

    /// Looks at the byte behind a quote inside quotes, at `at` of the piece; gives how many bytes that was.
    fn behind_quote(&mut self, rest: &[u8], at: usize) -> usize {
        match rest.first() {
            Some(b'"') => {
                (self.at, self.count) = (At::Quoted, self.count + 1);
                return 1;
            }
            Some(&byte) if !self.ends_cell(byte) => self.junk.push(self.bytes + at as u64),
            _ => {}
        }
        self.at = At::Outside;
        0
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }

    /// Whether a cell of the row that ended before the position `end` goes on behind its closing quote. Rows are asked for
    /// in their order.
    pub(super) fn is_junk_before(&mut self, end: u64) -> bool {
        let junk = self.junk.iter().take_while(|at| **at < end).count();
        self.junk.drain(..junk);
        junk > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_behind_its_closing_quote_is_found_however_it_comes() {
        for (text, expected, why) in [
            ("a,\"b\"c,d\n", &[5][..], "a letter behind it"),
            ("a,\"b\" ,d\n", &[5], "a space behind it"),
            ("\"a\"\"b\",\"c\"\r\n\"\"\n", &[], "doubled quotes, empty ones, either line end"),
            ("5\" pipe,\"x\"\n", &[], "a quote inside a cell without quotes is a letter"),
            ("\"a\nb\"x\n\"c\"y\n", &[5, 10], "over two lines, and once more"),
            ("\"a\"x\"b\",\"c\"\n", &[3], "once for a cell"),
            ("\"a\"", &[], "at the end"),
        ] {
            for step in 1..=text.len() {
                let mut quotes = Quotes::new(b',');
                text.as_bytes().chunks(step).for_each(|piece| quotes.follow(piece));
                assert_eq!(quotes.junk, expected, "{why}, {step} bytes at a time");
            }
        }
    }
}
