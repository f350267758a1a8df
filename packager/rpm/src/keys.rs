//! Signing keys: RSA-4096, OpenPGP version 4, self-signed with SHA-256. Every supported rpm accepts exactly this kind; rpm 4.14
//! refuses Ed25519, and EL9 and later refuse self-signatures with SHA-1. What of a key that is read counts is said by [`crate::certificate`].

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use packager_source::Digest;
use pgp::composed::{
    ArmorOptions, Deserializable, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
    SignedSecretSubKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, SecretKey, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails as _, Password, Timestamp};
use rand_pgp::rngs::OsRng;
use serde::Serialize;

use crate::certificate::Certificate;

/// Bits of a new key: the most that every supported rpm takes.
const RSA_BITS: u32 = 4096;

/// Bits of the shortest key that every target takes.
pub(crate) const RSA_BITS_MIN: usize = 2048;

/// Hashes that a signature over data may have: SHA-256 and stronger.
const HASHES: [HashAlgorithm; 5] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha384,
    HashAlgorithm::Sha512,
    HashAlgorithm::Sha3_256,
    HashAlgorithm::Sha3_512,
];

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
    /// A file of a new key.
    #[error("cannot write `{path}`")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not signed, or not readable.
    #[error(
        "cannot read `{path}`, which is to sign `{file}`\nhint: the signature is a part of what was published; copy or publish all of it again"
    )]
    NoSignature {
        /// What was signed.
        file: PathBuf,
        /// The signature.
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
    /// The other half of a pair.
    #[error(
        "`{path}` holds the {other} half of a key, and the {kind} half is needed\nhint: `packager keys new` calls the secret half `NAME.secret.asc` and the public half `NAME.asc`"
    )]
    OtherHalf {
        /// Where.
        path: PathBuf,
        /// What is needed.
        kind: &'static str,
        /// What is there.
        other: &'static str,
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
    /// Of a time that has not come.
    #[error(
        "the key in `{path}` was made in the future\nhint: set the clock of this machine, or make a new key where the clock is right"
    )]
    Future {
        /// Where.
        path: PathBuf,
    },
    /// Taken back by its owner.
    #[error(
        "the key in `{path}` was revoked\nhint: make a new one with `packager keys new` and publish its public part"
    )]
    Revoked {
        /// Where.
        path: PathBuf,
    },
    /// Nothing that counts says whose it is and what it is for.
    #[error(
        "the key in `{path}` has no signature of its own that is in force\nhint: export it again, whole: `gpg --armor --export <key>`; if all its users were revoked, `gpg --quick-add-uid` gives it one"
    )]
    Unbound {
        /// Where.
        path: PathBuf,
    },
    /// Only certifies.
    #[error(
        "no part of the key in `{path}` signs: its primary key only certifies, and a signing subkey is missing, expired or revoked\nhint: `gpg --quick-add-key <fingerprint> rsa4096 sign` adds one; then export the key again"
    )]
    NoSigner {
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
    /// A signature that proves nothing.
    #[error(
        "the signature `{signature}` is over the hash {hash}, which others can give to another file\nhint: sign again with SHA-256 or SHA-512"
    )]
    WeakHash {
        /// The signature.
        signature: PathBuf,
        /// What it is.
        hash: String,
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

fn writing(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Write { path, source }
}

/// What is wrong with a file that was to hold a key, by the line that armor begins with.
fn no_key(path: &Path, armored: &str, kind: &'static str) -> KeyError {
    let path = path.to_owned();
    let holds = |half: &str| armored.contains(&format!("-----BEGIN PGP {half} KEY BLOCK-----"));
    match kind {
        "secret" if holds("PUBLIC") => KeyError::OtherHalf { path, kind, other: "public" },
        "public" if holds("PRIVATE") => KeyError::OtherHalf { path, kind, other: "secret" },
        _ => KeyError::NoKey { path, kind },
    }
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
    /// The primary key, and the subkey that signs packages if there is one.
    key: SignedSecretKey,
    armored: String,
    certificate: Certificate,
}

/// A public key.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    certificate: Certificate,
    armored: String,
    usable: String,
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The two files of a pair, and where they are made.
struct Pair {
    secret: PathBuf,
    public: PathBuf,
    secret_part: PathBuf,
    public_part: PathBuf,
}

impl Pair {
    fn new(folder: &Path, name: &str) -> Pair {
        let at = |before: &str, after: &str| folder.join(format!("{before}{name}{after}"));
        Pair {
            secret: at("", ".secret.asc"),
            public: at("", ".asc"),
            secret_part: at(".", ".secret.part"),
            public_part: at(".", ".part"),
        }
    }
}

/// Writes a file that nobody reads yet.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), KeyError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(writing(path))
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
        SigningKey::of(key, Path::new("a new key"))
    }

    /// Keeps of a key what signs.
    fn of(key: SignedSecretKey, path: &Path) -> Result<SigningKey, KeyError> {
        let certificate = Certificate::vetted(&key.to_public_key(), path, now())?;
        // The first that may, as the `rpm` crate chooses.
        let subkey = key.secret_subkeys.into_iter().find_map(|subkey| {
            let mut usable = certificate.usable.public_subkeys.iter();
            let public = usable.find(|public| public.key.fingerprint() == subkey.key.fingerprint())?;
            Some(SignedSecretSubKey::new(subkey.key, public.signatures.clone()))
        });
        if subkey.is_none() && !certificate.primary_signs {
            return Err(KeyError::NoSigner { path: path.to_owned() });
        }
        if subkey.as_ref().is_some_and(|subkey| subkey.key.secret_params().is_encrypted()) {
            return Err(KeyError::Locked { path: path.to_owned() });
        }
        let details = certificate.usable.details.clone();
        let key = SignedSecretKey::new(key.primary_key, details, Vec::new(), subkey.into_iter().collect());
        let armored = key.to_armored_string(ArmorOptions::default()).map_err(crypto("write the key"))?;
        Ok(SigningKey { key, armored, certificate })
    }

    /// Refuses a name that a key has, or had: the secret part of one in use may be kept elsewhere.
    pub fn vacant(folder: &Path, name: &str) -> Result<(), KeyError> {
        let Pair { secret, public, .. } = Pair::new(folder, name);
        let taken = [secret, public].into_iter().find(|path| fs::symlink_metadata(path).is_ok());
        taken.map_or(Ok(()), |path| Err(KeyError::Exists(path)))
    }

    /// Writes `<name>.secret.asc` (readable by its owner only) and `<name>.asc`; refuses to replace either. A stop leaves neither, or the
    /// secret key with what [`SigningKey::finish`] needs.
    pub fn save(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf), KeyError> {
        fs::create_dir_all(folder).map_err(writing(folder))?;
        SigningKey::vacant(folder, name)?;
        let Pair { secret, public, secret_part, public_part } = Pair::new(folder, name);
        let made = write(&public_part, self.public()?.armored(), 0o644)
            .and_then(|()| write(&secret_part, &self.armored, 0o600))
            .and_then(|()| fs::rename(&secret_part, &secret).map_err(writing(&secret)));
        if let Err(error) = made {
            for part in [secret_part, public_part] {
                let _gone = fs::remove_file(part); // what went wrong is said; this is only tidy
            }
            return Err(error);
        }
        fs::rename(&public_part, &public).map_err(writing(&public))?;
        Ok((secret, public))
    }

    /// Ends a [`SigningKey::save`] that was stopped between its two files; whether there was one.
    pub fn finish(folder: &Path, name: &str) -> Result<bool, KeyError> {
        let Pair { secret, public, public_part, .. } = Pair::new(folder, name);
        if !secret.exists() || public.exists() || !public_part.exists() {
            return Ok(false);
        }
        // From the secret key: what was left behind may be older than it.
        write(&public_part, SigningKey::load(&secret)?.public()?.armored(), 0o644)?;
        fs::rename(&public_part, &public).map_err(writing(&public))?;
        Ok(true)
    }

    /// Reads an armored secret key and refuses what some target would refuse. Of several keys in a file the first one counts.
    pub fn load(path: &Path) -> Result<SigningKey, KeyError> {
        let armored = fs::read_to_string(path).map_err(at(path))?;
        let (key, _) = SignedSecretKey::from_string(&armored).map_err(|_| no_key(path, &armored, "secret"))?;
        if key.primary_key.secret_params().is_encrypted() {
            return Err(KeyError::Locked { path: path.to_owned() });
        }
        SigningKey::of(key, path)
    }

    /// The public part.
    pub fn public(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::of(self.certificate.clone())
    }

    /// An armored detached signature over bytes, as of a time. The same bytes, time and key give the same signature.
    pub fn sign_detached(&self, bytes: &[u8], time: u32) -> Result<String, KeyError> {
        let signature = match self.key.secret_subkeys.first() {
            Some(subkey) if !self.certificate.primary_signs => detached(&subkey.key, bytes, time),
            _ => detached(&self.key.primary_key, bytes, time),
        };
        let written = |signature| DetachedSignature::new(signature).to_armored_string(ArmorOptions::default());
        signature.and_then(written).map_err(crypto("sign"))
    }

    /// When something from a time is signed so that signing it again gives the same bytes: then, but not before the key was made.
    #[must_use]
    pub fn time_for(&self, time: i64) -> u32 {
        let made = self.key.secret_subkeys.iter().map(|subkey| subkey.key.created_at().as_secs());
        let made = made.fold(self.key.primary_key.created_at().as_secs(), u32::max);
        u32::try_from(time).unwrap_or(0).max(made)
    }

    pub(crate) fn primary(&self) -> &SecretKey {
        &self.key.primary_key
    }

    /// The armored part of the secret key that signs.
    pub(crate) fn armored(&self) -> &str {
        &self.armored
    }
}

