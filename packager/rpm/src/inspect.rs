//! One package, read whole: its tags, its dependencies as rpm writes them, and its files with their contents.

use std::path::{Path, PathBuf};

use pgp::packet::{Packet, PacketParser, SubpacketData};
use rpm::{CompressionType, DependencyFlags, DigestAlgorithm, FileType, IndexTag, PackageMetadata};
use serde::Serialize;

use crate::open;
use crate::sign::LEGACY;

/// A package that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the package `{path}`{}", if self.is_damage() { "\nhint: build it again; the file is damaged or no RPM" } else { "" })]
pub struct PackageError {
    /// Where.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: rpm::Error,
}

impl PackageError {
    /// The package is not what it was, rather than out of reach for a moment.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        use std::io::ErrorKind;
        match &self.source {
            rpm::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
            _ => true,
        }
    }
}

/// Looks at headers and digests of a package, without unpacking it.
pub fn intact(path: &Path) -> Result<(), PackageError> {
    open::package(path)
        .and_then(|package| package.verify_digests())
        .map_err(|source| PackageError { path: path.to_owned(), source })
}

/// A file in a package.
#[derive(Debug, Clone)]
pub struct File {
    /// Absolute path after installation.
    pub path: String,
    /// Where a symbolic link leads; its permission bits mean nothing.
    pub link: Option<String>,
    /// A folder.
    pub folder: bool,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u16,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// File capabilities, as text.
    pub capabilities: Option<String>,
    /// Contents; empty for folders and links.
    pub content: Vec<u8>,
}

/// How a package is signed, whoever did it.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct SignatureForm {
    /// It lies where every rpm looks for it.
    pub legacy: bool,
    /// Version of the OpenPGP packet.
    pub version: u8,
    /// `RSA`, `EdDSALegacy`.
    pub algorithm: String,
    /// `SHA256`.
    pub hash: String,
    /// It names the key id of its issuer where old rpm looks: among what is signed.
    pub issuer: bool,
    /// And marks that as critical.
    pub issuer_critical: bool,
}

/// What a package says about itself.
#[derive(Debug, Clone, Serialize)]
pub struct Inspected {
    /// Where it lies.
    pub path: PathBuf,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Release with dist tag.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// Licence expression.
    pub license: String,
    /// File name of the source package.
    pub source_rpm: String,
    /// `xz`, `zstd`, `gzip`.
    pub payload: String,
    /// Files are hashed with SHA-256.
    pub sha256_files: bool,
    /// Vendor.
    pub vendor: String,
    /// Size of the package file.
    pub bytes: u64,
    /// Installed size in bytes.
    pub installed_bytes: u64,
    /// Signatures of the header.
    pub signatures: Vec<SignatureForm>,
    /// The header has a hash of the payload, so its signature covers that.
    pub payload_hashed: bool,
    /// As rpm writes them.
    pub requires: Vec<String>,
    /// As rpm writes them.
    pub provides: Vec<String>,
    /// Files with contents.
    #[serde(skip)]
    pub files: Vec<File>,
}

impl Inspected {
    /// Reads a package with all its files.
    pub fn open(path: &Path) -> Result<Inspected, PackageError> {
        Inspected::read(path).map_err(|source| PackageError { path: path.to_owned(), source })
    }

    fn read(path: &Path) -> Result<Inspected, rpm::Error> {
        let package = open::package(path)?;
        package.verify_digests()?;
        let metadata = &package.metadata;
        let mut files = Vec::new();
        for file in package.files()? {
            let file = file?;
            let entry = &file.metadata;
            files.push(File {
                path: entry.path().to_string_lossy().into_owned(),
                link: entry.linkto().filter(|target| !target.is_empty()).map(str::to_owned),
                folder: entry.file_type() == FileType::Dir,
                mode: entry.permissions(),
                user: entry.user().to_owned(),
                group: entry.group().to_owned(),
                capabilities: entry.caps().filter(|caps| !caps.is_empty()).map(str::to_owned),
                content: file.content().map(<[u8]>::to_vec).unwrap_or_default(),
            });
        }
        let payload = match metadata.get_payload_compressor()? {
            CompressionType::Xz => "xz",
            CompressionType::Zstd => "zstd",
            CompressionType::Gzip => "gzip",
            _ => "other",
        };
        Ok(Inspected {
            path: path.to_owned(),
            name: metadata.get_name()?.to_owned(),
            version: metadata.get_version()?.to_owned(),
            release: metadata.get_release()?.to_owned(),
            arch: metadata.get_arch()?.to_owned(),
            license: metadata.get_license()?.to_owned(),
            source_rpm: metadata.get_source_rpm().unwrap_or_default().to_owned(),
            payload: payload.to_owned(),
            // Without the tag rpm means MD5; a package without files has none.
            sha256_files: match metadata.get_file_digest_algorithm() {
                Ok(algorithm) => algorithm == DigestAlgorithm::Sha2_256,
                Err(_) => files.is_empty(),
            },
            vendor: metadata.get_vendor().unwrap_or_default().to_owned(),
            bytes: std::fs::metadata(path)?.len(),
            installed_bytes: metadata.get_installed_size()?,
            signatures: signatures(metadata)?,
            payload_hashed: metadata.header.entry_is_present(IndexTag::RPMTAG_PAYLOADSHA256 as u32),
            requires: written(metadata.get_requires()?),
            provides: written(metadata.get_provides()?),
            files,
        })
    }

    /// `name-version-release.arch`.
    #[must_use]
    pub fn nevra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch)
    }

    /// A package of debug information or debug sources.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        self.name.ends_with("-debuginfo") || self.name.ends_with("-debugsource")
    }

    /// Requirements other than features of rpm itself.
    pub fn real_requires(&self) -> impl Iterator<Item = &str> {
        self.requires.iter().map(String::as_str).filter(|text| !text.starts_with("rpmlib("))
    }
}

/// Unpacks a package's files below a folder.
pub fn extract(path: &Path, folder: &Path) -> Result<(), PackageError> {
    open::package(path)
        .and_then(|package| package.extract(folder))
        .map_err(|source| PackageError { path: path.to_owned(), source })
}

fn signatures(metadata: &PackageMetadata) -> Result<Vec<SignatureForm>, rpm::Error> {
    let legacy = LEGACY.iter().any(|tag| metadata.signature.entry_is_present(*tag as u32));
    let forms = metadata.raw_signatures()?.into_iter().filter_map(|bytes| {
        let packet = PacketParser::new(&bytes[..]).next()?.ok()?;
        let Packet::Signature(signature) = packet else { return None };
        let config = signature.config()?;
        let issuer = config.hashed_subpackets.iter().find(|part| matches!(part.data, SubpacketData::IssuerKeyId(_)));
        Some(SignatureForm {
            legacy,
            version: signature.version().into(),
            algorithm: format!("{:?}", config.pub_alg),
            hash: format!("{:?}", config.hash_alg).to_uppercase(),
            issuer: issuer.is_some(),
            issuer_critical: issuer.is_some_and(|part| part.is_critical),
        })
    });
    Ok(forms.collect())
}

fn written(dependencies: Vec<rpm::Dependency>) -> Vec<String> {
    dependencies
        .into_iter()
        .map(|dependency| match dependency.flags {
            flags if flags.intersects(DependencyFlags::LE | DependencyFlags::GE) => {
                format!("{} {} {}", dependency.name, flags.comparator_str(), dependency.version)
            }
            _ => dependency.name,
        })
        .collect()
}
