//! Checksums of values, and parity of stripes. Who computes them: `kernel`.
//!
//! A value is checked in chunks of 32 KiB, with CRC32C unless its container says otherwise. The checksums are made where the data is made (the client), kept
//! beside the data, and checked by everyone who hands the data on.

mod galois;
#[cfg(feature = "isal")]
mod isal;
mod kernel;
mod parity;

use std::array;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use types::{CHECKSUM_CHUNK_BYTES, ChecksumKind, ChecksumSlice, Checksums};

pub use kernel::{Choice, Kernel, UnknownKernel};
pub use parity::{Code, MAX_CELLS, ParityError};

/// CRC32C (Castagnoli, iSCSI) of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    kernel::checksums().crc32c(bytes)
}

/// The CRC32C of some bytes followed by `second_bytes` others, from the checksums of both.
pub fn join_crc32c(first: u32, second: u32, second_bytes: u64) -> u32 {
    let algorithm = crc_fast::CrcAlgorithm::Crc32Iscsi;
    crc_fast::checksum_combine(algorithm, u64::from(first), u64::from(second), second_bytes) as u32
}

/// CRC-64/XZ of `bytes`.
fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, bytes)
}

/// Calls `each` with the checksum of `chunk`.
fn with_checksum<T>(kind: ChecksumKind, chunk: &[u8], each: impl FnOnce(&[u8]) -> T) -> T {
    match kind {
        ChecksumKind::Crc32c => each(&crc32c(chunk).to_le_bytes()),
        ChecksumKind::Crc64 => each(&crc64(chunk).to_le_bytes()),
        ChecksumKind::Sha256 => each(&Sha256::digest(chunk)),
    }
}

/// The checksum of each chunk of `data`; empty for empty data.
pub fn checksums(kind: ChecksumKind, data: &[u8]) -> Checksums {
    let mut all = Checksums::with_capacity(kind, data.len().div_ceil(CHECKSUM_CHUNK_BYTES));
    for chunk in data.chunks(CHECKSUM_CHUNK_BYTES) {
        with_checksum(kind, chunk, |checksum| all.push(checksum));
    }
    all
}

/// Where data and checksums disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// There is not one checksum per chunk.
    Count,
    /// The chunk that starts at this byte has other contents.
    Chunk(usize),
}

/// Compares `data` with the checksums made for it.
pub fn verify<'a>(data: &[u8], checksums: impl Into<ChecksumSlice<'a>>) -> Result<(), Mismatch> {
    let checksums = checksums.into();
    if data.len().div_ceil(CHECKSUM_CHUNK_BYTES) != checksums.count() {
        return Err(Mismatch::Count);
    }
    let Some(kind) = checksums.kind() else { return Ok(()) };
    for (index, (chunk, expected)) in data.chunks(CHECKSUM_CHUNK_BYTES).zip(checksums.iter()).enumerate() {
        if !with_checksum(kind, chunk, |found| found == expected) {
            return Err(Mismatch::Chunk(index * CHECKSUM_CHUNK_BYTES));
        }
    }
    Ok(())
}

/// The CRC32C of all of `data`, of which `checksums` are right: joined from them when they are CRC32C.
pub fn whole_crc32c<'a>(data: &[u8], checksums: impl Into<ChecksumSlice<'a>>) -> u32 {
    let checksums = checksums.into();
    if checksums.kind() != Some(ChecksumKind::Crc32c) {
        return crc32c(data);
    }
    let crcs = checksums.iter().map(|crc| u32::from_le_bytes(crc.try_into().expect("a CRC32C has four bytes")));
    let chunks = data.chunks(CHECKSUM_CHUNK_BYTES).zip(crcs).map(|(chunk, crc)| (crc, chunk.len()));
    let joined = chunks.reduce(|(whole, _), (crc, length)| match length {
        CHECKSUM_CHUNK_BYTES => (past_a_chunk(whole) ^ crc, length),
        _ => (join_crc32c(whole, crc, length as u64), length),
    });
    joined.map_or(0, |(whole, _)| whole)
}

