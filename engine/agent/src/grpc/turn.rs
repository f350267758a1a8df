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
    let mut refused = Vec::new();
    for host in hosts {
        let answer = match connect(host, security).await {
            Ok(channel) => call(MgmtSvcClient::new(channel)).await.map_err(|status| failure_of_status(host, &status)),
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => return Ok((answer.into_inner(), host)),
            Err(failure) if passes_on(&failure) => {
                debug!(%host, "next server: {failure}");
                refused.push((host, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(none_answered(refused))
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

/// Every host with its own cause. Name and remedy are those of the first that is away: a server that only said that it
/// does not lead is in order.
fn none_answered(mut refused: Vec<(&HostPort, Failure)>) -> Failure {
    if refused.len() < 2 {
        return refused.pop().map_or_else(no_hosts, |(_, failure)| failure);
    }
    let causes: Vec<_> = refused.iter().map(|(host, failure)| format!("`{host}`: {}", failure.message)).collect();
    let message = format!("no server can answer; {}", causes.join("; "));
    let away = refused.iter().position(|(_, failure)| failure.status != Status::NotLeader).unwrap_or(0);
    let (_, first) = refused.swap_remove(away);
    Failure { message, ..first }
}

fn no_hosts() -> Failure {
    Fault::new(
        FaultName::ClientConfigEmptyHostList,
        "no server is named",
        "name the servers in access_points (daos_agent.yml) or hostlist (daos_control.yml)",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_is_listed_with_its_own_cause() {
        let (one, two) = (HostPort::new("one", 1), HostPort::new("two", 2));
        let refused = Fault::new(FaultName::ClientConnectionRefused, "the connection was refused", "start it");
        let unknown = Fault::new(FaultName::ClientConnectionBadHost, "the name does not resolve", "correct it");
        let failure = none_answered(vec![(&one, refused.into()), (&two, unknown.into())]);
        assert_eq!(failure.fault, Some(FaultName::ClientConnectionRefused));
        assert_eq!(
            failure.message,
            "no server can answer; `one:1`: the connection was refused; `two:2`: the name does not resolve"
        );
        assert_eq!(failure.resolution, "start it");
        let follower = Failure::new(Status::NotLeader, "no replica");
        let away = Fault::new(FaultName::ClientConnectionRefused, "refused", "start it");
        let failure = none_answered(vec![(&one, follower), (&two, away.into())]);
        assert_eq!(failure.resolution, "start it", "the follower is in order");
        assert_eq!(none_answered(Vec::new()).fault, Some(FaultName::ClientConfigEmptyHostList));
    }
}
