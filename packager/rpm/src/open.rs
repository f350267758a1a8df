//! Opening packages. The `rpm` crate slices headers by offsets that it has not checked, and ends the program over a damaged one; so
//! our own reader goes first.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use packager_repodata::header::{HeaderError, Headers};
use rpm::Package;

/// The headers of a package, each entry of them checked.
fn headers(path: &Path) -> Result<Headers, rpm::Error> {
    let damaged = |error: HeaderError| match error {
        HeaderError::Short(error) if error.kind() != io::ErrorKind::UnexpectedEof => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    };
    let headers = Headers::read(&mut BufReader::new(File::open(path)?)).map_err(damaged)?;
    headers.signature.sound().and_then(|()| headers.main.sound()).map_err(damaged)?;
    Ok(headers)
}

/// The whole package, and its headers as our own reader has them.
pub(crate) fn with_headers(path: &Path) -> Result<(Headers, Package), rpm::Error> {
    Ok((headers(path)?, Package::open(path)?))
}

/// The whole package.
pub(crate) fn package(path: &Path) -> Result<Package, rpm::Error> {
    with_headers(path).map(|(_, package)| package)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rpm::{BuildConfig, FileOptions, IndexSignatureTag, PackageBuilder};

    use crate::keys::tests::key;
    use crate::{Inspected, sign};

    /// A signed package, small but with every kind of tag.
    fn small() -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("small.rpm");
        let mut builder = PackageBuilder::new("small", "1", "MIT", "noarch", "A small package");
        builder.using_config(BuildConfig::v4()).description("It is damaged in every way.");
        builder.with_file_contents("content", FileOptions::new("/etc/small.conf")).expect("a file");
        builder.requires(rpm::Dependency::any("other"));
        builder.build().and_then(|package| package.write_file(&path)).expect("a package");
        sign::sign(&path, &path, key(), key().time_for(0)).expect("it is signed");
        fs::read(&path).expect("it is there")
    }

    #[test]
    fn the_signature_that_old_rpm_reads_counts_too() {
        let whole = small();
        let mut bytes = whole.clone();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("small.rpm");
        fs::write(&path, &bytes).expect("a file");
        let legacy = super::headers(&path).expect("headers").signature;
        let legacy = legacy.bytes_of(IndexSignatureTag::RPMSIGTAG_RSA as u32).expect("bytes").expect("it is there");
        let at = bytes.windows(legacy.len()).position(|window| window == legacy).expect("it lies in the file");
        bytes[at + legacy.len() - 1] ^= 1;
        fs::write(&path, &bytes).expect("a file");
        let public = key().public().expect("a public part");
        assert!(matches!(sign::verify(&path, &public), Err(sign::SignError::Legacy(_))));
        // Under another number the signature is none: the signature header itself is not signed.
        let mut bytes = whole;
        let tag = (IndexSignatureTag::RPMSIGTAG_RSA as u32).to_be_bytes();
        let at = (112..).step_by(16).find(|at| bytes[*at..].starts_with(&tag)).expect("an entry of the index");
        bytes[at..at + 4].copy_from_slice(&9999_u32.to_be_bytes());
        fs::write(&path, &bytes).expect("a file");
        assert!(matches!(sign::verify(&path, &public), Err(sign::SignError::Legacy(_))));
    }

    #[test]
    fn a_damaged_package_is_an_error_and_never_an_end() {
        let whole = small();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("damaged.rpm");
        let public = key().public().expect("a public part");
        let look = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("a file");
            let read = Inspected::open(&path).is_ok();
            (read, sign::verify(&path, &public).is_ok())
        };
        assert_eq!(look(&whole), (true, true));
        // Behind the lead, of which nothing but its first bytes is read. Most zeros are space kept for signatures: some of them will do.
        let told = (96..whole.len()).filter(|at| whole[*at] != 0 || at % 32 == 0);
        for at in told {
            for damage in [0xff, whole[at] ^ 0x01] {
                let mut bytes = whole.clone();
                bytes[at] = damage;
                look(&bytes);
            }
        }
        for length in (0..whole.len()).step_by(61) {
            assert!(!look(&whole[..length]).1, "{length} bytes");
        }
    }
}
