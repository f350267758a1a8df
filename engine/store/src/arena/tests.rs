//! The allocator against a list of what it gave out, through commits and rollbacks.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::header::FREE_PAGES_AT;
use super::pages::{Descriptor, Kind};
use super::{Arena, Need, PAGE_BYTES, slab};
use crate::tree::new_arena;

fn fill(arena: &mut Arena, offset: u64, bytes: usize, mark: u8) {
    arena.write_fresh(offset, &vec![mark; bytes]);
}

#[test]
fn memory_never_overlaps_and_all_of_it_comes_back() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut arena = new_arena(2 << 20);
        let free_at_first = arena.u64_at(FREE_PAGES_AT);
        let mut live: Vec<(u64, usize, u8)> = Vec::new();
        for round in 0..400u32 {
            arena.begin([Need::Usual, Need::Removal, Need::Sure][random.random_range(0..3)]);
            let mut attempt = live.clone();
            let mut charged = 0;
            let mut full = false;
            for _ in 0..random.random_range(1..5) {
                if !attempt.is_empty() && random.random_bool(0.45) {
                    let (offset, bytes, _) = attempt.swap_remove(random.random_range(0..attempt.len()));
                    arena.free(offset, bytes);
                    charged -= slab::charged(bytes) as i64;
                    continue;
                }
                let bytes =
                    if random.random_bool(0.2) { random.random_range(1..40_000) } else { random.random_range(1..2100) };
                match arena.allocate(bytes) {
                    Ok(offset) => {
                        fill(&mut arena, offset, bytes, round as u8);
                        attempt.push((offset, bytes, round as u8));
                        charged += slab::charged(bytes) as i64;
                    }
                    Err(_) => full = true,
                }
            }
            if full || random.random_bool(0.3) {
                arena.rollback();
            } else {
                assert_eq!(arena.charge(), charged);
                arena.commit(&mut Vec::new());
                live = attempt;
            }
            let mut taken: Vec<(u64, u64)> = live.iter().map(|&(at, bytes, _)| (at, at + bytes as u64)).collect();
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[0].1 <= pair[1].0), "memory overlaps");
        }
        for &(offset, bytes, mark) in &live {
            assert!(arena.bytes(offset, bytes).iter().all(|&byte| byte == mark), "contents changed");
        }
        arena.begin(Need::Sure);
        live.iter().for_each(|&(offset, bytes, _)| arena.free(offset, bytes));
        arena.commit(&mut Vec::new());
        assert_eq!(arena.u64_at(FREE_PAGES_AT), free_at_first);
        assert!(
            (0..arena.length() / PAGE_BYTES)
                .all(|page| { matches!(Descriptor::read(&arena, page as u32).kind, Kind::None | Kind::FreeRun) })
        );
    }
}

#[test]
fn redo_records_are_joined_and_hold_the_last_bytes() {
    let mut arena = new_arena(1 << 20);
    arena.begin(Need::Sure);
    arena.write(90_000, b"aaaa");
    arena.write(90_002, b"bb");
    arena.write(90_010, b"c");
    arena.write(95_000, b"d");
    let mut redo = Vec::new();
    assert_eq!(arena.commit(&mut redo), 2);
    assert_eq!(redo[..12], [90_000u64.to_le_bytes().to_vec(), 11u32.to_le_bytes().to_vec()].concat());
    assert_eq!(redo[12..23], *b"aabb\0\0\0\0\0\0c");
    assert_eq!(redo.len(), 12 + 11 + 12 + 1);
}

#[test]
#[should_panic(expected = "memory is freed as it was allocated")]
fn freeing_twice_stops_the_target() {
    let mut arena = new_arena(1 << 20);
    arena.begin(Need::Sure);
    let at = arena.allocate(100).unwrap();
    arena.allocate(100).unwrap();
    arena.free(at, 100);
    arena.free(at, 100);
}
