//! gRPC connections from this host to `daos_server`, for the agent and for `dmg`.
//!
//! One connection is one TCP stream (and one TLS session) made here step by step, so that a refused, silent, unknown or
//! differently secured server is told apart by name; tonic then speaks HTTP/2 over it. Nothing reconnects behind the
//! caller's back and no proxy variables are read.

mod certificate;
mod dial;
mod turn;
mod verifier;

pub use certificate::Identity;
pub use dial::{Security, connect, failure_of_status};
pub use turn::{ask_in_turn, within};
