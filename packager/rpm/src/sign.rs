//! Signing packages and checking their signatures, with our own code and with rpm's.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_source::{Room, stop};
use rpm::IndexSignatureTag;
use rpm::signature::Verifying as _;
use rpm::signature::pgp::{Signer, Verifier};

use crate::keys::{SigningKey, VerifyingKey};
use crate::open;

/// Signatures over the header, as every rpm before 6 reads them.
pub(crate) const LEGACY: [IndexSignatureTag; 2] = [IndexSignatureTag::RPMSIGTAG_RSA, IndexSignatureTag::RPMSIGTAG_DSA];

/// Why a package cannot be signed or is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Reading or writing the package.
    #[error("cannot sign `{path}`\nhint: name a package, whole as rpmbuild made it")]
    Sign {
        /// The package.
        path: PathBuf,
        /// Why.
        #[source]
        source: rpm::Error,
    },
    /// Digests that do not fit what they are about.
    #[error("`{path}` is damaged, and is not signed\nhint: build or fetch it again")]
    Damaged {
        /// The package.
        path: PathBuf,
        /// Why.
        #[source]
        source: rpm::Error,
    },
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Digests or signature do not fit.
    #[error(
        "`{path}` is not what was signed with this key\nhint: it was changed, is unsigned, or another key signed it; build and sign again"
    )]
    Rejected {
        /// The package.
        path: PathBuf,
        /// Why.
        #[source]
        source: rpm::Error,
    },
    /// The signature that rpm before 6 reads is missing or does not fit, though another one does.
    #[error(
        "rpm before 6 reads no signature of this key in `{0}`, though a later one does\nhint: it was changed after signing; build and sign again"
    )]
    Legacy(PathBuf),
    /// rpm itself does not accept it.
    #[error(
        "rpm does not accept the signature of `{path}`:\n{said}\nhint: sign with an RSA-4096 key from `packager keys new`"
    )]
    RpmRejected {
        /// The package.
        path: PathBuf,
        /// rpm's words.
        said: String,
    },
}

/// Signs a package as of a time, leaving `from` as it is; `to` appears complete or not at all.
pub fn sign(from: &Path, to: &Path, key: &SigningKey, time: u32) -> Result<(), SignError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SignError::Sign { path, source }
    };
    let signer = Signer::from_asc(key.armored()).map_err(failed(from))?;
    let mut package = open::package(from).map_err(failed(from))?;
    // A signature says that it is whole: of old packages that carry no digests nobody can tell.
    match package.verify_digests() {
        Ok(()) | Err(rpm::Error::NoHeaderDigestError | rpm::Error::NoPayloadDigestError) => {}
        Err(source) => return Err(SignError::Damaged { path: from.to_owned(), source }),
    }
    package.sign_with_timestamp(signer, time).map_err(failed(from))?;
    let cannot = |source| SignError::Io { path: to.to_owned(), source };
    // It goes away with an error; its mode is that of any new file.
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let room = Room::make(parent, ".signed-").map_err(cannot)?;
    let written = room.path().join("package");
    let mut part = BufWriter::new(File::create(&written).map_err(cannot)?);
    package.write(&mut part).map_err(|error| match error {
        rpm::Error::Io(error) => cannot(error),
        other => failed(to)(other),
    })?;
    part.into_inner().map_err(|error| cannot(error.into_error()))?;
    fs::rename(&written, to).map_err(cannot)
}

/// Checks digests and signature with our own code.
pub fn verify(path: &Path, key: &VerifyingKey) -> Result<(), SignError> {
    let rejected = |source| SignError::Rejected { path: path.to_owned(), source };
    let verifier = Verifier::from_asc(key.usable()).map_err(rejected)?;
    let (headers, package) = open::with_headers(path).map_err(rejected)?;
    package.check_signatures(&verifier).and_then(rpm::SignatureReport::into_result).map_err(rejected)?;
    let header = package.metadata.header_bytes().map_err(rejected)?;
    // Where rpm before 6 looks; the reader above prefers the newer place, and does not look here when it found something.
    let mut legacy = Vec::new();
    for tag in LEGACY {
        legacy.extend(headers.signature.bytes_of(tag as u32).map_err(|_| SignError::Legacy(path.to_owned()))?);
    }
    if legacy.is_empty() || !legacy.into_iter().all(|signature| verifier.verify(&header[..], signature).is_ok()) {
        return Err(SignError::Legacy(path.to_owned()));
    }
    Ok(())
}

/// Checks packages with the host's `rpmkeys` and a key database of their own.
pub fn verify_with_rpm(paths: &[PathBuf], key: &VerifyingKey) -> Result<(), SignError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SignError::Io { path, source }
    };
    let room = tempfile::tempdir().map_err(failed(Path::new("/tmp")))?;
    let key_file = room.path().join("key.asc");
    fs::write(&key_file, key.armored()).map_err(failed(&key_file))?;
    let database = room.path().join("db");
    let rpmkeys = || {
        let mut command = Command::new("rpmkeys");
        command.arg("--dbpath").arg(&database);
        command
    };
    let imported = stop::output(rpmkeys().arg("--import").arg(&key_file)).map_err(failed(&key_file))?;
    if !imported.status.success() {
        let said = String::from_utf8_lossy(&imported.stderr).trim().to_owned();
        return Err(SignError::RpmRejected { path: key_file, said });
    }
    for path in paths {
        let checked = stop::output(rpmkeys().args(["--checksig", "--verbose"]).arg(path)).map_err(failed(path))?;
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        if !checked.status.success() || !said.contains("Signature") {
            return Err(SignError::RpmRejected { path: path.clone(), said: said.trim().to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use rpm::{BuildConfig, PackageBuilder};

    use super::{SignError, sign};
    use crate::keys::tests::key;

    #[test]
    fn what_cannot_be_signed_leaves_nothing_behind() {
        let room = tempfile::tempdir().expect("a folder");
        let from = room.path().join("small.rpm");
        let mut builder = PackageBuilder::new("small", "1", "MIT", "noarch", "A small package");
        builder.using_config(BuildConfig::v4());
        builder.build().and_then(|package| package.write_file(&from)).expect("a package");
        let names = || fs::read_dir(room.path()).expect("a folder").count();
        // A folder with something in it cannot be replaced.
        let to = room.path().join("signed.rpm");
        fs::create_dir_all(to.join("deep")).expect("a folder");
        assert!(matches!(sign(&from, &to, key(), key().time_for(0)), Err(SignError::Io { path, .. }) if path == to));
        assert_eq!(names(), 2);
        // Cut off, and changed within.
        let whole = fs::read(&from).expect("a file");
        let damaged = room.path().join("damaged.rpm");
        let mut changed = whole.clone();
        *changed.last_mut().expect("bytes") ^= 1;
        for bytes in [&whole[..whole.len() - 1], &changed] {
            fs::write(&damaged, bytes).expect("written");
            let refused = sign(&damaged, &damaged, key(), key().time_for(0));
            assert!(matches!(refused, Err(SignError::Damaged { .. } | SignError::Sign { .. })), "{refused:?}");
            assert_eq!(fs::read(&damaged).expect("a file"), bytes);
        }
        fs::remove_file(&damaged).expect("removed");
        // It is readable by whom every new file is.
        let mode = fs::metadata(&from).expect("a file").mode();
        sign(&from, &from, key(), key().time_for(0)).expect("it is signed");
        assert_eq!(fs::metadata(&from).expect("a file").mode(), mode);
        assert_eq!(names(), 2);
    }
}
