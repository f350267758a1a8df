//! Doors for the fuzz targets (engine/store/fuzz): each takes any bytes and must come back. Behind a feature, and no part
//! of what this crate offers.
//!
//! Checksums would hide the decoders from a fuzzer, so that each door also puts right ones in. What takes a whole target
//! starts from a good one and changes bytes of it.

use std::sync::OnceLock;

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Mem};

use crate::checkpoint::{CHUNK_ENTRIES, decode_chunk, encode_chunk};
use crate::index::Record;
use crate::inspect::{CheckOptions, Findings, Item, Sink, Structure, check_target, dump_target, sample, walk_arena};
use crate::log::{GroupHeader, decode_body};
use crate::settings::Settings;
use crate::store::open;
use crate::superblock::Superblock;

/// Findings kept: a broken target has any number.
const FINDINGS_MOST: usize = 100;

fn block(data: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK_BYTES];
    let length = data.len().min(BLOCK_BYTES);
    block[..length].copy_from_slice(&data[..length]);
    block
}

fn sign(block: &mut [u8], at: usize, covered: std::ops::Range<usize>) {
    block[at..at + 4].fill(0);
    let crc = crc32c(&block[covered]);
    block[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// A superblock: what decodes, encodes to the same fields again.
pub fn superblock(data: &[u8]) {
    let mut block = block(data);
    let _ = Superblock::decode(&block);
    sign(&mut block, BLOCK_BYTES - 4, 0..BLOCK_BYTES - 4);
    if let Ok(found) = Superblock::decode(&block) {
        assert_eq!(Superblock::decode(&found.encode()), Ok(found));
    }
}

/// A page map chunk.
pub fn chunk(data: &[u8]) {
    let mut block = block(data);
    let fragment = u64::from_le_bytes(block[8..16].try_into().expect("eight bytes"));
    let index = u64::from(u32::from_le_bytes(block[24..28].try_into().expect("four bytes")));
    sign(&mut block, 28, 0..BLOCK_BYTES);
    if let Some(found) = decode_chunk(&block, fragment, index, CHUNK_ENTRIES as usize) {
        let again = encode_chunk(fragment, found.generation, index, &found.entries);
        assert_eq!(decode_chunk(&again, fragment, index, CHUNK_ENTRIES as usize), Some(found));
    }
}

/// A log group: its header from the first bytes, its body from the rest.
pub fn group(data: &[u8]) {
    let mut blocks = data.to_vec();
    blocks.resize(data.len().max(BLOCK_BYTES).next_multiple_of(BLOCK_BYTES), 0);
    let fragment = u64::from_le_bytes(blocks[8..16].try_into().expect("eight bytes"));
    let body = u32::from_le_bytes(blocks[32..36].try_into().expect("four bytes")) as usize;
    if let Some(body) = blocks.get(64..64 + body) {
        let crc = crc32c(body);
        blocks[44..48].copy_from_slice(&crc.to_le_bytes());
    }
    sign(&mut blocks, 60, 0..60);
    if let Some(header) = GroupHeader::decode(&blocks, fragment)
        && let Ok(Some(body)) = decode_body(&header, &blocks)
    {
        let bytes: usize = body.redo.iter().map(|(_, bytes)| 12 + bytes.len()).sum();
        assert_eq!(bytes + 24 * body.extents.len(), header.body_bytes as usize);
    }
}

/// A record of an index, a key of one, and a prepared transaction.
pub fn record(data: &[u8]) {
    if let Ok(record) = Record::parse(data) {
        let _ = (record.length(), record.extent());
    }
    crate::inspect::read_key(data);
    crate::inspect::read_prepared(data);
}

/// A good target, and where its slices are not zero.
struct Ground {
    slices: [Vec<u8>; 3],
    arena: Vec<u8>,
    used: [Vec<u32>; 4],
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let sample = sample::Sample::new();
        let slices = [sample.wal.image(), sample.meta.image(), sample.data.image()];
        let arena = sample.arena();
        let used = [&slices[0], &slices[1], &slices[2], &arena]
            .map(|bytes| (0..bytes.len() as u32).filter(|at| bytes[*at as usize] != 0).collect());
        Ground { slices, arena, used }
    })
}

/// Overwrites up to eight bytes at a time at places in use: two bytes of place, one of length, the bytes.
fn patch(bytes: &mut [u8], used: &[u32], mut data: &[u8]) {
    while let [low, high, length, rest @ ..] = data {
        let place = (usize::from(u16::from_le_bytes([*low, *high])) * used.len()) >> 16;
        let at = used.get(place).map_or(0, |at| *at as usize);
        let length = usize::from(length % 8 + 1).min(rest.len()).min(bytes.len() - at);
        bytes[at..at + length].copy_from_slice(&rest[..length]);
        data = &rest[length..];
    }
}

/// An arena: changed bytes of a good one, or the bytes as they come.
pub fn arena(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else { return };
    let mut findings = Findings::new(FINDINGS_MOST);
    if mode % 4 == 0 {
        walk_arena(data, &mut findings);
        return;
    }
    let mut bytes = ground().arena.clone();
    patch(&mut bytes, &ground().used[3], data);
    walk_arena(&bytes, &mut findings);
}

