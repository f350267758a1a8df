//! Versioned messages between processes and their codecs.
//!
//! Three families: gRPC for the control plane and local calls over Unix sockets (`proto`, `drpc`, `fault`), and the data
//! path's own frames (`frame`, `hello`, `operation`; drawn in engine/docs/wire.md). Decoders are total: any bytes give a
//! message or an error, and nothing is allocated beyond lengths that were checked first. No IO.

pub mod drpc;
pub mod fault;
pub mod frame;
pub mod hello;
pub mod operation;
pub mod proto;
mod take;
