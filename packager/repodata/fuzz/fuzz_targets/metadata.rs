//! The XML of metadata; the first byte says which kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packager_repodata::read;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    match kind % 6 {
        0 => drop(read::repomd(text)),
        1 => {
            let places = read::places(text).is_ok();
            let packages = read::primary(text, |_| Ok(())).is_ok();
            assert!(places || !packages, "what can be read whole can be read in part");
        }
        2 => drop(read::filelists(text, |_, _| Ok(()))),
        3 => drop(read::other(text, |_, _| Ok(()))),
        4 => drop((read::well_formed(text), read::comps(text))),
        _ => drop((read::well_formed(text), read::updateinfo(text))),
    }
});
