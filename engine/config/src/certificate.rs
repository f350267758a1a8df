//! What a certificate of this system must look like: pure checks on bytes and permission bits.
//!
//! Reading the files belongs to the binaries. Whether a certificate was signed by the authority is decided by TLS at the
//! handshake; here is what an administrator can be told before the first connection.

use std::path::Path;

use types::{Fault, FaultName};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

use crate::TransportRole;
use crate::report::quote;

/// Days before the end from which on [`Summary::expiry_notice`] speaks: time to plan a change on every host.
pub const EXPIRY_NOTICE_DAYS: i64 = 30;

const SECONDS_PER_DAY: i64 = 86_400;

/// Organisation of every certificate of a DAOS system.
pub const ORGANIZATION: &str = "DAOS";

/// What is in a certificate file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// CN; for a role's certificate the role.
    pub common_name: String,
    /// O, if there is one.
    pub organization: Option<String>,
    /// Start of validity, in seconds since 1970.
    pub not_before: i64,
    /// End of validity, in seconds since 1970.
    pub not_after: i64,
    /// May sign other certificates.
    pub is_authority: bool,
    /// May identify a TLS server.
    pub server_auth: bool,
    /// May identify a TLS client.
    pub client_auth: bool,
}

impl Summary {
    /// Whole days until the end; negative after it.
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(SECONDS_PER_DAY)
    }

    /// A warning when the end is near.
    pub fn expiry_notice(&self, now: i64, path: &Path) -> Option<String> {
        let days = self.days_left(now);
        (days < EXPIRY_NOTICE_DAYS).then(|| {
            format!("the certificate `{}` expires in {days} days; renew it and copy it to every host", path.display())
        })
    }
}

/// Reads the first certificate of a PEM file.
pub fn summary(pem: &[u8], path: &Path) -> Result<Summary, Fault> {
    let block = Pem::iter_from_buffer(pem)
        .find_map(Result::ok)
        .filter(|block| block.label == "CERTIFICATE")
        .ok_or_else(|| invalid(path, "is not a PEM certificate"))?;
    let certificate = block.parse_x509().map_err(|error| invalid(path, &format!("cannot be read: {error}")))?;
    summarize(&certificate).ok_or_else(|| invalid(path, "has no common name"))
}

fn summarize(certificate: &X509Certificate<'_>) -> Option<Summary> {
    let subject = certificate.subject();
    let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().ok().map(str::to_owned);
    let usage = certificate.extended_key_usage().ok().flatten().map(|extension| extension.value);
    Some(Summary {
        common_name: subject.iter_common_name().find_map(text)?,
        organization: subject.iter_organization().find_map(text),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        is_authority: certificate.is_ca(),
        // Without the extension a certificate may be used for anything (RFC 5280, section 4.2.1.12).
        server_auth: usage.is_none_or(|usage| usage.any || usage.server_auth),
        client_auth: usage.is_none_or(|usage| usage.any || usage.client_auth),
    })
}

/// Checks a role's own certificate at `now` (seconds since 1970).
pub fn check_certificate(pem: &[u8], path: &Path, role: TransportRole, now: i64) -> Result<Summary, Fault> {
    let summary = summary(pem, path)?;
    let name = role.common_name();
    if summary.common_name != name {
        let problem = format!("is a certificate for {}, not for `{name}`", quote(&summary.common_name));
        return Err(Fault::new(
            FaultName::SecurityInvalidCert,
            format!("`{}` {problem}", path.display()),
            format!("set `transport_config.cert` to the certificate of the role `{name}`"),
        ));
    }
    if summary.is_authority {
        return Err(invalid(path, "is a certificate authority's, not a role's"));
    }
    if !summary.client_auth || (role == TransportRole::Server && !summary.server_auth) {
        return Err(invalid(path, &format!("may not be used for TLS by the role `{name}`")));
    }
    check_validity(&summary, path, now)?;
    Ok(summary)
}

