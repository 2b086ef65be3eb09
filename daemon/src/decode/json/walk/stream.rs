//! The walk over a document that streams by, or that is not text everywhere: the same finds, and no more held than one value.

use std::io::BufRead;

use super::{Ended, Met, Node, Walk, twice};
use crate::decode::{
    DEPTH_MAX, DecodeError, Flow, Standing,
    json::{is_too_deep, scan::Scan},
};

impl Node<'_> {
    /// Takes what is wanted at this place. `opened`: its scalars were taken already.
    pub(super) fn scan<R: BufRead>(
        &self,
        scan: &mut Scan<R>,
        opened: bool,
        walk: &mut Walk<'_, '_>,
    ) -> Result<(), DecodeError> {
        if !opened && !self.scalars.is_empty() {
            return self.scan_held(scan, walk);
        }
        match scan.need()? {
            b'{' => {
                scan.take();
                self.scan_members(scan, walk)
            }
            b'[' => {
                scan.take();
                match self.list {
                    Some(standing) => records(scan, standing, walk),
                    None => passed(scan),
                }
            }
            _ => {
                let is_null = scan.single()?;
                if self.list.is_some() && !is_null {
                    walk.odd = Some("a single value");
                }
                Ok(())
            }
        }
    }

    /// A value that is wanted as a whole, and perhaps what stands in it.
    fn scan_held<R: BufRead>(
        &self,
        scan: &mut Scan<R>,
        walk: &mut Walk<'_, '_>,
    ) -> Result<(), DecodeError> {
        let line = scan.line();
        let text = scan.text()?;
        if is_too_deep(text) {
            return Err(DecodeError::TooDeep { levels: DEPTH_MAX, line });
        }
        walk.keep(self, text);
        if self.names.is_empty() && self.list.is_none() {
            return Ok(());
        }
        let text = text.to_owned();
        self.scan(&mut Scan::new(text.as_bytes()), true, walk)
    }

    fn scan_members<R: BufRead>(
        &self,
        scan: &mut Scan<R>,
        walk: &mut Walk<'_, '_>,
    ) -> Result<(), DecodeError> {
        if self.list.is_some() {
            walk.odd = Some("an object");
        }
        walk.around |= self.holds_records();
        if scan.is_empty(b'}')? {
            return Ok(());
        }
        let mut met = Met::new(self);
        loop {
            let name = scan.name()?;
            match self.named(&name) {
                None => scan.pass(0)?,
                Some((at, _)) if met.again(at) => {
                    walk.ended = Some(Ended::Twice(name.clone()));
                    return Err(twice(&name));
                }
                Some((_, node)) => node.scan(scan, false, walk)?,
            }
            if !scan.goes_on(b'}')? {
                return Ok(());
            }
        }
    }
}

/// A list of records, each with its bytes where they are no text.
fn records<R: BufRead>(
    scan: &mut Scan<R>,
    standing: Standing,
    walk: &mut Walk<'_, '_>,
) -> Result<(), DecodeError> {
    walk.found |= standing == Standing::Here;
    if scan.is_empty(b']')? {
        return Ok(());
    }
    loop {
        let record = scan.value()?;
        if (walk.each)(simdutf8::basic::from_utf8(record).map_err(|_| record), standing)
            == Flow::Stop
        {
            return Err(DecodeError::Stopped);
        }
        if !scan.goes_on(b']')? {
            return Ok(());
        }
    }
}

/// A list that nobody wants.
fn passed<R: BufRead>(scan: &mut Scan<R>) -> Result<(), DecodeError> {
    if scan.is_empty(b']')? {
        return Ok(());
    }
    loop {
        scan.pass(0)?;
        if !scan.goes_on(b']')? {
            return Ok(());
        }
    }
}
