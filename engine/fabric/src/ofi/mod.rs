//! Fabrics through libfabric: streams of bytes over reliable messages. How they look on the wire: engine/docs/fabric.md.
//!
//! `sys` declares what is used of libfabric; `objects` and `rdm` are the only ones to call it, `sockaddr` writes its addresses, `signals` undoes what
//! libraries below it did; `message` is
//! the codec; `stream` one end of a stream; `outbound` the messages to each peer; `watch` what is slept on; `progress` the
//! thread that owns an endpoint and brings these together; `endpoint` and `endpoints` the way to such threads.

mod endpoint;
mod endpoints;
mod message;
mod objects;
mod outbound;
mod progress;
mod rdm;
mod signals;
mod sockaddr;
mod stream;
mod sys;
mod watch;

use std::net::SocketAddr;

pub use endpoint::{Endpoint, OfiListener};
pub use endpoints::Endpoints;
pub use objects::OfiError;
pub use signals::own_signals;

/// Whether libfabric's `provider` can serve an address of this host.
pub fn is_offered(provider: &str, address: SocketAddr) -> bool {
    objects::Objects::find(provider, address).is_ok()
}
