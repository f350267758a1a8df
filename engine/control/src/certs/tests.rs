//! Certificates as rustls sees them, their files, and what loading refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::certificate::summary;
use config::{TransportConfig, TransportRole};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use types::FaultName;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o7777
}

fn transport(place: &Path, role: TransportRole) -> TransportConfig {
    let certs = place.join("daosCA/certs");
    let stem = role.common_name();
    TransportConfig {
        allow_insecure: false,
        client_cert_dir: (role == TransportRole::Server).then(|| certs.join("clients")),
        ca_cert: certs.join("daosCA.crt"),
        cert: certs.join(format!("{stem}.crt")),
        key: certs.join(format!("{stem}.key")),
    }
}

const ROLES: [TransportRole; 3] = [TransportRole::Server, TransportRole::Agent, TransportRole::Admin];

#[test]
fn files_have_daos_names_and_modes() {
    let place = tempfile::tempdir().unwrap();
    let made = generate(place.path(), &Options::default()).unwrap();
    let ca = place.path().join("daosCA");
    assert_eq!(made.directory, ca);
    for (name, expected) in [
        ("", 0o700),
        ("private", 0o700),
        ("certs", 0o700),
        ("certs/clients", 0o700),
        ("private/daosCA.key", 0o400),
        ("certs/daosCA.crt", 0o644),
        ("certs/server.crt", 0o644),
        ("certs/server.key", 0o400),
        ("certs/agent.crt", 0o644),
        ("certs/agent.key", 0o400),
        ("certs/admin.crt", 0o644),
        ("certs/admin.key", 0o440),
        ("certs/clients/agent.crt", 0o644),
        ("certs/clients/admin.crt", 0o644),
    ] {
        assert_eq!(mode(&ca.join(name)), expected, "{name}");
    }
    assert_eq!(made.files.len(), 10);
    assert!(made.files.iter().all(|file| ca.join(file).is_file()));
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["daosCA"], "nothing is left beside it");
}

#[test]
fn certificates_are_what_tls_and_daos_expect() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { days: 10, names: vec!["node0".into(), "10.0.0.1".into()], ..Options::default() };
    generate(place.path(), &options).unwrap();
    let certs = place.path().join("daosCA/certs");
    let authority = fs::read(certs.join("daosCA.crt")).unwrap();
    let ca = summary(&authority, Path::new("daosCA.crt")).unwrap();
    assert_eq!((ca.common_name.as_str(), ca.organization.as_deref(), ca.is_authority), ("DAOS CA", Some("DAOS"), true));
    let roots: Vec<_> = CertificateDer::pem_slice_iter(&authority).map(Result::unwrap).collect();
    let mut store = rustls::RootCertStore::empty();
    store.add(roots[0].clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let store = std::sync::Arc::new(store);
    let servers =
        rustls::client::WebPkiServerVerifier::builder_with_provider(store.clone(), provider.clone()).build().unwrap();
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(store, provider).build().unwrap();
    for role in ROLES {
        let pem = fs::read(certs.join(format!("{}.crt", role.common_name()))).unwrap();
        let leaf = summary(&pem, Path::new("leaf")).unwrap();
        assert_eq!(leaf.common_name, role.common_name());
        assert_eq!((leaf.not_after - leaf.not_before) / 86_400, 10);
        assert_eq!((leaf.is_authority, leaf.client_auth), (false, true));
        assert_eq!(leaf.server_auth, role == TransportRole::Server);
        let der = CertificateDer::from_pem_slice(&pem).unwrap();
        clients.verify_client_cert(&der, &[], UnixTime::now()).unwrap();
        for name in ["server", "node0", "10.0.0.1"] {
            let name = ServerName::try_from(name).unwrap();
            let verified = rustls::client::danger::ServerCertVerifier::verify_server_cert(
                servers.as_ref(),
                &der,
                &[],
                &name,
                &[],
                UnixTime::now(),
            );
            assert_eq!(verified.is_ok(), role == TransportRole::Server, "{role:?} as {name:?}");
        }
    }
}

