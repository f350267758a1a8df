//! Keys that were extended, revoked, certified by others and given subkeys. What counts of each was found wrong in a review: anything that
//! lay beside a user was taken for what the key says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pgp::armor::{self, BlockType};
use pgp::composed::{
    ArmorOptions, Deserializable as _, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, SecretSubkey, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{Duration, KeyDetails as _, Password, SignedUser, Tag, Timestamp};
use rand_pgp::rngs::OsRng;
use rpm::{BuildConfig, PackageBuilder};
use tempfile::TempDir;

use super::Certificate;
use crate::keys::{KeyError, SigningKey, VerifyingKey};
use crate::sign::{self, SignError};

/// When the key of these tests was made.
const MADE: u32 = 1_600_000_000;

/// A key with two signing subkeys. Its primary key signs too.
fn key() -> SignedSecretKey {
    static KEY: OnceLock<SignedSecretKey> = OnceLock::new();
    let make = || {
        let made = Timestamp::from_secs(MADE);
        let subkey = || {
            let mut params = SubkeyParamsBuilder::default();
            params.key_type(KeyType::Rsa(2048)).can_sign(true).created_at(made);
            params.build().expect("parameters")
        };
        let mut params = SecretKeyParamsBuilder::default();
        params.key_type(KeyType::Rsa(2048)).can_certify(true).can_sign(true).created_at(made);
        params.primary_user_id("SUBKEYS of the tests <subkeys@packager.invalid>".to_owned());
        params.subkey(subkey()).subkey(subkey());
        params.build().expect("parameters").generate(OsRng).expect("a key")
    };
    KEY.get_or_init(make).clone()
}

/// Another key.
fn other() -> SignedSecretKey {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/test.secret.asc"));
    SignedSecretKey::from_string(&fs::read_to_string(path).expect("a file")).expect("a key").0
}

/// What a signature of a key over something of a certificate says, some seconds after [`MADE`].
fn config(typ: SignatureType, by: &SignedSecretKey, after: u32, says: Vec<SubpacketData>) -> SignatureConfig {
    let mut config = SignatureConfig::v4(typ, by.algorithm(), HashAlgorithm::Sha256);
    let about = [
        SubpacketData::SignatureCreationTime(Timestamp::from_secs(MADE + after)),
        SubpacketData::IssuerFingerprint(by.fingerprint()),
    ];
    let all = about.into_iter().chain(says).map(|data| Subpacket::regular(data).expect("a subpacket"));
    config.hashed_subpackets = all.collect();
    config
}

fn lifetime(seconds: u32) -> SubpacketData {
    SubpacketData::KeyExpirationTime(Duration::from_secs(seconds))
}

fn flags(set: impl FnOnce(&mut KeyFlags)) -> SubpacketData {
    let mut flags = KeyFlags::default();
    set(&mut flags);
    SubpacketData::KeyFlags(flags)
}

/// A signature over the key itself.
fn over_key(typ: SignatureType, by: &SignedSecretKey, key: &SignedSecretKey, says: Vec<SubpacketData>) -> Signature {
    let config = config(typ, by, 1, says);
    config.sign_key(&by.primary_key, &Password::empty(), key.primary_key.public_key()).expect("signed")
}

/// A signature over the first user of a key.
fn over_user(
    typ: SignatureType,
    by: &SignedSecretKey,
    key: &SignedSecretKey,
    after: u32,
    says: Vec<SubpacketData>,
) -> Signature {
    let (signee, user) = (key.primary_key.public_key(), &key.details.users[0].id);
    let config = config(typ, by, after, says);
    config
        .sign_certification_third_party(&by.primary_key, &Password::empty(), signee, Tag::UserId, user)
        .expect("signed")
}

/// Binds a subkey anew, with a lifetime.
fn bind_for(key: &mut SignedSecretKey, subkey: usize, seconds: u32) {
    let of: &SecretSubkey = &key.secret_subkeys[subkey].key;
    let primary = key.primary_key.public_key();
    let back = config(SignatureType::KeyBinding, key, 1, Vec::new());
    let back = back.sign_primary_key_binding(of, of.public_key(), &Password::empty(), primary).expect("signed");
    let says =
        vec![flags(|flags| flags.set_sign(true)), lifetime(seconds), SubpacketData::EmbeddedSignature(Box::new(back))];
    let config = config(SignatureType::SubkeyBinding, key, 1, says);
    let binding =
        config.sign_subkey_binding(&key.primary_key, primary, &Password::empty(), of.public_key()).expect("signed");
    // In place of what the builder said as of now, which would count before this.
    key.secret_subkeys[subkey].signatures = vec![binding];
}

fn revoke_subkey(key: &mut SignedSecretKey, subkey: usize) {
    let config = config(SignatureType::SubkeyRevocation, key, 2, Vec::new());
    let public = key.secret_subkeys[subkey].key.public_key();
    let primary = &key.primary_key;
    let signature =
        config.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), public).expect("signed");
    key.secret_subkeys[subkey].signatures.push(signature);
}

