//! Stopping and starting members.

use std::sync::Arc;

use types::Status;
use wire::fault::Failure;
use wire::proto::{ctl, mgmt};

use super::member::{Event, Member, State};
use super::service::{System, parse_ranks};

/// What is done to ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RankAction {
    Stop { force: bool },
    Start,
}

impl RankAction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RankAction::Stop { .. } => "stop",
            RankAction::Start => "start",
        }
    }
}

impl System {
    /// Stops or starts members, all servers at the same time.
    pub(crate) async fn change_ranks(
        self: &Arc<Self>,
        sys: &str,
        ranks: &str,
        action: RankAction,
    ) -> Result<mgmt::SystemRanksResp, Failure> {
        self.check_name(sys)?;
        let ranks = parse_ranks(ranks)?;
        let (selected, absent) = {
            let members = self.members.lock().await;
            let (selected, absent) = members.select(&ranks);
            let selected: Vec<Member> = selected.iter().filter_map(|rank| members.get(*rank)).cloned().collect();
            (selected, absent)
        };
        let mut tasks = Vec::new();
        for member in selected {
            let system = self.clone();
            tasks.push(tokio::spawn(async move { system.change_rank(member, action).await }));
        }
        if ranks.is_empty() && action == RankAction::Start {
            self.start_strangers().await?;
        }
        let mut results = Vec::new();
        for task in tasks {
            results.extend(task.await.ok());
        }
        Ok(mgmt::SystemRanksResp { results, absent_ranks: absent.to_string() })
    }

    /// Starts the engines of this host that are no members yet: they ended before they could join.
    async fn start_strangers(&self) -> Result<(), Failure> {
        for instance in self.harness.iter() {
            let snapshot = instance.snapshot();
            if snapshot.rank.is_none() && snapshot.state == State::Errored {
                instance.start().await?;
            }
        }
        Ok(())
    }

    async fn change_rank(self: Arc<Self>, member: Member, action: RankAction) -> mgmt::RankResult {
        let outcome = match self.harness.by_uuid(member.uuid) {
            Some(instance) => match action {
                RankAction::Stop { force } => {
                    instance.stop(force).await;
                    Ok(())
                }
                RankAction::Start => instance.start().await,
            },
            None if member.addr == self.identity.address => {
                Err(Failure::new(Status::Nonexistent, "no engine of this host has its storage any more"))
            }
            None => self.change_remote(&member, action).await,
        };
        let state = self.members.lock().await.get(member.rank).map_or(member.state, |member| member.state);
        mgmt::RankResult {
            rank: member.rank.0,
            action: action.as_str().to_owned(),
            errored: outcome.is_err(),
            msg: outcome.err().map(|failure| failure.message).unwrap_or_default(),
            state: state.to_string(),
            addr: member.addr,
        }
    }

    async fn change_remote(self: &Arc<Self>, member: &Member, action: RankAction) -> Result<(), Failure> {
        let force = matches!(action, RankAction::Stop { force: true });
        let request = ctl::RanksReq { sys: self.identity.name.clone(), ranks: vec![member.rank.0], force };
        let response = match action {
            RankAction::Stop { .. } => self.peers.stop_ranks(&member.addr, request).await?,
            RankAction::Start => self.peers.start_ranks(&member.addr, request).await?,
        };
        match response.results.into_iter().find(|result| result.rank == member.rank.0) {
            Some(result) if result.errored => Err(Failure::new(Status::Misc, result.msg)),
            Some(_) => {
                if let RankAction::Stop { .. } = action {
                    self.happened(member.rank, &Event::Exited { asked: true, reason: String::new() }).await;
                }
                Ok(())
            }
            None => Err(Failure::new(Status::Nonexistent, format!("`{}` has no such rank", member.addr))),
        }
    }
}
