//! Checksums of values, and parity of stripes. Who computes them: `kernel`.
//!
//! A value is checked in chunks of 32 KiB with CRC32C. The checksums are made where the data is made (the client), kept
//! beside the data, and checked by everyone who hands the data on.

mod galois;
#[cfg(feature = "isal")]
mod isal;
mod kernel;
mod parity;

use types::{CHECKSUM_CHUNK_BYTES, Checksums};

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

/// The checksum of each chunk of `data`; empty for empty data.
pub fn checksums(data: &[u8]) -> Checksums {
    data.chunks(CHECKSUM_CHUNK_BYTES).map(crc32c).collect()
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
pub fn verify(data: &[u8], checksums: &[u32]) -> Result<(), Mismatch> {
    if data.len().div_ceil(CHECKSUM_CHUNK_BYTES) != checksums.len() {
        return Err(Mismatch::Count);
    }
    for (index, (chunk, expected)) in data.chunks(CHECKSUM_CHUNK_BYTES).zip(checksums).enumerate() {
        if crc32c(chunk) != *expected {
            return Err(Mismatch::Chunk(index * CHECKSUM_CHUNK_BYTES));
        }
    }
    Ok(())
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
        assert!(checksums(b"").is_empty());
        assert_eq!(verify(b"", &[]), Ok(()));
        assert_eq!(verify(b"", &[0]), Err(Mismatch::Count));
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
        fn every_flipped_bit_is_found_in_its_chunk(length in 1usize..100_000, at: prop::sample::Index, bit in 0u8..8) {
            let mut data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let sums = checksums(&data);
            prop_assert_eq!(verify(&data, &sums), Ok(()));
            let at = at.index(length);
            data[at] ^= 1 << bit;
            prop_assert_eq!(verify(&data, &sums), Err(Mismatch::Chunk(at / CHECKSUM_CHUNK_BYTES * CHECKSUM_CHUNK_BYTES)));
        }
    }
}
