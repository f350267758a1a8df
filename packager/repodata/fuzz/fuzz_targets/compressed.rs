//! Compressed files; the first byte says how. They stop at the limit that was given.
#![no_main]

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use packager_repodata::compression::{Compression, decoder};

const LIMIT: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let name = ["x.xml.gz", "x.xml.zst", "x.xml.xz", "x.xml"][usize::from(kind % 4)];
    let compression = Compression::of(name).expect("a known ending");
    let mut text = Vec::new();
    if let Ok(mut from) = decoder(data, compression, LIMIT)
        && from.read_to_end(&mut text).is_ok()
    {
        assert!(text.len() as u64 <= LIMIT);
    }
});
