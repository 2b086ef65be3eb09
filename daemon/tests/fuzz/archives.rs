//! Archives and packed files: bytes that nobody packed, and good ones with a byte or two of them changed.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use marsad_daemon::{
    archive::{Archive, RATIO_MAX, WHOLE_MAX},
    decode::{DecodeError, xlsx},
    unpack::{FREE, Packing, Unpacked},
};

use crate::{
    Choices, TIME,
    zip::{Member, zip},
};

const TEXT: &[u8] = b"id,v\n1,a\n2,b\n2,b\n2,b\n";

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// All members, each with its bytes; none, if anything is wrong with one of them.
fn read(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let archive = Archive::open(file(bytes)).map_err(|error| said(&error)).ok()?;
    let (mut found, mut total) = (Vec::new(), 0);
    for member in archive.members() {
        let name = &member.name;
        assert!(!name.starts_with('/') && !name.split('/').any(|step| step == ".."), "{name:?}");
        assert!(found.iter().all(|(other, _)| other != name), "{name:?} twice");
        let (mut bytes, mut out) = (archive.read(member), Vec::new());
        let mut piece = [0; 4096];
        let end = loop {
            match bytes.read(&mut piece) {
                Ok(0) => break true,
                Ok(read) => out.extend_from_slice(&piece[..read]),
                Err(_) => break false,
            }
            total += 4096;
            assert!(total <= WHOLE_MAX + 4096, "more than there may be");
        };
        if !end {
            said(&bytes.fault().expect("the disk is well"));
            return None;
        }
        found.push((name.clone(), out));
    }
    Some(found)
}

/// A fault is the archive's, and says what to do.
fn said(error: &DecodeError) {
    assert!(!matches!(error, DecodeError::Io(_)), "{error:?}");
    assert!(error.to_string().contains(';'), "{error}");
}

/// An archive of a few members, and what is in them.
fn good(choices: &mut Choices<'_>) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let (mut members, mut expected) = (Vec::new(), Vec::new());
    for at in 0..choices.below(4) {
        let name = format!("{}{at}.csv", choices.one(&["", "a/", "دفعة/", "xl/"]));
        let text = &TEXT[..choices.below(TEXT.len())];
        let made = match choices.below(4) {
            0 => Member::new(&name, text),
            1 => Member::stored(&name, text),
            // Without long runs the one is the other.
            2 => Member { method: 9, ..Member::new(&name, text) },
            _ => {
                let packed = zstd::encode_all(text, 1).unwrap();
                let packed_len = u32::try_from(packed.len()).unwrap();
                Member { method: 93, packed, packed_len, ..Member::stored(&name, text) }
            }
        };
        members.push(match choices.below(3) {
            0 => made.streamed(),
            1 => made.large(),
            _ => made,
        });
        expected.push((name, text.to_vec()));
    }
    (zip(&members), expected)
}

#[test]
fn an_archive_is_read_as_it_was_packed_or_not_at_all() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let (archive, expected) = good(&mut choices);
        assert_eq!(read(&archive).as_ref(), Some(&expected), "whole");
        let cut = choices.place(archive.len());
        assert_eq!(read(&archive[..cut]), None, "cut off at {cut}");
        let mut spoilt = archive.clone();
        for _ in 0..=choices.below(3) {
            let at = choices.place(spoilt.len());
            match choices.below(4) {
                0 => spoilt.insert(at, *choices.one(b"PK\x01\x02\x05\x06\0\xff")),
                1 => drop(spoilt.remove(at)),
                2 => spoilt[at] = *choices.one(b"\0\x01\x08\xff/.\\"),
                _ => spoilt[at] ^= 1 << choices.below(8),
            }
        }
        // What is still read has the bytes that were packed, whatever it is called now.
        for (name, text) in read(&spoilt).unwrap_or_default() {
            assert!(expected.iter().any(|(_, packed)| *packed == text), "{name:?}");
        }
    });
}

#[test]
fn bytes_that_nobody_packed_are_no_archive_and_no_workbook() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        for bytes in
            [bytes.to_vec(), [b"PK\x03\x04", bytes].concat(), [b"PK\x05\x06", bytes].concat()]
        {
            read(&bytes);
            if let Err(error) = xlsx::check(file(&bytes)) {
                said(&error);
            }
        }
    });
}

#[test]
fn no_more_comes_out_of_a_packed_file_than_may() {
    const MOST: u64 = 3 * 1024 * 1024;
    let dense: Vec<_> =
        [b' ', b'x'].map(|letter| zstd::encode_all(&vec![letter; 4 << 20][..], 1).unwrap()).into();
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let packing = *choices.one(&[Packing::Gzip, Packing::Zstd]);
        let mark: &[u8] =
            if packing == Packing::Gzip { &[0x1f, 0x8b, 8] } else { &[0x28, 0xb5, 0x2f, 0xfd] };
        let mut packed = choices.one(&dense).clone();
        let at = choices.place(packed.len());
        packed[at] ^= 1 << choices.below(8);
        for packed in [packed, [mark, bytes].concat(), bytes.to_vec()] {
            let len = packed.len() as u64;
            let mut unpacked = Unpacked::new(&packed[..], Some(packing), MOST).within(RATIO_MAX);
            let mut out = Vec::new();
            let end = unpacked.read_to_end(&mut out);
            assert_eq!(end.is_err(), unpacked.fault().is_some(), "{end:?}");
            let most = MOST.min(FREE.max((len + 1) * RATIO_MAX));
            assert!(out.len() as u64 <= most, "{} of {len}", out.len());
        }
    });
}
