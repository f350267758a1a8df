//! Writes the inputs that fuzz targets begin with: `fuzz_seeds FOLDER` makes a folder per target there.
#![allow(clippy::disallowed_methods)] // seeds are files

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("usage: fuzz_seeds FOLDER"));
    for (target, bytes) in daos_store::fuzzing::seeds() {
        std::fs::create_dir_all(folder.join(target))?;
        std::fs::write(folder.join(target).join("seed"), bytes)?;
    }
    Ok(())
}