struct Nowhere;

impl Sink for Nowhere {
    fn section(&mut self, _: &'static str) {}
    fn item(&mut self, _: Item) {}
}

/// A target with changed bytes in one slice: the check and the dump come back, whatever it holds. Half of the inputs have right
/// checksums over the changed bytes, so that what they cover is reached. The others are what a device can do, so opening comes
/// back from them, too; what lies under right checksums it trusts, and a store that contradicts itself stops it.
pub fn target(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else { return };
    let changed = usize::from(mode % 3);
    let mut slices = ground().slices.clone();
    patch(&mut slices[changed], &ground().used[changed], data);
    let signed = mode & 128 != 0;
    if signed {
        slices[1].chunks_exact_mut(BLOCK_BYTES).take(4).for_each(sign_by_magic);
        slices[0].chunks_exact_mut(BLOCK_BYTES).for_each(sign_by_magic);
    }
    let [wal, meta, data] = slices.map(Mem::from_image);
    let sample = sample::Sample { wal, meta, data };
    let mut findings = Findings::new(FINDINGS_MOST);
    let (identity, arena_bytes) = (sample::IDENTITY, sample::GEOMETRY.arena_bytes);
    let options = CheckOptions { data: true };
    check_target(&mut sample.devices(), Some(&identity), Some(arena_bytes), options, &mut findings);
    let all = [
        Structure::Superblock,
        Structure::Map,
        Structure::Log,
        Structure::Arena,
        Structure::Pools,
        Structure::Containers,
        Structure::Free,
        Structure::Snapshots,
        Structure::Transactions,
    ];
    let _ = dump_target(&mut sample.devices(), &all, &mut Nowhere);
    if !signed {
        let _ = open(&mut sample.devices(), identity, Box::new(vec![0; arena_bytes as usize]), Settings::default());
    }
}

fn sign_by_magic(block: &mut [u8]) {
    match &block[..4] {
        b"DFRS" => sign(block, BLOCK_BYTES - 4, 0..BLOCK_BYTES - 4),
        b"DMAP" => sign(block, 28, 0..BLOCK_BYTES),
        b"DWAL" => {
            let body = u32::from_le_bytes(block[32..36].try_into().expect("four bytes")) as usize;
            if let Some(body) = block.get(64..64 + body) {
                let crc = crc32c(body);
                block[44..48].copy_from_slice(&crc.to_le_bytes());
            }
            sign(block, 60, 0..60);
        }
        _ => {}
    }
}

/// The label of a device: what decodes, encodes to the same again; and a device with these bytes at its ends.
pub fn label(data: &[u8]) {
    let mut block = block(data);
    let _ = media::Label::decode(&block);
    let crc = crc32c(&block[16..]);
    block[12..16].copy_from_slice(&crc.to_le_bytes());
    if let Some(Ok(label)) = media::Label::decode(&block) {
        assert_eq!(media::Label::decode(&label.encode()), Some(Ok(label)));
    }
    let mut device = Mem::new(16 * BLOCK_BYTES as u64);
    device.write(0, &Buffer::padded(&block)).expect("a device in memory is written");
    let length = device.length();
    crate::inspect::check_label(&mut device, length, &mut Findings::new(FINDINGS_MOST));
}

/// A transaction of one change.
fn prepared_seed() -> Vec<u8> {
    let key = [&[0; 16][..], b"\x02d\0\x01\x02a\0\x01\x02", &[0; 8]].concat();
    let record = [&[1, 1, 3, 0, 0, 0][..], &crc32c(b"abc").to_le_bytes(), b"abc"].concat();
    let (key_length, length) = (key.len() as u32, record.len() as u32);
    [&[0; 24][..], &1u32.to_le_bytes(), &key_length.to_le_bytes(), &length.to_le_bytes(), &key, &record].concat()
}

/// As many patches as fill a seed, all over the ground, so that inputs need not grow first.
fn patches(mode: u8) -> Vec<u8> {
    let places = (0..60u16).map(|n| n.wrapping_mul(1093).to_le_bytes());
    std::iter::once(mode).chain(places.flat_map(|[low, high]| [low, high, 1, high, low])).collect()
}

/// Inputs to begin with, by target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let ground = ground();
    let block_of = |slice: usize, magic: &[u8]| {
        let found = ground.slices[slice].chunks_exact(BLOCK_BYTES).find(|block| block.starts_with(magic));
        found.expect("the sample has one of each").to_vec()
    };
    vec![
        ("store_superblock", block_of(1, b"DFRSUPER")[..128].to_vec()),
        ("store_chunk", block_of(1, b"DMAP")[..512].to_vec()),
        ("store_group", block_of(0, b"DWAL")),
        ("store_label", b"DAOSLBL1\x01\0\0\0".to_vec()),
        ("store_record", prepared_seed()),
        ("store_record", [&[1, 1, 3, 0, 0, 0][..], &crc32c(b"abc").to_le_bytes(), b"abc"].concat()),
        ("store_arena", patches(1)),
        ("store_target", patches(129)),
    ]
}
