//! SHA-256: over named parts, as build keys are made of, of files and of bytes.

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A hash in the making. Every part is framed by its length, so parts cannot run into each other.
#[derive(Debug, Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// A new one.
    #[must_use]
    pub fn new() -> Digest {
        Digest::default()
    }

    /// Adds a named part.
    pub fn part(&mut self, name: &str, bytes: &[u8]) {
        for piece in [name.as_bytes(), bytes] {
            self.0.update((piece.len() as u64).to_le_bytes());
            self.0.update(piece);
        }
    }

    /// The result in hexadecimal.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Plain SHA-256 of a file, in hexadecimal.
pub fn file(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut sum = Sha256::new();
    let mut block = vec![0_u8; 1 << 16];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hex(&sum.finalize()));
        }
        sum.update(&block[..read]);
    }
}

/// SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
