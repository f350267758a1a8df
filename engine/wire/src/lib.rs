//! Versioned messages between processes and their codecs.
//!
//! Three families: gRPC for the control plane and local calls over Unix sockets (`proto`), and the data path's own
//! frames (`frame`, `operation`; drawn in engine/docs/wire.md). Decoders are total: any bytes give a message or an
//! error, allocation is bounded by the lengths checked first. No IO.

pub mod fault;
pub mod proto;
