//! 2 GiB of memory, 4 GiB of metadata and 16 GiB of bulk values: minutes, and 40 GiB of disk.
//!
//! `cargo test --release -p system-suite --features long --test long-paging -- --nocapture`, with `TMPDIR` where the room is.
#![allow(clippy::disallowed_methods)] // a suite: it reads files of the kernel

use system_suite::Large;

#[test]
fn twenty_gib_in_two_gib_of_memory() {
    let plan = Large {
        bdev_gib: 38,
        ratio: 12,
        small: 3_600_000,
        small_bytes: 1200,
        big: 16_384,
        big_bytes: 1 << 20,
        reads: 50_000,
    };
    plan.run();
}
