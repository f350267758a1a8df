//! All members of the system. Pure: every change returns what has to be made durable and whether the group changed.
//!
//! Invariants: a rank is given once and never reused; a rank belongs to one engine UUID for its whole life; the map
//! version grows with every change of the group.

use std::collections::BTreeMap;

use types::Rank;
use uuid::Uuid;
use wire::proto::mgmt;

use super::member::{Effect, Event, Member, State, transition};
use super::ranks::RankSet;

/// Most members of a system: the limit of a rank set.
const MAX_MEMBERS: u32 = 65_536;

/// "No rank yet" in a join.
pub const NO_RANK: u32 = u32::MAX;

/// A request to join, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// UUID of the engine instance.
    pub uuid: Uuid,
    /// Rank of an earlier join.
    pub rank: Option<Rank>,
    /// Control address of its server.
    pub addr: String,
    /// Index within its server.
    pub index: u32,
    /// Fabric URI.
    pub uri: String,
    /// Number of targets.
    pub targets: u32,
    /// Fault domain.
    pub fault_domain: String,
    /// Incarnation.
    pub incarnation: u64,
}

/// Why a join was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The UUID is known under another rank.
    #[error("engine `{uuid}` asks for rank {asked}, but has had rank {known} since it first joined")]
    OtherRank {
        /// The engine.
        uuid: Uuid,
        /// Rank in its superblock.
        asked: Rank,
        /// Rank in the records.
        known: Rank,
    },
    /// The rank is known with another UUID.
    #[error("rank {rank} belongs to engine `{owner}`, not to `{uuid}`")]
    RankTaken {
        /// The rank.
        rank: Rank,
        /// Whose it is.
        owner: Uuid,
        /// Who asked.
        uuid: Uuid,
    },
    /// The provider differs from the system's.
    #[error("the fabric provider `{offered}` does not match the system's provider `{system}`")]
    OtherProvider {
        /// Of the engine.
        offered: String,
        /// Of the members.
        system: String,
    },
    /// Too many members.
    #[error("the system has its largest number of members, {MAX_MEMBERS}")]
    Full,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The member whose record to make durable, together with the counters.
    pub persist: Option<Rank>,
    /// Engines have to be given the group.
    pub publish: bool,
}

/// The members and the counters that are durable with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    members: BTreeMap<Rank, Member>,
    next_rank: u32,
    map_version: u32,
}

impl Membership {
    /// From durable records.
    pub fn restore(members: impl IntoIterator<Item = Member>, next_rank: u32, map_version: u32) -> Membership {
        let members: BTreeMap<Rank, Member> = members.into_iter().map(|member| (member.rank, member)).collect();
        let after_last = members.last_key_value().map_or(0, |(rank, _)| rank.0 + 1);
        Membership { members, next_rank: next_rank.max(after_last), map_version }
    }

    /// The rank to be given next.
    pub fn next_rank(&self) -> u32 {
        self.next_rank
    }

    /// Version of the group.
    pub fn map_version(&self) -> u32 {
        self.map_version
    }

    /// All members by rank.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One member.
    pub fn get(&self, rank: Rank) -> Option<&Member> {
        self.members.get(&rank)
    }

