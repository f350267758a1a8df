//! The same question to every host at once, and answers grouped by hosts that gave the same one.

use std::sync::Arc;

use agent::grpc::{connect, failure_of_status};
use config::HostPort;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use types::Status;
use wire::fault::Failure;
use wire::proto::ctl::ctl_svc_client::CtlSvcClient;

use super::Settings;
use crate::output::{Table, fold_hosts};

/// Most hosts asked at the same time: each costs a socket and, with TLS, some milliseconds of signatures.
const MAX_CONCURRENT: usize = 64;

/// What each host said, in the order of the host list.
pub(super) struct Answers<T>(pub(super) Vec<(HostPort, Result<T, Failure>)>);

/// Asks every host of `settings`.
pub(super) async fn ask_every<T, F>(
    settings: &Settings,
    call: impl Fn(CtlSvcClient<Channel>) -> F + Clone + Send + 'static,
) -> Answers<T>
where
    T: Send + 'static,
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send,
{
    let places = Arc::new(Semaphore::new(MAX_CONCURRENT));
    let mut asked = JoinSet::new();
    for (index, host) in settings.hosts.iter().cloned().enumerate() {
        let (call, places, security) = (call.clone(), places.clone(), settings.security.clone());
        asked.spawn(async move {
            let _place = places.acquire_owned().await.expect("the semaphore is never closed");
            let answer = match connect(&host, &security).await {
                Ok(channel) => {
                    let answer = call(CtlSvcClient::new(channel)).await;
                    answer.map(tonic::Response::into_inner).map_err(|status| failure_of_status(&host, &status))
                }
                Err(failure) => Err(failure),
            };
            (index, host, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, ..)| *index);
    Answers(answers.into_iter().map(|(_, host, answer)| (host, answer)).collect())
}

impl<T> Answers<T> {
    /// The answers, each with the hosts whose answers `same` calls equal.
    pub(super) fn grouped(&self, same: impl Fn(&T, &T) -> bool) -> Vec<(Vec<HostPort>, &T)> {
        let mut groups: Vec<(Vec<HostPort>, &T)> = Vec::new();
        for (host, answer) in &self.0 {
            let Ok(answer) = answer else { continue };
            match groups.iter_mut().find(|(_, other)| same(other, answer)) {
                Some((hosts, _)) => hosts.push(host.clone()),
                None => groups.push((vec![host.clone()], answer)),
            }
        }
        groups
    }

    /// Hosts by what went wrong on them.
    fn failures(&self) -> Vec<(Vec<HostPort>, &Failure)> {
        let mut groups: Vec<(Vec<HostPort>, &Failure)> = Vec::new();
        for (host, answer) in &self.0 {
            let Err(failure) = answer else { continue };
            let same = |other: &Failure| without_host(other) == without_host(failure);
            match groups.iter_mut().find(|(_, other)| same(other)) {
                Some((hosts, _)) => hosts.push(host.clone()),
                None => groups.push((vec![host.clone()], failure)),
            }
        }
        groups
    }

    /// The failure of the command: the host's own when only one was asked, otherwise how many failed.
    pub(super) fn failure(&self) -> Option<Failure> {
        let failures = self.failures();
        let (_, first) = failures.first()?;
        if self.0.len() == 1 {
            return Some((*first).clone());
        }
        let failed: usize = failures.iter().map(|(hosts, _)| hosts.len()).sum();
        let status = if failures.len() == 1 { first.status } else { Status::Misc };
        let failure = Failure::new(status, format!("{failed} of {} hosts failed", self.0.len()));
        Some(failure.with_resolution(first.resolution.clone()))
    }

    /// The table of failures, above the results; nothing when only one host was asked, whose failure is printed anyway.
    pub(super) fn failure_lines(&self) -> String {
        let failures = self.failures();
        if failures.is_empty() || self.0.len() == 1 {
            return String::new();
        }
        let mut table = Table::new(["Hosts", "Error"]);
        for (hosts, failure) in failures {
            table.row([fold_hosts(&hosts), without_host(failure)]);
        }
        format!("Errors:\n{}\n", crate::output::indented(&table.render()))
    }

    /// `host_errors` as DAOS names it: message to hosts.
    pub(super) fn failures_json(&self) -> Value {
        let errors: Map<String, Value> = self
            .failures()
            .into_iter()
            .map(|(hosts, failure)| {
                (without_host(failure), json!({"hosts": fold_hosts(&hosts), "status": failure.status.code()}))
            })
            .collect();
        Value::Object(errors)
    }
}

/// Messages about connections name the host; the same trouble on two hosts is one group.
fn without_host(failure: &Failure) -> String {
    match failure.fault {
        Some(types::FaultName::ClientConnectionRefused) => "connection refused".to_owned(),
        Some(types::FaultName::ClientConnectionTimedOut) => "connection timed out".to_owned(),
        _ => failure.message.clone(),
    }
}
