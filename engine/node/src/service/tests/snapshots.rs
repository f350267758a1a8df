//! Snapshots: their epochs, names and limits, ranks that are away, and every crash point of a create and a destroy.

use wire::proto::service::{Snapshot, SnapshotCreateReq, SnapshotDestroyReq, SnapshotListResp};

use super::*;

impl Pair {
    /// With a pool `tank` and a container `a`.
    fn with_container() -> Pair {
        let pair = Pair::new();
        pair.create_pool().unwrap();
        pair.create_container("a").unwrap();
        pair
    }

    fn snap(&self, name: &str, request: &str) -> Result<Snapshot, Failure> {
        let (pool, container) = ("tank".into(), "a".into());
        let request = SnapshotCreateReq { pool, container, name: name.into(), request: request.into() };
        self.call(Method::ContainerSnapshotCreate, &request)
    }

    fn unsnap(&self, epochs: &[u64]) -> Result<(), Failure> {
        let (pool, container) = ("tank".into(), "a".into());
        let request = SnapshotDestroyReq { pool, container, epochs: epochs.to_vec() };
        self.call(Method::ContainerSnapshotDestroy, &request)
    }

    fn snaps(&self) -> Vec<Snapshot> {
        self.call::<SnapshotListResp>(Method::ContainerSnapshotList, &container_a()).unwrap().snapshots
    }

    fn info(&self) -> ContainerInfo {
        self.call(Method::ContainerOpen, &container_a()).unwrap()
    }

    /// Epochs of the snapshots on each target of both ranks.
    fn on_shards(&self) -> Vec<Vec<u64>> {
        let of = |memory: &Memory| -> Vec<Vec<u64>> {
            let targets = memory.targets.lock().unwrap();
            targets.iter().map(|target| target.snapshots.iter().map(|(_, epoch)| epoch.0).collect()).collect()
        };
        [of(&self.first), of(&self.second)].concat()
    }

    fn set_clock(&self, second: bool, target: usize, epoch: u64) {
        let memory = if second { &self.second } else { &self.first };
        memory.targets.lock().unwrap()[target].clock = Epoch(epoch);
    }
}

fn container_a() -> ContainerReq {
    ContainerReq { pool: "tank".into(), container: "a".into(), force: false }
}

#[test]
fn a_snapshot_is_on_every_shard_and_no_shard_was_past_its_epoch() {
    let mut pair = Pair::with_container();
    // The clock of one target is ahead of all others: what it acknowledged must be seen.
    pair.set_clock(true, 1, 5000);
    pair.set_clock(false, 0, 70);
    let first = pair.snap("first", "1").unwrap();
    assert_eq!(first, Snapshot { epoch: 5000, name: "first".into(), destroying: false });
    assert_eq!(pair.on_shards(), vec![vec![5000]; 4]);
    for memory in [&pair.first, &pair.second] {
        let targets = memory.targets.lock().unwrap();
        assert!(targets.iter().all(|target| target.clock.0 > 5000), "later changes get later epochs");
    }
    let second = pair.snap("", "2").unwrap();
    assert!(second.epoch > first.epoch);
    pair.restart();
    assert_eq!(pair.snaps(), [first.clone(), second.clone()]);
    assert_eq!((pair.info().num_snapshots, pair.info().latest_snapshot), (2, second.epoch));
    pair.unsnap(&[second.epoch, 12345]).unwrap();
    assert_eq!((pair.info().num_snapshots, pair.info().latest_snapshot), (1, first.epoch));
    assert_eq!(pair.on_shards(), vec![vec![5000]; 4]);
}

#[test]
fn names_limits_and_unknown_epochs_are_told_apart() {
    let pair = Pair::with_container();
    let taken = pair.snap("a", "1").unwrap();
    let failure = pair.snap("a", "2").unwrap_err();
    assert_eq!(failure.status, Status::Exists);
    assert!(failure.message.contains(&format!("{:#x}", taken.epoch)), "{failure}");
    assert_eq!(pair.snap("a b", "3").unwrap_err().status, Status::Invalid);
    let unknown = pair.unsnap(&[77]).unwrap_err();
    assert_eq!(unknown.status, Status::Nonexistent);
    assert!(unknown.message.ends_with("has no snapshot of epoch 0x4d"), "{unknown}");
    assert_eq!(pair.unsnap(&[]).unwrap_err().status, Status::Nonexistent);
    // The name is free again once its snapshot is gone.
    pair.unsnap(&[taken.epoch]).unwrap();
    pair.snap("a", "4").unwrap();

    let properties = vec![Property { name: "max_snapshot".into(), value: "2".into() }];
    let limited = ContainerCreateReq { pool: "tank".into(), label: "b".into(), properties, ..Default::default() };
    pair.call::<ContainerInfo>(Method::ContainerCreate, &limited).unwrap();
    let snap = || {
        let request = SnapshotCreateReq { pool: "tank".into(), container: "b".into(), ..Default::default() };
        pair.call::<Snapshot>(Method::ContainerSnapshotCreate, &request)
    };
    let first = snap().unwrap();
    snap().unwrap();
    let full = snap().unwrap_err();
    assert_eq!(full.status, Status::TooBig);
    assert!(full.message.contains("2 snapshot(s), as many as its property `max_snapshot`"), "{full}");
    let request = SnapshotDestroyReq { pool: "tank".into(), container: "b".into(), epochs: vec![first.epoch] };
    pair.call::<()>(Method::ContainerSnapshotDestroy, &request).unwrap();
    snap().unwrap();
}

