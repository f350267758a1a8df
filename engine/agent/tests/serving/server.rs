//! A management service with one rank and one pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use wire::proto::mgmt::mgmt_svc_server::{MgmtSvc, MgmtSvcServer};
use wire::proto::mgmt::{
    GetAttachInfoReq, GetAttachInfoResp, GroupMember, JoinReq, JoinResp, LeaderQueryReq, LeaderQueryResp, ListPoolsReq,
    ListPoolsResp, PoolCreateReq, PoolCreateResp, PoolDestroyReq, PoolDestroyResp, PoolEntry, PoolGetPropReq,
    PoolPropResp, PoolQueryReq, PoolQueryResp, PoolSetPropReq, SystemQueryReq, SystemQueryResp, SystemRanksResp,
    SystemStartReq, SystemStopReq,
};

/// Serves until the test ends.
#[derive(Clone)]
pub(crate) struct Fake {
    address: String,
    asked: Arc<AtomicUsize>,
    uri: Arc<Mutex<String>>,
}

/// An address where nobody listens: the port was just given back.
pub(crate) async fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

impl Fake {
    pub(crate) async fn start() -> Fake {
        Fake::start_on("127.0.0.1:0").await
    }

    pub(crate) async fn start_on(address: &str) -> Fake {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Fake {
            address: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
            uri: Arc::new(Mutex::new("ofi+tcp://127.0.0.1:31416".to_owned())),
        };
        let service = MgmtSvcServer::new(fake.clone());
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
        fake
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// How often attach info was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Where rank 0 is; empty for a system without ranks.
    pub(crate) fn set_uri(&self, uri: &str) {
        uri.clone_into(&mut self.uri.lock().unwrap());
    }
}

macro_rules! not_asked {
    ($($method:ident: $request:ty => $response:ty;)*) => {
        #[tonic::async_trait]
        impl MgmtSvc for Fake {
            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::permission_denied("an agent does not call this"))
            })*

            async fn get_attach_info(
                &self,
                request: Request<GetAttachInfoReq>,
            ) -> Result<Response<GetAttachInfoResp>, Status> {
                let uri = self.uri.lock().unwrap().clone();
                let rank = GroupMember { rank: 0, uri: uri.clone(), targets: 2 };
                self.asked.fetch_add(1, Ordering::SeqCst);
                Ok(Response::new(GetAttachInfoResp {
                    sys: request.into_inner().sys,
                    rank_uris: if uri.is_empty() { vec![] } else { vec![rank] },
                    build: env!("CARGO_PKG_VERSION").to_owned(),
                    ..Default::default()
                }))
            }

            async fn list_pools(&self, _: Request<ListPoolsReq>) -> Result<Response<ListPoolsResp>, Status> {
                let pool = PoolEntry { label: "tank".to_owned(), ..Default::default() };
                Ok(Response::new(ListPoolsResp { pools: vec![pool], data_version: 1 }))
            }
        }
    };
}

not_asked! {
    join: JoinReq => JoinResp;
    system_query: SystemQueryReq => SystemQueryResp;
    system_stop: SystemStopReq => SystemRanksResp;
    system_start: SystemStartReq => SystemRanksResp;
    leader_query: LeaderQueryReq => LeaderQueryResp;
    pool_create: PoolCreateReq => PoolCreateResp;
    pool_destroy: PoolDestroyReq => PoolDestroyResp;
    pool_query: PoolQueryReq => PoolQueryResp;
    pool_get_prop: PoolGetPropReq => PoolPropResp;
    pool_set_prop: PoolSetPropReq => PoolPropResp;
}
