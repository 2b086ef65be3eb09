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
    /// What is said of its lengths in front of it, where that is something else.
    pub(crate) head_lens: Option<[u32; 3]>,
    /// What is extra in front of it, and in the directory.
    pub(crate) head_extra: Vec<u8>,
    pub(crate) extra: Vec<u8>,
    /// What stands behind its bytes.
    pub(crate) behind: Vec<u8>,
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
            head_lens: None,
            head_extra: Vec::new(),
            extra: Vec::new(),
            behind: Vec::new(),
            mode: 0o100_644,
            at: None,
        }
    }

    /// The same as a program writes it that cannot go back: what is said of its bytes stands behind them.
    pub(crate) fn streamed(self) -> Self {
        let lens = [0x0807_4b50, self.crc, self.packed_len, self.len];
        let behind = lens.map(u32::to_le_bytes).concat();
        Self { flags: self.flags | 8, head_lens: Some([0; 3]), behind, ..self }
    }

    /// The same with its lengths among what is extra, as they have to be of a large one.
    pub(crate) fn large(self) -> Self {
        let lens = [self.len, self.packed_len].map(|len| u64::from(len).to_le_bytes());
        let extra = [&[1, 0, 16, 0][..], &lens.concat()].concat();
        let all = u32::MAX;
        let (head_lens, head_extra) = (Some([self.crc, all, all]), extra.clone());
        Self { packed_len: all, len: all, head_lens, head_extra, extra, ..self }
    }

    fn lens(&self) -> [u32; 3] {
        [self.crc, self.packed_len, self.len]
    }

    fn fields(&self, lens: [u32; 3]) -> Vec<u8> {
        let mut bytes = [20_u16, self.flags, self.method, 0, 0].map(u16::to_le_bytes).concat();
        bytes.extend(lens.map(u32::to_le_bytes).concat());
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
        archive.extend(member.fields(member.head_lens.unwrap_or(member.lens())));
        archive.extend([len(&member.head_name), len(&member.head_extra)].concat());
        archive.extend([&member.head_name, &member.head_extra].into_iter().flatten());
        archive.extend([&member.packed, &member.behind].into_iter().flatten());
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(member.fields(member.lens()));
        let lens = [len(&member.name), len(&member.extra)];
        directory.extend([lens[0], lens[1], [0; 2], [0; 2], [0; 2]].concat());
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(at);
        directory.extend([&member.name, &member.extra].into_iter().flatten());
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
