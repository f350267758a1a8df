//! Calls to other servers' control ports, as role `server`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use types::Status;
use wire::fault::Failure;
use wire::proto::ctl::ctl_svc_client::CtlSvcClient;
use wire::proto::ctl::{PingReq, RanksReq, RanksResp, StorageUsageReq, StorageUsageResp};
use wire::proto::mgmt::mgmt_svc_client::MgmtSvcClient;
use wire::proto::mgmt::{JoinReq, JoinResp};

/// Longest wait for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Longest wait for a join: one durable transaction at the other end.
const JOIN_DEADLINE: Duration = Duration::from_secs(15);

/// Longest wait for engines to stop or start: the other server's own deadlines, and some.
const RANKS_DEADLINE: Duration = Duration::from_secs(60);

/// Connections to other servers, made when first used.
#[derive(Clone)]
pub(crate) struct Peers {
    tls: Option<ClientTlsConfig>,
    channels: Arc<Mutex<HashMap<String, Channel>>>,
}

impl Peers {
    /// Without `tls`, peers are believed.
    pub(crate) fn new(tls: Option<ClientTlsConfig>) -> Peers {
        Peers { tls, channels: Arc::default() }
    }

    pub(crate) async fn join(&self, address: &str, request: JoinReq) -> Result<JoinResp, Failure> {
        let mut client = MgmtSvcClient::new(self.channel(address)?);
        limited(address, JOIN_DEADLINE, client.join(request)).await
    }

    pub(crate) async fn ping_ranks(
        &self,
        address: &str,
        request: PingReq,
        limit: Duration,
    ) -> Result<RanksResp, Failure> {
        let mut client = CtlSvcClient::new(self.channel(address)?);
        limited(address, limit, client.ping_ranks(request)).await
    }

    pub(crate) async fn storage_usage(
        &self,
        address: &str,
        request: StorageUsageReq,
        limit: Duration,
    ) -> Result<StorageUsageResp, Failure> {
        let mut client = CtlSvcClient::new(self.channel(address)?);
        limited(address, limit, client.storage_usage(request)).await
    }

    pub(crate) async fn stop_ranks(&self, address: &str, request: RanksReq) -> Result<RanksResp, Failure> {
        let mut client = CtlSvcClient::new(self.channel(address)?);
        limited(address, RANKS_DEADLINE, client.stop_ranks(request)).await
    }

    pub(crate) async fn start_ranks(&self, address: &str, request: RanksReq) -> Result<RanksResp, Failure> {
        let mut client = CtlSvcClient::new(self.channel(address)?);
        limited(address, RANKS_DEADLINE, client.start_ranks(request)).await
    }

    fn channel(&self, address: &str) -> Result<Channel, Failure> {
        let mut channels = self.channels.lock().expect("no holder panics");
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let bad = |error: tonic::transport::Error| {
            Failure::new(Status::Invalid, format!("`{address}` is no control address: {error}"))
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).map_err(bad)?;
        endpoint = endpoint.connect_timeout(CONNECT_DEADLINE);
        if let Some(tls) = &self.tls {
            endpoint = endpoint.tls_config(tls.clone()).map_err(bad)?;
        }
        let channel = endpoint.connect_lazy();
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

async fn limited<T>(
    address: &str,
    limit: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => {
            let failure = Failure::from(&status);
            Err(Failure { message: format!("server `{address}`: {}", failure.message), ..failure })
        }
        Err(_) => Err(Failure::new(Status::TimedOut, format!("server `{address}` did not answer within {limit:?}"))),
    }
}
