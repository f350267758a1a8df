//! Signing keys: RSA-4096, OpenPGP version 4, self-signed with SHA-256. Every supported rpm accepts exactly this kind; rpm 4.14
//! refuses Ed25519, and EL9 and later refuse self-signatures with SHA-1.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pgp::composed::{
    ArmorOptions, Deserializable, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, SecretKey, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails as _, Password, PublicParams, Timestamp};
use rand_pgp::rngs::OsRng;
use rsa::traits::PublicKeyParts as _;
use serde::Serialize;

/// Bits of a new key: the most that every supported rpm takes.
const RSA_BITS: u32 = 4096;

/// Bits of the shortest key that every target takes.
const RSA_BITS_MIN: usize = 2048;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file operation.
    #[error("cannot use the key file `{path}`\nhint: name an armored OpenPGP key that you may read")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not an armored key. Why is not said: the reader's words quote what it read, and that may be a secret key.
    #[error("`{path}` holds no OpenPGP {kind} key, or a damaged one\nhint: `packager keys new` makes a pair")]
    NoKey {
        /// Where.
        path: PathBuf,
        /// `secret` or `public`.
        kind: &'static str,
    },
    /// A kind of key that some target refuses.
    #[error(
        "the key in `{path}` is of kind {algorithm}; rpm 4.14 to 4.16 accept RSA only\nhint: `packager keys new` makes an RSA-4096 key"
    )]
    NotRsa {
        /// Where.
        path: PathBuf,
        /// What it is.
        algorithm: String,
    },
    /// Too short for the crypto policies of EL9 and later.
    #[error(
        "the key in `{path}` has {bits} bits; EL9 and later refuse RSA keys of less than {RSA_BITS_MIN}\nhint: `packager keys new` makes an RSA-{RSA_BITS} key"
    )]
    Short {
        /// Where.
        path: PathBuf,
        /// Its length.
        bits: usize,
    },
    /// Past its time.
    #[error(
        "the key in `{path}` expired\nhint: extend it, or make a new one with `packager keys new` and publish its public part"
    )]
    Expired {
        /// Where.
        path: PathBuf,
    },
    /// Behind a passphrase, which a build that runs by itself cannot give.
    #[error(
        "the secret key in `{path}` is protected by a passphrase\nhint: export it without one for this build: `gpg --edit-key <key> passwd`, then `gpg --armor --export-secret-keys <key>`"
    )]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// There already.
    #[error("`{0}` exists\nhint: choose another name, or remove it if nothing was signed with it")]
    Exists(PathBuf),
    /// Making or using it failed.
    #[error("cannot {doing} with an OpenPGP key")]
    Crypto {
        /// The operation.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// A bad signature.
    #[error(
        "the signature `{signature}` does not fit `{file}`\nhint: one of them was changed after signing, or another key signed"
    )]
    BadSignature {
        /// What was signed.
        file: PathBuf,
        /// The signature.
        signature: PathBuf,
    },
}

pub(crate) fn crypto(doing: &'static str) -> impl FnOnce(pgp::errors::Error) -> KeyError {
    move |source| KeyError::Crypto { doing, source: Box::new(source) }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, source }
}

/// Facts about a key, for people and machines.
#[derive(Debug, Clone, Serialize)]
pub struct KeyFacts {
    /// Hexadecimal.
    pub fingerprint: String,
    /// `Name <address>`.
    pub user: String,
}

/// A secret key.
#[derive(Debug, Clone)]
pub struct SigningKey {
    key: SignedSecretKey,
    armored: String,
}

/// A public key.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    key: SignedPublicKey,
    armored: String,
}

impl SigningKey {
    /// Makes a key for `Name <address>`.
    pub fn generate(user: &str) -> Result<SigningKey, KeyError> {
        let mut params = SecretKeyParamsBuilder::default();
        params
            .key_type(KeyType::Rsa(RSA_BITS))
            .can_certify(true)
            .can_sign(true)
            .primary_user_id(user.to_owned())
            .preferred_hash_algorithms([HashAlgorithm::Sha256].into_iter().collect());
        let params = params.build().expect("all required parameters are set above");
        let key = params.generate(OsRng).map_err(crypto("make a key pair"))?;
        let armored = key.to_armored_string(ArmorOptions::default()).map_err(crypto("write the key"))?;
        Ok(SigningKey { key, armored })
    }

