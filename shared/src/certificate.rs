//! Certificates: the PEM files that a connection's TLS stands on, checked as TLS will use them, and how long each is good.

use std::{
    io::{self, Read as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use nix::fcntl::OFlag;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem, pem::PemObject as _},
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    clock::between,
    connection::{Identity, Tls},
    word::words,
};

/// The most bytes of a PEM file: a bundle of all the world's authorities has a quarter of it.
const FILE_MAX: u64 = 1024 * 1024;
/// From this long before its end a certificate is worth a word.
const SOON: Duration = Duration::from_hours(30 * 24);
/// And from this long it is urgent.
const NOW: Duration = Duration::from_hours(7 * 24);

words! {
    /// How long a certificate is still good.
    pub enum Validity is "validity" {
        Fine = "fine",
        /// It ends within 30 days.
        EndsSoon = "ends_soon",
        /// It ends within 7 days.
        EndsNow = "ends_now",
        Ended = "ended",
    }
}

impl Validity {
    /// Of one that is good until `until`.
    pub fn at(now: Timestamp, until: Timestamp) -> Self {
        match between(now, until) {
            None => Self::Ended,
            Some(left) if left.is_zero() => Self::Ended,
            Some(left) if left <= NOW => Self::EndsNow,
            Some(left) if left <= SOON => Self::EndsSoon,
            Some(_) => Self::Fine,
        }
    }
}

/// Until when the certificates of a connection are good, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The partner's.
    pub theirs_until: Option<Timestamp>,
    /// The one that we show.
    pub ours_until: Option<Timestamp>,
}

impl Certificates {
    /// How they stand, by whichever ends first.
    pub fn validity(self, now: Timestamp) -> Option<Validity> {
        let first = [self.theirs_until, self.ours_until].into_iter().flatten().min()?;
        Some(Validity::at(now, first))
    }

    /// What is to be said of the one that ends first, if it ends soon.
    pub fn warning(self, now: Timestamp) -> Option<String> {
        let theirs = self.theirs_until.map(|until| (until, "the partner's certificate chain"));
        let ours = self.ours_until.map(|until| (until, "our certificate (`tls.cert`)"));
        let (until, whose) = theirs.into_iter().chain(ours).min_by_key(|(until, _)| *until)?;
        let (day, left) = (until.strftime("%Y-%m-%d"), between(now, until).unwrap_or_default());
        let days = left.as_secs() / (24 * 60 * 60);
        Some(match Validity::at(now, until) {
            Validity::Fine => return None,
            Validity::Ended => format!("{whose} ended on {day}"),
            Validity::EndsSoon | Validity::EndsNow if days == 1 => {
                format!("{whose} ends on {day}, in 1 day")
            }
            Validity::EndsSoon | Validity::EndsNow => {
                format!("{whose} ends on {day}, in {days} days")
            }
        })
    }
}

/// What the files of [`Tls`] hold, ready for use.
pub struct Material {
    /// Whom alone we trust; `None`: whomever the system trusts.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// Our certificate, whoever vouches for it, and the key.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Ca,
    Cert,
    Key,
    Passphrase,
}

impl Part {
    /// The key of the configuration that names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Cert => "cert",
            Self::Key => "key",
            Self::Passphrase => "passphrase",
        }
    }
}

/// Why a file is of no use, in words for whoever put it there. Nothing of its content is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", crate::untrusted::show(&file.to_string_lossy()))]
pub struct BadFile {
    pub part: Part,
    pub file: PathBuf,
    pub problem: String,
    pub remedy: String,
}

impl Material {
    /// Reads the files, and checks that TLS can use what they hold. Blocks.
    ///
    /// # Errors
    /// [`BadFile`], the first there is.
    pub fn read(tls: &Tls) -> Result<Self, BadFile> {
        let roots = tls.ca.as_deref().map(|file| certificates(Part::Ca, file)).transpose()?;
        if let (Some(roots), Some(file)) = (&roots, &tls.ca) {
            let mut store = RootCertStore::empty();
            if roots.iter().any(|root| store.add(root.clone()).is_err()) {
                return Err(bad(Part::Ca, file, NOT_X509, "put certificates there, as PEM"));
            }
        }
        Ok(Self { roots, identity: tls.identity.as_ref().map(identity).transpose()? })
    }

    /// Until when our certificate is good.
    pub fn ours_until(&self) -> Option<Timestamp> {
        let (chain, _) = self.identity.as_ref()?;
        until(chain.first()?)
    }
}

/// Until when a certificate (DER) is good; `None`: it is none.
pub fn until(certificate: &[u8]) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

const NOT_X509: &str = "holds something that is not a certificate";

fn bad(part: Part, file: &Path, problem: &str, remedy: &str) -> BadFile {
    let (problem, remedy) = (problem.to_owned(), remedy.to_owned());
    BadFile { part, file: file.to_owned(), problem, remedy }
}

fn identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), BadFile> {
    let chain = certificates(Part::Cert, &identity.cert)?;
    if chain.first().and_then(|first| until(first)).is_none() {
        return Err(bad(Part::Cert, &identity.cert, NOT_X509, "put our certificate there, as PEM"));
    }
    let key = key(&identity.key, identity.passphrase.as_ref())?;
    let provider = ring::default_provider();
    match CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider) {
        Ok(_) => Ok((chain, key)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(bad(
            Part::Key,
            &identity.key,
            "is not the key of the certificate in `cert`",
            "put the two that belong together; ours is the first certificate of `cert`",
        )),
        // Small authorities make those that say nothing of a version (openssl x509 -req without extensions).
        Err(rustls::Error::InvalidCertificate(_)) => Err(bad(
            Part::Cert,
            &identity.cert,
            "holds a certificate that TLS cannot use, of version 1 perhaps",
            "have it issued anew as version 3, with extensions",
        )),
        Err(_) => Err(bad(
            Part::Key,
            &identity.key,
            "holds a key that TLS cannot use",
            "use RSA of 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519",
        )),
    }
}

