//! gRPC: the two services, their port, and calls to other servers.

pub(crate) mod ctl;
pub(crate) mod mgmt;
pub(crate) mod peer;
pub(crate) mod port;

use std::future::Future;

use tonic::{Response, Status};
use wire::fault::Failure;

/// Runs a request to its end, also when the caller goes away: what was begun is finished and recorded.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<Response<T>, Status> {
    match tokio::spawn(work).await {
        Ok(Ok(answer)) => Ok(Response::new(answer)),
        Ok(Err(failure)) => Err(failure.into()),
        Err(_) => Err(Failure::new(types::Status::Misc, "the server failed while it worked on the request")
            .with_resolution("read daos_server's log")
            .into()),
    }
}
