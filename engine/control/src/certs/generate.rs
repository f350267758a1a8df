//! One certificate authority and one certificate for each role.
//!
//! ```text
//! <directory>/daosCA/private/daosCA.key   0400   sign with it, then take it off the network
//! <directory>/daosCA/certs/daosCA.crt     0644   to every host
//!                          server.{crt,key}      to servers
//!                          agent.{crt,key}       to clients
//!                          admin.{crt,key}       to administrators (key 0440)
//! <directory>/daosCA/certs/clients/{agent,admin}.crt   to servers
//! ```
//!
//! Every file is written beside its final name, synced and renamed, so that a name never shows half a file. A new
//! authority appears with all its files or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::TransportRole;
use config::certificate::{self, ORGANIZATION};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// Three years, as in DAOS.
pub const DEFAULT_DAYS: u32 = 1095;

/// A century: beyond it the dates of a certificate need another form, and nobody means it.
const MAX_DAYS: u32 = 36_500;

/// Start of validity before now, for hosts whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(3600);

const SECONDS_PER_DAY: u64 = 86_400;

const ROLES: [TransportRole; 3] = [TransportRole::Server, TransportRole::Agent, TransportRole::Admin];

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A new authority and all certificates; refused where an authority exists.
    New,
    /// The same in place of an authority that exists: every host needs all files again.
    Replace,
    /// New certificates and keys of the roles, signed by the authority that exists.
    Renew,
}

/// How to make it.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to make.
    pub scope: Scope,
    /// Validity in days.
    pub days: u32,
    /// Names and addresses of servers put into their certificate, beside `server`.
    pub names: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { scope: Scope::New, days: DEFAULT_DAYS, names: Vec::new() }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The authority's directory, `<directory>/daosCA`.
    pub directory: PathBuf,
    /// Every file written, below `directory`.
    pub files: Vec<PathBuf>,
    /// End of the roles' validity, in seconds since 1970.
    pub not_after: i64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// An authority is there already.
    #[error(
        "`{0}` exists already\nhint: renew its certificates with `--renew`, replace it with `--force`, or choose another directory"
    )]
    Exists(PathBuf),
    /// Renewal without an authority.
    #[error(
        "there is no certificate authority to renew with in `{0}`\nhint: generate a new one first, without `--renew`"
    )]
    NoAuthority(PathBuf),
    /// The authority expires before its certificates would.
    #[error(
        "the authority of `{directory}` is valid for {left} more days, less than the {asked} days asked for\n\
         hint: ask for at most {left} days, or replace the authority"
    )]
    AuthorityTooOld {
        /// The authority's directory.
        directory: PathBuf,
        /// Days left.
        left: i64,
        /// Days asked for.
        asked: u32,
    },
    /// A validity that makes no sense.
    #[error("a validity of {0} days is not possible\nhint: choose 1 to {MAX_DAYS} days")]
    Days(u32),
    /// Bytes that cannot be made into, or read as, a certificate.
    #[error("cannot make the certificate of `{subject}`\nhint: check the names given for the servers")]
    Certificate {
        /// Whose.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// An authority that cannot be used.
    #[error("cannot use the certificate authority in `{directory}`: {problem}\nhint: replace the authority")]
    Authority {
        /// The authority's directory.
        directory: PathBuf,
        /// Why.
        problem: String,
    },
    /// A file.
    #[error("cannot {action} `{path}`\nhint: check the directory's permissions and the free space")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Makes certificates below `directory`.
pub fn generate(directory: &Path, options: &Options) -> Result<Generated, GenerateError> {
    if !(1..=MAX_DAYS).contains(&options.days) {
        return Err(GenerateError::Days(options.days));
    }
    let final_place = directory.join("daosCA");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match options.scope {
        Scope::New if final_place.exists() => Err(GenerateError::Exists(final_place)),
        Scope::New | Scope::Replace => create(directory, &final_place, options, now),
        Scope::Renew => renew(&final_place, options, now),
    }
}

/// Builds everything in a directory of another name, then gives it its own.
fn create(directory: &Path, final_place: &Path, options: &Options, now: Duration) -> Result<Generated, GenerateError> {
    let building = directory.join(format!(".daosCA.{}", std::process::id()));
    make_directories(&building)?;
    let made = authority(options, now).and_then(|(issuer, certificate, key)| {
        let mut files = vec![PathBuf::from("private/daosCA.key"), PathBuf::from("certs/daosCA.crt")];
        write(&building.join(&files[0]), key.as_bytes(), 0o400)?;
        write(&building.join(&files[1]), certificate.as_bytes(), 0o644)?;
        files.extend(roles(&building, &issuer, options, now)?);
        move_into_place(&building, final_place)?;
        Ok(files)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&building); // the reason of the failure matters more than the leftover
    }
    Ok(Generated { directory: final_place.to_owned(), files: made?, not_after: end(options, now) })
}

fn move_into_place(building: &Path, final_place: &Path) -> Result<(), GenerateError> {
    if final_place.exists() {
        let old = final_place.with_extension(format!("old.{}", std::process::id()));
        rename(final_place, &old)?;
        rename(building, final_place)?;
        fs::remove_dir_all(&old).map_err(file("remove", &old))?;
    } else {
        rename(building, final_place)?;
    }
    sync_parent(final_place)
}

fn renew(place: &Path, options: &Options, now: Duration) -> Result<Generated, GenerateError> {
    let (certificate_path, key_path) = (place.join("certs/daosCA.crt"), place.join("private/daosCA.key"));
    if !certificate_path.exists() || !key_path.exists() {
        return Err(GenerateError::NoAuthority(place.to_owned()));
    }
    let certificate = fs::read_to_string(&certificate_path).map_err(file("read", &certificate_path))?;
    let key = fs::read_to_string(&key_path).map_err(file("read", &key_path))?;
    let unusable = |problem: String| GenerateError::Authority { directory: place.to_owned(), problem };
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let authority = certificate::check_authority(certificate.as_bytes(), &certificate_path, seconds)
        .map_err(|fault| unusable(fault.description))?;
    let left = authority.days_left(seconds);
    if left < i64::from(options.days) {
        return Err(GenerateError::AuthorityTooOld { directory: place.to_owned(), left, asked: options.days });
    }
    let key = KeyPair::from_pem(&key).map_err(|error| unusable(error.to_string()))?;
    let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| unusable(error.to_string()))?;
    make_directories(place)?;
    let files = roles(place, &issuer, options, now)?;
    Ok(Generated { directory: place.to_owned(), files, not_after: end(options, now) })
}