/// The primary key only certifies.
fn certify_only(key: &mut SignedSecretKey) {
    let says = vec![flags(|flags| flags.set_certify(true))];
    key.details.users[0].signatures = vec![over_user(SignatureType::CertPositive, key, key, 1, says)];
}

fn vetted(key: &SignedSecretKey) -> Result<Certificate, KeyError> {
    let key = key.to_public_key();
    // As it is written and read: what the reader leaves out counts for nobody.
    let text = key.to_armored_string(ArmorOptions::default()).expect("written");
    let (key, _) = SignedPublicKey::from_string(&text).expect("read");
    Certificate::vetted(&key, Path::new("key.asc"), u64::from(MADE) + 1000)
}

/// A key as it lies in a file.
fn stored(room: &TempDir, key: &SignedSecretKey) -> PathBuf {
    let path = room.path().join("key.secret.asc");
    fs::write(&path, key.to_armored_string(ArmorOptions::default()).expect("written")).expect("a file");
    path
}

fn package(room: &TempDir) -> PathBuf {
    let path = room.path().join("small.rpm");
    let mut builder = PackageBuilder::new("small", "1", "MIT", "noarch", "A small package");
    builder.using_config(BuildConfig::v4());
    builder.build().and_then(|package| package.write_file(&path)).expect("a package");
    path
}

/// The subkey that signs packages.
fn signer(key: &SigningKey) -> Option<String> {
    let (key, _) = SignedSecretKey::from_string(key.armored()).expect("read");
    assert!(key.secret_subkeys.len() <= 1);
    key.secret_subkeys.first().map(|subkey| subkey.key.fingerprint().to_string())
}

#[test]
fn a_revoked_key_is_refused_unless_another_key_says_so() {
    let (mut key, other) = (key(), other());
    let foreign = over_key(SignatureType::KeyRevocation, &other, &key, Vec::new());
    key.details.revocation_signatures.push(foreign);
    let certificate = vetted(&key).expect("what others say does not count");
    assert!(certificate.whole.details.revocation_signatures.is_empty());
    let own = over_key(SignatureType::KeyRevocation, &key, &key, Vec::new());
    key.details.revocation_signatures.push(own);
    assert!(matches!(vetted(&key), Err(KeyError::Revoked { .. })));
}

#[test]
fn a_lifetime_may_stand_in_a_direct_signature() {
    let mut key = key();
    let direct = over_key(SignatureType::Key, &key, &key, vec![lifetime(100)]);
    key.details.direct_signatures.push(direct);
    assert!(matches!(vetted(&key), Err(KeyError::Expired { .. })));
    // Another key cannot extend it.
    let foreign = over_key(SignatureType::Key, &other(), &key, vec![lifetime(100_000)]);
    key.details.direct_signatures.push(foreign);
    assert!(matches!(vetted(&key), Err(KeyError::Expired { .. })));
    key.details.direct_signatures = vec![over_key(SignatureType::Key, &key, &key, vec![lifetime(100_000)])];
    vetted(&key).expect("it lives longer");
}

