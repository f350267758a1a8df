//! The superblock: where recovery starts.
//!
//! Two copies, in the first two blocks of the meta slice; each new generation overwrites the older one. The table in
//! engine/docs/disk-format.md ("Superblock") is drawn from the offsets here.

use std::fmt;

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer};
use types::{Epoch, TargetIndex};
use uuid::Uuid;

use crate::settings::{Geometry, Identity};

const MAGIC: [u8; 8] = *b"DFRSUPER";
/// Version of what a target has on disk, all structures together: whatever changes in one of them changes this too, so that the
/// superblock tells a target of another version before anything else of it is read.
pub const FORMAT_VERSION: u32 = 2;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = MAGIC_AT + 8;
const TARGET_AT: usize = VERSION_AT + 4;
const ENGINE_AT: usize = TARGET_AT + 4;
const GENERATION_AT: usize = ENGINE_AT + 16;
const ARENA_BYTES_AT: usize = GENERATION_AT + 8;
const WAL_BYTES_AT: usize = ARENA_BYTES_AT + 8;
const META_BYTES_AT: usize = WAL_BYTES_AT + 8;
const DATA_BYTES_AT: usize = META_BYTES_AT + 8;
const TAIL_BLOCK_AT: usize = DATA_BYTES_AT + 8;
const TAIL_SEQUENCE_AT: usize = TAIL_BLOCK_AT + 8;
const LAST_EPOCH_AT: usize = TAIL_SEQUENCE_AT + 8;
const MAP_DIGEST_AT: usize = LAST_EPOCH_AT + 8;
const CRC_AT: usize = BLOCK_BYTES - 4;

/// Why a block is no superblock of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not begin like one.
    Magic,
    /// It begins like one and was not written like this.
    Checksum,
    /// It is whole, and of this version.
    Version(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Magic => f.write_str("the magic number is missing"),
            Fault::Checksum => f.write_str("the checksum does not match"),
            Fault::Version(version) => write!(f, "version {version} is not known, only {FORMAT_VERSION}"),
        }
    }
}

/// A superblock in decoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) identity: Identity,
    /// Rises with each superblock written.
    pub(crate) generation: u64,
    pub(crate) geometry: Geometry,
    /// Block of the wal slice where replay starts.
    pub(crate) tail_block: u64,
    /// Sequence of the group expected there.
    pub(crate) tail_sequence: u64,
    /// Largest epoch before that group.
    pub(crate) last_epoch: Epoch,
    /// Which version of every page map chunk is current, summed up.
    pub(crate) map_digest: u64,
}

impl Superblock {
    pub(crate) fn encode(&self) -> Buffer {
        let mut block = Buffer::zeroed(BLOCK_BYTES);
        block[MAGIC_AT..VERSION_AT].copy_from_slice(&MAGIC);
        block[VERSION_AT..TARGET_AT].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        block[TARGET_AT..ENGINE_AT].copy_from_slice(&self.identity.target.0.to_le_bytes());
        block[ENGINE_AT..GENERATION_AT].copy_from_slice(self.identity.engine.as_bytes());
        for (at, value) in [
            (GENERATION_AT, self.generation),
            (ARENA_BYTES_AT, self.geometry.arena_bytes),
            (WAL_BYTES_AT, self.geometry.wal_bytes),
            (META_BYTES_AT, self.geometry.meta_bytes),
            (DATA_BYTES_AT, self.geometry.data_bytes),
            (TAIL_BLOCK_AT, self.tail_block),
            (TAIL_SEQUENCE_AT, self.tail_sequence),
            (LAST_EPOCH_AT, self.last_epoch.0),
            (MAP_DIGEST_AT, self.map_digest),
        ] {
            block[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let crc = crc32c(&block[..CRC_AT]);
        block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads a block; the error says what is wrong with it.
    pub(crate) fn decode(block: &[u8]) -> Result<Superblock, Fault> {
        if block[MAGIC_AT..VERSION_AT] != MAGIC {
            return Err(Fault::Magic);
        }
        let u32_at = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
        if u32_at(CRC_AT) != crc32c(&block[..CRC_AT]) {
            return Err(Fault::Checksum);
        }
        if u32_at(VERSION_AT) != FORMAT_VERSION {
            return Err(Fault::Version(u32_at(VERSION_AT)));
        }
        let engine: [u8; 16] = block[ENGINE_AT..GENERATION_AT].try_into().expect("sixteen bytes");
        Ok(Superblock {
            identity: Identity { engine: Uuid::from_bytes(engine), target: TargetIndex(u32_at(TARGET_AT)) },
            generation: u64_at(GENERATION_AT),
            geometry: Geometry {
                arena_bytes: u64_at(ARENA_BYTES_AT),
                wal_bytes: u64_at(WAL_BYTES_AT),
                meta_bytes: u64_at(META_BYTES_AT),
                data_bytes: u64_at(DATA_BYTES_AT),
            },
            tail_block: u64_at(TAIL_BLOCK_AT),
            tail_sequence: u64_at(TAIL_SEQUENCE_AT),
            last_epoch: Epoch(u64_at(LAST_EPOCH_AT)),
            map_digest: u64_at(MAP_DIGEST_AT),
        })
    }
}

/// Eight bytes that tie log groups and page map chunks to one format of one target.
pub(crate) fn fragment(identity: &Identity) -> u64 {
    let (high, low) = identity.engine.as_u64_pair();
    high ^ low.rotate_left(17) ^ u64::from(identity.target.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Superblock {
        Superblock {
            identity: Identity {
                engine: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
                target: TargetIndex(3),
            },
            generation: 7,
            geometry: Geometry { arena_bytes: 1 << 20, wal_bytes: 2 << 20, meta_bytes: 3 << 20, data_bytes: 4 << 20 },
            tail_block: 5,
            tail_sequence: 6,
            last_epoch: Epoch(0x0102_0304_0506_0708),
            map_digest: 0xa1a2_a3a4_a5a6_a7a8,
        }
    }

    #[test]
    fn the_bytes_are_golden() {
        let block = sample().encode();
        let hex: String = block[..104].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "4446525355504552",
                "02000000",
                "03000000",
                "00112233445566778899aabbccddeeff",
                "0700000000000000",
                "0000100000000000",
                "0000200000000000",
                "0000300000000000",
                "0000400000000000",
                "0500000000000000",
                "0600000000000000",
                "0807060504030201",
                "a8a7a6a5a4a3a2a1",
            )
        );
        assert!(block[104..CRC_AT].iter().all(|&byte| byte == 0));
        assert_eq!(Superblock::decode(&block), Ok(sample()));
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let mut block = sample().encode();
        block[VERSION_AT] += 1;
        assert_eq!(Superblock::decode(&block), Err(Fault::Checksum));
        let crc = crc32c(&block[..CRC_AT]);
        block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Superblock::decode(&block), Err(Fault::Version(FORMAT_VERSION + 1)));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let block = sample().encode();
        for bit in 0..BLOCK_BYTES * 8 {
            let mut bad = block.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&bad).is_err(), "bit {bit}");
        }
    }
}
