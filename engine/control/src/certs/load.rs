//! The files of `transport_config`, read and checked for one role.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use config::certificate::{self, SecurityFile};
use config::{TransportConfig, TransportRole};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use types::{Fault, FaultName};

/// The name that servers' certificates are for; clients ask for it whatever the host is called.
const SERVER_NAME: &str = "server";

/// Checked PEM texts.
#[derive(Clone)]
pub struct Loaded {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
    /// What to log: certificates that expire soon.
    pub notices: Vec<String>,
}

impl Loaded {
    /// For serving: callers must show a certificate of the same authority.
    pub fn server_tls(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(self.identity()).client_ca_root(Certificate::from_pem(&self.authority))
    }

    /// For calling other servers.
    pub fn client_tls(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(self.identity())
            .ca_certificate(Certificate::from_pem(&self.authority))
            .domain_name(SERVER_NAME)
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }
}

impl std::fmt::Debug for Loaded {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("notices", &self.notices).finish_non_exhaustive()
    }
}

/// Reads and checks the files; nothing when `transport` allows insecure connections.
pub fn load(transport: &TransportConfig, role: TransportRole) -> Result<Option<Loaded>, Fault> {
    if transport.allow_insecure {
        return Ok(None);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let authority = read(&transport.ca_cert, "ca_cert", SecurityFile::Certificate)?;
    let certificate = read(&transport.cert, "cert", SecurityFile::Certificate)?;
    let key = read(&transport.key, "key", SecurityFile::Key(role))?;
    if let Some(directory) = &transport.client_cert_dir {
        // Credentials are verified with these later; a missing directory is no reason not to start.
        if let Ok(metadata) = fs::metadata(directory) {
            certificate::check_permissions(SecurityFile::Directory, metadata.permissions().mode(), directory)?;
        }
    }
    let checked = [
        (certificate::check_authority(&authority, &transport.ca_cert, now)?, &transport.ca_cert),
        (certificate::check_certificate(&certificate, &transport.cert, role, now)?, &transport.cert),
    ];
    if rcgen::KeyPair::from_pem(&String::from_utf8_lossy(&key)).is_err() {
        return Err(Fault::new(
            FaultName::SecurityInvalidCert,
            format!("`{}` (`transport_config.key`) is not a PEM private key", transport.key.display()),
            "generate the certificates anew and copy them to every host",
        ));
    }
    let notices = checked.iter().filter_map(|(summary, path)| summary.expiry_notice(now, path)).collect();
    Ok(Some(Loaded { authority, certificate, key, notices }))
}

fn read(path: &Path, setting: &str, file: SecurityFile) -> Result<Vec<u8>, Fault> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Fault::new(
            FaultName::SecurityMissingCertFile,
            format!("`{}` (`transport_config.{setting}`) does not exist", path.display()),
            format!(
                "put the file there or correct `transport_config.{setting}`; \
                 without TLS on all hosts set `transport_config.allow_insecure: true`"
            ),
        ),
        _ => Fault::new(
            FaultName::SecurityUnreadableCertFile,
            format!("cannot read `{}` (`transport_config.{setting}`): {error}", path.display()),
            "give the user that runs daos_server permission to read the file and to enter its directories",
        ),
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    certificate::check_permissions(file, mode, path)?;
    fs::read(path).map_err(failed)
}
