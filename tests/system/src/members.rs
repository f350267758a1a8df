//! What `dmg system query` says of the engines.

use serde_json::Value;

use crate::{Cluster, PATIENCE, wait_for};

/// One engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its rank.
    pub rank: u64,
    /// Other at every start of its process.
    pub incarnation: u64,
    /// As DAOS names it, lower case.
    pub state: String,
    /// Why it is in that state.
    pub info: String,
    /// Its data port.
    pub port: u16,
}

impl Member {
    fn of(value: &Value) -> Option<Member> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Member {
            rank: value["rank"].as_u64()?,
            incarnation: value["incarnation"].as_u64()?,
            state: text("state")?,
            info: text("info")?,
            port: text("fabric_uri")?.rsplit(':').next()?.parse().ok()?,
        })
    }
}

impl Cluster {
    /// The members; none when the server does not answer.
    pub fn members(&self) -> Vec<Member> {
        let query = self.dmg(&["--json", "system", "query"]);
        if query.code != 0 {
            return Vec::new();
        }
        let answer = query.json();
        let members = answer["response"]["members"].as_array().expect("the response lists members");
        members.iter().map(|member| Member::of(member).unwrap_or_else(|| panic!("no member: {member}"))).collect()
    }

    /// The member that is engine `index`.
    pub fn member(&self, index: usize) -> Option<Member> {
        let port = self.data_port(index);
        self.members().into_iter().find(|member| member.port == port)
    }

    /// Waits until every engine is joined.
    pub fn wait_joined(&self) {
        self.wait_rejoined(&[]);
    }

    /// Waits until every engine is joined, none of them as the process it was in `before`.
    pub fn wait_rejoined(&self, before: &[Member]) {
        let old = |member: &Member| before.iter().any(|was| was.incarnation == member.incarnation);
        let mut seen = Vec::new();
        wait_for("every engine is joined", PATIENCE, || {
            let members = self.members();
            let joined = members.iter().filter(|member| member.state == "joined" && !old(member)).count();
            if members != seen {
                seen = members;
            }
            (joined == self.engines()).then_some(())
        });
    }

    /// Waits until engine `index` is in `state` and gives it.
    pub fn wait_state(&self, index: usize, state: &str) -> Member {
        wait_for(&format!("engine {index} is {state}"), PATIENCE, || {
            self.member(index).filter(|member| member.state == state)
        })
    }
}
