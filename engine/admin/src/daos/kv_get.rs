//! `daos kv get`.
//!
//! An array is read in pieces of one update's size; what was never written, or was removed, reads as zeros.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use types::{Address, Epoch, MAX_VALUE_BYTES, Segment, Selection, Status};
use wire::fault::Failure;

use super::kv::Get;
use super::store::Store;
use super::value::{self, MAX_ARRAY_PUT_BYTES};
use crate::output::Report;

/// Most bytes one get gives, for the same reason as a put.
const MAX_GET_BYTES: u64 = MAX_ARRAY_PUT_BYTES;

#[derive(Debug)]
pub(super) struct Prepared {
    address: Address,
    /// Offset and length of an array; none for a single value.
    range: Option<(u64, Option<u64>)>,
    epoch: Epoch,
    output: Option<PathBuf>,
}

pub(super) fn prepare(get: Get) -> Result<Prepared, Failure> {
    let address = get.key.address()?;
    let range = get.array.then_some((get.offset, get.length));
    Ok(Prepared { address, range, epoch: get.epoch.unwrap_or(Epoch::MAX), output: get.output })
}

pub(super) async fn run(store: &impl Store, get: Prepared) -> Result<Report, Failure> {
    let Prepared { address, range, epoch, output } = get;
    let bytes = match range {
        None => single(store, &address, epoch).await,
        Some((offset, length)) => array(store, &address, offset, length, epoch).await,
    };
    let bytes = bytes.map_err(|failure| explain(failure, &address, range.is_some()))?;
    let Some(path) = output else {
        let response = json!({
            "bytes": bytes.len(),
            "base64": STANDARD.encode(&bytes),
            "text": std::str::from_utf8(&bytes).map_or(Value::Null, |text| json!(text)),
        });
        return Ok(Report::new(bytes, response));
    };
    value::write(&path, &bytes)?;
    Ok(Report::new("", json!({"bytes": bytes.len(), "file": path})))
}

async fn single(store: &impl Store, address: &Address, epoch: Epoch) -> Result<Vec<u8>, Failure> {
    let segments = store.fetch(address, Selection::Single, epoch).await?;
    Ok(segments.into_iter().next().map(|segment| segment.data.to_vec()).unwrap_or_default())
}

async fn array(
    store: &impl Store,
    address: &Address,
    offset: u64,
    length: Option<u64>,
    epoch: Epoch,
) -> Result<Vec<u8>, Failure> {
    let size = store.array_size(address, epoch).await?;
    if size == 0 {
        // an array without bytes and no array at all are different answers
        let selection = Selection::Array { offset: 0, length: 1 };
        store.fetch(address, selection, epoch).await?;
        return Ok(Vec::new());
    }
    let length = size.saturating_sub(offset).min(length.unwrap_or(u64::MAX));
    if length > MAX_GET_BYTES {
        let message = format!("{length} bytes are more than the limit of {MAX_GET_BYTES} bytes of one get");
        return Err(Failure::new(Status::TooBig, message).with_resolution("read parts with --offset and --length"));
    }
    let mut bytes = vec![0; usize::try_from(length).expect("the limit is far below the address space")];
    let mut done = 0;
    while done < bytes.len() {
        let piece = (bytes.len() - done).min(MAX_VALUE_BYTES);
        let start = offset + done as u64;
        let selection = Selection::Array { offset: start, length: piece as u64 };
        let segments = store.fetch(address, selection, epoch).await?;
        place(&segments, start, &mut bytes[done..done + piece])?;
        done += piece;
    }
    Ok(bytes)
}

/// Copies segments into a window of the array that starts at `start`.
fn place(segments: &[Segment], start: u64, window: &mut [u8]) -> Result<(), Failure> {
    for segment in segments {
        let at = segment.offset.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        let target = at.and_then(|at| window.get_mut(at..at.checked_add(segment.data.len())?));
        let Some(target) = target else {
            return Err(Failure::new(Status::Protocol, "the engine sent bytes that were not asked for"));
        };
        target.copy_from_slice(&segment.data);
    }
    Ok(())
}

fn explain(failure: Failure, address: &Address, array: bool) -> Failure {
    let Address { object, dkey, akey } = address;
    let name = format!("dkey `{dkey}`, akey `{akey}` of object {object}");
    match failure.status {
        Status::Nonexistent if failure.resolution.is_empty() => {
            Failure { message: format!("{name} has no value"), ..failure }
                .with_resolution("`daos kv list` shows the keys there are")
        }
        Status::Invalid if failure.resolution.is_empty() => {
            let remedy =
                if array { "read the single value there without --array" } else { "read the array there with --array" };
            Failure { message: format!("{name}: {}", failure.message), ..failure }.with_resolution(remedy)
        }
        _ => failure,
    }
}
