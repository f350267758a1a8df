//! Calls between processes: frames over a fabric between clients and engines, local calls over Unix sockets.
//!
//! `provider` says what a fabric is, `tcp` and `ofi` (with the feature) are two, `listen` and `dial` take an address and connect by any of them. `inbound` assembles frames from
//! received bytes without doing IO, for the engine's rings; `connection` is the tokio side that asks and waits; `service` are calls of the
//! pool service on such a connection; `local` is the Unix socket.
#![allow(clippy::disallowed_methods)] // an IO crate: sockets, files of sockets, and deadlines

pub mod address;
pub mod connection;
pub mod dial;
pub mod inbound;
pub mod listen;
pub mod local;
#[cfg(feature = "ofi")]
pub mod ofi;
pub mod provider;
pub mod service;
mod tcp;

pub use address::Uri;
pub use connection::{Connection, ConnectionError};
pub use dial::Dialer;
pub use inbound::Inbound;
pub use listen::Bound;
pub use provider::{Listener, PROVIDERS, Provider, Socket};
pub use service::ServiceConnection;

/// To be called first in a program that may use a fabric: libraries below libfabric set handlers of signals before `main`. Without libfabric there is nothing to do.
pub fn own_signals() {
    #[cfg(feature = "ofi")]
    ofi::own_signals();
}
