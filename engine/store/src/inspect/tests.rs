//! What the check says about a target that is whole, and about each way of being damaged.

use media::{BLOCK_BYTES, Device, Role};
use proptest::prelude::*;

use super::sample::{GEOMETRY, IDENTITY, Sample};
use super::*;
use crate::arena::header::{DATA_FREE_AT, FREE_PAGES_AT, PROMISED_DATA_AT, SERIAL_AT};
use crate::checkpoint::NO_SLOT;
use crate::superblock::Superblock;

fn check(sample: &Sample, data: bool) -> (Summary, Findings) {
    let mut findings = Findings::new(100);
    let before = [sample.wal.image(), sample.meta.image(), sample.data.image()];
    let arena = Some(GEOMETRY.arena_bytes);
    let summary = check_target(&mut sample.devices(), Some(&IDENTITY), arena, CheckOptions { data }, &mut findings);
    assert!(before == [sample.wal.image(), sample.meta.image(), sample.data.image()], "a check writes nothing");
    (summary, findings)
}

fn lines(findings: &Findings) -> Vec<String> {
    findings.list().iter().map(ToString::to_string).collect()
}

/// Findings over arena bytes.
fn walk(arena: &[u8]) -> Findings {
    let mut findings = Findings::new(1000);
    let mut summary = Summary { last_epoch: Epoch::MAX, ..Summary::default() };
    check_arena(&Image::over_bytes(arena), &IDENTITY, None, &mut summary, &mut findings);
    findings
}

#[test]
fn a_whole_target_is_clean_and_everything_in_it_is_counted() {
    let (summary, findings) = check(&Sample::new(), true);
    assert_eq!(lines(&findings), Vec::<String>::new());
    assert_eq!((summary.pools, summary.containers), (1, 1));
    // The singles, those below the long names, the array, the records, the prepared ones and the dying one.
    assert_eq!(summary.values, 4 + 60 + 1 + 3 + 1 + 2 + 1);
    assert_eq!(summary.data_bytes_checked, 5000 + 40_000 + 3 * 4500 + 6000 + 6000);
    assert!(summary.pages > 5 && summary.groups > 5 && summary.log_bytes >= summary.groups * 4096);
}

#[test]
fn one_damaged_superblock_is_a_warning_and_two_are_the_end() {
    let sample = Sample::new();
    let current = superblocks::read(&mut sample.meta.clone(), &mut Findings::new(0)).unwrap().current as u64;
    let older = (1 - current) * 4096;
    sample.meta.flip(8 * (older + 50));
    let (_, findings) = check(&sample, false);
    let expected =
        format!("warning: meta byte {older}: superblock: the checksum does not match; the other copy is good");
    assert!(findings.list().len() == 1 && lines(&findings)[0].starts_with(&expected), "{:?}", lines(&findings));
    sample.meta.flip(8 * current * 4096);
    let (summary, findings) = check(&sample, false);
    let expected = format!("damage: meta byte {}: superblock: the magic number is missing; ", current * 4096);
    assert!(lines(&findings).iter().any(|line| line.starts_with(&expected)), "{:?}", lines(&findings));
    assert_eq!(summary.groups, 0);
}

#[test]
fn a_damaged_page_map_and_page_image_are_told_with_their_places() {
    let sample = Sample::new();
    let layout = Layout::new(GEOMETRY.arena_bytes, GEOMETRY.meta_bytes).unwrap();
    let image = sample.meta.image();
    let current = (0..2).find(|copy| image[layout.chunk_offset(0, *copy) as usize] != 0).unwrap();
    let chunk = layout.chunk_offset(0, current);
    let at = |page: u64| (chunk + 32 + 8 * page) as usize;
    let slot = u32::from_le_bytes(image[at(0)..at(0) + 4].try_into().unwrap());
    assert_ne!(slot, NO_SLOT);
    let place = layout.slot_offset(slot);
    sample.meta.flip((place + 3000) * 8);
    let (_, findings) = check(&sample, false);
    let expected = format!("damage: meta byte {place}: image of arena page 0 (arena byte 0): its checksum is ");
    assert!(lines(&findings)[0].starts_with(&expected), "{:?}", lines(&findings));
    sample.meta.flip(chunk * 8 + 800);
    let (_, findings) = check(&sample, false);
    let expected = format!("damage: meta byte {chunk}: page map chunk 0: it is not what was written; ");
    assert!(lines(&findings)[0].starts_with(&expected), "{:?}", lines(&findings));
    assert!(lines(&findings)[1].contains("a chunk is lost or older"));
}

#[test]
fn a_torn_end_of_the_log_is_a_note_and_a_gap_is_damage() {
    let sample = Sample::new();
    let (summary, _) = check(&sample, false);
    let superblock = *superblocks::read(&mut sample.meta.clone(), &mut Findings::new(0)).unwrap().current();
    let tail = superblock.tail_block;
    let end = tail + summary.log_bytes / BLOCK_BYTES as u64;
    // The last group: its body.
    let image = sample.wal.image();
    let last = (tail..end).rev().find(|block| image[*block as usize * BLOCK_BYTES..].starts_with(b"DWAL")).unwrap();
    sample.wal.flip((last * BLOCK_BYTES as u64 + 100) * 8);
    let (torn, findings) = check(&sample, true);
    assert_eq!(torn.groups, summary.groups - 1);
    assert!(findings.are_clean() && findings.count(Severity::Note) == 1, "{:?}", lines(&findings));
    assert!(lines(&findings)[0].contains("is torn: the log ends before it; a crash leaves this"));
    // The first one.
    sample.wal.flip((tail * BLOCK_BYTES as u64 + 100) * 8);
    let (_, findings) = check(&sample, false);
    let expected = format!("damage: wal byte {}: log group ", tail * BLOCK_BYTES as u64);
    assert!(lines(&findings)[0].starts_with(&expected), "{:?}", lines(&findings));
    assert!(lines(&findings)[0].contains("so it had been durable"));
}

