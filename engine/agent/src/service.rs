//! The agent's answers to local calls, whatever carries them.

use bytes::Bytes;
use prost::Message;
use tracing::{debug, warn};
use types::Status;
use wire::fault::Failure;
use wire::proto::drpc::Method;
use wire::proto::mgmt::{GetAttachInfoReq, ListPoolsReq};

use crate::attach::Attachment;

/// Answers a call. Every failure is an answer too: the agent outlives servers that come and go.
pub(crate) async fn answer(attachment: &Attachment, method: Method, body: Bytes) -> Result<Bytes, Failure> {
    let answer = match method {
        Method::GetAttachInfo => attach_info(attachment, body).await,
        Method::ListPools => pools(attachment, body).await,
        other => Err(Failure::new(Status::Invalid, format!("the agent does not answer {}", other.as_str_name()))
            .with_resolution("install the same release of the client library and of daos_agent")),
    };
    answer.inspect_err(|failure| warn!(method = method.as_str_name(), "{failure}"))
}

async fn attach_info(attachment: &Attachment, body: Bytes) -> Result<Bytes, Failure> {
    let request = GetAttachInfoReq::decode(body).map_err(|error| malformed(&error))?;
    let answer = attachment.info(&request.sys).await?;
    debug!(ranks = answer.rank_uris.len(), version = answer.data_version, "attach info given");
    Ok(answer.encode_to_vec().into())
}

async fn pools(attachment: &Attachment, body: Bytes) -> Result<Bytes, Failure> {
    let request = ListPoolsReq::decode(body).map_err(|error| malformed(&error))?;
    Ok(attachment.pools(&request.sys).await?.encode_to_vec().into())
}

fn malformed(error: &prost::DecodeError) -> Failure {
    Failure::new(Status::Protocol, format!("the request cannot be read: {error}"))
        .with_resolution("install the same release of the client library and of daos_agent")
}