/// A signature of a key over bytes, as of a time.
fn detached(key: &impl pgp::types::SigningKey, bytes: &[u8], time: u32) -> pgp::errors::Result<Signature> {
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), HashAlgorithm::Sha256);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))?,
        Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.sign(key, &Password::empty(), bytes)
}

impl VerifyingKey {
    fn of(certificate: Certificate) -> Result<VerifyingKey, KeyError> {
        let text = |key: &SignedPublicKey| {
            key.to_armored_string(ArmorOptions::default()).map_err(crypto("write the public key"))
        };
        let (armored, usable) = (text(&certificate.whole)?, text(&certificate.usable)?);
        Ok(VerifyingKey { certificate, armored, usable })
    }

    /// Reads an armored public key. Of several keys in a file the first one counts.
    pub fn load(path: &Path) -> Result<VerifyingKey, KeyError> {
        let armored = fs::read_to_string(path).map_err(at(path))?;
        let (key, _) = SignedPublicKey::from_string(&armored).map_err(|_| no_key(path, &armored, "public"))?;
        VerifyingKey::of(Certificate::vetted(&key, path, now())?)
    }

    /// Fingerprint and user.
    #[must_use]
    pub fn facts(&self) -> KeyFacts {
        let key = &self.certificate.usable;
        let user = key.details.users.first().map(|user| String::from_utf8_lossy(user.id.id()).into_owned());
        KeyFacts { fingerprint: key.fingerprint().to_string().to_lowercase(), user: user.unwrap_or_default() }
    }

