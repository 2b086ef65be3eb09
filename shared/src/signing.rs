//! JSON Web Tokens (RFC 7519) that we sign ourselves: a key that was checked once, and what it signs.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::word::words;

words! {
    /// How a token is signed (RFC 7518, RFC 8037).
    pub enum Algorithm is "algorithm" {
        /// A secret that both sides know.
        Hs256 = "HS256",
        Rs256 = "RS256",
        /// On the curve P-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// Why a secret is not the key of an algorithm. Says nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Shorter than what it is to guard (RFC 7518 section 3.2).
    #[error("is shorter than 32 bytes, too short for HS256")]
    Short,
    #[error("holds no private key in PEM form")]
    NoPem,
    #[error("holds an encrypted key")]
    Encrypted,
    #[error("holds no key that {0} can sign with")]
    OtherKind(Algorithm),
    #[error("could not sign")]
    Sign,
}

/// A key that signs. Holding one is the proof that it does.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// Names the algorithm and nothing else.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}

impl SigningKey {
    /// The key in `secret`: a shared secret for HS256, else a private key as PEM.
    ///
    /// # Errors
    /// [`KeyError`]: it is none, or one of another kind.
    pub fn read(algorithm: Algorithm, secret: &SecretString) -> Result<Self, KeyError> {
        let text = secret.expose_secret();
        let pair = match algorithm {
            Algorithm::Hs256 if text.len() < 32 => return Err(KeyError::Short),
            Algorithm::Hs256 => Pair::Hmac(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())),
            _ => pair(algorithm, text)?,
        };
        Ok(Self { algorithm, pair })
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// [`KeyError::Sign`] if the system has no randomness.
    pub fn token(
        &self,
        key_id: Option<&str>,
        claims: &Map<String, Value>,
    ) -> Result<SecretString, KeyError> {
        let mut header = json!({ "alg": self.algorithm.word(), "typ": "JWT" });
        if let (Some(id), Some(header)) = (key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.into());
        }
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let claims = serde_json::to_string(claims).map_err(|_| KeyError::Sign)?;
        let signed = format!("{}.{}", part(header.to_string()), part(claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        Ok(match &self.pair {
            Pair::Hmac(key) => hmac::sign(key, text).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(|_| KeyError::Sign)?;
                signature
            }
            Pair::Ec(pair) => {
                pair.sign(&random, text).map_err(|_| KeyError::Sign)?.as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(text).as_ref().to_vec(),
        })
    }
}

fn pair(algorithm: Algorithm, pem: &str) -> Result<Pair, KeyError> {
    if pem.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPem)?;
    let other = |_| KeyError::OtherKind(algorithm);
    Ok(match (algorithm, &key) {
        (Algorithm::Rs256, PrivateKeyDer::Pkcs1(der)) => {
            Pair::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(other)?)
        }
        (Algorithm::Rs256, PrivateKeyDer::Pkcs8(der)) => {
            Pair::Rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(other)?)
        }
        (Algorithm::Es256, PrivateKeyDer::Pkcs8(der)) => {
            let der = der.secret_pkcs8_der();
            let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
            Pair::Ec(EcdsaKeyPair::from_pkcs8(curve, der, &SystemRandom::new()).map_err(other)?)
        }
        (Algorithm::EdDsa, PrivateKeyDer::Pkcs8(der)) => {
            let der = der.secret_pkcs8_der();
            Pair::Ed(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(other)?)
        }
        _ => return Err(KeyError::OtherKind(algorithm)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };

    /// A throw-away key of 2048 bits.
    const RSA: &str = include_str!("signing/rsa.test.pem");

    fn claims() -> Map<String, Value> {
        json!({ "iss": "marsad", "sub": "محاكم" }).as_object().unwrap().clone()
    }

    /// Header, claims, what is signed, and the signature.
    fn parts(token: &str) -> (Value, Value, String, Vec<u8>) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let decode = |part| URL_SAFE_NO_PAD.decode(part).unwrap();
        let json = |part| serde_json::from_slice(&decode(part)).unwrap();
        (json(header), json(claims), signed.to_owned(), decode(signature))
    }

    #[test]
    fn what_is_signed_is_what_was_said_and_the_public_key_proves_it() {
        let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let rsa = RsaKeyPair::from_pkcs8(
            PrivateKeyDer::from_pem_slice(RSA.as_bytes()).unwrap().secret_der(),
        )
        .unwrap();
        let cases: [(_, _, &dyn VerificationAlgorithm, &[u8]); 3] = [
            (
                Algorithm::Rs256,
                RSA.to_owned(),
                &RSA_PKCS1_2048_8192_SHA256,
                rsa.public_key().as_ref(),
            ),
            (Algorithm::Es256, ec.serialize_pem(), &ECDSA_P256_SHA256_FIXED, ec.public_key_raw()),
            (Algorithm::EdDsa, ed.serialize_pem(), &ED25519, ed.public_key_raw()),
        ];
        for (algorithm, pem, verifies, public) in cases {
            let key = SigningKey::read(algorithm, &pem.clone().into()).unwrap();
            assert_eq!(format!("{key:?}"), format!("SigningKey({algorithm})"));
            let token = key.token(Some("k1"), &claims()).unwrap();
            let (header, said, signed, signature) = parts(token.expose_secret());
            assert_eq!(header, json!({ "alg": algorithm.word(), "typ": "JWT", "kid": "k1" }));
            assert_eq!(said, Value::Object(claims()));
            let public = UnparsedPublicKey::new(verifies, public);
            public.verify(signed.as_bytes(), &signature).unwrap();
        }
    }

    #[test]
    fn a_shared_secret_gives_the_token_of_the_standard() {
        let secret = "0123456789abcdef0123456789abcdef";
        let key = SigningKey::read(Algorithm::Hs256, &secret.into()).unwrap();
        let token = key.token(None, &claims()).unwrap();
        let (header, _, signed, signature) = parts(token.expose_secret());
        assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn what_is_no_key_of_the_algorithm_is_refused_without_a_word_of_it() {
        let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (algorithm, secret, expected) in [
            (Algorithm::Hs256, "hunter2", KeyError::Short),
            (Algorithm::Rs256, "not a key", KeyError::NoPem),
            (Algorithm::Rs256, &ec.serialize_pem(), KeyError::OtherKind(Algorithm::Rs256)),
            (Algorithm::Es256, RSA, KeyError::OtherKind(Algorithm::Es256)),
            (Algorithm::EdDsa, &ec.serialize_pem(), KeyError::OtherKind(Algorithm::EdDsa)),
            (Algorithm::Es256, encrypted, KeyError::Encrypted),
        ] {
            let error = SigningKey::read(algorithm, &secret.into()).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains(secret));
        }
    }
}
