//! The control port: binding it, and serving both services on it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Server, ServerTlsConfig};
use types::{Fault, FaultName};
use wire::proto::ctl::ctl_svc_server::CtlSvcServer;
use wire::proto::mgmt::mgmt_svc_server::MgmtSvcServer;

use super::ctl::CtlService;
use super::mgmt::MgmtService;
use crate::management::Management;
use crate::security::authorise::Authorise;

/// Largest request taken. The largest real one is a pool's properties.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// Largest answer: a list of the largest number of pools.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Requests of one connection in work at the same time.
const MAX_STREAMS: u32 = 64;

/// A silent connection is asked whether it lives, and closed when it does not answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// A TLS handshake that takes longer is not one.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Binds the control port.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        if error.kind() == io::ErrorKind::AddrInUse {
            return Fault::new(
                FaultName::ServerConfigBadControlPort,
                format!("control port {port} is in use"),
                format!("stop the process that listens on it (`ss -ltnp sport = :{port}`), or change `port` in daos_server.yml"),
            );
        }
        Fault::new(
            FaultName::ServerConfigBadControlPort,
            format!("cannot listen on `{address}`: {error}"),
            "choose a `port` that daos_server's user may bind, and check `control_iface`",
        )
    })
}

/// Serves until `stop` resolves; requests in work are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    management: Arc<Management>,
    ctl: CtlService,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let mut server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .tcp_nodelay(true);
    let secured = tls.is_some();
    if let Some(tls) = tls {
        server = server.tls_config(tls.timeout(HANDSHAKE_DEADLINE))?;
    }
    let mgmt = MgmtSvcServer::new(MgmtService { management })
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_ANSWER_BYTES);
    let ctl =
        CtlSvcServer::new(ctl).max_decoding_message_size(MAX_REQUEST_BYTES).max_encoding_message_size(MAX_ANSWER_BYTES);
    server
        .layer(Authorise::new(secured))
        .add_service(mgmt)
        .add_service(ctl)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
        .await
}
