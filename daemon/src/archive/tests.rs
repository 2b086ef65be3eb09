use std::io::{Seek as _, Write as _};

use super::*;
use zip::{Member as Made, zip};

#[path = "../../../tests/tests/e2e/zip.rs"]
mod zip;

const CSV: &[u8] = b"id,v\n1,a\n2,b\n";

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// All members, each with its bytes; or why there are none.
fn all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, DecodeError> {
    let archive = Archive::open(file(bytes))?;
    let mut all = Vec::new();
    for member in archive.members() {
        let (mut bytes, mut out) = (archive.read(member), Vec::new());
        if let Err(error) = bytes.read_to_end(&mut out) {
            return Err(bytes.fault().unwrap_or(DecodeError::Io(error)));
        }
        all.push((member.name.clone(), out));
    }
    Ok(all)
}

#[test]
fn members_come_in_the_order_of_the_directory_whatever_they_are_called() {
    let members = [
        Made::new("b.csv", CSV),
        Made::stored("دفعة/a.csv", b""),
        Made { mode: 0o040_755, ..Made::stored("folder/", b"") },
        Made::stored(b"\xe3.csv", CSV),
    ];
    let names = ["b.csv", "دفعة/a.csv", "\\xe3.csv"];
    let found = all(&zip(&members)).unwrap();
    let found_names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(found_names, names, "and a folder is none");
    assert_eq!(found.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [13, 0, 13]);
    assert!(all(&zip(&[])).unwrap().is_empty());
}

/// The same archive with a directory that is found as that of a large one is.
fn large(archive: &[u8]) -> Vec<u8> {
    let (rest, end) = archive.split_at(archive.len() - 22);
    let long = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().unwrap()));
    let count = u64::from(u16::from_le_bytes(end[10..12].try_into().unwrap()));
    let record_at = rest.len() as u64;
    let mut bytes = [rest, b"PK\x06\x06", &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat();
    bytes.extend([count, count, long(12), long(16)].map(u64::to_le_bytes).concat());
    bytes.extend([b"PK\x06\x07", &[0; 4][..], &record_at.to_le_bytes(), &[1, 0, 0, 0]].concat());
    bytes.extend([b"PK\x05\x06", &[0; 4][..], &[0xff; 12], &[0, 0]].concat());
    bytes
}

#[test]
fn archives_of_all_programs_are_read_alike() {
    let good = || Made::new("a.csv", CSV);
    let expected = [("a.csv".to_owned(), CSV.to_vec())];
    for (archive, why) in [
        (zip(&[good()]), "plain"),
        (zip(&[good().streamed()]), "written by a program that cannot go back"),
        (zip(&[good().large()]), "with lengths for a large one"),
        (large(&zip(&[good()])), "with a directory for a large one"),
        (large(&zip(&[good().large()])), "with both"),
    ] {
        assert_eq!(all(&archive).unwrap(), expected, "{why}");
    }
    let mut noted = zip(&[good()]);
    let note = noted.len() - 2;
    noted[note] = 3;
    noted.extend(b"PK!");
    assert_eq!(all(&noted).unwrap(), expected, "with a note");
    for (at, why) in [(4, "its length"), (24, "one count"), (32, "the other"), (48, "its place")] {
        let mut lying = large(&zip(&[good()]));
        let record = lying.len() - 22 - 20 - 56;
        lying[record + at] ^= 1;
        assert!(all(&lying).is_err(), "{why}");
    }
    let mut parted = zip(&[good()]);
    let disk = parted.len() - 18;
    parted[disk] = 1;
    assert!(all(&parted).unwrap_err().to_string().contains("one part of an archive"));
}

/// A member that is packed with zstd.
fn zstd_member() -> Made {
    packed(93, zstd::encode_all(CSV, 1).unwrap(), CSV)
}

/// A member that is packed with deflate64 as nothing else can be: a letter, and a run of it that is longer than one of
/// deflate may be.
fn deflate64() -> Made {
    // The last block, of fixed codes: `a`; a length of 3 and what sixteen bits say more; a distance of 1; the end.
    let code = |code: u32, len: u32| (0..len).rev().map(move |at| code >> at & 1 == 1);
    let number = |number: u32, len: u32| (0..len).map(move |at| number >> at & 1 == 1);
    let bits: Vec<bool> = number(1, 1)
        .chain(number(1, 2))
        .chain(code(0b0011_0000 + u32::from(b'a'), 8))
        .chain(code(0b1100_0101, 8))
        .chain(number(996, 16))
        .chain(code(0, 5))
        .chain(code(0, 7))
        .collect();
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    packed(9, bits.chunks(8).map(byte).collect(), &[b'a'; 1000])
}

fn packed(method: u16, packed: Vec<u8>, bytes: &[u8]) -> Made {
    let packed_len = u32::try_from(packed.len()).unwrap();
    Made { method, packed, packed_len, ..Made::stored("a.csv", bytes) }
}

/// The same with bytes behind its end.
fn trailed(mut made: Made) -> Made {
    made.packed.extend([7; 9]);
    made.packed_len += 9;
    made
}

