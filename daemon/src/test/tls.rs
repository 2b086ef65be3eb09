//! The certificate that a partner shows, as a person wants to know it.
//!
//! This handshake trusts nobody and sends nothing: it is closed as soon as the certificate is seen. Whether the
//! certificate is good is judged by the real request, with the real rules; a refused one would otherwise never be seen.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;
use x509_parser::parse_x509_certificate;

use super::PROBE;

/// The certificate behind `stream`, and how it was spoken, for people.
pub(super) async fn look(base: &Url, stream: TcpStream, now: Timestamp) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let witness = Arc::new(Witness { seen: Mutex::default(), provider: Arc::clone(&provider) });
    let spoken = hand_shake(base, stream, provider, Arc::clone(&witness)).await;
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let certificate = seen.map(|der| described(&der, now));
    let spoken = spoken.unwrap_or_else(|| "no handshake yet; the request shows why".to_owned());
    certificate.map_or(spoken.clone(), |certificate| format!("{spoken}; {certificate}"))
}

/// The protocol that was agreed on; `None`: none was, which the request may do better.
async fn hand_shake(
    base: &Url,
    stream: TcpStream,
    provider: Arc<CryptoProvider>,
    witness: Arc<Witness>,
) -> Option<String> {
    let name = ServerName::try_from(base.host_str()?.trim_matches(['[', ']']).to_owned()).ok()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(witness)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = timeout(PROBE, connector.connect(name, stream)).await.ok()?.ok()?;
    let version = stream.get_ref().1.protocol_version()?;
    Some(version.as_str().unwrap_or("TLS").replace('_', ".").replacen("TLSv", "TLS ", 1))
}

fn described(der: &[u8], now: Timestamp) -> String {
    let Ok((_, certificate)) = parse_x509_certificate(der) else {
        return "a certificate that cannot be read".to_owned();
    };
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    let until = certificate.validity().not_after.timestamp();
    let days = (until - now.as_second()).div_euclid(24 * 60 * 60);
    let ends =
        if days < 0 { format!("expired {} days ago", -days) } else { format!("{days} days left") };
    format!("certificate of {subject}, by {issuer}, {ends}")
}

/// Sees the certificate and lets the handshake end.
#[derive(Debug)]
struct Witness {
    seen: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
