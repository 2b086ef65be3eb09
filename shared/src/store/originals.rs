//! `originals/`: what arrived and what is owed, byte for byte, kept by content hash until retention.
//!
//! A file is written under a temporary name, synced, then renamed to its hash, so that a name never stands for half a
//! file. The same content twice is one file.
//!
//! Letting go of one that is too old meets those who take the same content up at that moment. So whoever is about to write
//! down that he needs an original has it in hand ([`Hold`]) until that is durable, and what is in hand never goes
//! ([`Going::remove`]); and what is about to go is not there any more for those who come ([`Originals::has`]), who keep
//! it anew.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::StoreError;

/// zstd's fastest ordinary level: the disk is the bound, not the ratio.
const LEVEL: i32 = 1;
/// So many bytes are packed at once, each piece a frame of its own: in one that is packed as it streams by, what is packed
/// lies in two places at a time, and to look for what repeats costs half as much again.
const PIECE: usize = 1024 * 1024;
const TEMPORARY: &str = ".part";
const SUFFIX: &str = ".zst";
/// So many are kept one by one: to wait for the whole disk costs more.
const FEW: usize = 4;

/// The folder of originals.
#[derive(Clone, Debug)]
pub struct Originals {
    folder: PathBuf,
    hands: Hands,
}

/// Who is at which original at the moment.
#[derive(Clone, Debug, Default)]
struct Hands(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// By its hash, by how many.
    in_hand: HashMap<String, usize>,
    /// What is about to go.
    going: HashSet<String>,
}

/// An original in somebody's hand: as long as this lives it does not go.
#[derive(Debug)]
pub struct Hold {
    hash: String,
    hands: Hands,
}

/// Originals that are about to go, unless one of them is kept anew meanwhile. Dropping it lets them stay.
#[derive(Debug)]
pub struct Going {
    hashes: Vec<String>,
    originals: Originals,
}

/// An original on its way in. Dropping it leaves nothing.
pub struct Incoming {
    folder: PathBuf,
    temporary: PathBuf,
    packing: Option<Packing>,
    hasher: blake3::Hasher,
    bytes: u64,
    hands: Hands,
}

/// What is packed on its way into a file.
struct Packing {
    packer: Packer,
    file: File,
    /// What is still to be packed.
    piece: Vec<u8>,
    frame: Vec<u8>,
    /// Whether the file has a frame: even one of nothing has.
    begun: bool,
}

/// An original of which all is written, and nothing synced. It has nothing open, so that there may be many.
pub struct Written(Incoming);

/// Packs small originals, one after the other: what it takes to pack one is got ready once.
pub struct Packer(zstd::bulk::Compressor<'static>);

/// An original that is safe: synced, under its hash.
#[derive(Debug)]
pub struct Kept {
    /// BLAKE3 in hex.
    pub hash: String,
    pub bytes: u64,
    /// To be held until it is written down who needs it.
    pub hold: Hold,
}

impl Originals {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, hands: Hands::default() }
    }

    /// Removes what a killed daemon left half written.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let entries =
            fs::read_dir(&self.folder).map_err(|source| StoreError::io(&self.folder, source))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|source| StoreError::io(&path, source))?;
            }
        }
        Ok(())
    }

    /// Begins to keep an original.
    pub fn incoming(&self) -> Result<Incoming, StoreError> {
        let (file, mut incoming) = self.begun()?;
        let (packer, piece, frame) = (Packer::new()?, Vec::new(), Vec::new());
        incoming.packing = Some(Packing { packer, file, piece, frame, begun: false });
        Ok(incoming)
    }

    /// Writes a small original that is held as a whole, for [`Self::keep_all`].
    pub fn write(&self, packer: &mut Packer, content: &[u8]) -> Result<Written, StoreError> {
        let (mut file, mut incoming) = self.begun()?;
        let written = packer.0.compress(content).and_then(|packed| file.write_all(&packed));
        written.map_err(|source| StoreError::io(&incoming.temporary, source))?;
        incoming.hasher.update(content);
        incoming.bytes = content.len() as u64;
        Ok(Written(incoming))
    }

    /// A file under a temporary name, and what becomes of it.
    fn begun(&self) -> Result<(File, Incoming), StoreError> {
        let temporary = self.folder.join(format!("{}{TEMPORARY}", uuid::Uuid::now_v7().simple()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|source| StoreError::io(&temporary, source))?;
        let incoming = Incoming {
            folder: self.folder.clone(),
            packing: None,
            temporary,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            hands: self.hands.clone(),
        };
        Ok((file, incoming))
    }

    /// Puts what was written under its hash, each in its order, once it is synced. What they share of waiting for the disk is
    /// waited for once: first all bytes, then all names.
    pub fn keep_all(&self, written: Vec<Written>) -> Result<Vec<Kept>, StoreError> {
        if written.len() <= FEW {
            return written.into_iter().map(|one| one.0.keep()).collect();
        }
        let failed = |source| StoreError::io(&self.folder, source);
        let disk = File::open(&self.folder).map_err(failed)?;
        let sync = || nix::unistd::syncfs(&disk).map_err(|errno| failed(errno.into()));
        sync()?;
        let kept: Result<Vec<_>, _> = written.into_iter().map(|one| one.0.name()).collect();
        let kept = kept?;
        sync()?;
        Ok(kept)
    }

    /// Takes an original in hand, whether it is kept already or on its way in.
    pub fn hold(&self, hash: &str) -> Hold {
        self.hands.take(hash)
    }

    /// Whether this content is kept already, and stays.
    pub fn has(&self, hash: &str) -> bool {
        let hands = self.hands.lock();
        !hands.going.contains(hash) && place(&self.folder, hash).exists()
    }

    /// The originals of which the hash begins with the byte `first`, last written before `before`.
    pub fn aged(&self, first: u8, before: SystemTime) -> Result<Vec<String>, StoreError> {
        let folder = self.folder.join(format!("{first:02x}"));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::io(&folder, source)),
        };
        let aged = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hash = name.strip_suffix(SUFFIX)?.to_owned();
            (entry.metadata().ok()?.modified().ok()? < before).then_some(hash)
        });
        Ok(aged.collect())
    }

    /// Those of `hashes` that nobody has in hand, about to go: from now on whoever needs one keeps it anew. Who needed one
    /// before has written that down by now, so it is time to look.
    pub fn going(&self, mut hashes: Vec<String>) -> Going {
        let mut hands = self.hands.lock();
        hashes.retain(|hash| !hands.in_hand.contains_key(hash));
        hands.going.extend(hashes.iter().cloned());
        drop(hands);
        Going { hashes, originals: self.clone() }
    }

    /// The content of that hash, as it was.
    pub fn open(&self, hash: &str) -> Result<impl Read + Send + use<>, StoreError> {
        let path = place(&self.folder, hash);
        let open = || zstd::Decoder::new(File::open(&path)?);
        open().map_err(|source| StoreError::io(&path, source))
    }
}