#[test]
fn an_authority_is_not_overwritten_by_mistake() {
    let place = tempfile::tempdir().unwrap();
    generate(place.path(), &Options::default()).unwrap();
    let certificate = place.path().join("daosCA/certs/daosCA.crt");
    let first = fs::read(&certificate).unwrap();
    let error = generate(place.path(), &Options::default()).unwrap_err();
    assert!(matches!(error, GenerateError::Exists(_)), "{error}");
    assert_eq!(fs::read(&certificate).unwrap(), first);
    generate(place.path(), &Options { scope: Scope::Replace, ..Options::default() }).unwrap();
    assert_ne!(fs::read(&certificate).unwrap(), first);
}

#[test]
fn renewal_keeps_the_authority() {
    let place = tempfile::tempdir().unwrap();
    let renew = Options { scope: Scope::Renew, days: 100, ..Options::default() };
    assert!(matches!(generate(place.path(), &renew), Err(GenerateError::NoAuthority(_))));
    generate(place.path(), &Options::default()).unwrap();
    let read = |name: &str| fs::read(place.path().join("daosCA").join(name)).unwrap();
    let names =
        ["certs/daosCA.crt", "private/daosCA.key", "certs/server.crt", "certs/server.key", "certs/clients/agent.crt"];
    let before = names.map(read);
    generate(place.path(), &renew).unwrap();
    let kept: Vec<bool> = names.into_iter().zip(&before).map(|(name, old)| read(name) == *old).collect();
    assert_eq!(kept, [true, true, false, false, false]);
    for role in ROLES {
        let loaded = load(&transport(place.path(), role), role).unwrap().expect("secure");
        assert!(loaded.notices.is_empty());
    }
    let roots = CertificateDer::from_pem_slice(&read("certs/daosCA.crt")).unwrap();
    let mut store = rustls::RootCertStore::empty();
    store.add(roots).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(store.into(), provider).build().unwrap();
    let leaf = CertificateDer::from_pem_slice(&read("certs/agent.crt")).unwrap();
    verifier.verify_client_cert(&leaf, &[], UnixTime::now()).unwrap();
    PrivateKeyDer::from_pem_slice(&read("certs/agent.key")).unwrap();
    let long = Options { days: 2000, ..renew };
    assert!(matches!(generate(place.path(), &long), Err(GenerateError::AuthorityTooOld { left: 1094..=1095, .. })));
}

#[test]
fn impossible_wishes_are_refused() {
    let place = tempfile::tempdir().unwrap();
    for days in [0, 36_501] {
        assert!(matches!(generate(place.path(), &Options { days, ..Options::default() }), Err(GenerateError::Days(_))));
    }
    let options = Options { names: vec!["nöde".into()], ..Options::default() };
    assert!(matches!(generate(place.path(), &options), Err(GenerateError::Certificate { .. })));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "a failure leaves nothing behind");
}

#[test]
fn loading_names_what_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    generate(place.path(), &Options { days: 5, ..Options::default() }).unwrap();
    let right = transport(place.path(), TransportRole::Server);
    let fault = |transport: &TransportConfig, role| load(transport, role).expect_err("a fault").name;
    let loaded = load(&right, TransportRole::Server).unwrap().expect("secure");
    assert_eq!(loaded.notices.len(), 2, "both expire in five days: {:?}", loaded.notices);
    let insecure = TransportConfig { allow_insecure: true, ca_cert: "/nowhere".into(), ..right.clone() };
    assert!(load(&insecure, TransportRole::Server).unwrap().is_none());
    let missing = TransportConfig { key: place.path().join("none"), ..right.clone() };
    assert_eq!(fault(&missing, TransportRole::Server), FaultName::SecurityMissingCertFile);
    let other = transport(place.path(), TransportRole::Agent);
    assert_eq!(fault(&other, TransportRole::Server), FaultName::SecurityInvalidCert, "another role's certificate");
    let swapped = TransportConfig { ca_cert: right.cert.clone(), ..right.clone() };
    assert_eq!(fault(&swapped, TransportRole::Server), FaultName::SecurityInvalidCert, "a leaf as authority");
    let no_key = place.path().join("no.key");
    fs::write(&no_key, "hello").unwrap();
    fs::set_permissions(&no_key, fs::Permissions::from_mode(0o400)).unwrap();
    let broken = TransportConfig { key: no_key, ..right.clone() };
    assert_eq!(fault(&broken, TransportRole::Server), FaultName::SecurityInvalidCert);
    fs::set_permissions(&right.key, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(fault(&right, TransportRole::Server), FaultName::SecurityUnreadableCertFile);
}
