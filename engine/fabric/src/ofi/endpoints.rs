//! Endpoints to connect from, made when first needed: one for each provider and address of this host.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UnixStream;

use super::endpoint::Endpoint;

/// What an endpoint is for: a provider and an address of this host.
type Place = (&'static str, IpAddr);

/// Shared by all clones.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    open: Arc<Mutex<HashMap<Place, Arc<Endpoint>>>>,
}

impl Endpoints {
    /// Opens a stream from the endpoint of this host that the route to the peer begins at.
    pub(crate) async fn connect(&self, provider: &'static str, to: SocketAddr) -> io::Result<UnixStream> {
        let endpoints = self.clone();
        // Opening an endpoint asks the kernel for devices and may take its time.
        let endpoint = tokio::task::spawn_blocking(move || endpoints.endpoint(provider, to));
        endpoint.await.map_err(io::Error::other)??.connect(to).await
    }

    fn endpoint(&self, provider: &'static str, to: SocketAddr) -> io::Result<Arc<Endpoint>> {
        let from = source_towards(to)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = open.get(&(provider, from)).filter(|endpoint| !endpoint.has_ended()) {
            return Ok(endpoint.clone());
        }
        let endpoint = Endpoint::open(provider, SocketAddr::new(from, 0));
        let endpoint = Arc::new(endpoint.map_err(|error| io::Error::new(io::ErrorKind::AddrNotAvailable, error))?);
        open.insert((provider, from), endpoint.clone());
        Ok(endpoint)
    }
}

/// The address of this host that packets to `to` leave from. Nothing is sent.
fn source_towards(to: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}
