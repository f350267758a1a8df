//! `system.redb`: members, pools and counters of the system.
//!
//! Every change is one transaction and durable when the call returns (redb's default durability). Records are JSON, so
//! that a field can be added; `form` is raised when an old reader could misunderstand a new file. Calls block on the
//! disk: async callers wrap them in `spawn_blocking`.

use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use types::Rank;

use super::member::Member;
use crate::pool::Pool;

/// Version of the file's form.
const FORM: u64 = 1;

const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
const MEMBERS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("members");
const POOLS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("pools");

/// Why the records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be opened.
    #[error("cannot open the system database `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::DatabaseError>,
    },
    /// A transaction failed.
    #[error("cannot {attempt} in the system database")]
    Transaction {
        /// What was attempted.
        attempt: &'static str,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
    /// A record is not what it should be.
    #[error("the {kind} record `{key}` of the system database cannot be read")]
    Record {
        /// Member or pool.
        kind: &'static str,
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Written by a newer program.
    #[error("the system database has form {found}; this program reads form {FORM}")]
    Form {
        /// Of the file.
        found: u64,
    },
}

/// Everything in the file.
#[derive(Debug, Default)]
pub struct Records {
    /// Members by rank.
    pub members: Vec<Member>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// The rank to be given next.
    pub next_rank: u32,
    /// Version of the group.
    pub map_version: u32,
}

/// The open file. redb locks it: a second process cannot open it.
#[derive(Debug)]
pub struct Database {
    inner: redb::Database,
}

type Transaction<'a> = &'a redb::WriteTransaction;

impl Database {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Database, DatabaseError> {
        let inner = redb::Database::create(path)
            .map_err(|source| DatabaseError::Open { path: path.to_owned(), source: Box::new(source) })?;
        let database = Database { inner };
        let mut found = FORM;
        database.write("set the form", |transaction| {
            let mut counters = transaction.open_table(COUNTERS)?;
            found = counters.get("form")?.map_or(FORM, |form| form.value());
            counters.insert("form", FORM.max(found))?;
            transaction.open_table(MEMBERS)?;
            transaction.open_table(POOLS)?;
            Ok(())
        })?;
        if found > FORM { Err(DatabaseError::Form { found }) } else { Ok(database) }
    }

    /// Reads everything.
    pub fn load(&self) -> Result<Records, DatabaseError> {
        let failed = |source| DatabaseError::Transaction { attempt: "read", source: Box::new(source) };
        let (members, pools, next_rank, map_version) = self.read_all().map_err(failed)?;
        let record = |kind, key: String, source| DatabaseError::Record { kind, key, source };
        Ok(Records {
            members: members
                .into_iter()
                .map(|(key, bytes)| serde_json::from_slice(&bytes).map_err(|e| record("member", key.to_string(), e)))
                .collect::<Result<_, _>>()?,
            pools: pools
                .into_iter()
                .map(|(key, bytes)| serde_json::from_slice(&bytes).map_err(|e| record("pool", format!("{key:x}"), e)))
                .collect::<Result<_, _>>()?,
            next_rank: u32::try_from(next_rank).unwrap_or(u32::MAX),
            map_version: u32::try_from(map_version).unwrap_or(u32::MAX),
        })
    }

    /// Saves a member together with the counters of its membership.
    pub fn save_member(&self, member: &Member, next_rank: u32, map_version: u32) -> Result<(), DatabaseError> {
        let bytes = serde_json::to_vec(member).expect("a member is plain data");
        self.write("save a member", |transaction| {
            transaction.open_table(MEMBERS)?.insert(member.rank.0, bytes.as_slice())?;
            let mut counters = transaction.open_table(COUNTERS)?;
            counters.insert("next_rank", u64::from(next_rank))?;
            counters.insert("map_version", u64::from(map_version))?;
            Ok(())
        })
    }

    /// Forgets a member.
    pub fn remove_member(&self, rank: Rank, map_version: u32) -> Result<(), DatabaseError> {
        self.write("remove a member", |transaction| {
            transaction.open_table(MEMBERS)?.remove(rank.0)?;
            transaction.open_table(COUNTERS)?.insert("map_version", u64::from(map_version))?;
            Ok(())
        })
    }

    /// Saves a pool.
    pub fn save_pool(&self, pool: &Pool) -> Result<(), DatabaseError> {
        let bytes = serde_json::to_vec(pool).expect("a pool is plain data");
        self.write("save a pool", |transaction| {
            transaction.open_table(POOLS)?.insert(pool.uuid.0.as_u128(), bytes.as_slice())?;
            Ok(())
        })
    }

    /// Forgets a pool.
    pub fn remove_pool(&self, uuid: types::PoolId) -> Result<(), DatabaseError> {
        self.write("remove a pool", |transaction| {
            transaction.open_table(POOLS)?.remove(uuid.0.as_u128())?;
            Ok(())
        })
    }

    /// Forgets all members and pools: every member's storage was formatted anew.
    pub fn reset(&self, map_version: u32) -> Result<(), DatabaseError> {
        self.write("forget all members and pools", |transaction| {
            transaction.delete_table(MEMBERS)?;
            transaction.delete_table(POOLS)?;
            transaction.open_table(MEMBERS)?;
            transaction.open_table(POOLS)?;
            let mut counters = transaction.open_table(COUNTERS)?;
            counters.insert("next_rank", 0)?;
            counters.insert("map_version", u64::from(map_version))?;
            Ok(())
        })
    }

    fn write(
        &self,
        attempt: &'static str,
        change: impl FnOnce(Transaction<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), DatabaseError> {
        let run = || -> Result<(), redb::Error> {
            let transaction = self.inner.begin_write()?;
            change(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        run().map_err(|source| DatabaseError::Transaction { attempt, source: Box::new(source) })
    }

    #[allow(clippy::type_complexity)] // raw rows, used once
    fn read_all(&self) -> Result<(Vec<(u32, Vec<u8>)>, Vec<(u128, Vec<u8>)>, u64, u64), redb::Error> {
        let transaction = self.inner.begin_read()?;
        let mut members = Vec::new();
        for row in transaction.open_table(MEMBERS)?.iter()? {
            let (key, value) = row?;
            members.push((key.value(), value.value().to_vec()));
        }
        let mut pools = Vec::new();
        for row in transaction.open_table(POOLS)?.iter()? {
            let (key, value) = row?;
            pools.push((key.value(), value.value().to_vec()));
        }
        let counters = transaction.open_table(COUNTERS)?;
        let counter = |name| -> Result<u64, redb::Error> { Ok(counters.get(name)?.map_or(0, |value| value.value())) };
        Ok((members, pools, counter("next_rank")?, counter("map_version")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool;
    use crate::system::member::State;
    use uuid::Uuid;

    fn member(rank: u32) -> Member {
        Member {
            rank: Rank(rank),
            uuid: Uuid::from_u128(u128::from(rank) + 100),
            addr: "127.0.0.1:10001".to_owned(),
            index: 0,
            uri: "ofi+tcp://127.0.0.1:31416".to_owned(),
            targets: 2,
            fault_domain: "/node".to_owned(),
            incarnation: 7,
            state: State::Joined,
            info: String::new(),
            last_update_ms: 9,
        }
    }

    fn pool(number: u128) -> Pool {
        Pool {
            uuid: types::PoolId(Uuid::from_u128(number)),
            label: format!("tank{number}").parse().expect("label"),
            ranks: vec![Rank(0)],
            service_rank: Rank(0),
            state: pool::State::Creating,
            scm_bytes: 1,
            nvme_bytes: 2,
            metadata_on_ssd: true,
            destroy: None,
        }
    }

    #[test]
    fn records_are_there_after_reopening() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("system.redb");
        {
            let database = Database::open(&path).expect("makes the file");
            database.save_member(&member(0), 1, 4).expect("saves");
            database.save_member(&member(1), 2, 5).expect("saves");
            database.save_pool(&pool(7)).expect("saves");
            database.save_pool(&pool(8)).expect("saves");
            database.remove_pool(pool(7).uuid).expect("removes");
        }
        let database = Database::open(&path).expect("opens");
        let records = database.load().expect("loads");
        assert_eq!(records.members, [member(0), member(1)]);
        assert_eq!(records.pools, [pool(8)]);
        assert_eq!((records.next_rank, records.map_version), (2, 5));
        database.reset(6).expect("resets");
        let records = database.load().expect("loads");
        assert_eq!((records.members.len(), records.pools.len(), records.next_rank, records.map_version), (0, 0, 0, 6));
    }

    #[test]
    fn a_newer_form_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("system.redb");
        let database = Database::open(&path).expect("makes the file");
        database
            .write("raise the form", |transaction| {
                transaction.open_table(COUNTERS)?.insert("form", FORM + 1)?;
                Ok(())
            })
            .expect("writes");
        drop(database);
        assert!(matches!(Database::open(&path), Err(DatabaseError::Form { found }) if found == FORM + 1));
    }
}