    /// Writes `<name>.secret.asc` (readable by its owner only) and `<name>.asc`; refuses to replace a key.
    pub fn save(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf), KeyError> {
        let secret = folder.join(format!("{name}.secret.asc"));
        let public = folder.join(format!("{name}.asc"));
        fs::create_dir_all(folder).map_err(at(folder))?;
        if secret.exists() {
            return Err(KeyError::Exists(secret));
        }
        let part = folder.join(format!(".{name}.secret.part"));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(self.armored.as_bytes())?;
            file.sync_all()
        };
        write().map_err(at(&part))?;
        fs::write(&public, self.public()?.armored).map_err(at(&public))?;
        fs::rename(&part, &secret).map_err(at(&secret))?;
        Ok((secret, public))
    }

    /// Reads an armored secret key and refuses what some target would refuse.
    pub fn load(path: &Path) -> Result<SigningKey, KeyError> {
        let armored = fs::read_to_string(path).map_err(at(path))?;
        let (key, _) = SignedSecretKey::from_string(&armored)
            .map_err(|_| KeyError::NoKey { path: path.to_owned(), kind: "secret" })?;
        if key.primary_key.secret_params().is_encrypted() {
            return Err(KeyError::Locked { path: path.to_owned() });
        }
        let loaded = SigningKey { key, armored };
        loaded.public()?.accepted(path)?;
        Ok(loaded)
    }

    /// The public part.
    pub fn public(&self) -> Result<VerifyingKey, KeyError> {
        let key = self.key.to_public_key();
        let armored = key.to_armored_string(ArmorOptions::default()).map_err(crypto("write the public key"))?;
        Ok(VerifyingKey { key, armored })
    }

    /// An armored detached signature over bytes, as of a time. The same bytes, time and key give the same signature.
    pub fn sign_detached(&self, bytes: &[u8], time: u32) -> Result<String, KeyError> {
        let key = &self.key.primary_key;
        let sign = || {
            let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), HashAlgorithm::Sha256);
            config.hashed_subpackets = vec![
                Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))?,
                Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?,
                Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
            ];
            let signature = config.sign(key, &Password::empty(), bytes)?;
            DetachedSignature::new(signature).to_armored_string(ArmorOptions::default())
        };
        sign().map_err(crypto("sign"))
    }

    /// When something from a time is signed so that signing it again gives the same bytes: then, but not before the key was made.
    #[must_use]
    pub fn time_for(&self, time: i64) -> u32 {
        u32::try_from(time).unwrap_or(0).max(self.key.primary_key.created_at().as_secs())
    }

    pub(crate) fn primary(&self) -> &SecretKey {
        &self.key.primary_key
    }

    /// The armored secret key.
    pub(crate) fn armored(&self) -> &str {
        &self.armored
    }
}

impl VerifyingKey {
    /// Reads an armored public key.
    pub fn load(path: &Path) -> Result<VerifyingKey, KeyError> {
        let armored = fs::read_to_string(path).map_err(at(path))?;
        let (key, _) = SignedPublicKey::from_string(&armored)
            .map_err(|_| KeyError::NoKey { path: path.to_owned(), kind: "public" })?;
        let loaded = VerifyingKey { key, armored };
        loaded.accepted(path)?;
        Ok(loaded)
    }

    /// Fingerprint and user.
    #[must_use]
    pub fn facts(&self) -> KeyFacts {
        let user = self.key.details.users.first().map(|user| String::from_utf8_lossy(user.id.id()).into_owned());
        KeyFacts { fingerprint: self.key.fingerprint().to_string().to_lowercase(), user: user.unwrap_or_default() }
    }

    pub(crate) fn primary(&self) -> &PublicKey {
        &self.key.primary_key
    }

    /// The armored public key.
    #[must_use]
    pub fn armored(&self) -> &str {
        &self.armored
    }

    /// Checks a detached signature of a file.
    pub fn verify_file(&self, file: &Path, signature: &Path) -> Result<(), KeyError> {
        let bytes = fs::read(file).map_err(at(file))?;
        let armored = fs::read_to_string(signature).map_err(at(signature))?;
        let bad = || KeyError::BadSignature { file: file.to_owned(), signature: signature.to_owned() };
        let (detached, _) = DetachedSignature::from_string(&armored).map_err(|_| bad())?;
        detached.verify(&self.key, &bytes).map_err(|_| bad())
    }

    fn accepted(&self, path: &Path) -> Result<(), KeyError> {
        // A subkey that may sign does so in the primary key's place.
        let signs = |signature: &pgp::packet::Signature| signature.key_flags().sign();
        let subkeys = self.key.public_subkeys.iter().filter(|subkey| subkey.signatures.iter().any(signs));
        let subkeys = subkeys.map(|subkey| (subkey.key.algorithm(), subkey.key.public_params()));
        for (algorithm, params) in [(self.key.algorithm(), self.primary().public_params())].into_iter().chain(subkeys) {
            let PublicParams::RSA(params) = params else {
                return Err(KeyError::NotRsa { path: path.to_owned(), algorithm: format!("{algorithm:?}") });
            };
            let bits = params.key.n().bits();
            if bits < RSA_BITS_MIN {
                return Err(KeyError::Short { path: path.to_owned(), bits });
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        // The newest self-signature counts: extending a key adds one, and leaves the old ones.
        let lifetime = self
            .key
            .details
            .users
            .iter()
            .flat_map(|user| &user.signatures)
            .max_by_key(|signature| signature.created().map(|time| time.as_secs()))
            .and_then(|signature| signature.key_expiration_time())
            .map(|lifetime| u64::from(lifetime.as_secs()))
            .filter(|seconds| *seconds > 0);
        let made = u64::from(self.key.created_at().as_secs());
        if lifetime.is_some_and(|seconds| made + seconds < now) {
            return Err(KeyError::Expired { path: path.to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::OnceLock;

    use super::{KeyError, SigningKey};

    #[test]
    fn a_short_key_is_refused() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/short.secret.asc"));
        assert!(matches!(SigningKey::load(path), Err(KeyError::Short { bits: 1024, .. })));
    }

    /// A key for tests: making one takes its time.
    pub(crate) fn key() -> &'static SigningKey {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/test.secret.asc"));
        KEY.get_or_init(|| SigningKey::load(path).expect("a good key"))
    }
}
