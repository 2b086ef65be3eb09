//! A file's bytes on their way to the decoder and to their original at once. Of a large file the original is packed on a
//! thread of its own: that takes as long as a good part of reading it.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use marsad_shared::store::originals::Incoming;

/// Files up to this size are packed where they are read, in bytes.
const SMALL: u64 = 1024 * 1024;
/// So many pieces, as large as they are read, may wait to be packed.
const PIECES: usize = 4;

/// Bytes that are read, and kept on the way.
pub(super) struct Tee {
    file: File,
    original: Original,
}

/// The original, on its way in.
enum Original {
    /// It is there already, or could not be kept.
    None,
    Here(Box<Incoming>),
    Aside {
        pieces: SyncSender<Vec<u8>>,
        packing: JoinHandle<io::Result<Incoming>>,
    },
}

impl Tee {
    /// Of a file of so many `bytes`.
    pub(super) fn new(file: File, bytes: u64, original: Option<Incoming>) -> io::Result<Self> {
        let original = match original {
            None => Original::None,
            Some(original) if bytes <= SMALL => Original::Here(Box::new(original)),
            Some(mut original) => {
                let (pieces, taken) = sync_channel::<Vec<u8>>(PIECES);
                let packing = thread::Builder::new().name("original".to_owned());
                let packing = packing.spawn(move || {
                    for piece in taken {
                        original.write_all(&piece)?;
                    }
                    Ok(original)
                })?;
                Original::Aside { pieces, packing }
            }
        };
        Ok(Self { file, original })
    }

    /// The original, once all that was read is in it.
    pub(super) fn finish(self) -> io::Result<Option<Incoming>> {
        match self.original {
            Original::None => Ok(None),
            Original::Here(original) => Ok(Some(*original)),
            Original::Aside { pieces, packing } => {
                drop(pieces);
                packed(packing).map(Some)
            }
        }
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        match &mut self.original {
            Original::None => {}
            Original::Here(original) => original.write_all(piece)?,
            Original::Aside { pieces, .. } => {
                if pieces.send(piece.to_vec()).is_err()
                    && let Original::Aside { packing, .. } =
                        std::mem::replace(&mut self.original, Original::None)
                {
                    // It ended before its time: it says why.
                    packed(packing)?;
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
        }
        Ok(read)
    }
}

fn packed(packing: JoinHandle<io::Result<Incoming>>) -> io::Result<Incoming> {
    packing.join().unwrap_or_else(|_| Err(io::Error::other("the original could not be packed")))
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use marsad_shared::store::Store;

    use super::*;

    #[test]
    fn an_original_is_what_was_read_however_large() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("state")).unwrap();
        for bytes in [0, 10, SMALL, SMALL + 1, 5 * SMALL] {
            let content: Vec<u8> = (0..bytes).map(|at| (at % 251).to_le_bytes()[0]).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            file.rewind().unwrap();
            let original = store.originals.incoming().unwrap();
            let mut tee = Tee::new(file, bytes, Some(original)).unwrap();
            let mut read = Vec::new();
            tee.read_to_end(&mut read).unwrap();
            let kept = tee.finish().unwrap().unwrap().keep().unwrap();
            assert!(read == content && kept.bytes == bytes, "{bytes}");
            assert_eq!(kept.hash, blake3::hash(&content).to_hex().to_string(), "{bytes}");
        }
        // One that is left in the middle leaves nothing.
        let file = tempfile::tempfile().unwrap();
        file.set_len(5 * SMALL).unwrap();
        let original = store.originals.incoming().unwrap();
        let mut tee = Tee::new(file, 5 * SMALL, Some(original)).unwrap();
        tee.read_exact(&mut [0; 4096]).unwrap();
        drop(tee.finish().unwrap());
        let left = std::fs::read_dir(temp.path().join("state/originals")).unwrap().flatten();
        assert_eq!(left.filter(|entry| entry.path().extension().is_some()).count(), 0);
        store.close();
    }
}
