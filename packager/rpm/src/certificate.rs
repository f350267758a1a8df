//! What counts of an OpenPGP certificate: what its primary key signed itself. What other keys say about it decides nothing and is left
//! out; the `rpm` crate refuses a certificate with any signature on it that is not the key's own.
//!
//! Two certificates come of one. `whole` keeps everything that the key said, revocations too, for hosts to import. `usable` is the primary
//! key and the subkeys that sign now, each with the one signature that says so, for readers that would take any of them.
//!
//! The clock is an argument; nothing here touches the file system. Source: RFC 9580, 5.2.1, 5.2.3 and 10.1.

use std::path::Path;

use pgp::composed::{SignedKeyDetails, SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, PublicParams, SignedUser, Tag};
use rsa::traits::PublicKeyParts as _;

use crate::keys::{KeyError, RSA_BITS_MIN};

/// How many seconds two machines' clocks may differ: a day covers those whose time zone is wrong.
const CLOCKS_APART: u64 = 86_400;

/// A certificate that every target accepts.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// Everything that its key said.
    pub(crate) whole: SignedPublicKey,
    /// What signs now.
    pub(crate) usable: SignedPublicKey,
    /// Whether the primary key signs data, and not only certificates.
    pub(crate) primary_signs: bool,
}

impl Certificate {
    /// Refuses what some target would refuse, as of a time in seconds since 1970.
    pub(crate) fn vetted(key: &SignedPublicKey, path: &Path, now: u64) -> Result<Certificate, KeyError> {
        let whole = own(key);
        let primary = &whole.primary_key;
        if !whole.details.revocation_signatures.is_empty() {
            return Err(KeyError::Revoked { path: path.to_owned() });
        }
        if u64::from(primary.created_at().as_secs()) > now + CLOCKS_APART {
            return Err(KeyError::Future { path: path.to_owned() });
        }
        let direct = newest(&whole.details.direct_signatures, now);
        let users: Vec<SignedUser> = whole.details.users.iter().filter_map(|user| in_force(user, now)).collect();
        let by_user = users.iter().flat_map(|user| &user.signatures).max_by_key(|signature| created(signature));
        // Readers differ in which of the two lifetimes counts; none of them may be over.
        if [direct, by_user].into_iter().flatten().any(|signature| over(primary, signature, now)) {
            return Err(KeyError::Expired { path: path.to_owned() });
        }
        let said: Vec<&Signature> = direct.into_iter().chain(users.iter().flat_map(|user| &user.signatures)).collect();
        if said.is_empty() {
            return Err(KeyError::Unbound { path: path.to_owned() });
        }
        // A key of which nothing says what it is for is for everything.
        let mut flagged = said.iter().filter(|signature| has_flags(signature)).peekable();
        let primary_signs = flagged.peek().is_none() || flagged.any(|signature| signature.key_flags().sign());
        let subkeys: Vec<_> = whole.public_subkeys.iter().filter_map(|subkey| signing(subkey, now)).collect();
        if !primary_signs && subkeys.is_empty() {
            return Err(KeyError::NoSigner { path: path.to_owned() });
        }
        strong(primary, path)?;
        subkeys.iter().try_for_each(|subkey| strong(&subkey.key, path))?;
        let details = SignedKeyDetails::new(Vec::new(), direct.cloned().into_iter().collect(), users, Vec::new());
        let usable = SignedPublicKey::new(primary.clone(), details, subkeys);
        Ok(Certificate { whole, usable, primary_signs })
    }
}

/// A certificate with the signatures of its own primary key only. Pictures of its user go: nothing here looks at them.
fn own(key: &SignedPublicKey) -> SignedPublicKey {
    let primary = &key.primary_key;
    let made = |signature: &&Signature| signature.verify_key(primary).is_ok();
    let users = key.details.users.iter().map(|user| {
        let made = |signature: &&Signature| signature.verify_certification(primary, Tag::UserId, &user.id).is_ok();
        SignedUser::new(user.id.clone(), user.signatures.iter().filter(made).cloned().collect())
    });
    let details = SignedKeyDetails::new(
        key.details.revocation_signatures.iter().filter(made).cloned().collect(),
        key.details.direct_signatures.iter().filter(made).cloned().collect(),
        users.collect(),
        Vec::new(),
    );
    let subkeys = key.public_subkeys.iter().map(|subkey| {
        let made = |signature: &&Signature| binds(primary, &subkey.key, signature);
        SignedPublicSubKey::new(subkey.key.clone(), subkey.signatures.iter().filter(made).cloned().collect())
    });
    SignedPublicKey::new(primary.clone(), details, subkeys.collect())
}

/// Whether the primary key binds or revokes a subkey by a signature; one that is to sign says that it wants to (RFC 9580, 5.2.1.9).
fn binds(primary: &PublicKey, subkey: &PublicSubkey, signature: &Signature) -> bool {
    let wanted = || {
        let back = signature.embedded_signature();
        back.is_some_and(|back| back.verify_primary_key_binding(subkey, primary).is_ok())
    };
    signature.verify_subkey_binding(primary, subkey).is_ok() && (!signature.key_flags().sign() || wanted())
}

/// A user with what binds it, unless it was revoked.
fn in_force(user: &SignedUser, now: u64) -> Option<SignedUser> {
    let last = newest(&user.signatures, now).filter(|last| last.typ() != Some(SignatureType::CertRevocation))?;
    Some(SignedUser::new(user.id.clone(), vec![last.clone()]))
}

/// A subkey with what binds it, if it signs now.
fn signing(subkey: &SignedPublicSubKey, now: u64) -> Option<SignedPublicSubKey> {
    if subkey.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return None;
    }
    let last =
        newest(&subkey.signatures, now).filter(|last| last.key_flags().sign() && !over(&subkey.key, last, now))?;
    Some(SignedPublicSubKey::new(subkey.key.clone(), vec![last.clone()]))
}

/// The newest signature counts: extending a key adds one, and leaves the old ones. A revocation counts before what was said in the same
/// second.
fn newest(signatures: &[Signature], now: u64) -> Option<&Signature> {
    let lasting = |signature: &&Signature| {
        let lifetime = signature.signature_expiration_time().map_or(0, |lifetime| u64::from(lifetime.as_secs()));
        lifetime == 0 || created(signature) + lifetime >= now
    };
    let revokes = |signature: &Signature| signature.typ() == Some(SignatureType::CertRevocation);
    signatures.iter().filter(lasting).max_by_key(|signature| (created(signature), revokes(signature)))
}

fn created(signature: &Signature) -> u64 {
    signature.created().map_or(0, |time| u64::from(time.as_secs()))
}

/// Whether the lifetime that a signature gives to a key is over.
fn over(key: &impl KeyDetails, signature: &Signature, now: u64) -> bool {
    let lifetime = signature.key_expiration_time().map_or(0, |lifetime| u64::from(lifetime.as_secs()));
    lifetime > 0 && u64::from(key.created_at().as_secs()) + lifetime < now
}

fn has_flags(signature: &Signature) -> bool {
    let mut packets = signature.config().into_iter().flat_map(|config| config.hashed_subpackets());
    packets.any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
}

/// Refuses kinds and lengths that some target refuses.
fn strong(key: &impl KeyDetails, path: &Path) -> Result<(), KeyError> {
    let PublicParams::RSA(params) = key.public_params() else {
        return Err(KeyError::NotRsa { path: path.to_owned(), algorithm: format!("{:?}", key.algorithm()) });
    };
    let bits = params.key.n().bits();
    if bits < RSA_BITS_MIN { Err(KeyError::Short { path: path.to_owned(), bits }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
