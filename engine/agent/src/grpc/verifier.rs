//! Believes a server by its role, not by its host name.
//!
//! As in DAOS, one server certificate is shared by all servers of a system: it must be signed by the system's
//! authority and its common name must be `server`. Host names and addresses are not compared; the authority signs for
//! one system only, and an agent or admin certificate cannot pose as a server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Common name of every server's certificate.
pub(super) const SERVER_COMMON_NAME: &str = "server";

/// The certificate is signed by the authority, but for another role.
#[derive(Debug, thiserror::Error)]
#[error("the peer's certificate has the common name `{0}`, not `{SERVER_COMMON_NAME}`")]
struct OtherRole(String);

/// Checks signature, dates, usage and common name.
#[derive(Debug)]
pub(super) struct RoleVerifier {
    authority: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl RoleVerifier {
    pub(super) fn new(authority: RootCertStore, provider: Arc<CryptoProvider>) -> RoleVerifier {
        RoleVerifier { authority, provider }
    }
}

impl ServerCertVerifier for RoleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.authority, intermediates, now, algorithms)?;
        let (_, certificate) =
            X509Certificate::from_der(end_entity).map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        if name == Some(SERVER_COMMON_NAME) {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherRole(name.unwrap_or_default().to_owned());
        Err(CertificateError::Other(OtherError(Arc::new(other))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
