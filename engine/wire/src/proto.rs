//! Generated message and service types, one module per file in `proto/`.

#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

/// `proto/mgmt.proto`: membership and pools, over gRPC.
pub mod mgmt {
    tonic::include_proto!("mgmt");
}
/// `proto/ctl.proto`: one host's storage and engines, over gRPC.
pub mod ctl {
    tonic::include_proto!("ctl");
}
/// `proto/drpc.proto`: local calls over Unix sockets.
pub mod drpc {
    tonic::include_proto!("drpc");
}
/// `proto/service.proto`: the pool service, on the data port.
pub mod service {
    tonic::include_proto!("service");
}
