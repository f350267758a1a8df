//! The index of one container: every record, and the container's own books.

use media::{BLOCK_BYTES, Device};
use types::ChecksumKind;

use super::Summary;
use super::finding::{BOOKS, DEFECT, Findings, MARKED, Place};
use super::key::{Key, Subject};
use super::prepared::Prepared;
use super::space::{Share, Use};
use super::tree::{Leaf, Walker};
use super::values::{Stored, check_extent, check_inline, check_stored, form_fault};
use crate::arena::header::DATA_BLOCKS_AT;
use crate::catalog::{
    CONTAINER_CHECKSUM_KIND_AT, CONTAINER_DKEY_TOMBSTONES_AT, CONTAINER_OBJECT_TOMBSTONES_AT,
    CONTAINER_RECORD_SIZES_AT, CONTAINER_ROOT_AT, CONTAINER_USED_ARENA_AT, CONTAINER_USED_DATA_AT,
};
use crate::index::Record;

/// What the indexes of all containers add to.
pub(super) struct Tally<'t> {
    /// To check values in the data slice too.
    pub(super) data: Option<&'t mut (dyn Device + 'static)>,
    pub(super) shares: &'t mut Vec<Share>,
    pub(super) summary: &'t mut Summary,
}

struct Counts {
    /// Of the container.
    kind: Option<ChecksumKind>,
    data_blocks: u64,
    objects: u64,
    dkeys: u64,
    sizes: u64,
}

/// Checks the container whose record is at `record`, with the transactions `prepared` in it; gives the arena and data bytes it uses.
pub(super) fn check(
    walker: &mut Walker<'_, '_>,
    record: u64,
    name: &str,
    prepared: &[Prepared],
    tally: &mut Tally<'_>,
) -> (u64, u64) {
    let number = walker.image.u8_at(record + CONTAINER_CHECKSUM_KIND_AT);
    let kind = ChecksumKind::from_number(number);
    if kind.is_none() {
        let text = format!("{name}: {number} is no kind of checksums");
        walker.findings.add(Place::Arena(record + CONTAINER_CHECKSUM_KIND_AT), DEFECT, text);
    }
    let mut counts = Counts { kind, data_blocks: 0, objects: 0, dkeys: 0, sizes: 0 };
    let blocks = walker.image.u64_at(DATA_BLOCKS_AT);
    let charged = walker.tree(record + CONTAINER_ROOT_AT, &format!("index of {name}"), &mut |leaf, findings| {
        tally.summary.records += 1;
        if let Err(reason) = check_record(leaf, name, blocks, tally, &mut counts, findings) {
            findings.add(leaf.place, DEFECT, format!("index of {name}: {reason}"));
        }
    });
    let booked = prepared.iter().fold(0u64, |sum, one| sum.saturating_add(one.booked));
    prepared.iter().for_each(|one| check_prepared(one, name, blocks, tally, &mut counts, walker.findings));
    let used = (charged.saturating_add(booked), counts.data_blocks.saturating_mul(BLOCK_BYTES as u64));
    for (what, found, at) in [
        ("bytes of arena are used", used.0, CONTAINER_USED_ARENA_AT),
        ("bytes of data are used", used.1, CONTAINER_USED_DATA_AT),
        ("tombstones of objects are there", counts.objects, CONTAINER_OBJECT_TOMBSTONES_AT),
        ("tombstones of dkeys are there", counts.dkeys, CONTAINER_DKEY_TOMBSTONES_AT),
        ("record sizes are there", counts.sizes, CONTAINER_RECORD_SIZES_AT),
    ] {
        let booked = walker.image.u64_at(record + at);
        if found != booked && *walker.whole {
            walker.findings.add(
                Place::Arena(record + at),
                BOOKS,
                format!("{name}: {found} {what}, its record says {booked}"),
            );
        }
    }
    used
}

/// Changes that wait for their commit have the form of records, and hold blocks of the data slice; the container's counts have them
/// when they enter the index.
fn check_prepared(
    one: &Prepared,
    container: &str,
    blocks: u64,
    tally: &mut Tally<'_>,
    counts: &mut Counts,
    findings: &mut Findings,
) {
    let mut waiting = Counts { kind: counts.kind, data_blocks: 0, objects: 0, dkeys: 0, sizes: 0 };
    let name = format!("{container}, prepared transaction {}", one.id);
    for change in &one.changes {
        let leaf = Leaf { value_at: change.record_at, place: one.place, key: &change.key, value: &change.record };
        if let Err(reason) = check_record(&leaf, &name, blocks, tally, &mut waiting, findings) {
            findings.add(one.place, DEFECT, format!("{name}: {reason}"));
        }
    }
    counts.data_blocks = counts.data_blocks.saturating_add(waiting.data_blocks);
}

fn check_record(
    leaf: &Leaf<'_>,
    container: &str,
    blocks: u64,
    tally: &mut Tally<'_>,
    counts: &mut Counts,
    findings: &mut Findings,
) -> Result<(), String> {
    let key = Key::parse(leaf.key)?;
    if key.epoch > tally.summary.last_epoch {
        return Err(format!("{key}: its epoch is after the last one of the log, {:#x}", tally.summary.last_epoch.0));
    }
    if key.subject == Subject::Tombstone {
        match key.names.len() {
            0 => counts.objects += 1,
            1 => counts.dkeys += 1,
            _ => {}
        }
        return if leaf.value.is_empty() { Ok(()) } else { Err(format!("{key}: it has a value")) };
    }
    let record = Record::parse(leaf.value).map_err(|reason| format!("{key}: {reason}"))?;
    if let Some(reason) = form_fault(&key, &record) {
        return Err(format!("{key}: {reason}"));
    }
    if let Record::Inline { checksums, .. } | Record::Data { checksums, .. } = record
        && checksums.kind().is_some_and(|kind| counts.kind != Some(kind))
    {
        return Err(format!("{key}: its checksums are of another kind than the container says"));
    }
    if record.is_damaged() {
        findings.add(leaf.place, MARKED, format!("{container}, {key}: it is marked as damaged"));
    }
    let name = || format!("{container}, {key}");
    match record {
        Record::Hole { .. } => {}
        Record::Size { .. } => counts.sizes += 1,
        Record::Inline { checksums, bytes, .. } => {
            tally.summary.values += 1;
            let bytes_at = leaf.value_at + (leaf.value.len() - bytes.len()) as u64;
            check_inline(&name(), bytes_at, checksums, bytes, findings);
        }
        Record::Data { length, checksums, .. } => {
            tally.summary.values += 1;
            let extent = record.extent().expect("a record of the data slice has one");
            counts.data_blocks = counts.data_blocks.saturating_add(extent.blocks);
            if check_extent(&name(), leaf.place, extent, blocks, findings) {
                let at = leaf.place.byte();
                tally.shares.push(Share { start: extent.start, blocks: extent.blocks, purpose: Use::Value, at });
                if let Some(data) = &mut tally.data {
                    tally.summary.data_bytes_checked += u64::from(length);
                    check_stored(&name(), &mut **data, &Stored { length, extent, checksums }, findings);
                }
            }
        }
    }
    Ok(())
}
