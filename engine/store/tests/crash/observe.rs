//! What a target is found to hold, read through its operations.

use std::collections::BTreeMap;

use bytes::Bytes;
use daos_store::{Command, Driven, Reply};
use types::{Answer, Epoch, Key, Level, Operation, Outcome, Status};

use crate::alphabet::{Name, OBJECTS, OTHER_POOL, fetch, names, operate};
use crate::state::{State, Value, Values, join};
use crate::target::PLACE;

/// The value that a fetch brought; `None` when there is none.
pub(crate) fn value(answer: Answer) -> Result<Option<Value>, Status> {
    let segments = match answer {
        Ok(Outcome::Fetched(segments)) => segments,
        Ok(other) => panic!("not the answer to a fetch: {other:?}"),
        Err(Status::Nonexistent | Status::NoHandle) => return Ok(None),
        Err(status) => return Err(status),
    };
    let mut value: Value = Vec::with_capacity(segments.len());
    for segment in segments {
        assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
        value.push((segment.offset, segment.data));
    }
    join(&mut value);
    Ok(Some(value))
}

/// All of it. A value that is refused comes with its status instead.
pub(crate) fn read_all(driven: &mut Driven) -> Result<State, Status> {
    let other_pool = match driven.run(Command::PoolList, Epoch(1)) {
        Reply::Pools(pools) => pools.contains(&OTHER_POOL),
        other => panic!("{other:?}"),
    };
    let values = values(driven, Epoch::MAX)?;
    let mut snapshots = BTreeMap::new();
    if values.is_some() {
        let Reply::Snapshots(Ok(epochs)) = driven.run(Command::SnapshotList(PLACE), Epoch(1)) else {
            panic!("a container has snapshots or none");
        };
        for epoch in epochs {
            snapshots.insert(epoch.0, self::values(driven, epoch)?.unwrap_or_default());
        }
    }
    let Reply::PreparedTransactions(prepared) = driven.run(Command::PreparedList, Epoch(1)) else {
        panic!("there are transactions or none");
    };
    let prepared = prepared.into_iter().map(|(id, _, epoch)| (id, epoch.0));
    Ok(State::observed(values, snapshots, prepared, other_pool))
}

/// Everything in the container as of an epoch; `None` when there is no container.
fn values(driven: &mut Driven, epoch: Epoch) -> Result<Option<Values>, Status> {
    let mut values = Values::new();
    for object in OBJECTS {
        let Some(dkeys) = list(driven, Level::Dkeys(object), epoch)? else { return Ok(None) };
        for dkey in dkeys {
            let dkey = Key::new(&dkey).expect("what is listed is a key");
            for akey in list(driven, Level::Akeys(object, dkey.clone()), epoch)?.unwrap_or_default() {
                let is_it = |name: &Name| {
                    (name.address.object, &name.address.dkey, name.address.akey.as_bytes())
                        == (object, &dkey, &akey[..])
                };
                let name = names().into_iter().find(is_it);
                let name = name.unwrap_or_else(|| panic!("nobody wrote {dkey} {akey:?}"));
                if let Some(found) = read_one(driven, &name, epoch)? {
                    values.insert(name.address, found);
                }
            }
        }
    }
    Ok(Some(values))
}

/// What is under one name.
pub(crate) fn read_one(driven: &mut Driven, name: &Name, epoch: Epoch) -> Result<Option<Value>, Status> {
    match driven.run(fetch(name, epoch), Epoch(1)) {
        Reply::Operated(answer) => value(answer),
        other => panic!("{other:?}"),
    }
}

/// Names of a level; `None` when there is no container.
fn list(driven: &mut Driven, level: Level, epoch: Epoch) -> Result<Option<Vec<Bytes>>, Status> {
    match driven.run(operate(Operation::List { level, after: Vec::new(), limit: 100, epoch }), Epoch(1)) {
        Reply::Operated(Ok(Outcome::Listed { names, more: false })) => Ok(Some(names)),
        Reply::Operated(Err(Status::Nonexistent)) => Ok(Some(Vec::new())),
        Reply::Operated(Err(Status::NoHandle)) => Ok(None),
        Reply::Operated(Err(status)) => Err(status),
        other => panic!("{other:?}"),
    }
}
