//! Who did what: entries chained by hash, so that none can be altered, moved or cut without a trace.
//!
//! An entry's hash covers all it says and the hash before it. Whoever rewrites the whole chain is
//! found by a [`Head`] that was noted elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{Timestamp, Unit};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::word::words;

/// What is hashed first: another layout will have another number.
const LAYOUT: &str = "marsad-audit/1";

/// What stands before the first entry.
pub const GENESIS: Hash = Hash([0; 32]);

words! {
    /// How far a deed is: written as begun before it takes effect, and again when it has ended.
    pub enum Phase is "audit phase" {
        Begun = "begun",
        Done = "done",
        Failed = "failed",
        /// Not allowed, so never begun.
        Refused = "refused",
    }
}

/// What somebody did, before it is sealed. All text in it came from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// 1 for the first, then one more each time.
    pub seq: i64,
    /// To the microsecond: finer parts are dropped when it is sealed.
    pub at: Timestamp,
    /// The peer's, as the kernel gave it.
    pub uid: u32,
    /// That uid's name; empty if it has none.
    pub user: String,
    /// The roles it acted in.
    pub role: String,
    /// What was asked, as the command is called.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why, in the person's own words.
    pub reason: Option<String>,
    pub phase: Phase,
    /// The outcome, or what was asked in full.
    pub detail: String,
    /// The `seq` of the entry that says it was begun.
    pub of: Option<i64>,
}

/// A deed in its place in the chain. In JSON all on one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    pub deed: Deed,
    /// The hash of the entry before; [`GENESIS`] for the first.
    pub previous: Hash,
    pub hash: Hash,
}

/// Puts a deed behind the entry whose hash is `previous`.
pub fn seal(mut deed: Deed, previous: Hash) -> Entry {
    deed.at = deed
        .at
        .round(jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Floor))
        .unwrap_or(deed.at);
    let hash = hash(&deed, previous);
    Entry { deed, previous, hash }
}

/// SHA-256 over the canonical form: each field with its length before it, so that no text can
/// pass for two.
fn hash(deed: &Deed, previous: Hash) -> Hash {
    let Deed { seq, at, uid, user, role, action, object, reason, phase, detail, of } = deed;
    let mut form = Form(digest::Context::new(&digest::SHA256));
    form.field(LAYOUT.as_bytes());
    form.field(&previous.0);
    form.field(&seq.to_be_bytes());
    form.field(&at.as_nanosecond().to_be_bytes());
    form.field(&uid.to_be_bytes());
    for text in [user, role, action, object] {
        form.field(text.as_bytes());
    }
    form.option(reason.as_ref().map(String::as_bytes));
    form.field(phase.word().as_bytes());
    form.field(detail.as_bytes());
    form.option(of.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    form.finish()
}

struct Form(digest::Context);

impl Form {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn option(&mut self, bytes: Option<&[u8]>) {
        self.0.update(&[u8::from(bytes.is_some())]);
        if let Some(bytes) = bytes {
            self.field(bytes);
        }
    }

    fn finish(self) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref()); // SHA-256 is 32 bytes
        Hash(hash)
    }
}

/// The last entry of a chain at some time, to be noted where the chain's owner cannot reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// 0 for an empty chain.
    pub seq: i64,
    pub hash: Hash,
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("audit entry {seq} was edited: it does not say what its hash was made of")]
    Edited { seq: i64 },
    #[error("audit entry {seq} does not follow the entry before it: one of them was replaced")]
    WrongPrevious { seq: i64 },
    #[error("audit entry {missing} is missing: after {} comes {found}", missing - 1)]
    Gap { missing: i64, found: i64 },
    #[error("audit entries {first} and {second} were swapped")]
    Swapped { first: i64, second: i64 },
    #[error("audit entry {seq} comes again")]
    Repeated { seq: i64 },
    #[error("audit entry {seq} is not the one that was noted: the chain was rewritten")]
    Rewritten { seq: i64 },
    #[error("the audit's tail was cut: it ends at {last}, and {noted} was noted")]
    CutTail { last: i64, noted: i64 },
}

/// Reads a chain from its first entry to its last and finds the first thing wrong with it.
#[derive(Clone, Debug)]
pub struct Verifier {
    last: Head,
    /// An entry that came too early, until the next one tells a swap from a gap.
    early: Option<i64>,
    noted: BTreeMap<i64, Hash>,
}

