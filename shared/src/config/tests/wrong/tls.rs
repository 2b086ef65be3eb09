//! Mistakes in the files that TLS stands on.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

use super::*;

/// A certificate and its key, as PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let cert = CertificateParams::new(vec!["marsad.example".to_owned()]).unwrap();
    (cert.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A key that `openssl pkcs8 -topk8 -v2 aes-256-cbc` has encrypted with `open sesame`, and its certificate.
const ENCRYPTED: &str = include_str!("encrypted.test.key");
const OF_ENCRYPTED: &str = include_str!("encrypted.test.pem");

/// A certificate of version 1, as `openssl x509 -req` makes it without extensions, and its key.
const VERSION_1: &str = include_str!("version1.test.pem");
const OF_VERSION_1: &str = include_str!("version1.test.key");

fn folder(tls: &str) -> Folder {
    let text = format!("{PARTNER}{HTTP}tls = {{ {tls} }}\n");
    let folder = Folder::new("", &[("courts", &text)]);
    let ((cert, key), (_, other)) = (pair(), pair());
    for (name, text, mode) in [
        ("our.pem", &*cert, 0o644),
        ("our.key", &key, 0o600),
        ("other.key", &other, 0o600),
        ("open.key", &key, 0o640),
        ("first.pem", VERSION_1, 0o644),
        ("first.key", OF_VERSION_1, 0o600),
        ("locked.key", ENCRYPTED, 0o600),
        ("locked.pem", OF_ENCRYPTED, 0o644),
        ("right.secret", "open sesame\n", 0o600),
        ("wrong.secret", "open barley\n", 0o600),
        ("text.pem", "hello", 0o600),
        ("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB", 0o600),
        ("no.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o600),
        ("old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n", 0o600),
    ] {
        folder.secret(&format!("partners.d/{name}"), text, mode);
    }
    folder
}

fn said_of_tls(tls: &str) -> String {
    folder(tls).said().join("\n").replace("partners.d/", "")
}

#[test]
fn of_the_files_of_tls() {
    let place = "courts.toml:6: connection.api.tls";
    for (tls, expected) in [
        ("cert = \"our.pem\"", ".key: is missing; a certificate and its key go together"),
        ("key = \"our.key\"", ".cert: is missing; a certificate and its key go together"),
        (
            "ca = \"our.pem\", passphrase = { file = \"right.secret\" }",
            ".passphrase: has no use without `key`; take it out",
        ),
        ("ca = \"nowhere.pem\"", ".ca: nowhere.pem does not exist; put it there, as PEM"),
        (
            "ca = \"text.pem\"",
            ".ca: text.pem holds no certificate in PEM form; put it there as text that begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            "cert = \"first.pem\", key = \"first.key\"",
            ".cert: first.pem holds a certificate that TLS cannot use, of version 1 perhaps; have it issued anew as version 3, with extensions",
        ),
        ("ca = \"cut.pem\"", ".ca: cut.pem is broken PEM; copy it there anew, whole"),
        (
            "ca = \"no.pem\"",
            ".ca: no.pem holds something that is not a certificate; put certificates there, as PEM",
        ),
        (
            "cert = \"our.pem\", key = \"other.key\"",
            ".key: other.key is not the key of the certificate in `cert`; put the two that belong together; ours is the first certificate of `cert`",
        ),
        (
            "cert = \"our.pem\", key = \"open.key\"",
            ".key: open.key is open to others (mode 0640); run: chmod 600 open.key",
        ),
        (
            "cert = \"our.pem\", key = \"text.pem\"",
            ".key: text.pem holds no private key in PEM form; put it there as text that begins with -----BEGIN PRIVATE KEY-----",
        ),
        (
            "cert = \"our.pem\", key = \"old.key\"",
            ".key: old.key is encrypted in a form of long ago; write it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW",
        ),
        (
            "cert = \"locked.pem\", key = \"locked.key\"",
            ".key: locked.key is encrypted; add passphrase = { file = \"NAME\" } beside it",
        ),
        (
            "cert = \"locked.pem\", key = \"locked.key\", passphrase = { file = \"wrong.secret\" }",
            ".passphrase: locked.key is not opened by the passphrase, or is encrypted with something that is no longer trusted; check the passphrase; else write the key anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW",
        ),
        (
            "cert = \"our.pem\", key = \"our.key\", passphrase = { file = \"right.secret\" }",
            ".passphrase: our.key is not encrypted; take `passphrase` out, or encrypt the key",
        ),
    ] {
        assert_eq!(said_of_tls(tls), format!("{place}{expected}"), "{tls}");
    }
    for tls in [
        "ca = \"our.pem\"",
        "cert = \"our.pem\", key = \"our.key\"",
        "ca = \"our.pem\", cert = \"locked.pem\", key = \"locked.key\", passphrase = { file = \"right.secret\" }",
    ] {
        assert_eq!(said_of_tls(tls), "", "{tls}");
    }
}

#[test]
fn tls_stands_in_one_place_and_only_where_there_is_tls() {
    let twice = "tls = { ca = \"a\" }\nauth = { kind = \"none\", tls = { ca = \"b\" } }\n";
    assert_eq!(
        said_of(&format!("{PARTNER}{HTTP}{twice}")),
        [
            "7: connection.api.auth.tls: is written twice: here and for the connection; keep one of them"
        ]
    );
    let http = "[[connection]]\nid = \"api\"\nbase_url = \"http://courts.example\"\n";
    assert_eq!(
        said_of(&format!("{PARTNER}{http}auth = {{ kind = \"none\", tls = {{ ca = \"a\" }} }}\n")),
        ["6: connection.api.auth.tls: means nothing to http; use https in base_url"]
    );
}
