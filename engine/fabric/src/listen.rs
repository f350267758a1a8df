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
    Ofi(std::sync::Arc<crate::ofi::Endpoint>),
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
            Some(name) => {
                let endpoint = crate::ofi::Endpoint::open(name, address).map_err(io::Error::other)?;
                Ok(Bound::Ofi(std::sync::Arc::new(endpoint)))
            }
            #[cfg(not(feature = "ofi"))]
            Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, format!("`{provider}` is not built in"))),
        }
    }

    /// Keeps accepted streams going after the port itself is closed.
    pub fn streams(&self) -> Streams {
        Streams {
            #[cfg(feature = "ofi")]
            _endpoint: match self {
                Bound::Tcp(_) => None,
                Bound::Ofi(endpoint) => Some(endpoint.clone()),
            },
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

/// Streams end with the last of these and the port, where sockets would go on by themselves.
#[derive(Debug)]
#[must_use]
pub struct Streams {
    #[cfg(feature = "ofi")]
    _endpoint: Option<std::sync::Arc<crate::ofi::Endpoint>>,
}