/// Found by the fuzz target `store_target`: the check read on to where the superblock said that the log ends.
#[test]
fn a_log_is_searched_only_as_far_as_there_is_a_slice() {
    let sample = Sample::new();
    let meta = sample.meta.image();
    for copy in 0..2 {
        let at = copy * BLOCK_BYTES;
        let Ok(mut superblock) = Superblock::decode(&meta[at..at + BLOCK_BYTES]) else { continue };
        superblock.geometry.wal_bytes = 1 << 50;
        sample.meta.clone().write(at as u64, &superblock.encode()).unwrap();
    }
    let (_, findings) = check(&sample, false);
    let told = lines(&findings);
    assert!(
        told.iter().any(|line| line.contains("its slice ends here, and not after 1125899906842624 bytes")),
        "{told:?}"
    );
}

#[test]
fn a_damaged_value_is_found_by_a_check_of_the_data_alone() {
    let sample = Sample::new();
    let at = sample.data.image().iter().position(|byte| *byte == 4).unwrap() as u64 + 33_000;
    sample.data.flip(at * 8);
    assert!(check(&sample, false).1.are_clean());
    let (_, findings) = check(&sample, true);
    assert_eq!(findings.list().len(), 1, "{:?}", lines(&findings));
    let chunk = at / 32_768 * 32_768;
    assert_eq!(findings.list()[0].place, Place::Slice(Role::Data, (at - 33_000) + 32_768), "{chunk}");
    assert!(lines(&findings)[0].contains("single value of object 1.4 dkey `single` akey `a` epoch 0x"));
}

#[test]
fn all_contradictions_are_told_and_not_only_the_first() {
    let mut arena = Sample::new().arena();
    assert_eq!(lines(&walk(&arena)), Vec::<String>::new());
    for at in [FREE_PAGES_AT, DATA_FREE_AT, PROMISED_DATA_AT] {
        arena[at as usize] ^= 1;
    }
    arena[SERIAL_AT as usize..][..8].fill(0);
    let findings = walk(&arena);
    for at in [FREE_PAGES_AT, DATA_FREE_AT, PROMISED_DATA_AT] {
        assert!(findings.list().iter().any(|finding| finding.place == Place::Arena(at)), "{:?}", lines(&findings));
    }
    assert!(lines(&findings).iter().any(|line| line.contains("is not before the next one, 0")));
    let mut few = Findings::new(2);
    check_arena(&Image::over_bytes(&arena), &IDENTITY, None, &mut Summary::default(), &mut few);
    assert_eq!(few.list().len(), 2);
    assert!(few.left_out() > 10, "{}", few.left_out());
}

#[test]
fn an_arena_of_another_target_or_version_is_told() {
    let mut arena = Sample::new().arena();
    arena[12] ^= 1;
    assert!(lines(&walk(&arena))[0].starts_with("damage: arena byte 12: arena header: it is of another target"));
    arena[8] = 77;
    assert!(lines(&walk(&arena))[0].contains("arena header: it has version 77, this program knows version"));
    arena[0] = 0;
    assert_eq!(walk(&arena).list().len(), 1);
}

#[test]
fn a_value_that_was_marked_as_damaged_is_told() {
    let mut arena = Sample::new().arena();
    let value = b"under a key of its own";
    let at = arena.windows(value.len()).position(|window| window == value).unwrap();
    // Tag, kind of checksum, length and a CRC32C are before it.
    arena[at - 10] |= 0x80;
    let found = lines(&walk(&arena));
    assert!(found.len() == 1 && found[0].contains("it is marked as damaged; a read found this"), "{found:?}");
}

#[test]
fn most_flipped_bytes_of_pages_in_use_are_found() {
    let arena = Sample::new().arena();
    let used: Vec<usize> = (0..arena.len()).filter(|at| arena[*at] != 0).collect();
    let (mut found, mut tried) = (0, 0);
    for at in used.iter().step_by(97) {
        let mut bad = arena.clone();
        bad[*at] = bad[*at].wrapping_add(1);
        tried += 1;
        found += usize::from(!walk(&bad).list().is_empty());
    }
    // What no structure accounts for: bytes of keys that keep their order, of free memory, of epochs.
    assert!(tried > 50 && found * 10 > tried * 3, "{found} of {tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_arena_makes_the_check_panic(patches in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 8]>(), 1usize..8), 1..40)) {
        let mut arena = Sample::new().arena();
        let used: Vec<usize> = (0..arena.len() - 8).filter(|at| arena[*at] != 0).collect();
        for (index, bytes, length) in patches {
            let at = used[index.index(used.len())];
            arena[at..at + length].copy_from_slice(&bytes[..length]);
        }
        prop_assert!(walk(&arena).list().len() <= 1000);
    }
}