impl Verifier {
    /// Of a chain of which these heads were noted at one time or another.
    pub fn new(noted: impl IntoIterator<Item = Head>) -> Self {
        Self {
            last: Head { seq: 0, hash: GENESIS },
            early: None,
            noted: noted.into_iter().map(|head| (head.seq, head.hash)).collect(),
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`Broken`] if the chain is; what comes after says nothing any more.
    pub fn check(&mut self, entry: &Entry) -> Result<(), Broken> {
        let seq = entry.deed.seq;
        let expected = self.last.seq.saturating_add(1);
        if let Some(found) = self.early {
            return Err(if seq == expected {
                Broken::Swapped { first: expected, second: found }
            } else {
                Broken::Gap { missing: expected, found }
            });
        }
        if hash(&entry.deed, entry.previous) != entry.hash {
            return Err(Broken::Edited { seq });
        }
        if seq > expected {
            self.early = Some(seq);
            return Ok(());
        }
        if seq < expected {
            return Err(Broken::Repeated { seq });
        }
        if entry.previous != self.last.hash {
            return Err(Broken::WrongPrevious { seq });
        }
        if self.noted.get(&seq).is_some_and(|noted| *noted != entry.hash) {
            return Err(Broken::Rewritten { seq });
        }
        self.last = Head { seq, hash: entry.hash };
        Ok(())
    }

    /// The head of a sound chain, after its last entry.
    ///
    /// # Errors
    /// [`Broken`] if its tail is cut, or its last entry came too early.
    pub fn finish(self) -> Result<Head, Broken> {
        if let Some(found) = self.early {
            return Err(Broken::Gap { missing: self.last.seq.saturating_add(1), found });
        }
        match self.noted.last_key_value() {
            Some((&noted, _)) if noted > self.last.seq => {
                Err(Broken::CutTail { last: self.last.seq, noted })
            }
            _ => Ok(self.last),
        }
    }
}

/// A SHA-256 hash, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut hash = [0; 32];
        if pairs.len() != hash.len() || !rest.is_empty() {
            return Err(BadHash);
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(hash))
    }
}

fn digit(byte: u8) -> Result<u8, BadHash> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(BadHash)
}

impl TryFrom<String> for Hash {
    type Error = BadHash;

    fn try_from(text: String) -> Result<Self, BadHash> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(seq: i64) -> Deed {
        Deed {
            seq,
            at: Timestamp::from_second(1_772_000_000 + seq).unwrap(),
            uid: 1000,
            user: "salem".into(),
            role: "operator".into(),
            action: "resync".into(),
            object: "education/enrolments".into(),
            reason: Some("الجهة أبلغت عن نقص".into()),
            phase: Phase::Begun,
            detail: "full".into(),
            of: None,
        }
    }

    fn chain(length: i64) -> Vec<Entry> {
        let mut chain: Vec<Entry> = Vec::new();
        for seq in 1..=length {
            let previous = chain.last().map_or(GENESIS, |last| last.hash);
            chain.push(seal(deed(seq), previous));
        }
        chain
    }

    fn head(entry: &Entry) -> Head {
        Head { seq: entry.deed.seq, hash: entry.hash }
    }

    fn verify(chain: &[Entry], noted: &[Head]) -> Result<Head, Broken> {
        let mut verifier = Verifier::new(noted.iter().copied());
        chain.iter().try_for_each(|entry| verifier.check(entry))?;
        verifier.finish()
    }

    #[test]
    fn a_sound_chain_ends_in_its_head() {
        let chain = chain(5);
        assert_eq!(verify(&chain, &[head(&chain[1]), head(&chain[4])]), Ok(head(&chain[4])));
        assert_eq!(verify(&[], &[]), Ok(Head { seq: 0, hash: GENESIS }));
    }

