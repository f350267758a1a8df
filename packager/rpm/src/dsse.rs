//! DSSE envelopes (Dead Simple Signing Envelope 1.0): a payload, its type, and signatures over both.
//!
//! The key is the OpenPGP key of the packages. It signs here as a plain RSA key: RSASSA-PKCS1-v1_5 over SHA-256, as other tools that read
//! DSSE expect it of an RSA key, without an OpenPGP packet around it (docs/adr/0022). What OpenPGP signs ends in a trailer that no JSON text
//! ends in, so neither signature can be taken for one of the other kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::{KeyDetails as _, Mpi, Password, PublicParams, SignatureBytes, SigningKey as _, VerifyingKey as _};
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::keys::{KeyError, SigningKey, VerifyingKey, crypto};

/// An envelope as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// In base64.
    payload: String,
    signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    /// Fingerprint of the OpenPGP key, a hint.
    #[serde(default)]
    keyid: String,
    /// In base64.
    sig: String,
}

/// An envelope that is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not base64.
    #[error("its payload or signature is not base64\nhint: it was changed; publish the repository again")]
    Base64(#[from] base64::DecodeError),
    /// No signature of the key.
    #[error(
        "no signature in it is of this key\nhint: it was changed after signing, or another key signed; publish the repository again"
    )]
    Unsigned,
}

impl Envelope {
    /// Signs a payload. The same payload and key give the same bytes: this kind of signature has neither a time nor chance in it.
    pub fn seal(payload_type: &str, payload: &[u8], key: &SigningKey) -> Result<Envelope, KeyError> {
        let digest = Sha256::digest(encoded(payload_type, payload));
        let signed = key.primary().sign(&Password::empty(), HashAlgorithm::Sha256, &digest).map_err(crypto("sign"))?;
        let public = key.public()?;
        let SignatureBytes::Mpis(numbers) = &signed else { unreachable!("RSA signs with one number") };
        let number = numbers.first().map(AsRef::as_ref).unwrap_or_default();
        // OpenPGP leaves leading zeros away, plain RSA does not.
        let mut whole = vec![0; public.rsa_bytes().saturating_sub(number.len())];
        whole.extend_from_slice(number);
        let signature = Signature { keyid: public.facts().fingerprint, sig: STANDARD.encode(whole) };
        Ok(Envelope {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![signature],
        })
    }

    /// The payload, if the key signed it.
    pub fn open(&self, key: &VerifyingKey) -> Result<Vec<u8>, EnvelopeError> {
        let payload = STANDARD.decode(&self.payload)?;
        let digest = Sha256::digest(encoded(&self.payload_type, &payload));
        for signature in &self.signatures {
            // Another signature may be good; one that cannot be read is of no key.
            let Ok(signature) = STANDARD.decode(&signature.sig) else { continue };
            let number = Mpi::from_slice(&signature);
            let bytes = SignatureBytes::Mpis(vec![number]);
            if key.primary().verify(HashAlgorithm::Sha256, &digest, &bytes).is_ok() {
                return Ok(payload);
            }
        }
        Err(EnvelopeError::Unsigned)
    }
}

/// The pre-authentication encoding: what is signed.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl VerifyingKey {
    /// The key as tools that do not know OpenPGP read it: PEM of a SubjectPublicKeyInfo.
    #[must_use]
    pub fn pem(&self) -> String {
        self.rsa().to_public_key_pem(LineEnding::LF).expect("an RSA key can be written")
    }

    fn rsa_bytes(&self) -> usize {
        self.rsa().size()
    }

    fn rsa(&self) -> &rsa::RsaPublicKey {
        match self.primary().public_params() {
            PublicParams::RSA(params) => &params.key,
            _ => unreachable!("keys of other kinds are refused when they are read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rsa::pkcs8::DecodePublicKey as _;
    use rsa::{Pkcs1v15Sign, RsaPublicKey};
    use sha2::{Digest as _, Sha256};

    use super::{Envelope, EnvelopeError, encoded};
    use crate::keys::tests::key;

    /// `DigestInfo` of SHA-256 (RFC 8017, 9.2).
    const SHA256_INFO: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];

    const TYPE: &str = "application/vnd.in-toto+json";

    #[test]
    fn the_encoding_is_the_one_of_the_protocol() {
        // The example of the DSSE protocol, "Test Vectors".
        assert_eq!(
            encoded("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn what_was_sealed_opens_and_nothing_else() {
        let public = key().public().expect("a public key");
        let envelope = Envelope::seal(TYPE, b"{}", key()).expect("sealed");
        assert_eq!(envelope, Envelope::seal(TYPE, b"{}", key()).expect("sealed"), "the same bytes");
        assert_eq!(envelope.open(&public).expect("signed"), b"{}");
        let changes: [fn(&mut Envelope); 3] = [
            |envelope| envelope.payload = STANDARD.encode("{ }"),
            |envelope| envelope.payload_type.push('x'),
            |envelope| envelope.signatures.clear(),
        ];
        for change in changes {
            let mut changed = envelope.clone();
            change(&mut changed);
            assert!(matches!(changed.open(&public), Err(EnvelopeError::Unsigned)));
        }
        let mut broken = envelope;
        broken.payload = "?".to_owned();
        assert!(matches!(broken.open(&public), Err(EnvelopeError::Base64(_))));
    }

    #[test]
    fn others_can_verify_it_with_the_pem_key() {
        let pem = key().public().expect("a public key").pem();
        let envelope = Envelope::seal(TYPE, b"{}", key()).expect("sealed");
        let signature = STANDARD.decode(&envelope.signatures[0].sig).expect("base64");
        let scheme = Pkcs1v15Sign { hash_len: Some(32), prefix: Box::new(SHA256_INFO) };
        let other = RsaPublicKey::from_public_key_pem(&pem).expect("a key");
        other.verify(scheme, &Sha256::digest(encoded(TYPE, b"{}")), &signature).expect("it fits");
    }
}