impl Packer {
    /// # Errors
    /// Only where there is no memory for it.
    pub fn new() -> Result<Self, StoreError> {
        let packer = zstd::bulk::Compressor::new(LEVEL).map(Self);
        packer.map_err(|source| StoreError::io("originals".as_ref(), source))
    }
}

impl Incoming {
    /// The hash of what was written so far: BLAKE3 in hex.
    pub fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Puts what is synced already under its hash.
    fn name(self) -> Result<Kept, StoreError> {
        let hash = self.hash();
        let path = place(&self.folder, &hash);
        let hold = self.hands.take(&hash);
        let put = || match fs::rename(&self.temporary, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                open_folder(&self.folder, &path)?;
                fs::rename(&self.temporary, &path)
            }
            put => put,
        };
        put().map_err(|source| StoreError::io(&path, source))?;
        Ok(Kept { hash, bytes: self.bytes, hold })
    }

    /// Syncs what was written and puts it under its hash.
    pub fn keep(mut self) -> Result<Kept, StoreError> {
        let hash = self.hash();
        let path = place(&self.folder, &hash);
        let hold = self.hands.take(&hash);
        self.settle(&path).map_err(|source| StoreError::io(&path, source))?;
        Ok(Kept { hash, bytes: self.bytes, hold })
    }

    fn settle(&mut self, path: &Path) -> io::Result<()> {
        match self.packing.take() {
            Some(packing) => packing.finish()?.sync_all()?,
            // It is written already.
            None => File::open(&self.temporary)?.sync_all()?,
        }
        let folder = open_folder(&self.folder, path)?;
        fs::rename(&self.temporary, path)?;
        File::open(folder)?.sync_all()
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let packing = self.packing.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        packing.piece.extend_from_slice(bytes);
        if packing.piece.len() >= PIECE {
            packing.pack()?;
        }
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    /// What is written is packed with what comes behind it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packing {
    fn pack(&mut self) -> io::Result<()> {
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(self.piece.len()));
        self.packer.0.compress_to_buffer(&self.piece, &mut self.frame)?;
        self.file.write_all(&self.frame)?;
        self.piece.clear();
        self.begun = true;
        Ok(())
    }

    fn finish(mut self) -> io::Result<File> {
        if !self.begun || !self.piece.is_empty() {
            self.pack()?;
        }
        Ok(self.file)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Kept: renamed away, so there is nothing to remove. Else what cannot be removed now is swept at the next start.
        let _ = fs::remove_file(&self.temporary);
    }
}

impl Hands {
    fn take(&self, hash: &str) -> Hold {
        let mut hands = self.lock();
        // What is kept or needed again stays.
        hands.going.remove(hash);
        *hands.in_hand.entry(hash.to_owned()).or_default() += 1;
        drop(hands);
        Hold { hash: hash.to_owned(), hands: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut hands = self.hands.lock();
        if let Some(count) = hands.in_hand.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                hands.in_hand.remove(&self.hash);
            }
        }
    }
}

impl Going {
    pub fn hashes(&self) -> &[String] {
        &self.hashes
    }