/// A new authority: what signs, its certificate and its key.
fn authority(options: &Options, now: Duration) -> Result<(Issuer<'static, KeyPair>, String, String), GenerateError> {
    let failed = |source| GenerateError::Certificate { subject: "DAOS CA".to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = validity(options, now, "DAOS CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    let text = key.serialize_pem();
    Ok((Issuer::new(params, key), certificate, text))
}

/// Keys and certificates of the three roles, and copies of the clients' certificates.
fn roles(
    place: &Path,
    issuer: &Issuer<'_, KeyPair>,
    options: &Options,
    now: Duration,
) -> Result<Vec<PathBuf>, GenerateError> {
    let mut files = Vec::new();
    for role in ROLES {
        let name = role.common_name();
        let failed = |source| GenerateError::Certificate { subject: name.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = validity(options, now, name);
        let mut names = vec![name.to_owned()];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if role == TransportRole::Server {
            params.extended_key_usages.insert(0, ExtendedKeyUsagePurpose::ServerAuth);
            names.extend(options.names.iter().cloned());
        }
        params.subject_alt_names = CertificateParams::new(names).map_err(failed)?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).map_err(failed)?.pem();
        let key_mode = if role == TransportRole::Admin { 0o440 } else { 0o400 };
        let mut add = |relative: String, bytes: &str, mode| {
            write(&place.join(&relative), bytes.as_bytes(), mode)?;
            files.push(PathBuf::from(relative));
            Ok::<(), GenerateError>(())
        };
        add(format!("certs/{name}.key"), &key.serialize_pem(), key_mode)?;
        add(format!("certs/{name}.crt"), &certificate, 0o644)?;
        if role != TransportRole::Server {
            add(format!("certs/clients/{name}.crt"), &certificate, 0o644)?;
        }
    }
    Ok(files)
}

/// Subject and dates, which all certificates have alike.
fn validity(options: &Options, now: Duration, common_name: &str) -> CertificateParams {
    let epoch = date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now + Duration::from_secs(u64::from(options.days) * SECONDS_PER_DAY);
    params
}

fn end(options: &Options, now: Duration) -> i64 {
    i64::try_from(now.as_secs() + u64::from(options.days) * SECONDS_PER_DAY).unwrap_or(i64::MAX)
}

fn make_directories(place: &Path) -> Result<(), GenerateError> {
    for directory in [place.to_owned(), place.join("private"), place.join("certs"), place.join("certs/clients")] {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(file("create", &directory))?;
    }
    Ok(())
}

/// Writes beside `path`, syncs and renames.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), GenerateError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file("remove", &new)(error)),
        _ => {}
    }
    let written = || -> io::Result<()> {
        // Created with its mode: a key is at no time readable by others. The mode is set again because of the umask.
        let mut target = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        target.set_permissions(fs::Permissions::from_mode(mode))?;
        target.write_all(bytes)?;
        target.sync_all()
    };
    written().map_err(file("write", &new))?;
    rename(&new, path)?;
    sync_parent(path)
}

fn rename(from: &Path, to: &Path) -> Result<(), GenerateError> {
    fs::rename(from, to).map_err(file("rename", from))
}

fn sync_parent(path: &Path) -> Result<(), GenerateError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(file("sync", parent))
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> GenerateError {
    let path = path.to_owned();
    move |source| GenerateError::File { action, path, source }
}