    #[test]
    fn each_forgery_is_found_and_named() {
        let sound = chain(5);
        let noted = [head(&sound[4])];
        let forged = |forge: &dyn Fn(&mut Vec<Entry>)| {
            let mut chain = sound.clone();
            forge(&mut chain);
            verify(&chain, &noted).unwrap_err()
        };
        let rewritten = |chain: &mut Vec<Entry>| {
            chain[2].deed.object = "courts/orders".into();
            let mut previous = chain[1].hash;
            for entry in &mut chain[2..] {
                *entry = seal(entry.deed.clone(), previous);
                previous = entry.hash;
            }
        };
        for (found, expected, why) in [
            (forged(&|c| drop(c.remove(2))), Broken::Gap { missing: 3, found: 4 }, "one taken out"),
            (
                forged(&|c| drop(c.drain(..2))),
                Broken::Gap { missing: 1, found: 3 },
                "the beginning taken away",
            ),
            (
                forged(&|c| drop(c.drain(2..4))),
                Broken::Gap { missing: 3, found: 5 },
                "all but the last taken out",
            ),
            (
                forged(&|c| c.swap(1, 2)),
                Broken::Swapped { first: 2, second: 3 },
                "two lines of an export swapped",
            ),
            (
                forged(&|c| c.insert(3, c[1].clone())),
                Broken::Repeated { seq: 2 },
                "one put in again",
            ),
            (forged(&|c| c.truncate(3)), Broken::CutTail { last: 3, noted: 5 }, "the tail cut"),
            (forged(&Vec::clear), Broken::CutTail { last: 0, noted: 5 }, "all of it"),
            (forged(&|c| c[2].previous = c[0].hash), Broken::Edited { seq: 3 }, "the link bent"),
            (forged(&|c| c[2].hash = c[0].hash), Broken::Edited { seq: 3 }, "the hash changed"),
            (
                forged(&|c| c[2] = seal(Deed { uid: 0, ..deed(3) }, c[1].hash)),
                Broken::WrongPrevious { seq: 4 },
                "one replaced and sealed again: the next one gives it away",
            ),
            (
                forged(&|c| c[2] = seal(deed(3), GENESIS)),
                Broken::WrongPrevious { seq: 3 },
                "sealed behind another entry",
            ),
            (
                forged(&rewritten),
                Broken::Rewritten { seq: 5 },
                "all that follows sealed again: the noted head gives it away",
            ),
            (
                forged(&|c| {
                    let (second, third) = (c[1].deed.clone(), c[2].deed.clone());
                    c[1].deed = Deed { seq: 2, ..third };
                    c[2].deed = Deed { seq: 3, ..second };
                }),
                Broken::Edited { seq: 2 },
                "the contents of two rows swapped under their numbers",
            ),
        ] {
            assert_eq!(found, expected, "{why}");
        }
    }

    type Edit = fn(&mut Deed);

    #[test]
    fn every_field_is_under_the_seal() {
        let sealed = seal(deed(3), GENESIS);
        let edits: [(&str, Edit); 12] = [
            ("seq", |d| d.seq = 4),
            ("at", |d| d.at = Timestamp::UNIX_EPOCH),
            ("uid", |d| d.uid = 0),
            ("user", |d| d.user.push('x')),
            ("role", |d| d.role = "admin".into()),
            ("action", |d| d.action = "send".into()),
            ("object", |d| d.object = "courts/orders".into()),
            ("reason", |d| d.reason = None),
            ("phase", |d| d.phase = Phase::Done),
            ("detail", |d| d.detail.clear()),
            ("of", |d| d.of = Some(1)),
            ("a letter moved to the next field", |d| {
                d.user = "sale".into();
                d.role = "moperator".into();
            }),
        ];
        for (what, edit) in edits {
            let mut edited = sealed.deed.clone();
            edit(&mut edited);
            assert_ne!(hash(&edited, GENESIS), sealed.hash, "{what}");
        }
        let (none, empty) =
            (Deed { reason: None, ..deed(3) }, Deed { reason: Some(String::new()), ..deed(3) });
        assert_ne!(hash(&none, GENESIS), hash(&empty, GENESIS), "no reason is not an empty one");
    }

    #[test]
    fn the_layout_is_fixed_for_good() {
        let entry = seal(deed(1), GENESIS);
        // Computed apart, from the form's definition: a change here breaks every chain there is.
        let computed = "6e5b0da6a91102692a601f71bd07fcaff07718203c52723452118d8a27d25a10";
        assert_eq!(entry.hash.to_string(), computed);
    }

    #[test]
    fn an_entry_survives_the_store_and_an_export() {
        let mut fine = deed(1);
        fine.at = Timestamp::from_nanosecond(1_772_000_000_123_456_789).unwrap();
        let entry = seal(fine, GENESIS);
        assert_eq!(
            entry.deed.at.as_nanosecond(),
            1_772_000_000_123_456_000,
            "the store keeps microseconds"
        );
        let json = serde_json::to_string(&entry).unwrap();
        assert!(
            json.starts_with(r#"{"seq":1,"at":"2026-02-25T06:13:20.123456Z","uid":1000,"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = seal(deed(1), GENESIS).hash;
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(Hash::new(*hash.as_bytes()), hash);
        for bad in [
            "",
            "ab",
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(65),
            &"é".repeat(32),
            &"+1".repeat(32),
        ] {
            assert_eq!(bad.parse::<Hash>(), Err(BadHash), "{bad}");
        }
    }
}
