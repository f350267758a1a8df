//! The three files of `transport_config`: certificate authority, own certificate, own key.
//!
//! Read at every start, never cached on disk. What a server would refuse is refused here, where the reason can be told: in
//! TLS 1.3 a client learns only afterwards that its certificate was not liked, as a connection that ends.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use config::certificate::{SecurityFile, check_authority, check_certificate, check_permissions};
use config::{TransportConfig, TransportRole};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use types::{Fault, FaultName};

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
    /// Reads the files and checks that a server of the same authority will believe `role`.
    pub fn load(transport: &TransportConfig, role: TransportRole) -> Result<Identity, Fault> {
        let now = UnixTime::now();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let text = read(&transport.ca_cert, "ca_cert")?;
        check_mode(&transport.ca_cert, SecurityFile::Certificate)?;
        check_authority(&text, &transport.ca_cert, seconds)?;
        let authority = certificates(&text, &transport.ca_cert, "ca_cert")?;
        let text = read(&transport.cert, "cert")?;
        check_mode(&transport.cert, SecurityFile::Certificate)?;
        check_certificate(&text, &transport.cert, role, seconds)?;
        let chain = certificates(&text, &transport.cert, "cert")?;
        check_signature(transport, &authority, &chain, now)?;
        let text = read(&transport.key, "key")?;
        check_mode(&transport.key, SecurityFile::Key(role))?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| invalid(&transport.key, "key", "holds no private key that can be read".to_owned()))?;
        Ok(Identity { authority, chain, key })
    }
}

/// The check a server makes: own certificate, signed by the authority.
fn check_signature(
    transport: &TransportConfig,
    authority: &[CertificateDer<'static>],
    chain: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in authority {
        let added = roots.add(certificate.clone());
        added.map_err(|error| invalid(&transport.ca_cert, "ca_cert", format!("cannot be used: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| invalid(&transport.ca_cert, "ca_cert", format!("cannot be used: {error}")))?;
    let (own, others) = chain.split_first().expect("`certificates` gives at least one");
    verifier.verify_client_cert(own, others, now).map(|_| ()).map_err(|error| {
        let problem = match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                format!("is a certificate that was not signed by `{}`", transport.ca_cert.display())
            }
            other => format!("cannot be used: {other}"),
        };
        invalid(&transport.cert, "cert", problem)
    })
}

fn certificates(text: &[u8], path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid(path, setting, "is not a PEM certificate"))?;
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

fn check_mode(path: &Path, file: SecurityFile) -> Result<(), Fault> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) }; // it was just read; gone now is no leak
    check_permissions(file, metadata.mode(), path)
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
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
        date_time_ymd,
    };
    use std::os::unix::fs::PermissionsExt;

    struct Files {
        folder: tempfile::TempDir,
        authority: CertifiedIssuer<'static, KeyPair>,
    }

    impl Files {
        fn new() -> Files {
            let folder = tempfile::tempdir().unwrap();
            let mut authority = CertificateParams::new(Vec::new()).unwrap();
            authority.distinguished_name.push(DnType::CommonName, "DAOS CA");
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
            std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
            let files = Files { folder, authority };
            files.sign("agent", 2100);
            files
        }

        /// A certificate of the authority that ends with `year`.
        fn sign(&self, name: &str, year: i32) {
            let mut own = CertificateParams::new(Vec::new()).unwrap();
            own.distinguished_name.push(DnType::CommonName, name);
            own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            own.not_before = date_time_ymd(2020, 1, 1);
            own.not_after = date_time_ymd(year, 12, 31);
            let key = KeyPair::generate().unwrap();
            std::fs::write(self.folder.path().join("own.crt"), own.signed_by(&key, &self.authority).unwrap().pem())
                .unwrap();
            let path = self.folder.path().join("own.key");
            let _ = std::fs::remove_file(&path); // the first time there is none
            std::fs::write(path, key.serialize_pem()).unwrap();
            self.mode(0o400);
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
        let identity = Identity::load(&files.transport(), TransportRole::Agent).unwrap();
        assert_eq!((identity.authority.len(), identity.chain.len()), (1, 1));
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting() {
        let files = Files::new();
        std::fs::remove_file(files.folder.path().join("own.crt")).unwrap();
        let fault = Identity::load(&files.transport(), TransportRole::Agent).unwrap_err();
        assert_eq!(fault.name, FaultName::SecurityMissingCertFile);
        assert!(fault.description.contains("transport_config.cert"), "{fault}");
        assert!(fault.resolution.contains("allow_insecure"), "{fault}");
    }

    #[test]
    fn a_certificate_that_everybody_may_write_is_refused() {
        let files = Files::new();
        for (name, mode, accepted) in
            [("own.crt", 0o664, true), ("own.crt", 0o666, false), ("own.crt", 0o644, true), ("ca.crt", 0o666, false)]
        {
            std::fs::set_permissions(files.folder.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
            let loaded = Identity::load(&files.transport(), TransportRole::Agent);
            assert_eq!(loaded.is_ok(), accepted, "{name} {mode:o}");
        }
    }

    #[test]
    fn a_key_open_to_others_is_refused_by_role() {
        let files = Files::new();
        for (name, role, mode, accepted) in [
            ("agent", TransportRole::Agent, 0o600, true),
            ("agent", TransportRole::Agent, 0o440, false),
            ("admin", TransportRole::Admin, 0o440, true),
            ("admin", TransportRole::Admin, 0o460, false),
            ("admin", TransportRole::Admin, 0o444, false),
        ] {
            files.sign(name, 2100);
            files.mode(mode);
            let loaded = Identity::load(&files.transport(), role);
            assert_eq!(loaded.is_ok(), accepted, "{mode:o} {role:?}");
        }
    }

    #[test]
    fn what_a_server_would_refuse_is_refused_with_the_reason() {
        let files = Files::new();
        let refused = |role| {
            let fault = Identity::load(&files.transport(), role).unwrap_err();
            assert_eq!(fault.name, FaultName::SecurityInvalidCert);
            fault.description
        };
        let other_role = refused(TransportRole::Admin);
        assert!(other_role.contains("for `agent`, not for `admin`"), "{other_role}");
        files.sign("agent", 2021);
        let expired = refused(TransportRole::Agent);
        assert!(expired.contains("expired"), "{expired}");
        let others = Files::new();
        std::fs::copy(others.folder.path().join("own.crt"), files.folder.path().join("own.crt")).unwrap();
        let foreign = refused(TransportRole::Agent);
        assert!(foreign.contains("was not signed by") && foreign.contains("ca.crt"), "{foreign}");
    }

    #[test]
    fn what_is_no_certificate_is_invalid() {
        let files = Files::new();
        std::fs::write(files.folder.path().join("ca.crt"), "hello").unwrap();
        let fault = Identity::load(&files.transport(), TransportRole::Admin).unwrap_err();
        assert_eq!(fault.name, FaultName::SecurityInvalidCert);
    }
}
