//! How devices are cut: one slice per target and role. Pure.
//!
//! Targets are dealt to the devices of a tier in turn; the targets of one device share it evenly. Where roles share a
//! device, the log gets a sixteenth of the target's share within limits, the checkpoint what its arena needs but never more
//! than half of the share when values live there too, and the data role the rest.

use types::TargetIndex;

use crate::label::{MARGIN_BYTES, MAX_SLICES};
use crate::{Role, Slice};

/// Slices start and end on multiples of this.
const ALIGN_BYTES: u64 = 1 << 20;
/// A log shorter than this would checkpoint all the time under large values.
const MIN_WAL_BYTES: u64 = 64 << 20;
/// A longer log only makes restarts slower.
const MAX_WAL_BYTES: u64 = 1 << 30;
/// An arena below this cannot hold the structures of a few pools.
const MIN_ARENA_BYTES: u64 = 16 << 20;
/// A data slice below this is not worth having.
const MIN_DATA_BYTES: u64 = 64 << 20;

/// A device to be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// How it is called in messages.
    pub name: String,
    /// Bytes of it.
    pub bytes: u64,
}

/// Devices that have the same roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// At least one device.
    pub devices: Vec<Space>,
    /// Each role is in exactly one tier.
    pub roles: Vec<Role>,
}

/// The cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Arena bytes of each target.
    pub arena_bytes: u64,
    /// Slices of each device, tiers and devices in the order given.
    pub devices: Vec<Vec<Slice>>,
}

/// Why devices cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There is a role without a device, or one with two tiers.
    #[error("the role `{0:?}` is in {1} tiers, it must be in exactly one")]
    Role(Role, usize),
    /// More devices than targets: some would have nothing to do.
    #[error("{devices} devices share the {targets} targets of the engine; a device needs at least one target")]
    IdleDevice {
        /// In one tier.
        devices: usize,
        /// Of the engine.
        targets: u32,
    },
    /// A device too small for its roles.
    #[error("`{name}` has {bytes} bytes, its {targets} target(s) need at least {needed}")]
    TooSmall {
        /// Which device.
        name: String,
        /// What it has.
        bytes: u64,
        /// Targets on it.
        targets: u32,
        /// The least it must have.
        needed: u64,
    },
    /// More slices than a label can list.
    #[error("`{0}` would be cut into {1} slices, a label lists at most {MAX_SLICES}")]
    TooMany(String, usize),
}

/// Cuts the devices of `tiers` for `targets` targets whose arenas together may have `scm_bytes`. `meta_bytes` tells how
/// long the meta slice of an arena must be; it must grow with its argument.
pub fn plan(
    targets: u32,
    scm_bytes: u64,
    tiers: &[Tier],
    meta_bytes: impl Fn(u64) -> u64,
) -> Result<Layout, LayoutError> {
    for role in Role::ALL {
        let count = tiers.iter().filter(|tier| tier.roles.contains(&role)).count();
        if count != 1 {
            return Err(LayoutError::Role(role, count));
        }
    }
    let mut arena_bytes = align_down(scm_bytes / u64::from(targets.max(1)));
    for tier in tiers {
        if tier.devices.len() > targets as usize {
            return Err(LayoutError::IdleDevice { devices: tier.devices.len(), targets });
        }
        for (index, device) in tier.devices.iter().enumerate() {
            let on_it = targets_on(targets, tier.devices.len(), index);
            let least = least_share(&tier.roles, &meta_bytes);
            let needed = least * u64::from(on_it) + 2 * MARGIN_BYTES;
            if device.bytes < needed {
                return Err(LayoutError::TooSmall {
                    name: device.name.clone(),
                    bytes: device.bytes,
                    targets: on_it,
                    needed,
                });
            }
            let slices = on_it as usize * tier.roles.len();
            if slices > MAX_SLICES {
                return Err(LayoutError::TooMany(device.name.clone(), slices));
            }
            if tier.roles.contains(&Role::Meta) {
                let room = meta_room(share(device.bytes, on_it), &tier.roles);
                arena_bytes = arena_bytes.min(largest_arena(room, arena_bytes, &meta_bytes));
            }
        }
    }
    let devices = tiers.iter().flat_map(|tier| {
        let count = tier.devices.len();
        let meta = align_up(meta_bytes(arena_bytes));
        tier.devices.iter().enumerate().map(move |(index, device)| {
            let on_it = targets_on(targets, count, index);
            let share = share(device.bytes, on_it);
            let mut offset = MARGIN_BYTES;
            let mut slices = Vec::new();
            for target in (0..targets).filter(|target| *target as usize % count == index) {
                for role in Role::ALL.into_iter().filter(|role| tier.roles.contains(role)) {
                    let length = match role {
                        Role::Wal => wal_bytes(share, &tier.roles),
                        Role::Meta => meta,
                        Role::Data => {
                            let wal = if tier.roles.contains(&Role::Wal) { wal_bytes(share, &tier.roles) } else { 0 };
                            let meta = if tier.roles.contains(&Role::Meta) { meta } else { 0 };
                            share - wal - meta
                        }
                    };
                    slices.push(Slice { target: TargetIndex(target), role, offset, length });
                    offset += length;
                }
            }
            slices
        })
    });
    Ok(Layout { arena_bytes, devices: devices.collect() })
}

fn targets_on(targets: u32, devices: usize, index: usize) -> u32 {
    (0..targets).filter(|target| *target as usize % devices == index).count() as u32
}

fn share(bytes: u64, targets: u32) -> u64 {
    align_down((bytes - 2 * MARGIN_BYTES) / u64::from(targets))
}