#[test]
fn only_what_a_key_says_of_itself_decides_its_lifetime() {
    let (mut key, other) = (key(), other());
    let says = || vec![flags(|flags| flags.set_sign(true)), lifetime(100)];
    let over = over_user(SignatureType::CertPositive, &key, &key, 1, says());
    key.details.users[0].signatures = vec![over.clone()];
    assert!(matches!(vetted(&key), Err(KeyError::Expired { .. })));
    // Neither a later certification of another key nor of the key's own later revocation of another user.
    let foreign = over_user(SignatureType::CertGeneric, &other, &key, 50, Vec::new());
    key.details.users[0].signatures.push(foreign);
    assert!(matches!(vetted(&key), Err(KeyError::Expired { .. })));
    let mut second = key.clone();
    second.details.users[0].id =
        pgp::packet::UserId::from_str(Default::default(), "Second <2@x.invalid>").expect("a user");
    let bound = over_user(SignatureType::CertPositive, &second, &second, 2, vec![lifetime(100_000)]);
    let gone = over_user(SignatureType::CertRevocation, &second, &second, 60, Vec::new());
    key.details.users.push(SignedUser::new(second.details.users[0].id.clone(), vec![bound, gone]));
    assert!(matches!(vetted(&key), Err(KeyError::Expired { .. })));
    // The key itself does.
    let says = vec![flags(|flags| flags.set_sign(true)), lifetime(100_000)];
    let extended = over_user(SignatureType::CertPositive, &key, &key, 70, says);
    key.details.users[0].signatures.push(extended);
    let certificate = vetted(&key).expect("it was extended");
    assert_eq!((certificate.whole.details.users.len(), certificate.usable.details.users.len()), (2, 1));
    // Without anything of its own it is nobody's.
    key.details.users.truncate(1);
    key.details.users[0].signatures.retain(|signature| signature.typ() == Some(SignatureType::CertGeneric));
    assert!(matches!(vetted(&key), Err(KeyError::Unbound { .. })));
}

#[test]
fn a_key_that_others_certified_signs_and_verifies() {
    let room = tempfile::tempdir().expect("a folder");
    let (mut key, other) = (key(), other());
    let foreign = over_user(SignatureType::CertGeneric, &other, &key, 50, Vec::new());
    key.details.users[0].signatures.push(foreign);
    let loaded = SigningKey::load(&stored(&room, &key)).expect("a good key");
    let path = package(&room);
    sign::sign(&path, &path, &loaded, loaded.time_for(0)).expect("it is signed");
    let public = room.path().join("key.asc");
    fs::write(&public, key.to_public_key().to_armored_string(ArmorOptions::default()).expect("written"))
        .expect("a file");
    sign::verify(&path, &VerifyingKey::load(&public).expect("a good key")).expect("it is signed");
    sign::verify_with_rpm(&[path], &loaded.public().expect("a public key")).expect("rpm says so too");
}

