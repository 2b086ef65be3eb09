//! Rows on their way into pieces: each is counted in, or kept with why it is not, and full pieces are handed on.

use std::io;

use marsad_shared::{
    quarantine::{Form, Kind, ORIGINAL_MAX, Place, Refusal},
    record::Cell,
    store::StoreError,
};

use super::{Intake, Origins, Piece, REFUSED_MAX};
use crate::{
    decode::{DecodeError, Flow},
    shape::Refused,
};

/// The most values of one page: each costs 16 bytes beside its text.
const PAGE_CELLS: usize = 16_000_000;
/// What a row costs beside its values, in bytes: its hashes.
const ROW_COST: usize = 16;
/// What a refusal costs beside its original, in bytes: its reason, and where it stood.
const REFUSAL_COST: usize = 512;

/// A row as it came, for what is kept of a refused one.
pub(super) struct Origin {
    pub(super) original: Vec<u8>,
    /// `None`: its values cannot be told apart.
    pub(super) form: Option<Form>,
    pub(super) place: Place,
}

/// The rows under way.
pub(super) struct Rows<'a, F> {
    intake: &'a Intake<'a>,
    pub(super) piece: Piece,
    /// What refusals take, in bytes.
    refused: usize,
    /// What a piece may take, in bytes.
    most: usize,
    /// Takes full pieces; without it all rows are one piece.
    take: Option<F>,
    /// What a row refers to could not be looked up.
    fault: Option<StoreError>,
}

impl<'a, F> Rows<'a, F> {
    pub(super) fn new(intake: &'a Intake<'a>, most: usize, take: Option<F>) -> Self {
        Self { intake, piece: intake.piece(), refused: 0, most, take, fault: None }
    }

    /// Why what was read so far is not to be believed: our own trouble.
    pub(super) fn fault(&mut self) -> Option<DecodeError> {
        self.fault.take().map(|error| DecodeError::Io(io::Error::other(error)))
    }

    /// Takes the row that was shaped last out again, if what it refers to is not there.
    fn refer(&mut self) -> Result<(), Refused> {
        let Some(references) = self.intake.references else { return Ok(()) };
        let batch = &mut self.piece.batch;
        let missing = match references.missing(batch, batch.len().saturating_sub(1)) {
            Ok(missing) => missing,
            Err(error) => {
                self.fault = Some(error);
                None
            }
        };
        let Some((at, to)) = missing else { return Ok(()) };
        batch.pop();
        Err(self.intake.shaper.unreferred(at, to))
    }

    /// Why a page that was read so far is too much, if it is.
    pub(super) fn excess(&self) -> Option<DecodeError> {
        let Piece { batch, refused, .. } = &self.piece;
        if refused.len() as u64 > REFUSED_MAX {
            return Some(DecodeError::TooManyRefused(REFUSED_MAX));
        }
        if batch.cells_len() > PAGE_CELLS {
            return Some(DecodeError::TooLarge(
                "the page holds more than 16 million values; ask for smaller pages (`size`)"
                    .to_owned(),
            ));
        }
        let cells = batch.cells_len() * size_of::<Cell>() + batch.len() * ROW_COST;
        let takes = cells + batch.text_len() + self.refused;
        (takes > self.most).then_some(DecodeError::Crowded(self.most))
    }
}

impl<F: FnMut(Piece) -> Flow> Rows<'_, F> {
    /// Counts a row in, or keeps why not, and hands the piece on when it is full.
    pub(super) fn next(
        &mut self,
        shaped: Result<(), Refused>,
        origin: impl FnOnce() -> Origin,
    ) -> Flow {
        let shaped = shaped.and_then(|()| self.refer());
        if self.fault.is_some() {
            return Flow::Stop;
        }
        self.piece.misfits.count(&shaped);
        if let Err(Refused { field, reason, .. }) = shaped {
            let Origin { mut original, form, place } = origin();
            let bytes = original.len() as u64;
            original.truncate(ORIGINAL_MAX);
            original.shrink_to_fit();
            let Origins { file, page, .. } = self.intake.origins.clone();
            let place = Place { file, page, field, ..place };
            self.refused += original.len() + REFUSAL_COST;
            self.piece.refused.push(Refusal {
                kind: Kind::Row,
                reason,
                place,
                original,
                form,
                original_hash: None,
                bytes,
            });
        }
        let Some(take) = &mut self.take else {
            return if self.excess().is_some() { Flow::Stop } else { Flow::More };
        };
        if !self.piece.is_full() {
            return Flow::More;
        }
        let next = Piece { batch: self.piece.batch.another(), ..self.intake.piece() };
        take(std::mem::replace(&mut self.piece, next))
    }

    /// Hands the last piece on.
    pub(super) fn hand_over(self) -> Result<(), DecodeError> {
        let Self { piece, take, .. } = self;
        let flow = take.map_or(Flow::More, |mut take| take(piece));
        if flow == Flow::Stop { Err(DecodeError::Stopped) } else { Ok(()) }
    }
}
