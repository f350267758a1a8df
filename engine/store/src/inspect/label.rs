//! Both copies of a device's label.

use media::{BLOCK_BYTES, Buffer, Device, Label};

use super::finding::{COPY, Findings, LOST, MISMATCH, Place, UNREADABLE};

/// What stands in the first and the last block of a device: `None` when it does not begin like a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCopies {
    /// Byte and contents of each copy.
    pub copies: [(u64, Option<Result<Label, String>>); 2],
}

impl LabelCopies {
    /// The label that counts.
    pub fn label(&self) -> Option<&Label> {
        self.copies.iter().find_map(|(_, copy)| copy.as_ref()?.as_ref().ok())
    }
}

/// Reads both copies on a device of `length` bytes, `device` being its whole blocks. A device that grew has its last block elsewhere than at format: the copy is looked for where it was then, too.
pub fn check_label(device: &mut dyn Device, length: u64, findings: &mut Findings) -> LabelCopies {
    let block = BLOCK_BYTES as u64;
    let end = device.length() / block * block;
    let first = copy_at(device, 0, findings);
    let known = first.as_ref().and_then(|copy| copy.as_ref().ok()).map(|label| label.total_bytes / block * block);
    let last_at = known.filter(|total| (2 * block..=end).contains(total)).unwrap_or(end).saturating_sub(block);
    let last = if last_at == 0 { None } else { copy_at(device, last_at, findings) };
    let found = LabelCopies { copies: [(0, first), (last_at, last)] };
    let Some(label) = found.label() else {
        for (byte, copy) in &found.copies {
            let what = match copy {
                Some(Err(reason)) => format!("label: {reason}"),
                _ => String::from("label: there is none; the device is not formatted, or not one of an engine"),
            };
            findings.add(Place::Device(*byte), LOST, what);
        }
        return found;
    };
    for (byte, copy) in &found.copies {
        match copy {
            Some(Ok(copy)) if copy == label => {}
            Some(Ok(_)) => {
                findings.add(Place::Device(*byte), COPY, "label: it says something else than the first copy");
            }
            Some(Err(reason)) => findings.add(Place::Device(*byte), COPY, format!("label: {reason}")),
            None => findings.add(Place::Device(*byte), COPY, "label: this copy is lost"),
        }
    }
    if length < label.total_bytes {
        let text = format!("the device has {} bytes, its label says {}: it was cut off", length, label.total_bytes);
        findings.add(Place::Device(length), MISMATCH, text);
    }
    found
}

fn copy_at(device: &mut dyn Device, offset: u64, findings: &mut Findings) -> Option<Result<Label, String>> {
    let mut block = Buffer::zeroed(BLOCK_BYTES);
    match device.read(offset, &mut block) {
        Ok(()) => Label::decode(&block),
        Err(error) => {
            findings.add(Place::Device(offset), UNREADABLE, format!("label: {error}"));
            None
        }
    }
}
