//! A device file under a stopped engine, to be damaged and mended.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use media::{BLOCK_BYTES, Inspection, Label, Role, Slice, inspect};

/// Bytes looked at in one step of a search.
const WINDOW_BYTES: usize = 4 << 20;

/// An open device file.
#[derive(Debug)]
pub struct DeviceFile {
    file: File,
    length: u64,
    label: Label,
}

impl DeviceFile {
    /// Opens a formatted one.
    pub fn open(path: &Path) -> DeviceFile {
        let label = match inspect(path).expect("the device can be read") {
            Inspection::Formatted(label) => label,
            other => panic!("{} is not formatted: {other:?}", path.display()),
        };
        let file = File::options().read(true).write(true).open(path).expect("the device can be written");
        let length = file.metadata().expect("the device has a length").len();
        DeviceFile { file, length, label }
    }

    /// Its length when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The slice of a target for a role.
    pub fn slice(&self, target: u32, role: Role) -> Slice {
        let wanted = |slice: &&Slice| slice.target.0 == target && slice.role == role;
        *self.label.slices.iter().find(wanted).expect("every target has a slice for every role")
    }

    /// One block.
    pub fn block(&self, at: u64) -> Vec<u8> {
        let mut block = vec![0; BLOCK_BYTES];
        self.file.read_exact_at(&mut block, at).expect("the block is there");
        block
    }

    /// A number of eight bytes.
    pub fn number(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at).expect("the bytes are there");
        u64::from_le_bytes(bytes)
    }

    /// Writes bytes.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).expect("the device can be written");
        self.file.sync_all().expect("the device can be written");
    }

    /// Changes one bit; twice is as before.
    pub fn flip(&self, at: u64) {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, at).expect("the byte is there");
        self.write(at, &[byte[0] ^ 1]);
    }

    /// Where `bytes` stand at the start of a block.
    pub fn find(&self, bytes: &[u8]) -> Option<u64> {
        let mut window = vec![0; WINDOW_BYTES];
        let step = WINDOW_BYTES as u64;
        (0..self.length / step).find_map(|index| {
            self.file.read_exact_at(&mut window, index * step).expect("it lies within the device");
            let block = window.chunks_exact(BLOCK_BYTES).position(|block| block.starts_with(bytes))?;
            Some(index * step + (block * BLOCK_BYTES) as u64)
        })
    }
}
