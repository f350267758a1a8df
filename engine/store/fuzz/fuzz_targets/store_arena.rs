//! A whole arena: the check walks it, whatever it holds. See engine/store/src/fuzzing.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daos_store::fuzzing::arena(data));
