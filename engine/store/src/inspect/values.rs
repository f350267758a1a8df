//! Records of an index against their form, their checksums and the data slice.

use erasure::verify;
use media::{BLOCK_BYTES, Buffer, Device, Role};
use types::{CHECKSUM_CHUNK_BYTES, ChecksumKind, ChecksumSlice};

use super::finding::{DEFECT, Findings, Place, UNREADABLE, VALUE};
use super::key::{Key, Subject};
use crate::extents::Extent;
use crate::index::{DATA_THRESHOLD, Record, class_of};

/// The largest array offset.
const ARRAY_END: u64 = 1 << 63;
/// Bytes of one read of a value.
const TRANSFER_BYTES: usize = 1 << 20;

/// What is wrong with a record under its key, if anything.
pub(super) fn form_fault(key: &Key, record: &Record<'_>) -> Option<String> {
    let length = record.length();
    let kept = match (key.subject, record) {
        (Subject::Punched { .. }, Record::Hole { .. }) => true,
        // One byte is what an array has without such a record.
        (Subject::RecordSize, Record::Size { bytes }) => *bytes > 1,
        (Subject::Single | Subject::Written { .. }, Record::Inline { .. }) => length < DATA_THRESHOLD as u64,
        (Subject::Single | Subject::Written { .. }, Record::Data { .. }) => length >= DATA_THRESHOLD as u64,
        _ => false,
    };
    if !kept {
        let what = match record {
            Record::Inline { .. } => "value in the arena",
            Record::Data { .. } => "value in the data slice",
            Record::Hole { .. } => "range",
            Record::Size { .. } => "record size",
        };
        return Some(format!("a {what} of {length} bytes is not what it can hold"));
    }
    if let Subject::Written { class, offset } | Subject::Punched { class, offset } = key.subject {
        if length == 0 || offset.checked_add(length).is_none_or(|end| end > ARRAY_END) {
            return Some(format!("{length} bytes from {offset} on are no part of an array"));
        }
        if class != class_of(length) {
            return Some(format!("it has class {class}, but {length} bytes are of class {}", class_of(length)));
        }
    }
    None
}

/// The checksum of a value in the arena.
pub(super) fn check_inline(
    name: &str,
    value_at: u64,
    checksums: ChecksumSlice<'_>,
    bytes: &[u8],
    findings: &mut Findings,
) {
    if verify(bytes, checksums).is_err() {
        let text = format!("{name}: its {} bytes do not match {}", bytes.len(), told(checksums));
        findings.add(Place::Arena(value_at), VALUE, text);
    }
}

/// Checksums in words: kind and digits.
fn told(checksums: ChecksumSlice<'_>) -> String {
    let kind = checksums.kind().map_or("no checksum", ChecksumKind::as_str);
    format!("{kind} {}", hex(checksums.as_bytes()))
}

/// Bytes of a checksum as digits, in the order in which they are stored.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value of the data slice, and its checksums.
pub(super) struct Stored<'r> {
    pub(super) length: u32,
    pub(super) extent: Extent,
    pub(super) checksums: ChecksumSlice<'r>,
}

/// Checks the extent of a value; false when it does not lie in the data slice.
pub(super) fn check_extent(name: &str, place: Place, extent: Extent, blocks: u64, findings: &mut Findings) -> bool {
    let inside = extent.start.checked_add(extent.blocks).is_some_and(|end| end <= blocks);
    if !inside {
        let text = format!(
            "{name}: blocks {} and {} after it are beyond the {blocks} of the data slice",
            extent.start, extent.blocks
        );
        findings.add(place, DEFECT, text);
    }
    inside
}

/// Reads a value and compares every checksum.
pub(super) fn check_stored(name: &str, data: &mut dyn Device, stored: &Stored<'_>, findings: &mut Findings) {
    let start = stored.extent.start * BLOCK_BYTES as u64;
    let mut done = 0;
    while done < stored.length as usize {
        let length = (stored.length as usize - done).min(TRANSFER_BYTES);
        let mut buffer = Buffer::zeroed(length);
        if let Err(error) = data.read(start + done as u64, &mut buffer) {
            findings.add(Place::Slice(Role::Data, start + done as u64), UNREADABLE, format!("{name}: {error}"));
            return;
        }
        for chunk in buffer[..length].chunks(CHECKSUM_CHUNK_BYTES) {
            let number = done / CHECKSUM_CHUNK_BYTES;
            let checksums = stored.checksums.range(number, number + 1);
            if verify(chunk, checksums).is_err() {
                let text =
                    format!("{name}: {} bytes from byte {done} on do not match {}", chunk.len(), told(checksums));
                findings.add(Place::Slice(Role::Data, start + done as u64), VALUE, text);
            }
            done += chunk.len();
        }
    }
}
