//! A server with one pool table in memory, and certificates for it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Router;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use types::{Fault, FaultName};
use wire::fault::Failure;
use wire::proto::ctl::ctl_svc_server::{CtlSvc, CtlSvcServer};
use wire::proto::mgmt::mgmt_svc_server::{MgmtSvc, MgmtSvcServer};
use wire::proto::{ctl, mgmt};

/// The server.
#[derive(Clone, Default)]
pub(super) struct Fake {
    /// Not a replica of the management service.
    pub(super) follower: bool,
    pub(super) pool: Arc<Mutex<Option<mgmt::PoolCreateReq>>>,
}

impl Fake {
    pub(super) fn created(&self) -> Option<mgmt::PoolCreateReq> {
        self.pool.lock().unwrap().clone()
    }

    fn admit(&self, sys: &str) -> Result<(), Status> {
        if self.follower {
            return Err(Failure::new(types::Status::NotLeader, "not a replica of the management service").into());
        }
        if sys == "daos_server" {
            return Ok(());
        }
        let fault = Fault::new(FaultName::ServerWrongSystem, format!("not `{sys}`"), "correct `name`");
        Err(Failure::from(fault).into())
    }

    fn pool(&self, id: &str) -> Result<mgmt::PoolCreateReq, Status> {
        let found = self.created().filter(|pool| pool.label == id || pool.uuid == id);
        found.ok_or_else(|| Failure::new(types::Status::Nonexistent, format!("no pool `{id}`")).into())
    }
}

fn unexpected<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no test calls this"))
}

#[tonic::async_trait]
impl MgmtSvc for Fake {
    async fn join(&self, _: Request<mgmt::JoinReq>) -> Result<Response<mgmt::JoinResp>, Status> {
        unexpected()
    }

    async fn system_query(
        &self,
        request: Request<mgmt::SystemQueryReq>,
    ) -> Result<Response<mgmt::SystemQueryResp>, Status> {
        self.admit(&request.get_ref().sys)?;
        let member = mgmt::SystemMember { state: "joined".to_owned(), ..Default::default() };
        Ok(Response::new(mgmt::SystemQueryResp { members: vec![member], ..Default::default() }))
    }

    async fn system_stop(&self, _: Request<mgmt::SystemStopReq>) -> Result<Response<mgmt::SystemRanksResp>, Status> {
        unexpected()
    }

    async fn system_start(&self, _: Request<mgmt::SystemStartReq>) -> Result<Response<mgmt::SystemRanksResp>, Status> {
        unexpected()
    }

    async fn leader_query(&self, _: Request<mgmt::LeaderQueryReq>) -> Result<Response<mgmt::LeaderQueryResp>, Status> {
        unexpected()
    }

    async fn get_attach_info(
        &self,
        _: Request<mgmt::GetAttachInfoReq>,
    ) -> Result<Response<mgmt::GetAttachInfoResp>, Status> {
        unexpected()
    }

    async fn pool_create(
        &self,
        request: Request<mgmt::PoolCreateReq>,
    ) -> Result<Response<mgmt::PoolCreateResp>, Status> {
        let request = request.into_inner();
        self.admit(&request.sys)?;
        let mut pool = self.pool.lock().unwrap();
        if pool.is_some() {
            let taken = format!("a pool `{}` exists", request.label);
            return Err(Failure::from(Fault::new(FaultName::ServerPoolDuplicateLabel, taken, "choose another")).into());
        }
        let scm = request.total_bytes / 100 * 6;
        let response = mgmt::PoolCreateResp {
            uuid: request.uuid.clone(),
            tgt_ranks: vec![0],
            tier_bytes: vec![scm, request.total_bytes / 100 * 94],
            md_on_ssd_active: true,
            ..Default::default()
        };
        *pool = Some(request);
        Ok(Response::new(response))
    }

    async fn pool_destroy(
        &self,
        request: Request<mgmt::PoolDestroyReq>,
    ) -> Result<Response<mgmt::PoolDestroyResp>, Status> {
        self.pool(&request.get_ref().id)?;
        *self.pool.lock().unwrap() = None;
        Ok(Response::new(mgmt::PoolDestroyResp {}))
    }

    async fn pool_query(&self, request: Request<mgmt::PoolQueryReq>) -> Result<Response<mgmt::PoolQueryResp>, Status> {
        let pool = self.pool(&request.get_ref().id)?;
        let half = pool.total_bytes / 2;
        let tier = mgmt::TierStats { total: pool.total_bytes, free: half, min: half, max: half, ..Default::default() };
        Ok(Response::new(mgmt::PoolQueryResp {
            uuid: pool.uuid,
            label: pool.label,
            state: "Ready".to_owned(),
            total_targets: 2,
            active_targets: 2,
            tier_stats: vec![tier],
            ..Default::default()
        }))
    }

