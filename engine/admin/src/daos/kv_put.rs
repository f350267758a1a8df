//! `daos kv put`.
//!
//! A single value is one update. An array put larger than one update is written extent by extent, in ascending order;
//! each extent is atomic, the whole is not, and a condition guards the first.

use std::io::Read;

use bytes::Bytes;
use serde_json::json;
use types::{Address, Condition, Epoch, MAX_VALUE_BYTES, Shape, Status};
use wire::fault::Failure;

use super::kv::Put;
use super::store::Store;
use super::value;
use crate::output::Report;

/// Arrays end before this byte.
const MAX_ARRAY_END: u64 = 1 << 63;

#[derive(Debug)]
pub(super) struct Prepared {
    address: Address,
    /// Offset of an array; none for a single value.
    offset: Option<u64>,
    condition: Condition,
    data: Bytes,
}

pub(super) fn prepare(put: &Put, stdin: &mut dyn Read) -> Result<Prepared, Failure> {
    let address = put.key.address()?;
    let data = value::read(&put.value, put.array, stdin)?;
    let fits = put.offset.checked_add(data.len() as u64).is_some_and(|end| end <= MAX_ARRAY_END);
    if !fits {
        let message = format!("{} bytes from offset {} end behind the limit of 2^63", data.len(), put.offset);
        return Err(Failure::new(Status::Invalid, message).with_resolution("give a smaller --offset"));
    }
    Ok(Prepared { address, offset: put.array.then_some(put.offset), condition: put.condition(), data })
}

pub(super) async fn run(store: &impl Store, put: Prepared) -> Result<Report, Failure> {
    let Prepared { address, offset, condition, data } = put;
    let bytes = data.len();
    let epoch = match offset {
        None => {
            let written = store.update(&address, Shape::Single, condition, data).await;
            written.map_err(|failure| explain(failure, &address))?
        }
        Some(offset) => put_array(store, &address, offset, condition, data).await?,
    };
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    let text = format!("Stored {bytes} {unit} at epoch {epoch}\n");
    Ok(Report::new(text, json!({"bytes": bytes, "epoch": epoch.to_string()})))
}

async fn put_array(
    store: &impl Store,
    address: &Address,
    offset: u64,
    condition: Condition,
    mut data: Bytes,
) -> Result<Epoch, Failure> {
    let (total, mut at, mut guard, mut epoch) = (data.len(), offset, condition, Epoch::ZERO);
    while !data.is_empty() {
        let extent = data.split_to(data.len().min(MAX_VALUE_BYTES));
        let length = extent.len() as u64;
        let shape = Shape::array(at);
        epoch = store.update(address, shape, guard, extent).await.map_err(|failure| {
            let failure = explain(failure, address);
            match at - offset {
                0 => failure,
                done => Failure {
                    message: format!("{} ({done} of {total} bytes were written)", failure.message),
                    ..failure
                },
            }
        })?;
        at += length;
        guard = Condition::Always;
    }
    Ok(epoch)
}

fn explain(failure: Failure, address: &Address) -> Failure {
    let Address { object, dkey, akey } = address;
    let name = format!("dkey `{dkey}`, akey `{akey}` of object {object}");
    match failure.status {
        Status::Exists => Failure { message: format!("{name} has a value already"), ..failure }
            .with_resolution("leave --if-absent out to replace it"),
        Status::Nonexistent if failure.resolution.is_empty() => {
            Failure { message: format!("{name} has no value yet"), ..failure }
                .with_resolution("leave --if-present out to store the first one")
        }
        Status::Invalid if failure.resolution.is_empty() => {
            Failure { message: format!("{name} cannot be written this way"), ..failure }.with_resolution(
                "an akey holds a single value or an array, never both; remove it first to change the kind",
            )
        }
        Status::NoSpace if failure.resolution.is_empty() => failure.with_resolution(
            "remove what is no longer needed, or create a larger pool; `daos pool query` shows its space",
        ),
        _ => failure,
    }
}
