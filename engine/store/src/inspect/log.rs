//! The log from its tail to its end: what a start would replay, and whether it ends torn or damaged.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Role};
use types::Epoch;

use super::finding::{CRASH, DEFECT, Findings, LOST, Place, UNREADABLE, VERSION};
use super::image::Image;
use crate::log::{self, GroupHeader, Ring, WrittenExtent, decode_body, version_of};
use crate::superblock::Superblock;

/// Bytes of one read while the whole ring is searched.
const TRANSFER_BYTES: usize = 1 << 20;

/// A group as it would be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) start: u64,
    pub(super) header: GroupHeader,
    pub(super) extents: Vec<WrittenExtent>,
    /// Arena offset and length of each record.
    pub(super) records: Vec<(u64, usize)>,
}

/// The log as read.
#[derive(Debug)]
pub(super) struct LogSurvey {
    pub(super) groups: u64,
    pub(super) bytes: u64,
    pub(super) last_epoch: Epoch,
}

struct Reader<'a> {
    wal: &'a mut dyn Device,
    fragment: u64,
    ring: Ring,
    sequence: u64,
    torn: Option<u64>,
}

/// Reads the log, gives each group to `each`, and applies it to the image.
pub(super) fn replay(
    wal: &mut dyn Device,
    data: &mut dyn Device,
    fragment: u64,
    superblock: &Superblock,
    image: &mut Image<'_>,
    findings: &mut Findings,
    each: &mut dyn FnMut(&Group),
) -> LogSurvey {
    let blocks = superblock.geometry.wal_bytes / BLOCK_BYTES as u64;
    let ring = Ring { blocks, head: superblock.tail_block, tail: superblock.tail_block };
    let mut survey = LogSurvey { groups: 0, bytes: 0, last_epoch: superblock.last_epoch };
    if ring.head >= blocks {
        findings.add(
            Place::Slice(Role::Wal, 0),
            DEFECT,
            format!("the log's tail, block {}, lies outside of its {blocks} blocks", ring.head),
        );
        return survey;
    }
    let mut reader = Reader { wal, fragment, ring, sequence: superblock.tail_sequence, torn: None };
    let mut last: Option<(Group, Buffer)> = None;
    let mut seen = 0;
    while let Some(found) = reader.find(findings) {
        if let Some((group, blocks)) = last.replace(found) {
            apply(&group, &blocks, image, findings, &mut survey);
            each(&group);
        }
        // The ring ends where it began.
        seen += last.as_ref().map_or(0, |(group, _)| group.header.blocks());
        if seen >= blocks {
            findings.add(Place::Slice(Role::Wal, 0), DEFECT, "the log has more groups than it has room for");
            break;
        }
    }
    reader.search_beyond(findings);
    if let Some((group, blocks)) = last {
        if data_is_there(data, &group, findings) {
            apply(&group, &blocks, image, findings, &mut survey);
            each(&group);
        } else {
            let text = format!(
                "log group {}: its data was not written before the crash; it is dropped",
                group.header.sequence
            );
            findings.add(place(group.start), CRASH, text);
        }
    }
    survey
}

fn place(block: u64) -> Place {
    Place::Slice(Role::Wal, block * BLOCK_BYTES as u64)
}

