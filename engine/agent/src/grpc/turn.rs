//! One question to the management service, put to several servers in turn.

use std::time::Duration;

use config::HostPort;
use tonic::transport::Channel;
use tracing::debug;
use types::{Fault, FaultName, Status};
use wire::fault::Failure;
use wire::proto::mgmt::mgmt_svc_client::MgmtSvcClient;

use super::dial::{Security, connect, failure_of_status};

/// Asks `hosts` in their order and gives the first answer with the host it came from. A server that cannot be reached,
/// or is no replica of the management service, passes the question on to the next; any other answer is the answer.
pub async fn ask_in_turn<'h, T, F>(
    hosts: &'h [HostPort],
    security: &Security,
    call: impl Fn(MgmtSvcClient<Channel>) -> F,
) -> Result<(T, &'h HostPort), Failure>
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    let mut last = None;
    for host in hosts {
        let answer = match connect(host, security).await {
            Ok(channel) => call(MgmtSvcClient::new(channel)).await.map_err(|status| failure_of_status(host, &status)),
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => return Ok((answer.into_inner(), host)),
            Err(failure) if passes_on(&failure) => {
                debug!(%host, "next server: {failure}");
                last = Some((host, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(last.map_or_else(no_hosts, |(host, failure)| none_answered(hosts, host, failure)))
}

/// `message` as a request that is given up after `limit`.
pub fn within<T>(limit: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(limit);
    request
}

fn passes_on(failure: &Failure) -> bool {
    let connection = matches!(
        failure.fault,
        Some(
            FaultName::ClientConnectionBadHost
                | FaultName::ClientConnectionNoRoute
                | FaultName::ClientConnectionRefused
                | FaultName::ClientConnectionClosed
                | FaultName::ClientConnectionTimedOut
        )
    );
    connection || failure.status == Status::NotLeader
}

fn none_answered(hosts: &[HostPort], host: &HostPort, failure: Failure) -> Failure {
    if hosts.len() == 1 {
        return failure;
    }
    let names: Vec<_> = hosts.iter().map(HostPort::to_string).collect();
    let message = format!("none of `{}` can serve; the last, `{host}`: {}", names.join("`, `"), failure.message);
    Failure { message, ..failure }
}

fn no_hosts() -> Failure {
    Fault::new(
        FaultName::ClientConfigEmptyHostList,
        "no server is named",
        "name the servers in access_points (daos_agent.yml) or hostlist (daos_control.yml)",
    )
    .into()
}