    /// Hash over the key as hosts import it and over what of it signs now: another one when the key was extended or got a subkey.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Digest::new();
        digest.part("armored", self.armored.as_bytes());
        digest.part("usable", self.usable.as_bytes());
        digest.hex()
    }

    pub(crate) fn primary(&self) -> &PublicKey {
        &self.certificate.usable.primary_key
    }

    /// The armored public key as hosts import it: everything that it says about itself.
    #[must_use]
    pub fn armored(&self) -> &str {
        &self.armored
    }

    /// The armored part of it that signs now.
    pub(crate) fn usable(&self) -> &str {
        &self.usable
    }

    /// Checks a detached signature of a file.
    pub fn verify_file(&self, file: &Path, signature: &Path) -> Result<(), KeyError> {
        let unreadable = |source| KeyError::NoSignature { file: file.to_owned(), path: signature.to_owned(), source };
        let bytes = fs::read(file).map_err(at(file))?;
        let armored = fs::read_to_string(signature).map_err(unreadable)?;
        let bad = || KeyError::BadSignature { file: file.to_owned(), signature: signature.to_owned() };
        let (detached, _) = DetachedSignature::from_string(&armored).map_err(|_| bad())?;
        let key = &self.certificate.usable;
        let by_primary = || self.certificate.primary_signs && detached.verify(&key.primary_key, &bytes).is_ok();
        let by_subkey = || key.public_subkeys.iter().any(|subkey| detached.verify(&subkey.key, &bytes).is_ok());
        match detached.signature.hash_alg() {
            Some(hash) if HASHES.contains(&hash) => (by_primary() || by_subkey()).then_some(()).ok_or_else(bad),
            Some(hash) => Err(KeyError::WeakHash { signature: signature.to_owned(), hash: hash.to_string() }),
            None => Err(bad()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;
    use std::sync::OnceLock;

    use super::{KeyError, SigningKey};

    #[test]
    fn a_short_key_is_refused() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/short.secret.asc"));
        assert!(matches!(SigningKey::load(path), Err(KeyError::Short { bits: 1024, .. })));
    }

    /// Names of what lies in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_pair_is_never_replaced_by_half() {
        let room = tempfile::tempdir().expect("a folder");
        let (secret, public) = key().save(room.path(), "release").expect("saved");
        assert_eq!(names(room.path()), ["release.asc", "release.secret.asc"]);
        assert_eq!(fs::metadata(&secret).expect("a file").mode() & 0o777, 0o600);
        let text = fs::read_to_string(&public).expect("a file");
        assert!(matches!(key().save(room.path(), "release"), Err(KeyError::Exists(path)) if path == secret));
        // The secret part is kept elsewhere.
        fs::remove_file(&secret).expect("moved away");
        fs::write(&public, "in use").expect("a file");
        assert!(matches!(key().save(room.path(), "release"), Err(KeyError::Exists(path)) if path == public));
        assert_eq!(fs::read_to_string(&public).expect("a file"), "in use");
        assert!(!SigningKey::finish(room.path(), "release").expect("nothing to do"));

        // What a stop between the two files leaves; the part may be of an earlier one.
        key().save(room.path(), "next").expect("saved");
        let [public, part] = ["next.asc", ".next.part"].map(|name| room.path().join(name));
        fs::remove_file(&public).expect("removed");
        assert!(!SigningKey::finish(room.path(), "next").expect("that is how its user wants it"));
        fs::write(&part, "old").expect("a file");
        assert!(SigningKey::finish(room.path(), "next").expect("finished"));
        assert_eq!(fs::read_to_string(&public).expect("a file"), text);
        assert!(!part.exists() && !SigningKey::finish(room.path(), "next").expect("nothing to do"));
    }

    #[test]
    fn what_cannot_be_saved_leaves_nothing() {
        let room = tempfile::tempdir().expect("a folder");
        // Something that no file can replace appears while the key is written.
        fs::create_dir(room.path().join(".broken.secret.part")).expect("a folder");
        assert!(matches!(key().save(room.path(), "broken"), Err(KeyError::Write { .. })));
        assert_eq!(names(room.path()), [".broken.secret.part"]);
    }

    /// A key for tests: making one takes its time.
    pub(crate) fn key() -> &'static SigningKey {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/test.secret.asc"));
        KEY.get_or_init(|| SigningKey::load(path).expect("a good key"))
    }
}