impl Reader<'_> {
    fn find(&mut self, findings: &mut Findings) -> Option<(Group, Buffer)> {
        let head = self.ring.head;
        let found =
            self.group_at(head, findings).or_else(|| if head == 0 { None } else { self.group_at(0, findings) })?;
        self.ring.advance(found.0.start, found.0.header.blocks());
        self.sequence = self.sequence.wrapping_add(1);
        Some(found)
    }

    fn group_at(&mut self, start: u64, findings: &mut Findings) -> Option<(Group, Buffer)> {
        let first = self.read(start, 1, findings)?;
        let header = GroupHeader::decode(&first, self.fragment).filter(|header| header.sequence == self.sequence)?;
        if start + header.blocks() > self.ring.blocks {
            self.torn = Some(start);
            return None;
        }
        let blocks = self.read(start, header.blocks(), findings)?;
        match decode_body(&header, &blocks) {
            Ok(Some(body)) => {
                let records = body.redo.iter().map(|(offset, bytes)| (*offset, bytes.len())).collect();
                Some((Group { start, header, extents: body.extents, records }, blocks))
            }
            Ok(None) => {
                self.torn = Some(start);
                None
            }
            Err(reason) => {
                findings.add(place(start), DEFECT, format!("log group {}: {reason}", header.sequence));
                None
            }
        }
    }

    fn read(&mut self, start: u64, blocks: u64, findings: &mut Findings) -> Option<Buffer> {
        let mut buffer = Buffer::zeroed(blocks as usize * BLOCK_BYTES);
        match self.wal.read(start * BLOCK_BYTES as u64, &mut buffer) {
            Ok(()) => Some(buffer),
            Err(error) => {
                findings.add(place(start), UNREADABLE, format!("log group {}: {error}", self.sequence));
                None
            }
        }
    }

    /// What a group after the end tells about the end.
    fn search_beyond(&mut self, findings: &mut Findings) {
        let mut later: Option<(u64, u64)> = None;
        let (named, there) = (self.ring.blocks * BLOCK_BYTES as u64, self.wal.length());
        if named > there {
            // A damaged superblock may name any length.
            let text = format!("the log: its slice ends here, and not after {named} bytes");
            findings.add(Place::Slice(Role::Wal, there), UNREADABLE, text);
        }
        let end = named.min(there);
        let mut offset = 0;
        while offset < end {
            let mut buffer = Buffer::zeroed((end - offset).min(TRANSFER_BYTES as u64) as usize);
            if let Err(error) = self.wal.read(offset, &mut buffer) {
                findings.add(Place::Slice(Role::Wal, offset), UNREADABLE, format!("the log: {error}"));
            }
            for (n, block) in buffer.chunks_exact(BLOCK_BYTES).enumerate() {
                let at = offset + (n * BLOCK_BYTES) as u64;
                if let Some(found) = version_of(block, self.fragment).filter(|found| *found != log::VERSION) {
                    let text =
                        format!("log group: it has version {found}, this program knows version {}", log::VERSION);
                    findings.add(Place::Slice(Role::Wal, at), VERSION, text);
                }
                let header = GroupHeader::decode(block, self.fragment).filter(|header| header.sequence > self.sequence);
                if let Some(header) = header
                    && later.is_none_or(|(sequence, _)| header.sequence < sequence)
                {
                    later = Some((header.sequence, at));
                }
            }
            offset += buffer.len() as u64;
        }
        match (later, self.torn) {
            (Some((sequence, at)), _) => {
                let text = format!(
                    "log group {} is missing or damaged, but group {sequence} follows at byte {at}, so it had been durable; what came after it is not replayed",
                    self.sequence
                );
                findings.add(place(self.ring.head), LOST, text);
            }
            (None, Some(start)) => {
                let text = format!("log group {} is torn: the log ends before it", self.sequence);
                findings.add(place(start), CRASH, text);
            }
            (None, None) => {}
        }
    }
}

fn apply(group: &Group, blocks: &Buffer, image: &mut Image<'_>, findings: &mut Findings, survey: &mut LogSurvey) {
    if let Ok(Some(body)) = decode_body(&group.header, blocks) {
        for (offset, bytes) in body.redo {
            if !image.change(offset, bytes) {
                let text = format!(
                    "log group {}: a record of {} bytes at {offset} lies outside of the arena",
                    group.header.sequence,
                    bytes.len()
                );
                findings.add(place(group.start), DEFECT, text);
            }
        }
    }
    if group.header.last_epoch < survey.last_epoch {
        let text = format!("log group {}: its epoch is before that of the group before", group.header.sequence);
        findings.add(place(group.start), DEFECT, text);
    }
    survey.groups += 1;
    survey.bytes += group.header.blocks() * BLOCK_BYTES as u64;
    survey.last_epoch = survey.last_epoch.max(group.header.last_epoch);
}

/// Whether the data that the last group made visible is on the device; for earlier groups the next one proves it.
fn data_is_there(data: &mut dyn Device, group: &Group, findings: &mut Findings) -> bool {
    for extent in &group.extents {
        let whole = extent.length.checked_next_multiple_of(BLOCK_BYTES as u64);
        let end = whole.and_then(|whole| extent.offset.checked_add(whole));
        if !extent.offset.is_multiple_of(BLOCK_BYTES as u64) || end.is_none_or(|end| end > data.length()) {
            let text = format!(
                "log group {}: it refers to {} bytes at {} of the data slice, which ends before",
                group.header.sequence, extent.length, extent.offset
            );
            findings.add(place(group.start), DEFECT, text);
            continue;
        }
        let mut buffer = Buffer::zeroed(extent.length as usize);
        if let Err(error) = data.read(extent.offset, &mut buffer) {
            let text = format!("data of log group {}: {error}", group.header.sequence);
            findings.add(Place::Slice(Role::Data, extent.offset), UNREADABLE, text);
        } else if crc32c(&buffer[..extent.length as usize]) != extent.crc {
            return false;
        }
    }
    true
}
