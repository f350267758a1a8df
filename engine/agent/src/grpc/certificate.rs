//! The three files of `transport_config`: certificate authority, own certificate, own key.
//!
//! Read at every start, never cached on disk. A private key that others may read is refused, as DAOS does
//! (src/control/security/pem.go); an owner's write bit is not a leak and is accepted.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::TransportConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use types::{Fault, FaultName};

/// Whose key it is, which decides who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// `daos_agent`: its user only.
    Agent,
    /// An administrator: a group of administrators may share the key.
    Admin,
}

impl KeyOwner {
    /// Mode bits that must be clear.
    const fn forbidden_bits(self) -> u32 {
        match self {
            KeyOwner::Agent => 0o077,
            KeyOwner::Admin => 0o037,
        }
    }

    const fn advised_mode(self) -> &'static str {
        match self {
            KeyOwner::Agent => "0400",
            KeyOwner::Admin => "0400 or 0440",
        }
    }
}

/// What this process shows to servers and believes about them.
#[derive(Debug)]
pub struct Identity {
    /// The certificate authority every server's certificate must be signed by.
    pub(super) authority: Vec<CertificateDer<'static>>,
    /// Own certificate and what leads from it to the authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Own private key.
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads and checks the files.
    pub fn load(transport: &TransportConfig, owner: KeyOwner) -> Result<Identity, Fault> {
        let authority = certificates(&transport.ca_cert, "ca_cert")?;
        let chain = certificates(&transport.cert, "cert")?;
        let text = read(&transport.key, "key")?;
        check_mode(&transport.key, owner)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| invalid(&transport.key, "key", format!("holds no usable private key: {error}")))?;
        Ok(Identity { authority, chain, key })
    }
}

fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = read(path, setting)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(path, setting, format!("is not a PEM certificate: {error}")))?;
    if found.is_empty() { Err(invalid(path, setting, "holds no certificate")) } else { Ok(found) }
}

fn read(path: &Path, setting: &str) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::new(
            FaultName::SecurityMissingCertFile,
            format!("`{}` (`transport_config.{setting}`) does not exist", path.display()),
            format!(
                "put the certificate files there or correct `transport_config.{setting}`; without TLS on both sides set `transport_config.allow_insecure: true`"
            ),
        ),
        _ => Fault::new(
            FaultName::SecurityUnreadableCertFile,
            format!("cannot read `{}` (`transport_config.{setting}`): {error}", path.display()),
            "give the user that runs this program permission to read the file and to enter its directories",
        ),
    })
}

fn check_mode(path: &Path, owner: KeyOwner) -> Result<(), Fault> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) }; // it was just read; gone now is no leak
    let mode = metadata.mode() & 0o777;
    if mode & owner.forbidden_bits() == 0 {
        return Ok(());
    }
    Err(Fault::new(
        FaultName::SecurityUnreadableCertFile,
        format!("private key `{}` has mode {mode:04o}, which lets others at it", path.display()),
        format!("set its mode to {}, as in `chmod 0400 {}`", owner.advised_mode(), path.display()),
    ))
}

fn invalid(path: &Path, setting: &str, problem: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultName::SecurityInvalidCert,
        format!("`{}` (`transport_config.{setting}`) {problem}", path.display()),
        "generate the certificates anew and copy them to every host",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Files {
            let folder = tempfile::tempdir().unwrap();
            let signed = rcgen::generate_simple_self_signed(vec!["server".to_owned()]).unwrap();
            std::fs::write(folder.path().join("ca.crt"), signed.cert.pem()).unwrap();
            std::fs::write(folder.path().join("own.crt"), signed.cert.pem()).unwrap();
            std::fs::write(folder.path().join("own.key"), signed.signing_key.serialize_pem()).unwrap();
            let files = Files { folder };
            files.mode(0o400);
            files
        }

        fn mode(&self, mode: u32) {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(self.folder.path().join("own.key"), permissions).unwrap();
        }

        fn transport(&self) -> TransportConfig {
            TransportConfig {
                allow_insecure: false,
                client_cert_dir: None,
                ca_cert: self.folder.path().join("ca.crt"),
                cert: self.folder.path().join("own.crt"),
                key: self.folder.path().join("own.key"),
            }
        }
    }

    #[test]
    fn a_complete_set_is_loaded() {
        let files = Files::new();
        let identity = Identity::load(&files.transport(), KeyOwner::Agent).unwrap();
        assert_eq!((identity.authority.len(), identity.chain.len()), (1, 1));
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting() {
        let files = Files::new();
        std::fs::remove_file(files.folder.path().join("own.crt")).unwrap();
        let fault = Identity::load(&files.transport(), KeyOwner::Agent).unwrap_err();
        assert_eq!(fault.name, FaultName::SecurityMissingCertFile);
        assert!(fault.description.contains("transport_config.cert"), "{fault}");
        assert!(fault.resolution.contains("allow_insecure"), "{fault}");
    }

    #[test]
    fn a_key_open_to_others_is_refused_by_role() {
        let files = Files::new();
        for (mode, owner, accepted) in [
            (0o600, KeyOwner::Agent, true),
            (0o440, KeyOwner::Agent, false),
            (0o440, KeyOwner::Admin, true),
            (0o460, KeyOwner::Admin, false),
            (0o444, KeyOwner::Admin, false),
        ] {
            files.mode(mode);
            let loaded = Identity::load(&files.transport(), owner);
            assert_eq!(loaded.is_ok(), accepted, "{mode:o} {owner:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_invalid() {
        let files = Files::new();
        std::fs::write(files.folder.path().join("ca.crt"), "hello").unwrap();
        let fault = Identity::load(&files.transport(), KeyOwner::Admin).unwrap_err();
        assert_eq!(fault.name, FaultName::SecurityInvalidCert);
    }
}
