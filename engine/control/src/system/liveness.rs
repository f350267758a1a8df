//! Is every member still there: pings of engines of this host, and of other servers about theirs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use types::Rank;
use wire::proto::ctl;
use wire::proto::drpc::Method;

use super::member::{Event, Member, State};
use super::service::System;

/// Time between two pings of a member.
const PING_PERIOD: Duration = Duration::from_secs(2);

/// Longest wait for the answer to a ping.
const PING_DEADLINE: Duration = Duration::from_secs(2);

enum Ping {
    Answered,
    Missed,
    Gone {
        asked: bool,
        reason: String,
    },
    /// A change is under way; its own events tell.
    Unknown,
}

impl System {
    /// Pings members until the task is dropped.
    pub(crate) async fn watch_members(self: Arc<Self>) {
        let mut missed: BTreeMap<Rank, u32> = BTreeMap::new();
        loop {
            tokio::time::sleep(PING_PERIOD).await;
            let watched: Vec<Member> = {
                let members = self.members.lock().await;
                let alive =
                    |state| matches!(state, State::Ready | State::Joined | State::Unresponsive | State::Excluded);
                members.iter().filter(|member| alive(member.state)).cloned().collect()
            };
            let mut pings = Vec::new();
            for member in watched {
                let system = self.clone();
                pings.push(tokio::spawn(async move { (member.rank, system.ping(&member).await) }));
            }
            for ping in pings {
                let Ok((rank, event)) = ping.await else { continue };
                let event = match event {
                    Ping::Answered => {
                        missed.remove(&rank);
                        Event::PingAnswered
                    }
                    Ping::Missed => {
                        let count = missed.entry(rank).or_default();
                        *count += 1;
                        Event::PingMissed { count: *count }
                    }
                    Ping::Gone { asked, reason } => {
                        missed.remove(&rank);
                        Event::Exited { asked, reason }
                    }
                    Ping::Unknown => continue,
                };
                self.happened(rank, &event).await;
            }
        }
    }

    async fn ping(&self, member: &Member) -> Ping {
        if let Some(instance) = self.harness.by_uuid(member.uuid) {
            if instance.snapshot().state != State::Joined {
                return Ping::Unknown;
            }
            let request = ();
            return match instance.call::<_, ()>(Method::Ping, &request, PING_DEADLINE).await {
                Ok(_) => Ping::Answered,
                Err(_) => Ping::Missed,
            };
        }
        if member.addr == self.identity.address {
            let reason = "no engine of this host has its storage any more".to_owned();
            return Ping::Gone { asked: false, reason };
        }
        let request = {
            let members = self.members.lock().await;
            let (sys, map_version) = (self.identity.name.clone(), members.map_version());
            ctl::PingReq { sys, map_version, members: members.group() }
        };
        let answer = self.peers.ping_ranks(&member.addr, request, PING_DEADLINE).await;
        let Ok(answer) = answer else { return Ping::Missed };
        match answer.results.into_iter().find(|result| result.rank == member.rank.0) {
            Some(result) if result.state == State::Joined.as_str() => Ping::Answered,
            Some(result) if result.state == State::Unresponsive.as_str() => Ping::Missed,
            Some(result) if result.state == State::Stopped.as_str() => Ping::Gone { asked: true, reason: result.msg },
            Some(result) if result.errored => Ping::Gone { asked: false, reason: result.msg },
            // On its way up or down; the outcome shows in a later ping.
            Some(_) => Ping::Unknown,
            None => {
                Ping::Gone { asked: false, reason: format!("its server `{}` does not know it any more", member.addr) }
            }
        }
    }
}
