//! Trees against `BTreeMap`, with keys and values of all lengths, commits and rollbacks.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Cursor, Tree};
use crate::arena::header::{CATALOG_AT, initialise};
use crate::arena::{Arena, Need};
use crate::settings::Identity;

const TREE: Tree = Tree { root_at: CATALOG_AT };

pub(crate) fn new_arena(bytes: usize) -> Arena {
    let mut arena = Arena::new(Box::new(vec![0; bytes]).into());
    arena.begin(Need::Sure);
    let identity = Identity { engine: uuid::Uuid::from_u128(1), target: types::TargetIndex(0) };
    initialise(&mut arena, &identity);
    arena.commit(&mut Vec::new());
    arena
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn random_bytes(random: &mut StdRng, most: usize) -> Vec<u8> {
    let length = match random.random_range(0..10) {
        0 => random.random_range(0..=most),
        1..4 => random.random_range(0..=most.min(600)),
        _ => random.random_range(0..=most.min(40)),
    };
    // Few different bytes, so that keys share long prefixes.
    (0..length).map(|_| *[0u8, 1, 255].get(random.random_range(0..3)).unwrap()).collect()
}

fn contents(arena: &Arena) -> Model {
    let mut found = Model::new();
    let census = TREE.census(arena, |key, value| {
        found.insert(key.to_vec(), value.to_vec());
    });
    assert_eq!(census.fault, None);
    assert_eq!(census.cells as usize, found.len());
    found
}

fn check_cursors(arena: &Arena, model: &Model, random: &mut StdRng) {
    let probe = random_bytes(random, 300);
    let mut cursor = Cursor::seek(TREE, arena, &probe);
    for (key, value) in model.range(probe.clone()..).take(5) {
        assert_eq!((cursor.key(arena), cursor.value(arena)), (Some(&key[..]), Some(&value[..])));
        cursor.next(arena);
    }
    let mut cursor = Cursor::seek_before(TREE, arena, &probe);
    for (key, _) in model.range(..probe.clone()).rev().take(5) {
        assert_eq!(cursor.key(arena), Some(&key[..]));
        cursor.previous(arena);
    }
    assert_eq!(TREE.get(arena, &probe), model.get(&probe).map(|value| &value[..]));
}

fn random_change(arena: &mut Arena, model: &mut Model, random: &mut StdRng) {
    let known = model.len();
    if known > 0 && random.random_bool(0.45) {
        let key = model.keys().nth(random.random_range(0..known)).unwrap().clone();
        assert!(TREE.remove(arena, &key));
        model.remove(&key);
    } else {
        let (key, value) = (random_bytes(random, 9000), random_bytes(random, 5000));
        TREE.put(arena, &key, &value).unwrap();
        model.insert(key, value);
    }
}

#[test]
fn random_histories_match_a_btreemap_through_commits_and_rollbacks() {
    for seed in 0..30 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut arena = new_arena(8 << 20);
        let mut replayed = Arena::new(Box::new(vec![0; 8 << 20]).into());
        replayed.restore(0, arena.bytes(0, 4096), false);
        let mut model = Model::new();
        for _ in 0..120 {
            arena.begin(Need::Sure);
            let mut attempt = model.clone();
            for _ in 0..random.random_range(1..6) {
                random_change(&mut arena, &mut attempt, &mut random);
            }
            if random.random_bool(0.3) {
                arena.rollback();
            } else {
                let mut redo = Vec::new();
                let records = arena.commit(&mut redo);
                replay(&mut replayed, &redo, records);
                model = attempt;
            }
            check_cursors(&arena, &model, &mut random);
        }
        assert_eq!(contents(&arena), model);
        // The redo alone rebuilds the same tree.
        assert_eq!(contents(&replayed), model);
        // Everything goes, and nothing is left.
        let mut seen = 0;
        arena.begin(Need::Sure);
        while TREE.drop_first_leaf(&mut arena, |_, _| seen += 1) {
            arena.commit(&mut Vec::new());
            arena.begin(Need::Sure);
        }
        arena.commit(&mut Vec::new());
        assert_eq!((seen, TREE.root(&arena)), (model.len(), 0));
        let free = arena.u64_at(crate::arena::header::FREE_PAGES_AT);
        assert_eq!(free, new_arena(8 << 20).u64_at(crate::arena::header::FREE_PAGES_AT), "all pages came back");
    }
}

fn replay(arena: &mut Arena, redo: &[u8], records: u32) {
    let mut rest = redo;
    for _ in 0..records {
        let offset = u64::from_le_bytes(rest[..8].try_into().unwrap());
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        assert!(arena.restore(offset, &rest[12..12 + length], false));
        rest = &rest[12 + length..];
    }
    assert!(rest.is_empty());
}

#[test]
fn ascending_keys_fill_their_pages() {
    let mut arena = new_arena(8 << 20);
    let mut bytes = 0;
    for n in 0..10_000u64 {
        arena.begin(Need::Sure);
        let key = n.to_be_bytes();
        TREE.put(&mut arena, &key, &[7; 92]).unwrap();
        bytes += key.len() + 92;
        arena.commit(&mut Vec::new());
    }
    let census = TREE.census(&arena, |_, _| {});
    assert_eq!((census.fault, census.cells), (None, 10_000));
    let used = census.owned.len() * 4096;
    assert!(used < bytes * 5 / 4, "{used} bytes of pages for {bytes} bytes of cells");
}

#[test]
fn a_full_arena_refuses_and_the_rollback_is_exact() {
    let mut arena = new_arena(1 << 20);
    let mut model = Model::new();
    let mut refused = 0;
    for n in 0..4000u64 {
        arena.begin(Need::Usual);
        let key = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes().to_vec();
        match TREE.put(&mut arena, &key, &[1; 700]) {
            Ok(()) => {
                arena.commit(&mut Vec::new());
                model.insert(key, vec![1; 700]);
            }
            Err(status) => {
                assert_eq!(status, types::Status::NoSpace);
                arena.rollback();
                refused += 1;
            }
        }
    }
    assert!(refused > 100 && model.len() > 500, "{refused} of {}", model.len());
    assert_eq!(contents(&arena), model);
    // The reserve is still there for what frees space.
    let key = model.keys().next().unwrap().clone();
    arena.begin(Need::Sure);
    TREE.put(&mut arena, b"tombstone", &[2; 700]).unwrap();
    TREE.remove(&mut arena, &key);
    arena.commit(&mut Vec::new());
}

#[test]
fn the_largest_transactions_stay_within_the_limit() {
    let mut random = StdRng::seed_from_u64(1);
    let mut arena = new_arena(64 << 20);
    let mut most = 0;
    for n in 0..1500u32 {
        // Two escaped keys of 4 KiB that differ only at their ends.
        let mut key = vec![0; 16_500];
        key.extend_from_slice(&random.random::<u32>().to_be_bytes());
        key.extend_from_slice(&n.to_be_bytes());
        arena.begin(Need::Sure);
        TREE.put(&mut arena, &key, &[1; 4104]).unwrap();
        most = most.max(arena.redo_bytes());
        arena.commit(&mut Vec::new());
    }
    // The free map of the data slice changes in the same transaction: four small keys, a few splits.
    let left = crate::arena::TRANSACTION_REDO_LIMIT - most;
    assert!(left > 48 << 10, "{most} bytes of redo");
}
