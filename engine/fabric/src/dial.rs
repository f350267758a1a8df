//! The connecting side of all providers.

use std::io;

use tokio::net::TcpStream;

use crate::address::Uri;

/// Connects to engines by their addresses. Cheap to clone; all clones share the endpoints of libfabric.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    #[cfg(feature = "ofi")]
    endpoints: crate::ofi::Endpoints,
}

/// A connected stream.
pub(crate) enum Dialed {
    Tcp(TcpStream),
    #[cfg(feature = "ofi")]
    Ofi(tokio::net::UnixStream),
}

impl Dialer {
    /// Connects.
    pub(crate) async fn dial(&self, to: Uri) -> io::Result<Dialed> {
        match to.provider.of_libfabric() {
            None => {
                let stream = TcpStream::connect(to.address).await?;
                stream.set_nodelay(true)?;
                Ok(Dialed::Tcp(stream))
            }
            #[cfg(feature = "ofi")]
            Some(provider) => Ok(Dialed::Ofi(self.endpoints.connect(provider, to.address).await?)),
            #[cfg(not(feature = "ofi"))]
            Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, format!("`{}` is not built in", to.provider))),
        }
    }
}