/// The least a target needs on a device with these roles.
fn least_share(roles: &[Role], meta_bytes: &impl Fn(u64) -> u64) -> u64 {
    let of = |role| match role {
        Role::Wal => MIN_WAL_BYTES,
        Role::Meta if roles.contains(&Role::Data) => 2 * align_up(meta_bytes(MIN_ARENA_BYTES)),
        Role::Meta => align_up(meta_bytes(MIN_ARENA_BYTES)),
        Role::Data => MIN_DATA_BYTES,
    };
    roles.iter().copied().map(of).sum()
}

fn wal_bytes(share: u64, roles: &[Role]) -> u64 {
    if roles == [Role::Wal] {
        share.min(MAX_WAL_BYTES)
    } else {
        align_down((share / 16).clamp(MIN_WAL_BYTES, MAX_WAL_BYTES))
    }
}

fn meta_room(share: u64, roles: &[Role]) -> u64 {
    let rest = share - if roles.contains(&Role::Wal) { wal_bytes(share, roles) } else { 0 };
    if roles.contains(&Role::Data) { rest / 2 } else { rest }
}

/// The largest arena up to `most` whose meta slice fits `room`.
fn largest_arena(room: u64, most: u64, meta_bytes: &impl Fn(u64) -> u64) -> u64 {
    let (mut low, mut high) = (0, most / ALIGN_BYTES);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if align_up(meta_bytes(middle * ALIGN_BYTES)) <= room { low = middle } else { high = middle - 1 }
    }
    low * ALIGN_BYTES
}

fn align_down(bytes: u64) -> u64 {
    bytes / ALIGN_BYTES * ALIGN_BYTES
}

fn align_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tier(sizes_gib: &[u64], roles: &[Role]) -> Tier {
        let devices = sizes_gib.iter().enumerate().map(|(n, gib)| Space { name: format!("bdev{n}"), bytes: gib << 30 });
        Tier { devices: devices.collect(), roles: roles.to_vec() }
    }

    fn meta(arena: u64) -> u64 {
        arena + arena / 4 + (32 << 20)
    }

    /// Every target has one slice per role; slices of a device do not touch each other or its margins.
    fn check(layout: &Layout, targets: u32, sizes: &[u64]) {
        let all: Vec<Slice> = layout.devices.concat();
        for target in 0..targets {
            for role in Role::ALL {
                assert_eq!(
                    all.iter().filter(|s| s.target.0 == target && s.role == role).count(),
                    1,
                    "{target} {role:?}"
                );
            }
        }
        assert!(all.iter().filter(|s| s.role == Role::Meta).all(|s| s.length >= meta(layout.arena_bytes)));
        for (slices, size) in layout.devices.iter().zip(sizes) {
            let mut end = MARGIN_BYTES;
            for slice in slices {
                assert!(
                    slice.offset >= end
                        && slice.length >= MIN_DATA_BYTES.min(MIN_WAL_BYTES)
                        && slice.offset % 4096 == 0
                );
                end = slice.offset + slice.length;
            }
            assert!(end <= size - MARGIN_BYTES);
        }
    }

    #[test]
    fn the_guide_s_device_holds_all_roles_of_its_target() {
        let layout = plan(1, 4 << 30, &[tier(&[16], &Role::ALL)], meta).unwrap();
        check(&layout, 1, &[16 << 30]);
        assert_eq!(layout.arena_bytes, 4 << 30);
    }

    #[test]
    fn roles_on_devices_of_their_own() {
        let tiers = [tier(&[2], &[Role::Wal]), tier(&[8], &[Role::Meta]), tier(&[16, 16], &[Role::Data])];
        let layout = plan(4, 4 << 30, &tiers, meta).unwrap();
        check(&layout, 4, &[2 << 30, 8 << 30, 16 << 30, 16 << 30]);
        assert_eq!(layout.arena_bytes, 1 << 30);
    }

    #[test]
    fn a_device_too_small_says_what_it_needs_and_that_is_enough() {
        let mut small = tier(&[1], &Role::ALL);
        small.devices[0].bytes = 100 << 20;
        let Err(LayoutError::TooSmall { needed, .. }) = plan(2, 4 << 30, &[small.clone()], meta) else {
            panic!("fits")
        };
        small.devices[0].bytes = needed - 1;
        assert!(plan(2, 4 << 30, &[small.clone()], meta).is_err());
        small.devices[0].bytes = needed;
        check(&plan(2, 4 << 30, &[small], meta).unwrap(), 2, &[needed]);
    }

    #[test]
    fn roles_and_devices_must_match() {
        assert_eq!(
            plan(1, 1 << 30, &[tier(&[8], &[Role::Wal, Role::Meta])], meta),
            Err(LayoutError::Role(Role::Data, 0))
        );
        let twice = [tier(&[8], &Role::ALL), tier(&[8], &[Role::Data])];
        assert_eq!(plan(1, 1 << 30, &twice, meta), Err(LayoutError::Role(Role::Data, 2)));
        assert!(matches!(plan(1, 1 << 30, &[tier(&[8, 8], &Role::ALL)], meta), Err(LayoutError::IdleDevice { .. })));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_cut_cleanly(targets in 1u32..20, scm in 1u64..40, sizes in prop::collection::vec(1u64..200, 1..4)) {
            if let Ok(layout) = plan(targets, scm << 30, &[tier(&sizes, &Role::ALL)], meta) {
                let bytes: Vec<u64> = sizes.iter().map(|gib| gib << 30).collect();
                check(&layout, targets, &bytes);
                prop_assert!(layout.arena_bytes >= MIN_ARENA_BYTES);
            }
        }
    }
}
