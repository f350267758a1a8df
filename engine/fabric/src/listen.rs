//! The address that an engine is reached at, taken before anything is accepted.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::address::Uri;
use crate::provider::Provider;

/// A data port that is taken.
#[derive(Debug)]
pub enum Bound {
    /// A socket.
    Tcp(TcpListener),
    /// An endpoint of libfabric.
    #[cfg(feature = "ofi")]
    Ofi(crate::ofi::Endpoint),
}

impl Bound {
    /// Takes an address; port 0 is any.
    pub fn open(provider: Provider, address: SocketAddr) -> io::Result<Bound> {
        match provider.of_libfabric() {
            None => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Bound::Tcp(listener))
            }
            #[cfg(feature = "ofi")]
            Some(name) => crate::ofi::Endpoint::open(name, address).map(Bound::Ofi).map_err(io::Error::other),
            #[cfg(not(feature = "ofi"))]
            Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, format!("`{provider}` is not built in"))),
        }
    }

    /// What clients are told.
    pub fn uri(&self, provider: Provider) -> io::Result<Uri> {
        let address = match self {
            Bound::Tcp(listener) => listener.local_addr()?,
            #[cfg(feature = "ofi")]
            Bound::Ofi(endpoint) => endpoint.address(),
        };
        Ok(Uri { provider, address })
    }
}
