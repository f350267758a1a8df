//! Writes the inputs that fuzz targets begin with: `fuzz_seeds FOLDER` makes a folder per target there.
#![allow(clippy::disallowed_methods)] // seeds are files

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("usage: fuzz_seeds FOLDER"));
    for (number, (target, bytes)) in daos_store::fuzzing::seeds().into_iter().enumerate() {
        std::fs::create_dir_all(folder.join(target))?;
        std::fs::write(folder.join(target).join(format!("seed-{number}")), bytes)?;
    }
    Ok(())
}