/// What a CRC32C becomes when a chunk follows, without the chunk's own. Linear in its bits, so four tables do what [`join_crc32c`] takes
/// microseconds for.
fn past_a_chunk(crc: u32) -> u32 {
    static TABLES: LazyLock<[[u32; 256]; 4]> = LazyLock::new(|| {
        let bits: [u32; 32] = array::from_fn(|bit| join_crc32c(1 << bit, 0, CHECKSUM_CHUNK_BYTES as u64));
        let of = |byte: usize, value: usize| {
            (0..8).filter(|bit| value >> bit & 1 == 1).fold(0, |sum, bit| sum ^ bits[8 * byte + bit])
        };
        array::from_fn(|byte| array::from_fn(|value| of(byte, value)))
    });
    let tables = &*TABLES;
    (0..4).fold(0, |sum, byte| sum ^ tables[byte][(crc >> (8 * byte)) as usize & 0xff])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KERNELS;
    use proptest::prelude::*;

    #[test]
    fn the_polynomial_is_castagnoli() {
        for kernel in KERNELS {
            // Check value of CRC-32/ISCSI, RFC 3720 B.4.
            assert_eq!(kernel.crc32c(b"123456789"), 0xe306_9283, "{}", kernel.name());
        }
    }

    #[test]
    fn no_data_has_no_checksums() {
        for kind in ChecksumKind::ALL {
            assert!(checksums(kind, b"").is_empty());
            assert_eq!(verify(b"", &Checksums::none()), Ok(()));
            assert_eq!(verify(b"", &checksums(kind, b"x")), Err(Mismatch::Count));
            assert_eq!(verify(b"x", &Checksums::none()), Err(Mismatch::Count));
        }
    }

    #[test]
    fn each_kind_has_its_known_check_value() {
        let hex = |kind| format!("{:?}", checksums(kind, b"123456789"));
        // CRC-32/ISCSI and CRC-64/XZ in the catalogue of parametrised CRC algorithms, little-endian here; FIPS 180-4.
        assert_eq!(hex(ChecksumKind::Crc32c), "crc32[839206e3]");
        assert_eq!(hex(ChecksumKind::Crc64), "crc64[fa3919dfbbc95d99]");
        assert_eq!(
            hex(ChecksumKind::Sha256),
            "sha256[15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225]"
        );
    }

    proptest! {
        #[test]
        fn all_kernels_make_the_same_checksum(bytes in prop::collection::vec(any::<u8>(), 0..100_000), from in 0usize..64) {
            // From any address: vector instructions like some better than others.
            let bytes = &bytes[from.min(bytes.len())..];
            for kernel in KERNELS {
                prop_assert_eq!(kernel.crc32c(bytes), KERNELS[0].crc32c(bytes), "{}", kernel.name());
            }
        }

        #[test]
        fn joined_checksums_are_those_of_the_whole(first: Vec<u8>, second: Vec<u8>) {
            let whole = [first.clone(), second.clone()].concat();
            prop_assert_eq!(join_crc32c(crc32c(&first), crc32c(&second), second.len() as u64), crc32c(&whole));
        }

        #[test]
        fn every_flipped_bit_is_found_in_its_chunk(
            kind in prop::sample::select(&ChecksumKind::ALL[..]),
            length in 1usize..100_000,
            at: prop::sample::Index,
            bit in 0u8..8,
        ) {
            let mut data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let sums = checksums(kind, &data);
            prop_assert_eq!(sums.kind(), Some(kind));
            prop_assert_eq!(whole_crc32c(&data, &sums), crc32c(&data));
            prop_assert_eq!(verify(&data, &sums), Ok(()));
            let at = at.index(length);
            data[at] ^= 1 << bit;
            prop_assert_eq!(verify(&data, &sums), Err(Mismatch::Chunk(at / CHECKSUM_CHUNK_BYTES * CHECKSUM_CHUNK_BYTES)));
        }
    }
}
