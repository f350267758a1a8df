//! Disk space shared by the clusters of one test program.
//!
//! Device files are really allocated, and the tests of a program run side by side: without a limit a machine with many
//! cores would need more room than many have.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

/// What all device files of a test program may take together, in GiB.
const BUDGET_GIB: u32 = 10;

static FREE_GIB: Mutex<u32> = Mutex::new(BUDGET_GIB);
static RETURNED: Condvar = Condvar::new();

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    gib: u32,
}

impl Share {
    /// Waits for `gib` GiB. A share larger than the budget gets all of it.
    pub(crate) fn take(gib: u32) -> Share {
        let gib = gib.min(BUDGET_GIB);
        let free = FREE_GIB.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = RETURNED.wait_while(free, |free| *free < gib).unwrap_or_else(PoisonError::into_inner);
        *free -= gib;
        Share { gib }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *FREE_GIB.lock().unwrap_or_else(PoisonError::into_inner) += self.gib;
        RETURNED.notify_all();
    }
}

/// Says clearly when the folder for temporary files is too small.
pub(crate) fn require(folder: &Path, gib: u32) {
    let space = nix::sys::statvfs::statvfs(folder).expect("the temporary folder is there");
    let free = (space.blocks_available() * space.fragment_size()) >> 30;
    assert!(
        free >= u64::from(gib),
        "the device files of this test need {gib} GiB, `{}` has {free} GiB free\nhint: set TMPDIR to a folder with more room",
        folder.display()
    );
}