#[test]
fn a_subkey_signs_only_while_it_may() {
    let room = tempfile::tempdir().expect("a folder");
    let load = |key: &SignedSecretKey| SigningKey::load(&stored(&room, key));
    let plain = key();
    let [first, second] = [0, 1].map(|subkey| plain.secret_subkeys[subkey].key.fingerprint().to_string());
    assert_eq!(signer(&load(&plain).expect("a good key")), Some(first));
    let (mut expired, mut revoked) = (plain.clone(), plain);
    bind_for(&mut expired, 0, 100);
    revoke_subkey(&mut revoked, 0);
    for mut key in [expired, revoked] {
        let loaded = load(&key).expect("the other subkey may");
        assert_eq!(signer(&loaded).as_ref(), Some(&second));
        // Hosts hear of the revocation.
        let (whole, _) = SignedPublicKey::from_string(loaded.public().expect("public").armored()).expect("read");
        assert_eq!(whole.public_subkeys.len(), 2);
        revoke_subkey(&mut key, 1);
        let loaded = load(&key).expect("the primary key may");
        assert_eq!(signer(&loaded), None);
        let path = package(&room);
        sign::sign(&path, &path, &loaded, loaded.time_for(0)).expect("it is signed");
        sign::verify(&path, &loaded.public().expect("a public key")).expect("by the primary key");
        certify_only(&mut key);
        assert!(matches!(load(&key), Err(KeyError::NoSigner { .. })));
    }
}

#[test]
fn a_signature_over_a_file_is_by_what_may_sign_and_not_weak() {
    let room = tempfile::tempdir().expect("a folder");
    let (file, signature) = (room.path().join("file"), room.path().join("file.asc"));
    fs::write(&file, "text").expect("a file");
    let mut key = key();
    let store = |made: DetachedSignature| {
        fs::write(&signature, made.to_armored_string(ArmorOptions::default()).expect("written")).expect("a file");
    };
    let by_subkey = |key: &SignedSecretKey, hash| {
        DetachedSignature::sign_binary_data(OsRng, &key.secret_subkeys[0].key, &Password::empty(), hash, &b"text"[..])
            .expect("signed")
    };
    let check = |key: &SignedSecretKey| {
        let loaded = SigningKey::load(&stored(&room, key)).expect("a good key");
        loaded.public().expect("a public key").verify_file(&file, &signature)
    };
    store(by_subkey(&key, HashAlgorithm::Sha512));
    check(&key).expect("a subkey signs in the place of its key");
    store(by_subkey(&key, HashAlgorithm::Sha1));
    assert!(matches!(check(&key), Err(KeyError::WeakHash { hash, .. }) if hash == "SHA1"));
    let weak =
        |hash| DetachedSignature::sign_binary_data(OsRng, &key.primary_key, &Password::empty(), hash, &b"text"[..]);
    store(weak(HashAlgorithm::Sha1).expect("signed"));
    assert!(matches!(check(&key), Err(KeyError::WeakHash { .. })));
    // A primary key that only certifies leaves the signing to its subkey, and is not believed.
    store(weak(HashAlgorithm::Sha256).expect("signed"));
    check(&key).expect("it may");
    certify_only(&mut key);
    assert!(matches!(check(&key), Err(KeyError::BadSignature { .. })));
    let loaded = SigningKey::load(&stored(&room, &key)).expect("a good key");
    fs::write(&signature, loaded.sign_detached(b"text", loaded.time_for(0)).expect("signed")).expect("a file");
    check(&key).expect("its subkey signed");
    store(by_subkey(&key, HashAlgorithm::Sha256));
    revoke_subkey(&mut key, 0);
    assert!(matches!(check(&key), Err(KeyError::BadSignature { .. })));
}

#[test]
fn of_several_keys_in_a_file_only_the_vetted_one_counts() {
    let room = tempfile::tempdir().expect("a folder");
    let (first, second) = (key(), other());
    let mut text = Vec::new();
    let both = vec![first.to_public_key(), second.to_public_key()];
    armor::write(&both, BlockType::PublicKey, &mut text, None, true).expect("written");
    let path = room.path().join("both.asc");
    fs::write(&path, text).expect("a file");
    let both = VerifyingKey::load(&path).expect("the first is good");
    let second = SigningKey::load(&stored(&room, &second)).expect("a good key");
    let path = package(&room);
    sign::sign(&path, &path, &second, second.time_for(0)).expect("it is signed");
    assert!(matches!(sign::verify(&path, &both), Err(SignError::Rejected { .. })));
}
