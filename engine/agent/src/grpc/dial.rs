//! From a host and a port to a connection, or to the fault that says what stood in the way.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::{HostPort, TransportConfig, TransportRole};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, OtherError, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use types::{Fault, FaultName};
use wire::fault::{Failure, STATUS_KEY};

use super::certificate::Identity;
use super::verifier::{RoleVerifier, SERVER_COMMON_NAME};

/// How long a server may take to accept, and again to finish a handshake. A server answers from memory; what is slower
/// than this is a dropped packet or the wrong address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections are secured, settled once per process.
#[derive(Clone)]
pub enum Security {
    /// Plain TCP; every peer is believed.
    Insecure,
    /// Mutual TLS with the files of `transport_config`.
    Tls(Arc<rustls::ClientConfig>),
}

impl Security {
    /// Loads what `transport` names; nothing when it allows insecure connections.
    pub fn load(transport: &TransportConfig, role: TransportRole) -> Result<Security, Fault> {
        if transport.allow_insecure {
            return Ok(Security::Insecure);
        }
        let identity = Identity::load(transport, role)?;
        client_config(identity).map(|config| Security::Tls(Arc::new(config))).map_err(|error| {
            Fault::new(
                FaultName::SecurityInvalidCert,
                match error {
                    rustls::Error::InconsistentKeys(_) => format!(
                        "the key `{}` does not belong to the certificate `{}`",
                        transport.key.display(),
                        transport.cert.display()
                    ),
                    _ => format!(
                        "`{}` and `{}` cannot be used: {error}",
                        transport.cert.display(),
                        transport.key.display()
                    ),
                },
                "copy certificate and key of the same `daos_server certs generate` here, or generate them anew",
            )
        })
    }
}

fn client_config(identity: Identity) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authority = RootCertStore::empty();
    for certificate in identity.authority {
        authority.add(certificate)?;
    }
    let verifier = Arc::new(RoleVerifier::new(authority, provider.clone()));
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous() // only because names are not compared; verifier.rs says what is
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Connects to `host`. The channel ends with its first lost connection.
pub async fn connect(host: &HostPort, security: &Security) -> Result<Channel, Failure> {
    let tcp = match timeout(CONNECT_TIMEOUT, TcpStream::connect((host.host.as_str(), host.port))).await {
        Err(_) => return Err(timed_out(host).into()),
        Ok(Err(error)) => return Err(unreachable(host, &error).into()),
        Ok(Ok(stream)) => stream,
    };
    let _ = tcp.set_nodelay(true); // only latency is at stake
    match security {
        Security::Insecure => over(host, tcp).await,
        Security::Tls(config) => {
            let name = ServerName::try_from(SERVER_COMMON_NAME).expect("a constant DNS name");
            let handshake = TlsConnector::from(config.clone()).connect(name, tcp);
            match timeout(CONNECT_TIMEOUT, handshake).await {
                Err(_) => Err(timed_out(host).into()),
                Ok(Err(error)) => Err(handshake_failed(host, &error).into()),
                Ok(Ok(stream)) => over(host, stream).await,
            }
        }
    }
}

async fn over(
    host: &HostPort,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Channel, Failure> {
    let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = tower::service_fn(move |_| {
        let stream = once.lock().expect("nothing panics while it holds this lock").take();
        async move { stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection was lost")) }
    });
    // The address is only the `:authority` of requests; the stream is already there.
    let endpoint = Endpoint::from_static("http://daos_server");
    match timeout(CONNECT_TIMEOUT, endpoint.connect_with_connector(connector)).await {
        Err(_) => Err(timed_out(host).into()),
        Ok(Err(error)) => Err(closed(host, &root_cause(&error)).into()),
        Ok(Ok(channel)) => Ok(channel),
    }
}

/// What a failed call to `host` means: the server's own words when it sent any, otherwise what became of the connection.
pub fn failure_of_status(host: &HostPort, status: &tonic::Status) -> Failure {
    if status.metadata().contains_key(STATUS_KEY) {
        return Failure::from(status);
    }
    let timed_out = status.code() == tonic::Code::DeadlineExceeded || has_cause::<tonic::TimeoutExpired>(status);
    match status.code() {
        _ if timed_out => Fault::new(
            FaultName::ClientRpcTimeout,
            format!("`{host}` did not answer in time"),
            "read the log of daos_server on that host; repeat the command when the server is idle",
        )
        .into(),
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Internal | tonic::Code::Cancelled
            if std::error::Error::source(status).is_some() =>
        {
            closed(host, &root_cause(status)).into()
        }
        tonic::Code::Unimplemented => Failure::from(status)
            .with_resolution(format!("install the same release on this host and on `{}`", host.host)),
        _ => Failure::from(status),
    }
}

fn unreachable(host: &HostPort, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::new(
            FaultName::ClientConnectionRefused,
            format!("the connection to `{host}` was refused"),
            format!(
                "start daos_server on `{}` (`systemctl start daos_server`) and check that its `port` is {}",
                host.host, host.port
            ),
        ),
        io::ErrorKind::TimedOut => timed_out(host),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => Fault::new(
            FaultName::ClientConnectionNoRoute,
            format!("there is no route to `{host}`: {error}"),
            "check the address, the network and the firewall of that host",
        ),
        _ => Fault::new(
            FaultName::ClientConnectionBadHost,
            format!("cannot connect to `{host}`: {error}"),
            "check the host name in the configuration and that it resolves on this host",
        ),
    }
}

fn timed_out(host: &HostPort) -> Fault {
    Fault::new(
        FaultName::ClientConnectionTimedOut,
        format!("`{host}` did not accept a connection within {} seconds", CONNECT_TIMEOUT.as_secs()),
        format!("check that the host is up and that its firewall admits TCP port {}", host.port),
    )
}

fn handshake_failed(host: &HostPort, error: &io::Error) -> Fault {
    Fault::new(
        FaultName::ClientConnectionClosed,
        format!("no secure connection to `{host}`: {}", handshake_cause(error)),
        "check that both sides have certificates of the same authority that are still valid, and that \
         `transport_config.allow_insecure` is the same on both",
    )
}

/// The reason of our own verifier in its words; rustls would print its Debug form.
fn handshake_cause(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(own)))) => own.to_string(),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "its certificate was signed by another authority than `transport_config.ca_cert`".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired".to_owned(),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS on this port".to_owned(),
        _ => error.to_string(),
    }
}

fn closed(host: &HostPort, cause: &str) -> Fault {
    Fault::new(
        FaultName::ClientConnectionClosed,
        format!("`{host}` closed the connection: {cause}"),
        "check that `transport_config.allow_insecure` (or --insecure) is the same on both sides and that the server \
         is still running",
    )
}

fn has_cause<E: std::error::Error + 'static>(error: &dyn std::error::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<E>() {
            return true;
        }
        next = cause.source();
    }
    false
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
