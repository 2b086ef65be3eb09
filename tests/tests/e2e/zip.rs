//! ZIP archives as partners pack them, and as nobody should: each claim of a member can be made a lie.

use std::io::Write as _;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// A member, with what the archive says of it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its path in the directory, and in front of its bytes.
    pub(crate) name: Vec<u8>,
    pub(crate) head_name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: Vec<u8>,
    /// How long it is said to be, packed and unpacked.
    pub(crate) packed_len: u32,
    pub(crate) len: u32,
    /// The Unix mode; 0: none.
    pub(crate) mode: u32,
    /// Where the directory says that it lies; `None`: where it does.
    pub(crate) at: Option<u32>,
}

impl Member {
    /// A member as it should be, packed.
    ///
    /// # Panics
    /// If it is larger than an archive of 32 bits can say.
    pub(crate) fn new(name: impl AsRef<[u8]>, bytes: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory takes it");
        let packed = encoder.finish().expect("memory takes it");
        Self { method: 8, ..Self::as_it_is(name, bytes, packed) }
    }

    /// The same, not packed.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub(crate) fn stored(name: impl AsRef<[u8]>, bytes: &[u8]) -> Self {
        Self::as_it_is(name, bytes, bytes.to_vec())
    }

    fn as_it_is(name: impl AsRef<[u8]>, bytes: &[u8], packed: Vec<u8>) -> Self {
        let mut crc = Crc::new();
        crc.update(bytes);
        Self {
            name: name.as_ref().to_vec(),
            head_name: name.as_ref().to_vec(),
            flags: 0x800,
            method: 0,
            crc: crc.sum(),
            packed_len: u32::try_from(packed.len()).expect("it is small"),
            len: u32::try_from(bytes.len()).expect("it is small"),
            packed,
            mode: 0o100_644,
            at: None,
        }
    }

    fn fields(&self) -> Vec<u8> {
        let Self { flags, method, crc, packed_len, len, .. } = self;
        let mut bytes = [20_u16, *flags, *method, 0, 0].map(u16::to_le_bytes).concat();
        bytes.extend([*crc, *packed_len, *len].map(u32::to_le_bytes).concat());
        bytes
    }
}

/// The archive of those members, in that order.
///
/// # Panics
/// As [`Member::new`].
pub(crate) fn zip(members: &[Member]) -> Vec<u8> {
    let len = |bytes: &[u8]| u16::try_from(bytes.len()).expect("it is short").to_le_bytes();
    let place = |bytes: &[u8]| u32::try_from(bytes.len()).expect("it is small").to_le_bytes();
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let at = member.at.map_or(place(&archive), u32::to_le_bytes);
        archive.extend(b"PK\x03\x04");
        archive.extend(member.fields());
        archive.extend([len(&member.head_name), [0, 0]].concat());
        archive.extend(&member.head_name);
        archive.extend(&member.packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(member.fields());
        directory.extend([len(&member.name), [0; 2], [0; 2], [0; 2], [0; 2]].concat());
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(at);
        directory.extend(&member.name);
    }
    let count = u16::try_from(members.len()).expect("there are few").to_le_bytes();
    let at = place(&archive);
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend(place(&directory));
    archive.extend(at);
    archive.extend([0, 0]);
    archive
}
