//! Every crash of a workload: all points of its journal, and for each many choices of what became of the unflushed writes.
//!
//! What is counted: *points*, the moments between two events of a journal; *fates*, a point with a choice; and of the
//! fates those *opened*, whose image was recovered and checked, and the *identical* ones, whose image has the 64-bit digest of one that was opened
//! before. Recovery is a function of the image, so what was found there is compared with what the identical fate allows.

use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use media::{CrashPoints, Fate, SECTOR_BYTES};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::fsck;
use crate::run::{Run, check_goes_on, devices, recover};
use crate::state::State;

/// What was enumerated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) workloads: u64,
    pub(crate) points: u64,
    pub(crate) opened: u64,
    pub(crate) identical: u64,
    /// Opened images that the offline check was asked about before.
    pub(crate) offline: u64,
    /// Opened targets that went on with changes, a checkpoint and another opening.
    pub(crate) went_on: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Figures) {
        self.workloads += other.workloads;
        self.points += other.points;
        self.opened += other.opened;
        self.identical += other.identical;
        self.offline += other.offline;
        self.went_on += other.went_on;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { workloads, points, opened, identical, offline, went_on } = self;
        let fates = opened + identical;
        write!(
            f,
            "{workloads} workloads, {points} crash points, {fates} crash point x fate: {opened} opened, {identical} identical; {offline} checked offline, {went_on} went on"
        )
    }
}

/// What a loss of power does not tear on persistent memory: one aligned store.
const STORE_BYTES: usize = 8;
/// Up to this many unflushed writes every subset is taken; beyond, all, none, every prefix and random ones.
const SUBSETS_OF_MOST: usize = 3;
/// Random choices beyond the listed ones.
const RANDOM_FATES: usize = if cfg!(feature = "long") { 24 } else { 8 };

/// How many of the opened images the offline check is asked about, too: it takes as long as all the rest.
const OFFLINE_EVERY: u64 = 4;

/// The choices of what became of `unflushed` writes.
fn fates(unflushed: usize, random: &mut StdRng) -> Vec<Vec<Fate>> {
    if unflushed == 0 {
        return vec![Vec::new()];
    }
    let kept_if = |keep: &dyn Fn(usize) -> bool| {
        (0..unflushed).map(|n| if keep(n) { Fate::Kept } else { Fate::Lost }).collect::<Vec<_>>()
    };
    let mut fates = Vec::new();
    if unflushed <= SUBSETS_OF_MOST {
        fates.extend((0..1usize << unflushed).map(|set| kept_if(&|n| set >> n & 1 == 1)));
    } else {
        fates.extend((0..=unflushed).map(|kept| kept_if(&|n| n < kept)));
        fates.push(kept_if(&|n| n > 0));
        for _ in 0..RANDOM_FATES {
            let set: u64 = random.random();
            fates.push(kept_if(&|n| set >> (n % 64) & 1 == 1));
        }
    }
    // The last write torn, all before it there; then all torn; then a mixture.
    for unit in [SECTOR_BYTES, 4096] {
        for mask in [1, !1, random.random()] {
            let torn = Fate::Torn { unit, mask };
            fates.push((0..unflushed).map(|n| if n + 1 < unflushed { Fate::Kept } else { torn }).collect());
        }
        fates.push(vec![Fate::Torn { unit, mask: random.random() }; unflushed]);
    }
    for _ in 0..RANDOM_FATES {
        let one = (0..unflushed).map(|_| match random.random_range(0..6) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 => Fate::Torn { unit: SECTOR_BYTES, mask: random.random() },
            3 => Fate::Torn { unit: STORE_BYTES, mask: random.random() },
            4 => Fate::Cut { bytes: STORE_BYTES * random.random_range(0..8192 / STORE_BYTES) },
            _ => Fate::Torn { unit: 4096, mask: random.random() },
        });
        fates.push(one.collect());
    }
    fates
}

/// Which points of a journal are crashed: every `stride`th from `from` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Points {
    pub(crate) from: usize,
    pub(crate) stride: usize,
}

pub(crate) const EVERY_POINT: Points = Points { from: 0, stride: 1 };

/// What was found in the images opened so far.
#[derive(Default)]
pub(crate) struct Crashes {
    images: HashMap<u64, Arc<State>>,
    /// Of each point enumerated: what was found in the image of each of its fates.
    points: HashMap<u64, Arc<[Arc<State>]>>,
    /// What the arena may use of memory when an image is opened.
    limit: Option<u64>,
    pub(crate) figures: Figures,
}

impl Crashes {
    /// Images are opened with this much memory for the arena.
    pub(crate) fn limited(limit: u64) -> Crashes {
        Crashes { limit: Some(limit), ..Crashes::default() }
    }

    /// Crashes a finished workload. `what` names it where something is wrong.
    pub(crate) fn of(&mut self, run: &Run, which: Points, what: &dyn Fn() -> String) {
        self.figures.workloads += 1;
        let mut points = run.fault.crash_points();
        loop {
            let done = points.done();
            if done >= which.from && (done - which.from).is_multiple_of(which.stride) {
                self.figures.points += 1;
                self.point(run, &points, what);
            }
            if !points.advance() {
                return;
            }
        }
    }

    fn point(&mut self, run: &Run, points: &CrashPoints, what: &dyn Fn() -> String) {
        let possible = run.possible(points.done());
        let digest = points.digest();
        if let Some(known) = self.points.get(&digest) {
            self.figures.identical += known.len() as u64;
            for found in known.iter() {
                compare(found, possible, &|| format!("{} after event {}", what(), points.done()));
            }
            return;
        }
        // The choices depend on the point alone, so that an identical point has the same ones.
        let mut random = StdRng::seed_from_u64(digest);
        let fates = fates(points.unflushed(), &mut random);
        let goes_on = random.random_range(0..fates.len());
        let mut found = Vec::with_capacity(fates.len());
        for (number, fate) in fates.iter().enumerate() {
            let what = || format!("{} after event {} with {fate:?}", what(), points.done());
            found.push(self.image(points, fate, possible, number == goes_on, &what));
        }
        self.points.insert(digest, found.into());
    }

    fn image(
        &mut self,
        points: &CrashPoints,
        fate: &[Fate],
        possible: &[Arc<State>],
        goes_on: bool,
        what: &dyn Fn() -> String,
    ) -> Arc<State> {
        let image = points.image(|n| fate[n]);
        let digest = image.digest();
        if let Some(known) = self.images.get(&digest).cloned() {
            self.figures.identical += 1;
            compare(&known, possible, what);
            return known;
        }
        self.figures.opened += 1;
        if goes_on || self.figures.opened.is_multiple_of(OFFLINE_EVERY) {
            self.figures.offline += 1;
            fsck::check_crashed(&mut devices(image.devices.clone()), what);
        }
        let (mut driven, found) = recover(image.devices, self.limit, what);
        let found = compare(&Arc::new(found), possible, what);
        if goes_on {
            self.figures.went_on += 1;
            check_goes_on(&mut driven, &found, what);
        }
        self.images.insert(digest, Arc::clone(&found));
        found
    }
}

/// The state among the possible ones that was found.
fn compare(found: &Arc<State>, possible: &[Arc<State>], what: &dyn Fn() -> String) -> Arc<State> {
    let same = possible.iter().find(|state| Arc::ptr_eq(state, found) || *state == found);
    let same = same.unwrap_or_else(|| panic!("{}: there is {found:?}, not one of {possible:?}", what()));
    Arc::clone(same)
}
