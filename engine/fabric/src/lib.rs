//! Calls between processes: frames over TCP between clients and engines, local calls over Unix sockets.
//!
//! `inbound` assembles frames from received bytes without doing IO, for the engine's rings; `connection` is the tokio side
//! that asks and waits; `service` are calls of the pool service on such a connection; `local` is the Unix socket.
#![allow(clippy::disallowed_methods)] // an IO crate: sockets, files of sockets, and deadlines

pub mod address;
pub mod connection;
pub mod inbound;
pub mod local;
pub mod service;

pub use address::Uri;
pub use connection::{Connection, ConnectionError};
pub use inbound::Inbound;
pub use service::ServiceConnection;