fn certificates(part: Part, file: &Path) -> Result<Vec<CertificateDer<'static>>, BadFile> {
    let text = read(part, file)?.0;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad(
            part,
            file,
            "holds no certificate in PEM form",
            "put it there as text that begins with -----BEGIN CERTIFICATE-----",
        )),
        Err(_) => Err(bad(part, file, "is broken PEM", "copy it there anew, whole")),
    }
}

fn key(file: &Path, passphrase: Option<&SecretString>) -> Result<PrivateKeyDer<'static>, BadFile> {
    let (text, mode) = read(Part::Key, file)?;
    if mode & 0o077 != 0 {
        let shown = crate::untrusted::show(&file.to_string_lossy()).into_owned();
        let problem = format!("is open to others (mode {mode:04o})");
        return Err(bad(Part::Key, file, &problem, &format!("run: chmod 600 {shown}")));
    }
    let lossy = String::from_utf8_lossy(&text);
    if lossy.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return decrypted(file, &lossy, passphrase);
    }
    if lossy.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(bad(
            Part::Key,
            file,
            "is encrypted in a form of long ago",
            "write it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW",
        ));
    }
    if passphrase.is_some() {
        return Err(bad(
            Part::Passphrase,
            file,
            "is not encrypted",
            "take `passphrase` out, or encrypt the key",
        ));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => bad(
            Part::Key,
            file,
            "holds no private key in PEM form",
            "put it there as text that begins with -----BEGIN PRIVATE KEY-----",
        ),
        _ => bad(Part::Key, file, "is broken PEM", "copy it there anew, whole"),
    })
}

/// A key that is encrypted as PKCS#8 has it (PBES2).
fn decrypted(
    file: &Path,
    text: &str,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKeyDer<'static>, BadFile> {
    let Some(passphrase) = passphrase else {
        let remedy = "add passphrase = { file = \"NAME\" } beside it";
        return Err(bad(Part::Key, file, "is encrypted", remedy));
    };
    let broken = || bad(Part::Key, file, "is broken PEM", "copy it there anew, whole");
    let der = encrypted_der(text.as_bytes()).ok_or_else(broken)?;
    let info = EncryptedPrivateKeyInfoRef::try_from(&*der).map_err(|_| broken())?;
    let plain = info.decrypt(passphrase.expose_secret()).map_err(|_| {
        bad(
            Part::Passphrase,
            file,
            "is not opened by the passphrase, or is encrypted with something that is no longer trusted",
            "check the passphrase; else write the key anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW",
        )
    })?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

fn encrypted_der(text: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok()?;
    let (_, body) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----")?;
    let (body, _) = body.split_once("-----END ENCRYPTED PRIVATE KEY-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// A file's bytes and its mode. Never waits for a pipe's other end.
fn read(part: Part, file: &Path) -> Result<(Vec<u8>, u32), BadFile> {
    let open = || {
        let mut options = std::fs::OpenOptions::new();
        let opened = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file)?;
        let about = opened.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        opened.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(io::Error::other("it is longer than 1 MiB"));
        }
        Ok((bytes, about.permissions().mode() & 0o7777))
    };
    open().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            bad(part, file, "does not exist", "put it there, as PEM")
        } else {
            bad(part, file, &format!("cannot be read ({error})"), "let the daemon read it")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_worth_a_word_thirty_days_before_its_end_and_urgent_seven() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let theirs = |at: &str| Certificates {
            theirs_until: Some(at.parse().unwrap()),
            ..Certificates::default()
        };
        for (at, validity, warning) in [
            ("2027-11-24T10:00:00Z", Validity::Fine, None),
            ("2026-12-24T10:00:01Z", Validity::Fine, None),
            ("2026-12-24T10:00:00Z", Validity::EndsSoon, Some("ends on 2026-12-24, in 30 days")),
            ("2026-12-01T10:00:01Z", Validity::EndsSoon, Some("ends on 2026-12-01, in 7 days")),
            ("2026-12-01T10:00:00Z", Validity::EndsNow, Some("ends on 2026-12-01, in 7 days")),
            ("2026-11-25T10:00:00Z", Validity::EndsNow, Some("ends on 2026-11-25, in 1 day")),
            ("2026-11-24T10:00:00Z", Validity::Ended, Some("ended on 2026-11-24")),
            ("2026-01-01T00:00:00Z", Validity::Ended, Some("ended on 2026-01-01")),
        ] {
            let known = theirs(at);
            assert_eq!(known.validity(now), Some(validity), "{at}");
            let expected = warning.map(|words| format!("the partner's certificate chain {words}"));
            assert_eq!(known.warning(now), expected, "{at}");
        }
        let both = Certificates {
            ours_until: Some("2026-11-30T00:00:00Z".parse().unwrap()),
            ..theirs("2090-01-01T00:00:00Z")
        };
        assert_eq!(both.validity(now), Some(Validity::EndsNow), "whichever ends first");
        assert!(both.warning(now).unwrap().starts_with("our certificate"));
        assert_eq!(Certificates::default().validity(now), None);
    }
}
