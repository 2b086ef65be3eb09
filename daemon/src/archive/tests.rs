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
        (vec![Made { flags: 0x801, ..good() }], "encrypted"),
        (vec![Made { flags: 0x840, ..good() }], "encrypted"),
        (vec![Made { method: 99, ..good() }], "packed in a way"),
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
        assert!(text.contains("member"), "{word}: {text}");
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