#[test]
fn members_are_unpacked_in_whichever_way_they_are_packed() {
    for (made, expected) in [
        (Made::new("a.csv", CSV), CSV),
        (Made::stored("a.csv", CSV), CSV),
        (zstd_member(), CSV),
        (deflate64(), &[b'a'; 1000][..]),
        // Without long runs it is deflate.
        (Made { method: 9, ..Made::new("a.csv", CSV) }, CSV),
    ] {
        let found = all(&zip(std::slice::from_ref(&made))).unwrap();
        assert_eq!(found, [("a.csv".to_owned(), expected.to_vec())], "method {}", made.method);
    }
}

#[test]
fn an_archive_that_lies_is_not_read_and_says_which_member_it_is() {
    let good = || Made::new("a.csv", CSV);
    let named = |name: &str| Made::new(name, CSV);
    let dense = vec![b' '; 4 * 1024 * 1024];
    for (members, word) in [
        (vec![good(), good()], "twice"),
        (vec![named("/etc/passwd")], "absolute"),
        (vec![named("C:/x.csv")], "absolute"),
        (vec![named("../x.csv")], "out of the archive"),
        (vec![named("a//x.csv")], "out of the archive"),
        (vec![named("a/./x.csv")], "out of the archive"),
        (vec![named("a\\x.csv")], "backslash"),
        (vec![named("")], "no name"),
        (vec![named("a\0.csv")], "zero byte"),
        (vec![Made { mode: 0o120_777, ..good() }], "link"),
        (vec![Made { mode: 0o020_666, ..good() }], "device"),
        (vec![Made { head_lens: Some([1, 15, 13]), ..good() }], "another one"),
        (vec![Made { extra: Vec::new(), ..good().large() }], "directory is cut off"),
        (vec![Made { head_extra: Vec::new(), ..good().large() }], "another one"),
        (vec![Made { flags: 0x801, ..good() }], "encrypted"),
        (vec![Made { flags: 0x840, ..good() }], "encrypted"),
        (vec![Made { method: 12, ..good() }], "with bzip2, which is not read; have it packed with"),
        (vec![Made { method: 14, ..good() }], "with LZMA"),
        (vec![Made { method: 95, ..good() }], "with xz"),
        (vec![Made { method: 99, ..good() }], "with method 99"),
        (vec![Made { packed: vec![0xff; 15], method: 9, ..good() }], "does not unpack"),
        (vec![Made { packed: vec![0xff; 15], method: 93, ..good() }], "does not unpack"),
        (vec![trailed(good())], "not as long"),
        (vec![trailed(zstd_member())], "does not unpack"),
        (vec![trailed(deflate64())], "not as long"),
        (vec![Made { head_name: b"b.csv".to_vec(), ..good() }], "another one"),
        (vec![Made { crc: 1, ..good() }], "checksum"),
        (vec![Made { len: 12, ..good() }], "longer"),
        (vec![Made { len: 14, ..good() }], "not as long"),
        (vec![Made { len: 12, ..Made::stored("a.csv", CSV) }], "two lengths"),
        (vec![Made { packed: vec![0xff; 15], ..good() }], "does not unpack"),
        (vec![Made { len: 9, ..Made::stored("a/", b"") }], "folder with bytes"),
        (vec![Made { packed_len: 9_000, ..good() }], "leads behind"),
        (vec![named("x.csv"), Made { at: Some(9), ..good() }], "another one"),
        (vec![good(), Made { at: Some(0), name: b"b".to_vec(), ..good() }], "another one"),
        (vec![Made::new("a.csv", &dense)], "200 times"),
    ] {
        let error = all(&zip(&members)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(word), "{word}: {text}");
        assert!(text.contains("member") || text.contains("directory"), "{word}: {text}");
        assert!(text.contains(';'), "{word}: it says what to do: {text}");
    }
}

#[test]
fn members_that_lie_in_one_another_are_found_out() {
    // A member whose bytes are another member, head and all.
    let inner = zip(&[Made::stored("b.csv", CSV)]);
    let outer = Made::stored("a.csv", &inner[..30 + 5 + 13]);
    let within = Made { at: Some(35), packed: Vec::new(), ..Made::stored("b.csv", CSV) };
    let text = all(&zip(&[outer, within])).unwrap_err().to_string();
    assert!(text.contains("b.csv lies on top"), "{text}");
}

#[test]
fn an_archive_is_whole_or_not_read() {
    let whole = zip(&[Made::new("a.csv", CSV), Made::new("b.csv", CSV)]);
    for cut in 4..whole.len() {
        assert!(all(&whole[..cut]).is_err(), "{cut} of {}", whole.len());
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(all(&longer).is_err(), "something stands behind it");
    let before = [b"MZ", whole.as_slice()].concat();
    assert!(all(&before).is_err(), "something stands before it");
    assert!(all(&whole).is_ok());
}

#[test]
fn there_are_only_so_many_members_and_bytes() {
    let members = vec![Made::stored("a", b""); 10_001];
    let text = all(&zip(&members)).unwrap_err().to_string();
    assert!(text.contains("10000 members"), "{text}");
    let large = |name: &str| Made {
        method: 8,
        len: 300_000_000,
        ..Made::stored(name, &vec![0; 1_600_000])
    };
    assert!(Archive::open(file(&zip(&[large("a")]))).is_ok());
    let text = all(&zip(&[large("a"), large("b")])).unwrap_err().to_string();
    assert!(text.contains("512 MiB"), "{text}");
}
