//! The front of a package file, and what metadata says of it. What can be described can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packager_repodata::header::Headers;
use packager_repodata::package::{Outside, describe};
use packager_repodata::read;
use packager_repodata::write::Format;

fuzz_target!(|data: &[u8]| {
    let Ok(headers) = Headers::read(&mut &data[..]) else { return };
    if headers.main.sound().is_err() {
        return;
    }
    let (sha256, href) = ("0".repeat(64), "x.rpm".to_owned());
    let Ok(package) = describe(&headers, Outside { sha256, bytes: data.len() as u64, time: 0, href }) else { return };
    let text = Format::Primary.text([&package].into_iter());
    let mut again = Vec::new();
    read::primary(text.as_bytes(), |package| {
        again.push(package);
        Ok(())
    })
    .expect("what we write can be read");
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].name, &again[0].requires), (&package.name, &package.requires));
});
