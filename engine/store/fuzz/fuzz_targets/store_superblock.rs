//! A superblock. See engine/store/src/fuzzing.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daos_store::fuzzing::superblock(data));
