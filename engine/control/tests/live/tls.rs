//! Mutual TLS on the control port: who gets in, and who may call what.

use std::path::Path;

use control::certs::{Options, generate};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use types::Status;
use wire::fault::Failure;
use wire::proto::mgmt::mgmt_svc_client::MgmtSvcClient;
use wire::proto::mgmt::{GetAttachInfoReq, SystemQueryReq};

use crate::cluster::{Cluster, SYSTEM};

/// A secured server and its certificates below `folder`.
fn secured() -> Cluster {
    let mut cluster = Cluster::new();
    generate(cluster.folder.path(), &Options::default()).expect("makes certificates");
    let certs = cluster.path("daosCA/certs");
    let certs = certs.display();
    let global = format!(
        "transport_config: {{ca_cert: {certs}/daosCA.crt, cert: {certs}/server.crt, key: {certs}/server.key}}\n"
    );
    let folder = std::mem::replace(&mut cluster.folder, tempfile::tempdir().expect("folder"));
    let mut secured = Cluster::with(&global, "");
    secured.folder = folder;
    secured
}

/// Calls `SystemQuery` and `GetAttachInfo` with the certificate `name` of the authority in `certs`, believing `authority`.
async fn call(cluster: &Cluster, authority: &Path, identity: Option<(&Path, &str)>) -> [Result<(), Failure>; 2] {
    let read = |path: &Path| std::fs::read(path).expect("a file");
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&authority.join("daosCA.crt"))))
        .domain_name("server");
    if let Some((certs, name)) = identity {
        let (certificate, key) = (certs.join(format!("{name}.crt")), certs.join(format!("{name}.key")));
        tls = tls.identity(Identity::from_pem(read(&certificate), read(&key)));
    }
    let uri = format!("https://127.0.0.1:{}", cluster.port);
    let channel = Channel::from_shared(uri).expect("uri").tls_config(tls).expect("tls").connect_lazy();
    let mut client = MgmtSvcClient::new(channel);
    let query = SystemQueryReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    let attach = GetAttachInfoReq { sys: SYSTEM.to_owned(), all_ranks: false };
    let failure = |status: tonic::Status| Failure::from(&status);
    [
        client.system_query(query).await.map(|_| ()).map_err(failure),
        client.get_attach_info(attach).await.map(|_| ()).map_err(failure),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_s_name_decides_what_may_be_called() {
    let mut cluster = secured();
    cluster.start().await.expect("starts");
    let certs = cluster.path("daosCA/certs");
    assert_eq!(call(&cluster, &certs, Some((&certs, "admin"))).await, [Ok(()), Ok(())]);
    let [query, attach] = call(&cluster, &certs, Some((&certs, "agent"))).await;
    assert_eq!(attach, Ok(()));
    let denied = query.expect_err("agents do not query");
    assert_eq!(denied.status, Status::NoPermission);
    assert!(denied.message.contains("`agent`") && denied.message.contains("SystemQuery"), "{denied}");
    assert_eq!(denied.resolution, "use the certificate of role admin");
    for result in call(&cluster, &certs, Some((&certs, "server"))).await {
        assert_eq!(result.map_err(|failure| failure.status), Err(Status::NoPermission));
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_get_past_the_handshake() {
    let mut cluster = secured();
    cluster.start().await.expect("starts");
    let certs = cluster.path("daosCA/certs");
    let foreign = tempfile::tempdir().expect("folder");
    generate(foreign.path(), &Options::default()).expect("makes certificates");
    let foreign = foreign.path().join("daosCA/certs");
    let expired = tempfile::tempdir().expect("folder");
    expire(&cluster.path("daosCA"), expired.path());
    for (who, identity) in [
        ("nobody", None),
        ("another authority", Some((foreign.as_path(), "admin"))),
        ("expired", Some((expired.path(), "admin"))),
    ] {
        for result in call(&cluster, &certs, identity).await {
            let failure = result.expect_err(who);
            assert_ne!(failure.status, Status::NoPermission, "{who} was heard: {failure}");
        }
    }
    assert_eq!(call(&cluster, &certs, Some((&certs, "admin"))).await[0], Ok(()), "friends still get in");
    let plain = cluster_plain(&cluster).await;
    assert!(plain.is_err(), "plain text is not answered");
    cluster.stop().await;
}

async fn cluster_plain(cluster: &Cluster) -> Result<(), tonic::Status> {
    let channel = Channel::from_shared(format!("http://127.0.0.1:{}", cluster.port)).expect("uri").connect_lazy();
    let query = SystemQueryReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    MgmtSvcClient::new(channel).system_query(query).await.map(|_| ())
}

/// An admin certificate of the same authority that ended yesterday.
fn expire(authority: &Path, folder: &Path) {
    let read = |name: &str| std::fs::read_to_string(authority.join(name)).expect("a file");
    let key = rcgen::KeyPair::from_pem(&read("private/daosCA.key")).expect("key");
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("certs/daosCA.crt"), key).expect("authority");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("params");
    params.distinguished_name.push(rcgen::DnType::CommonName, "admin");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().expect("key");
    let certificate = params.signed_by(&key, &issuer).expect("signs");
    std::fs::write(folder.join("admin.crt"), certificate.pem()).expect("writes");
    std::fs::write(folder.join("admin.key"), key.serialize_pem()).expect("writes");
}
