//! An answer that is a ZIP archive of one file: that file, as it was before.

use std::{
    io::{self, Read, Seek as _, Write as _},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3Default;

use super::{BEGIN, Body, HELD_MAX, PAGE_MAX, Stored};
use crate::{
    archive::Archive,
    decode::{DecodeError, xlsx},
    unpack::Packing,
};

/// The one file in `body`, an archive, whose large parts lie in `folder`; a workbook stays as it is. It may block.
///
/// # Errors
/// [`DecodeError`] if it cannot be read to its end, is packed once more, larger than [`PAGE_MAX`], or there is not one file
/// in it.
pub(super) fn only_file(body: Body, folder: &Path) -> Result<Body, DecodeError> {
    let mut whole = tempfile::tempfile_in(folder).map_err(DecodeError::Io)?;
    let mut bytes = body.open();
    if let Err(error) = io::copy(&mut bytes, &mut whole) {
        return Err(match bytes.fault() {
            Some(fault) => DecodeError::Broken(fault.to_string()),
            None => DecodeError::Io(error),
        });
    }
    whole.rewind().map_err(DecodeError::Io)?;
    let archive = Archive::open(whole)?;
    if xlsx::is_workbook(&archive) {
        return Ok(body);
    }
    let files: Vec<_> = archive.members().iter().filter(|member| !member.is_litter()).collect();
    let [file] = files.as_slice() else {
        return Err(DecodeError::Format(format!(
            "it is an archive (ZIP) of {} files, and an answer is read if there is one in it; ask the partner for one of them",
            files.len()
        )));
    };
    let mut bytes = archive.read(file);
    let unpacked = plain(&mut bytes, folder);
    let unpacked = unpacked.map_err(|error| bytes.fault().unwrap_or(DecodeError::Io(error)))?;
    if unpacked.len > PAGE_MAX {
        let most = PAGE_MAX / (1024 * 1024);
        let what =
            format!("it is larger than {most} MiB once it is unpacked; ask for less at once");
        return Err(DecodeError::TooLarge(what));
    }
    if Packing::by_magic(unpacked.begin()).is_some() {
        let what =
            "the file in the archive (ZIP) is packed once more; ask the partner for it as it is";
        return Err(DecodeError::Encoding(what.to_owned()));
    }
    Ok(unpacked)
}

/// `bytes` as a body whose end is known: held if it is small, else in a file of `folder`; of one that is larger than
/// [`PAGE_MAX`], no more than that and a byte.
fn plain(bytes: &mut impl Read, folder: &Path) -> io::Result<Body> {
    let mut piece = Vec::new();
    bytes.by_ref().take(HELD_MAX as u64 + 1).read_to_end(&mut piece)?;
    if piece.len() <= HELD_MAX {
        return Ok(Body { sealed: true, ..Body::from(Bytes::from(piece)) });
    }
    let begin = Bytes::copy_from_slice(piece.get(..BEGIN).unwrap_or(&piece));
    let (mut file, mut hash, mut len) = (tempfile::tempfile_in(folder)?, Xxh3Default::new(), 0);
    while !piece.is_empty() && len <= PAGE_MAX {
        hash.update(&piece);
        file.write_all(&piece)?;
        len += piece.len() as u64;
        piece.clear();
        bytes.by_ref().take(HELD_MAX as u64).read_to_end(&mut piece)?;
    }
    let (stored, hash) = (Stored::Aside(Arc::new(file)), Some(hash.digest()));
    Ok(Body { stored, packing: None, begin, len, hash, sealed: true })
}
