//! Certificates of another authority, expired, of the wrong role, readable by all: nobody gets in, and dmg says why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, date_time_ymd};
use system_suite::{Cluster, Options, Outcome, program};

use crate::{fill, still_works};

/// An admin certificate of the authority in `authority` that has ended, beside the good one.
fn expire(authority: &Path) {
    let read = |name: &str| fs::read_to_string(authority.join(name)).unwrap();
    let key = KeyPair::from_pem(&read("private/daosCA.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("certs/daosCA.crt"), key).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    fs::write(authority.join("certs/expired.crt"), certificate.pem()).unwrap();
    let path = authority.join("certs/expired.key");
    fs::write(&path, key.serialize_pem()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
}

#[test]
fn strangers_certificates_are_refused_with_the_reason() {
    let mut cluster = Cluster::start(Options { targets: 1, bdev_gib: 4, secure: true, ..Options::default() });
    fill(&cluster);
    let before = cluster.inventory();
    let own = cluster.path("certs/daosCA");
    let foreign = cluster.path("foreign");
    Outcome::of(Command::new(program("daos_server")).args(["certs", "generate"]).arg(&foreign)).ok();
    expire(&own);

    let good = fs::read_to_string(cluster.yaml("daos_control")).unwrap();
    let admin = format!("{}/certs/admin", own.display());
    let with = |name: &str| good.replace(&admin, name);
    let refused = |cluster: &Cluster, yaml: String, words: &[&str]| {
        fs::write(cluster.yaml("daos_control"), yaml).unwrap();
        for arguments in
            [&["pool", "list"][..], &["pool", "create", "lake", "--size=10%"], &["pool", "destroy", "tank"]]
        {
            cluster.dmg(arguments).refused(words);
        }
    };
    refused(&cluster, with(&format!("{}/certs/expired", own.display())), &["expired"]);
    refused(&cluster, with(&format!("{}/daosCA/certs/admin", foreign.display())), &["certificate"]);
    refused(
        &cluster,
        good.replace(&own.display().to_string(), &format!("{}/daosCA", foreign.display())),
        &["certificate"],
    );
    refused(&cluster, with(&format!("{}/certs/agent", own.display())), &["agent"]);
    refused(&cluster, with("/nonexistent/admin"), &["/nonexistent/admin"]);
    fs::write(cluster.yaml("daos_control"), &good).unwrap();
    cluster.dmg(&["--insecure", "pool", "list"]).refused(&["dmg"]);

    // An agent of another authority finds no engines.
    cluster.stop_agent();
    let good_agent = fs::read_to_string(cluster.yaml("daos_agent")).unwrap();
    let theirs = good_agent.replace(&own.display().to_string(), &format!("{}/daosCA", foreign.display()));
    fs::write(cluster.yaml("daos_agent"), theirs).unwrap();
    cluster.start_agent();
    cluster.daos(&["--retry-for", "1", "pool", "list"]).refused(&["certificate"]);
    cluster.stop_agent();
    fs::write(cluster.yaml("daos_agent"), good_agent).unwrap();
    cluster.start_agent();

    assert_eq!(cluster.inventory(), before);
    still_works(&cluster);
}
