//! Placement: which target serves a dkey. Pure.
//!
//! The flat list of (rank, target) of a pool map, in ascending order, is the ring; a dkey goes to the bucket that jump
//! consistent hashing (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014) gives for a 64-bit
//! hash of (object id, dkey). When targets are appended, only the keys that move to them move. The hash and the order of the
//! list are part of layout version 1: changing either moves data.

use types::{Key, ObjectId, Rank, TargetIndex};

/// Version of the rule below.
pub const LAYOUT_VERSION: u32 = 1;

/// The targets of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMap {
    /// Grows with every change of the pool.
    pub version: u32,
    targets: Vec<(Rank, TargetIndex)>,
}

impl PoolMap {
    /// From (rank, number of targets); the order given does not matter. `None` when there is no target.
    pub fn new(version: u32, ranks: impl IntoIterator<Item = (Rank, u32)>) -> Option<PoolMap> {
        let mut targets: Vec<(Rank, TargetIndex)> = ranks
            .into_iter()
            .flat_map(|(rank, count)| (0..count).map(move |index| (rank, TargetIndex(index))))
            .collect();
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() { None } else { Some(PoolMap { version, targets }) }
    }

    /// All targets in placement order.
    pub fn targets(&self) -> &[(Rank, TargetIndex)] {
        &self.targets
    }

    /// The target of a dkey.
    pub fn target_of(&self, object: ObjectId, dkey: &Key) -> (Rank, TargetIndex) {
        self.targets[jump(hash(object, dkey), self.targets.len())]
    }
}

/// FNV-1a over the object id (16 bytes, big-endian) and the dkey, finished with the mixer of SplitMix64 because FNV alone
/// spreads short keys badly over the high bits that jump hashing uses.
fn hash(object: ObjectId, dkey: &Key) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in object.to_bytes().iter().chain(dkey.as_bytes()) {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

fn jump(mut key: u64, buckets: usize) -> usize {
    let mut bucket: i64 = -1;
    let mut next: i64 = 0;
    while next < buckets as i64 {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    bucket as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OBJECT: ObjectId = ObjectId { hi: 0, lo: 1 };

    fn map(counts: &[u32]) -> PoolMap {
        PoolMap::new(1, counts.iter().enumerate().map(|(rank, count)| (Rank(rank as u32), *count))).unwrap()
    }

    fn key(n: u32) -> Key {
        Key::new(format!("key{n}").as_bytes()).unwrap()
    }

    #[test]
    fn layout_version_1_does_not_change() {
        let map = map(&[4, 4]);
        let placed: Vec<(u32, u32)> = ["a", "b", "apple", "0", "key17", "x/y"]
            .iter()
            .map(|text| map.target_of(OBJECT, &Key::try_from(*text).unwrap()))
            .map(|(rank, target)| (rank.0, target.0))
            .collect();
        assert_eq!(placed, [(1, 3), (0, 1), (1, 0), (1, 1), (1, 0), (1, 1)]);
    }

    #[test]
    fn keys_spread_evenly() {
        let map = map(&[8]);
        let mut counts = [0u32; 8];
        for n in 0..80_000 {
            counts[map.target_of(OBJECT, &key(n)).1.0 as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_targets_is_no_map() {
        assert_eq!(PoolMap::new(1, [(Rank(0), 0)]), None);
    }

    proptest! {
        #[test]
        fn growing_moves_keys_only_to_the_new_targets(ranks in 1u32..6, n: u32) {
            let counts = vec![4; ranks as usize];
            let before = map(&counts).target_of(OBJECT, &key(n));
            let after = map(&[counts, vec![4]].concat()).target_of(OBJECT, &key(n));
            prop_assert!(after == before || after.0 == Rank(ranks));
        }
    }
}