/// Checks the authority's certificate at `now` (seconds since 1970).
pub fn check_authority(pem: &[u8], path: &Path, now: i64) -> Result<Summary, Fault> {
    let summary = summary(pem, path)?;
    if !summary.is_authority {
        return Err(Fault::new(
            FaultName::SecurityInvalidCert,
            format!("`{}` is not a certificate authority's certificate", path.display()),
            "set `transport_config.ca_cert` to the authority's certificate, usually `daosCA.crt`",
        ));
    }
    check_validity(&summary, path, now)?;
    Ok(summary)
}

fn check_validity(summary: &Summary, path: &Path, now: i64) -> Result<(), Fault> {
    if now >= summary.not_after {
        let days = (now - summary.not_after) / SECONDS_PER_DAY;
        return Err(Fault::new(
            FaultName::SecurityInvalidCert,
            format!("the certificate `{}` expired {days} days ago", path.display()),
            "renew the certificates and copy them to every host",
        ));
    }
    if now < summary.not_before {
        return Err(Fault::new(
            FaultName::SecurityInvalidCert,
            format!("the certificate `{}` is not valid yet", path.display()),
            "correct the clock of this host, or generate the certificates anew",
        ));
    }
    Ok(())
}

/// What a file of `transport_config` holds, which decides who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityFile {
    /// A certificate: anyone may read it, others may not write it (at most 0664).
    Certificate,
    /// A private key: its owner only; an administrator's may be shared with a group (at most 0440).
    Key(TransportRole),
    /// `client_cert_dir`: at most 0750.
    Directory,
}

/// Checks permission bits. An owner's write bit on a key is no leak and is accepted.
pub fn check_permissions(file: SecurityFile, mode: u32, path: &Path) -> Result<(), Fault> {
    let (forbidden, advised) = match file {
        SecurityFile::Certificate => (0o002, "0644"),
        SecurityFile::Key(TransportRole::Admin) => (0o037, "0440"),
        SecurityFile::Key(_) => (0o077, "0400"),
        SecurityFile::Directory => (0o027, "0700"),
    };
    if mode & forbidden == 0 {
        return Ok(());
    }
    let what = match file {
        SecurityFile::Certificate => "certificate",
        SecurityFile::Key(_) => "private key",
        SecurityFile::Directory => "directory of certificates",
    };
    Err(Fault::new(
        FaultName::SecurityUnreadableCertFile,
        format!("the {what} `{}` has mode {:04o}, which is open to others", path.display(), mode & 0o7777),
        format!("set its mode to {advised}, as in `chmod {advised} {}`", path.display()),
    ))
}

fn invalid(path: &Path, problem: &str) -> Fault {
    Fault::new(
        FaultName::SecurityInvalidCert,
        format!("`{}` {problem}", path.display()),
        "generate the certificates anew and copy them to every host",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_depend_on_what_the_file_holds() {
        use SecurityFile::{Certificate, Directory, Key};
        use TransportRole::{Admin, Agent, Server};
        for (file, mode, accepted) in [
            (Certificate, 0o644, true),
            (Certificate, 0o664, true),
            (Certificate, 0o666, false),
            (Key(Server), 0o400, true),
            (Key(Server), 0o600, true),
            (Key(Server), 0o440, false),
            (Key(Agent), 0o404, false),
            (Key(Admin), 0o440, true),
            (Key(Admin), 0o460, false),
            (Key(Admin), 0o444, false),
            (Directory, 0o700, true),
            (Directory, 0o750, true),
            (Directory, 0o755, false),
            (Directory, 0o770, false),
        ] {
            assert_eq!(check_permissions(file, mode, Path::new("/x")).is_ok(), accepted, "{file:?} {mode:o}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bytes in [&b""[..], b"hello", key, garbage] {
            let fault = summary(bytes, Path::new("/x")).expect_err("no certificate");
            assert_eq!(fault.name, FaultName::SecurityInvalidCert);
        }
    }
}