#[test]
fn a_repeated_request_takes_one_snapshot() {
    let pair = Pair::with_container();
    let first = pair.snap("a", "the same").unwrap();
    assert_eq!(pair.snap("a", "the same").unwrap(), first);
    assert_eq!(pair.on_shards(), vec![vec![first.epoch]; 4]);
    assert_ne!(pair.snap("", "").unwrap(), pair.snap("", "").unwrap(), "requests without a name of their own are new");
}

#[test]
fn history_that_is_merged_meanwhile_costs_another_try_and_not_for_ever() {
    let pair = Pair::with_container();
    pair.second.targets.lock().unwrap()[0].merges = 2;
    let taken = pair.snap("a", "1").unwrap();
    assert_eq!(pair.on_shards(), vec![vec![taken.epoch]; 4], "nothing is left of the epochs tried before");
    pair.second.targets.lock().unwrap()[0].merges = u32::MAX;
    let failure = pair.snap("b", "2").unwrap_err();
    assert_eq!(failure.status, Status::Busy);
    assert_eq!(pair.snaps(), std::slice::from_ref(&taken));
    assert_eq!(pair.on_shards(), vec![vec![taken.epoch]; 4]);
}

#[test]
fn a_rank_that_is_away_is_named_and_a_destroy_is_finished_when_it_is_back() {
    let pair = Pair::with_container();
    let taken = pair.snap("a", "1").unwrap();
    pair.second.budget.store(0, Ordering::SeqCst);
    let failure = pair.snap("b", "2").unwrap_err();
    assert!(failure.message.starts_with("rank 1: "), "{failure}");
    assert_eq!(pair.snaps(), std::slice::from_ref(&taken), "what was not taken is not listed");
    let failure = pair.unsnap(&[taken.epoch]).unwrap_err();
    assert!(failure.message.starts_with("rank 1: "), "{failure}");
    assert_eq!(pair.snaps(), [Snapshot { destroying: true, ..taken.clone() }]);
    assert_eq!(pair.info().num_snapshots, 0);
    pair.second.budget.store(u32::MAX, Ordering::SeqCst);
    pair.unsnap(&[taken.epoch]).unwrap();
    assert_eq!((pair.snaps(), pair.on_shards()), (vec![], vec![vec![]; 4]));
}

#[test]
fn clocks_too_far_apart_are_explained() {
    let failure = Failure::new(Status::ClockSkew, "x");
    let told = super::super::shard::no_snapshot(1, &failure);
    assert!(told.message.contains("more than a minute behind") && told.resolution.contains("NTP"), "{told}");
}

#[test]
fn a_crash_at_any_step_leaves_a_snapshot_whole_or_gone() {
    let mut interrupted = 0;
    for steps in 0.. {
        let mut pair = Pair::with_container();
        let kept = pair.snap("kept", "1").unwrap();
        pair.first.budget.store(steps, Ordering::SeqCst);
        let taken = pair.snap("new", "2");
        pair.restart();
        now(pair.service.reconcile()).unwrap();
        let listed = pair.snaps();
        assert_eq!(listed[0], kept);
        assert!(listed.iter().all(|one| !one.destroying));
        let epochs: Vec<u64> = listed.iter().map(|one| one.epoch).collect();
        assert_eq!(pair.on_shards(), vec![epochs; 4], "after {steps} steps of a create");
        if let Ok(taken) = taken {
            assert_eq!(listed[1], taken, "acknowledged");
            break;
        }
        assert_eq!(listed.len(), 1, "it was not acknowledged, and is gone");
        pair.snap("new", "2").unwrap();
        interrupted += 1;
    }
    for steps in 0.. {
        let mut pair = Pair::with_container();
        let kept = pair.snap("kept", "1").unwrap();
        let gone = pair.snap("gone", "2").unwrap();
        pair.first.budget.store(steps, Ordering::SeqCst);
        let destroyed = pair.unsnap(&[gone.epoch]);
        pair.restart();
        now(pair.service.reconcile()).unwrap();
        let left: Vec<u64> = pair.snaps().iter().map(|one| one.epoch).collect();
        assert_eq!(pair.on_shards(), vec![left.clone(); 4], "after {steps} steps of a destroy");
        let expected = if steps == 0 { vec![kept.epoch, gone.epoch] } else { vec![kept.epoch] };
        assert_eq!(left, expected, "a destroy whose mark is durable is finished");
        if destroyed.is_ok() {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted >= 8, "{interrupted} crash points");
}
