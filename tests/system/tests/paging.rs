//! An engine whose metadata is several times larger than its memory keeps to the limit and forgets nothing.
#![allow(clippy::disallowed_methods)] // a suite: it reads files of the kernel

use system_suite::Large;

#[test]
fn an_engine_keeps_to_its_memory_limit_with_more_metadata_than_that() {
    let plan =
        Large { bdev_gib: 4, ratio: 1, small: 100_000, small_bytes: 1000, big: 500, big_bytes: 100_000, reads: 2000 };
    plan.run();
}