    /// The member with this engine UUID.
    pub fn by_uuid(&self, uuid: Uuid) -> Option<&Member> {
        self.members.values().find(|member| member.uuid == uuid)
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// No member yet.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The ranks that clients and peers may use, with their addresses.
    pub fn group(&self) -> Vec<mgmt::GroupMember> {
        self.group_where(|member| member.state.in_group())
    }

    /// The group as it will be once `rank` serves, for its own first look.
    pub fn group_with(&self, rank: Rank) -> Vec<mgmt::GroupMember> {
        self.group_where(|member| member.state.in_group() || member.rank == rank)
    }

    fn group_where(&self, condition: impl Fn(&Member) -> bool) -> Vec<mgmt::GroupMember> {
        self.members
            .values()
            .filter(|member| condition(member))
            .map(|member| mgmt::GroupMember { rank: member.rank.0, uri: member.uri.clone(), targets: member.targets })
            .collect()
    }

    /// The members named by `ranks` (all, when it is empty), and the named ranks that are no members.
    pub fn select(&self, ranks: &RankSet) -> (Vec<Rank>, RankSet) {
        if ranks.is_empty() {
            return (self.members.keys().copied().collect(), RankSet::default());
        }
        let absent = ranks.iter().filter(|rank| !self.members.contains_key(rank)).collect();
        (ranks.iter().filter(|rank| self.members.contains_key(rank)).collect(), absent)
    }

    /// Gives an engine its rank: the one it had, the one it asks for when that was lost with the records, or a new one.
    pub fn join(&mut self, now_ms: u64, join: Join) -> Result<(Rank, Change), JoinError> {
        let known = self.by_uuid(join.uuid).map(|member| member.rank);
        let rank = match (known, join.rank) {
            (Some(known), Some(asked)) if known != asked => {
                return Err(JoinError::OtherRank { uuid: join.uuid, asked, known });
            }
            (Some(known), _) => known,
            (None, Some(asked)) => match self.members.get(&asked) {
                Some(owner) => return Err(JoinError::RankTaken { rank: asked, owner: owner.uuid, uuid: join.uuid }),
                None => asked,
            },
            (None, None) => Rank(self.next_rank),
        };
        if rank.0 >= MAX_MEMBERS {
            return Err(JoinError::Full);
        }
        self.check_provider(rank, &join.uri)?;
        self.next_rank = self.next_rank.max(rank.0 + 1);
        let member = self.members.entry(rank).or_insert_with(|| Member {
            rank,
            uuid: join.uuid,
            addr: String::new(),
            index: join.index,
            uri: String::new(),
            targets: join.targets,
            fault_domain: String::new(),
            incarnation: join.incarnation,
            state: State::Ready,
            info: String::new(),
            last_update_ms: now_ms,
        });
        let same_process = member.incarnation == join.incarnation && member.uri == join.uri && member.addr == join.addr;
        member.addr = join.addr;
        member.index = join.index;
        member.uri = join.uri;
        member.targets = join.targets;
        member.fault_domain = join.fault_domain;
        member.incarnation = join.incarnation;
        Ok((rank, self.apply(now_ms, rank, &Event::RankGiven { same_process })))
    }

    /// Applies an event to a member. An unknown rank changes nothing.
    pub fn apply(&mut self, now_ms: u64, rank: Rank, event: &Event) -> Change {
        let Some(member) = self.members.get_mut(&rank) else { return Change::default() };
        let transition = transition(member.state, &member.info, event);
        let mut change = Change::default();
        for effect in &transition.effects {
            match effect {
                Effect::Persist => change.persist = Some(rank),
                Effect::PublishGroup => change.publish = true,
            }
        }
        if change.persist.is_some() {
            member.last_update_ms = now_ms;
        }
        member.state = transition.state;
        member.info = transition.info;
        if change.publish {
            self.map_version += 1;
        }
        change
    }

    fn check_provider(&self, rank: Rank, uri: &str) -> Result<(), JoinError> {
        let provider = |uri: &str| uri.split("://").next().unwrap_or_default().to_owned();
        let offered = provider(uri);
        match self.members.values().find(|member| member.rank != rank && provider(&member.uri) != offered) {
            Some(other) => Err(JoinError::OtherProvider { offered, system: provider(&other.uri) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(uuid: u128, rank: Option<u32>) -> Join {
        Join {
            uuid: Uuid::from_u128(uuid),
            rank: rank.map(Rank),
            addr: "127.0.0.1:10001".to_owned(),
            index: 0,
            uri: format!("ofi+tcp://127.0.0.1:{}", 31000 + uuid),
            targets: 2,
            fault_domain: "/node".to_owned(),
            incarnation: 1,
        }
    }

    #[test]
    fn ranks_follow_the_engine_and_are_never_reused() {
        let mut members = Membership::default();
        assert_eq!(members.join(1, join(10, None)).map(|joined| joined.0), Ok(Rank(0)));
        assert_eq!(members.join(2, join(11, None)).map(|joined| joined.0), Ok(Rank(1)));
        assert_eq!(members.join(3, join(10, None)).map(|joined| joined.0), Ok(Rank(0)));
        assert_eq!(members.join(4, join(10, Some(0))).map(|joined| joined.0), Ok(Rank(0)));
        let restored = Membership::restore(members.iter().cloned(), members.next_rank(), members.map_version());
        assert_eq!(restored, members);
    }

    #[test]
    fn a_rank_in_a_superblock_outlives_the_records() {
        let mut members = Membership::default();
        assert_eq!(members.join(1, join(10, Some(4))).map(|joined| joined.0), Ok(Rank(4)));
        assert_eq!(members.join(1, join(11, None)).map(|joined| joined.0), Ok(Rank(5)));
    }

    #[test]
    fn contradictions_are_refused() {
        let mut members = Membership::default();
        members.join(1, join(10, None)).expect("first");
        members.join(1, join(11, None)).expect("second");
        let before = members.clone();
        assert!(matches!(members.join(2, join(10, Some(1))), Err(JoinError::OtherRank { .. })));
        assert!(matches!(members.join(2, join(12, Some(1))), Err(JoinError::RankTaken { .. })));
        let verbs = Join { uri: "ofi+verbs://127.0.0.1:1".to_owned(), ..join(12, None) };
        assert!(matches!(members.join(2, verbs), Err(JoinError::OtherProvider { .. })));
        assert_eq!(members, before);
    }

    #[test]
    fn a_change_of_the_only_member_s_provider_is_accepted() {
        let mut members = Membership::default();
        members.join(1, join(10, None)).expect("first");
        let verbs = Join { uri: "ofi+verbs://127.0.0.1:1".to_owned(), ..join(10, None) };
        assert!(members.join(2, verbs).is_ok());
    }

    #[test]
    fn the_map_version_grows_with_the_group_only() {
        let mut members = Membership::default();
        let (rank, change) = members.join(1, join(10, None)).expect("joins");
        assert_eq!((members.map_version(), change), (0, Change { persist: Some(rank), publish: false }));
        assert_eq!((members.group().len(), members.group_with(rank).len()), (0, 1));
        assert_eq!(members.apply(1, rank, &Event::Serves), Change { persist: Some(rank), publish: true });
        assert_eq!(members.map_version(), 1);
        let (_, change) = members.join(1, join(10, None)).expect("its server came back");
        assert_eq!(change, Change { persist: Some(rank), publish: false });
        assert_eq!(members.apply(2, rank, &Event::PingAnswered), Change::default());
        assert_eq!(members.map_version(), 1);
        let died = Event::Exited { asked: false, reason: "signal 9".to_owned() };
        assert_eq!(members.apply(3, rank, &died), Change { persist: Some(rank), publish: true });
        assert_eq!(members.map_version(), 2);
        assert!(members.group().is_empty());
        assert_eq!(members.get(rank).map(|member| member.last_update_ms), Some(3));
    }

    #[test]
    fn a_selection_names_the_absent() {
        let mut members = Membership::default();
        members.join(1, join(10, None)).expect("joins");
        let (present, absent) = members.select(&"0-2".parse().expect("ranks"));
        assert_eq!((present, absent.to_string()), (vec![Rank(0)], "1,2".to_owned()));
        assert_eq!(members.select(&RankSet::default()).0, [Rank(0)]);
    }
}