    /// Removes all but those that are `needed`, and those that somebody took up meanwhile; gives how many. What a power cut
    /// brings back goes the next time.
    pub fn remove(self, needed: &HashSet<String>) -> Result<u64, StoreError> {
        let mut gone = 0;
        for hash in self.hashes.iter().filter(|hash| !needed.contains(*hash)) {
            // Under the lock: nobody takes it up between the look and the deed.
            let hands = self.originals.hands.lock();
            if !hands.going.contains(hash) {
                continue;
            }
            let path = place(&self.originals.folder, hash);
            match fs::remove_file(&path) {
                Ok(()) => gone += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::io(&path, source)),
            }
        }
        Ok(gone)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let mut hands = self.originals.hands.lock();
        for hash in &self.hashes {
            hands.going.remove(hash);
        }
    }
}

/// The folder of the original at `path`, which is made if it is the first of its kind.
fn open_folder<'p>(originals: &'p Path, path: &'p Path) -> io::Result<&'p Path> {
    let folder = path.parent().unwrap_or(originals);
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        File::open(originals)?.sync_all()?;
    }
    Ok(folder)
}

/// Two letters of the hash make a folder, so that none grows too long.
fn place(folder: &Path, hash: &str) -> PathBuf {
    folder.join(hash.get(..2).unwrap_or("__")).join(format!("{hash}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_comes_back_as_it_was_under_its_hash() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let long: Vec<u8> = (0..PIECE).flat_map(usize::to_le_bytes).collect();
        for content in [b"".as_slice(), "طلب,1\n".as_bytes(), &long[..PIECE], &long] {
            let mut incoming = originals.incoming().unwrap();
            for piece in content.chunks(300_000) {
                incoming.write_all(piece).unwrap();
            }
            let kept = incoming.keep().unwrap();
            assert_eq!(kept.hash, blake3::hash(content).to_hex().to_string());
            let mut read = Vec::new();
            originals.open(&kept.hash).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == content, "{} bytes", content.len());
        }
    }

    /// Two originals that were written long ago, with their hashes.
    fn two(originals: &Originals) -> [String; 2] {
        ["a", "b"].map(|text| {
            let mut incoming = originals.incoming().unwrap();
            incoming.write_all(text.as_bytes()).unwrap();
            let Kept { hash, .. } = incoming.keep().unwrap();
            let file = File::open(place(&originals.folder, &hash)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            hash
        })
    }

    #[test]
    fn what_is_old_and_not_needed_goes_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let [a, b] = two(&originals);
        let day = SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24);
        let aged = |before| -> Vec<String> {
            let all = (0..=u8::MAX).flat_map(|first| originals.aged(first, before).unwrap());
            all.collect()
        };
        assert_eq!(aged(SystemTime::UNIX_EPOCH).len(), 0, "not before the time itself");
        let aged = aged(day);
        assert_eq!(HashSet::from_iter(aged.clone()), HashSet::from([a.clone(), b.clone()]));
        let going = originals.going(aged);
        assert!(!originals.has(&a), "who comes now keeps it anew");
        assert_eq!(going.remove(&HashSet::from([a.clone()])).unwrap(), 1);
        assert!(originals.has(&a) && !originals.has(&b));
    }

    #[test]
    fn what_somebody_has_in_hand_or_takes_up_meanwhile_stays() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let [a, b] = two(&originals);
        let hand = originals.hold(&a);
        let going = originals.going(vec![a.clone(), b.clone()]);
        assert_eq!(going.hashes(), [b.as_str()]);
        let mut incoming = originals.incoming().unwrap();
        incoming.write_all(b"b").unwrap();
        let again = incoming.keep().unwrap();
        assert_eq!(going.remove(&HashSet::new()).unwrap(), 0, "it is kept anew");
        assert!(originals.has(&a) && originals.has(&b));
        drop((hand, again));
        assert_eq!(originals.going(vec![a, b]).remove(&HashSet::new()).unwrap(), 2);
    }

    #[test]
    fn many_are_kept_as_each_would_be() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        for many in [FEW, 3 * FEW] {
            let texts: Vec<_> = (0..many).map(|at| format!("{many},{}", at % 7)).collect();
            let mut packer = Packer::new().unwrap();
            let mut write = |text: &String| originals.write(&mut packer, text.as_bytes()).unwrap();
            let written = texts.iter().map(&mut write).collect();
            let kept = originals.keep_all(written).unwrap();
            for (kept, text) in kept.iter().zip(&texts) {
                let mut read = String::new();
                originals.open(&kept.hash).unwrap().read_to_string(&mut read).unwrap();
                assert_eq!((&read, kept.bytes), (text, text.len() as u64));
                assert!(originals.going(vec![kept.hash.clone()]).hashes().is_empty(), "in hand");
            }
        }
        let parts = fs::read_dir(temp.path()).unwrap().flatten();
        assert!(parts.into_iter().all(|entry| entry.path().is_dir()), "and nothing is left over");
    }

    #[test]
    fn half_an_original_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let originals = Originals::new(temp.path().to_owned());
        let mut incoming = originals.incoming().unwrap();
        incoming.write_all(b"half").unwrap();
        drop(incoming);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