    async fn pool_get_prop(
        &self,
        request: Request<mgmt::PoolGetPropReq>,
    ) -> Result<Response<mgmt::PoolPropResp>, Status> {
        let request = request.into_inner();
        let mut properties = self.pool(&request.id)?.properties;
        properties.retain(|property| request.names.contains(&property.name));
        Ok(Response::new(mgmt::PoolPropResp { properties }))
    }

    async fn pool_set_prop(&self, _: Request<mgmt::PoolSetPropReq>) -> Result<Response<mgmt::PoolPropResp>, Status> {
        unexpected()
    }

    async fn list_pools(&self, request: Request<mgmt::ListPoolsReq>) -> Result<Response<mgmt::ListPoolsResp>, Status> {
        self.admit(&request.get_ref().sys)?;
        let entry =
            |pool: mgmt::PoolCreateReq| mgmt::PoolEntry { uuid: pool.uuid, label: pool.label, ..Default::default() };
        let pools = self.created().map(entry).into_iter().collect();
        Ok(Response::new(mgmt::ListPoolsResp { pools, data_version: 1 }))
    }
}

#[tonic::async_trait]
impl CtlSvc for Fake {
    async fn storage_scan(&self, _: Request<ctl::StorageScanReq>) -> Result<Response<ctl::StorageScanResp>, Status> {
        let device = ctl::BdevDevice { path: "/dev/x".to_owned(), ..Default::default() };
        Ok(Response::new(ctl::StorageScanResp { bdevs: vec![device], ..Default::default() }))
    }

    async fn storage_format(
        &self,
        _: Request<ctl::StorageFormatReq>,
    ) -> Result<Response<ctl::StorageFormatResp>, Status> {
        unexpected()
    }

    async fn storage_usage(&self, _: Request<ctl::StorageUsageReq>) -> Result<Response<ctl::StorageUsageResp>, Status> {
        unexpected()
    }

    async fn ping_ranks(&self, _: Request<ctl::PingReq>) -> Result<Response<ctl::RanksResp>, Status> {
        unexpected()
    }

    async fn start_ranks(&self, _: Request<ctl::RanksReq>) -> Result<Response<ctl::RanksResp>, Status> {
        unexpected()
    }

    async fn stop_ranks(&self, _: Request<ctl::RanksReq>) -> Result<Response<ctl::RanksResp>, Status> {
        unexpected()
    }
}

/// Serves until the test ends; gives the address.
pub(super) async fn serve(fake: Fake) -> String {
    listen(Server::builder().add_service(MgmtSvcServer::new(fake.clone())).add_service(CtlSvcServer::new(fake))).await
}

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// An address where nobody listens: the port was just given back.
pub(super) async fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// An authority, a server's certificate and an administrator's.
pub(super) struct Certificates {
    authority: String,
    server: (String, String),
    admin: (String, String),
}

/// The server's certificate gets `server_name` as its common name.
pub(super) fn certificates(server_name: &str) -> Certificates {
    let named = |name: &str| {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters
    };
    let key = KeyPair::generate().unwrap();
    let mut parameters = named("DAOS CA");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    let authority = parameters.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(parameters, key);
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        (named(name).signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    Certificates { authority, server: signed(server_name), admin: signed("admin") }
}

impl Certificates {
    /// Writes the administrator's files; gives the configuration that names them.
    pub(super) fn write(&self, folder: &Path) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = |name: &str| folder.join(name);
        std::fs::write(path("ca.crt"), &self.authority).unwrap();
        std::fs::write(path("admin.crt"), &self.admin.0).unwrap();
        std::fs::write(path("admin.key"), &self.admin.1).unwrap();
        std::fs::set_permissions(path("admin.key"), std::fs::Permissions::from_mode(0o400)).unwrap();
        let folder = folder.display();
        format!("transport_config: {{ca_cert: {folder}/ca.crt, cert: {folder}/admin.crt, key: {folder}/admin.key}}\n")
    }
}

/// Serves with mutual TLS.
pub(super) async fn serve_tls(fake: Fake, certificates: &Certificates) -> String {
    let (certificate, key) = &certificates.server;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(&certificates.authority));
    let router = Server::builder().tls_config(tls).unwrap();
    listen({
        let mut router = router;
        router.add_service(MgmtSvcServer::new(fake.clone())).add_service(CtlSvcServer::new(fake))
    })
    .await
}
