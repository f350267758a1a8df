//! Fabric providers: what carries the bytes of the data port, and what a listener of one must do.
//!
//! `ofi+tcp` is the data port over sockets, in every build. The others are libfabric's, with the feature `ofi`. Without it,
//! `ofi+tcp;ofi_rxm` is served over sockets too, and the engine's address says `ofi+tcp` (docs/adr/0023).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use tokio::io::{AsyncRead, AsyncWrite};

/// The provider of the data port over sockets.
const SOCKETS: &str = "ofi+tcp";

/// Names of providers that an engine of this build may be asked to serve.
pub const PROVIDERS: &[&str] = if cfg!(feature = "ofi") {
    &[SOCKETS, "ofi+tcp;ofi_rxm", "ofi+verbs", "ofi+verbs;ofi_rxm", "ofi+shm"]
} else {
    &[SOCKETS, "ofi+tcp;ofi_rxm"]
};

/// What carries bytes, as addresses name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Provider(&'static str);

impl Provider {
    /// The data port over sockets.
    pub const TCP: Provider = Provider(SOCKETS);

    /// What serves a provider of the configuration here; `None` is not built in.
    pub fn serving(name: &str) -> Option<Provider> {
        let known = PROVIDERS.iter().find(|known| **known == name)?;
        Some(if cfg!(feature = "ofi") { Provider(known) } else { Provider::TCP })
    }

    /// As libfabric calls it; `None` is served without libfabric.
    pub(crate) fn of_libfabric(self) -> Option<&'static str> {
        self.0.strip_prefix("ofi+").filter(|_| self != Provider::TCP)
    }

    /// Whether an interface with this address can serve it.
    #[cfg_attr(not(feature = "ofi"), expect(unused_variables))]
    pub fn is_offered_on(self, address: IpAddr) -> bool {
        match self.of_libfabric() {
            None => true,
            #[cfg(feature = "ofi")]
            Some(name) => crate::ofi::is_offered(name, SocketAddr::new(address, 0)),
            #[cfg(not(feature = "ofi"))]
            Some(_) => false,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A stream of bytes between a client and an engine.
pub trait Socket: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send + 'static {
    /// Has a peer that vanished without a word noticed after about a minute.
    fn keep_alive(&self) -> io::Result<()>;

    /// The socket under it, blocking: for a thread that waits on it by means of its own.
    fn into_blocking(self) -> io::Result<OwnedFd>;
}

/// The accepting side of a provider.
pub trait Listener: Send + 'static {
    /// What it accepts.
    type Socket: Socket;

    /// The next stream, and where it comes from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}
