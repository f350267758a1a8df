//! `daos kv list`: page after page, so that a list of any length needs the memory of one page.
//!
//! Names are printed in the form of [`types::Key`]: printable ASCII as it is, other bytes as `\xNN`, a backslash
//! doubled; one line is one name. `--escaped` reads that form back, also in `--after`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use types::{Epoch, Key, Level, MAX_LIST_ENTRIES, ObjectId, Status};
use wire::fault::Failure;

use super::key;
use super::kv::List;
use super::store::Store;
use crate::output::Report;

#[derive(Debug)]
pub(super) struct Prepared {
    level: Level,
    after: Vec<u8>,
    limit: u64,
    epoch: Epoch,
}

pub(super) fn prepare(list: &List) -> Result<Prepared, Failure> {
    let escaped = list.naming.escaped;
    let level = match (&list.dkey, list.objects) {
        (_, true) => Level::Objects,
        (Some(dkey), false) => Level::Akeys(list.naming.oid, key::key(dkey, escaped)?),
        (None, false) => Level::Dkeys(list.naming.oid),
    };
    let after = match (&list.after, &level) {
        (None, _) => Vec::new(),
        (Some(after), Level::Objects) => {
            let id: ObjectId = after
                .to_string_lossy()
                .parse()
                .map_err(|error: types::ParseObjectIdError| Failure::new(Status::Invalid, error.to_string()))?;
            id.to_bytes().to_vec()
        }
        (Some(after), _) => key::key(after, escaped)?.as_bytes().to_vec(),
    };
    Ok(Prepared { level, after, limit: list.limit.unwrap_or(u64::MAX), epoch: list.epoch.unwrap_or(Epoch::MAX) })
}

pub(super) async fn run(
    store: &impl Store,
    list: Prepared,
    mut stream: Option<&mut dyn Write>,
) -> Result<Report, Failure> {
    let Prepared { level, mut after, mut limit, epoch } = list;
    let mut names = Vec::new();
    let mut more = true;
    while more && limit > 0 {
        let page = u32::try_from(limit).unwrap_or(u32::MAX).min(MAX_LIST_ENTRIES);
        let (found, rest) = store.list(level.clone(), after.clone(), page, epoch).await?;
        let Some(last) = found.last() else {
            more = false;
            break;
        };
        after = last.to_vec();
        more = rest;
        limit = limit.saturating_sub(found.len() as u64);
        match stream.as_deref_mut() {
            Some(stream) => {
                let lines: String = found.iter().map(|name| shown(name, &level) + "\n").collect();
                if stream.write_all(lines.as_bytes()).and_then(|()| stream.flush()).is_err() {
                    break; // the reader has seen enough
                }
            }
            None => names.extend(found),
        }
    }
    let names: Vec<Value> = names.iter().map(|name| json_of(name, &level)).collect();
    let what = if level == Level::Objects { "objects" } else { "keys" };
    Ok(Report::new("", json!({what: names, "more": more})))
}

fn object_of(name: &Bytes) -> Option<ObjectId> {
    name.as_ref().try_into().ok().map(ObjectId::from_bytes)
}

fn shown(name: &Bytes, level: &Level) -> String {
    let object = object_of(name).filter(|_| *level == Level::Objects);
    match (object, Key::new(name)) {
        (Some(object), _) => object.to_string(),
        (None, Ok(key)) => key.to_string(),
        (None, Err(error)) => format!("<{error}>"),
    }
}

fn json_of(name: &Bytes, level: &Level) -> Value {
    match level {
        Level::Objects => json!(shown(name, level)),
        _ => json!({"key": shown(name, level), "base64": STANDARD.encode(name)}),
    }
}
