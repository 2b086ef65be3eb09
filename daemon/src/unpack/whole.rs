//! Decoders of one stream that is all there is. What stands behind its end would be lost without a word; the libraries' own
//! readers pass over it.

use std::io::{self, BufRead as _, BufReader, Read};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::{DeflateDecoder, ZlibDecoder};

/// A decoder that leaves what stands behind its stream in the reader that it reads from.
pub(super) trait Stream: Read {
    type Bytes: Read;

    fn rest(&mut self) -> &mut BufReader<Self::Bytes>;
}

impl<R: Read> Stream for ZlibDecoder<BufReader<R>> {
    type Bytes = R;

    fn rest(&mut self) -> &mut BufReader<R> {
        self.get_mut()
    }
}

impl<R: Read> Stream for DeflateDecoder<BufReader<R>> {
    type Bytes = R;

    fn rest(&mut self) -> &mut BufReader<R> {
        self.get_mut()
    }
}

/// A stream behind which nothing stands.
#[derive(Debug)]
pub(super) struct Whole<D>(pub(super) D);

impl<D: Stream> Read for Whole<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.0.rest().fill_buf()?.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(read)
    }
}

/// A decoder of `br`.
pub(super) struct Brotli<R> {
    bytes: BufReader<R>,
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    written: usize,
    ended: bool,
}

impl<R: Read> Brotli<R> {
    pub(super) fn new(bytes: R) -> Self {
        let alloc = StandardAlloc::default;
        let state = Box::new(BrotliState::new(alloc(), alloc(), alloc()));
        Self { bytes: BufReader::new(bytes), state, written: 0, ended: false }
    }
}

impl<R: Read> Stream for Brotli<R> {
    type Bytes = R;

    fn rest(&mut self) -> &mut BufReader<R> {
        &mut self.bytes
    }
}

impl<R: Read> Read for Brotli<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while !self.ended && read == 0 && !buffer.is_empty() {
            let input = self.bytes.fill_buf()?;
            let (is_end, mut left, mut used, mut room) =
                (input.is_empty(), input.len(), 0, buffer.len());
            let result = BrotliDecompressStream(
                &mut left,
                &mut used,
                input,
                &mut room,
                &mut read,
                buffer,
                &mut self.written,
                &mut self.state,
            );
            self.bytes.consume(used);
            match result {
                BrotliResult::ResultSuccess => self.ended = true,
                BrotliResult::ResultFailure => return Err(io::ErrorKind::InvalidData.into()),
                BrotliResult::NeedsMoreInput if is_end && read == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
        }
        Ok(read)
    }
}
