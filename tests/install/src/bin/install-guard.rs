//! Waits for the end of its standard input, then takes away the container of a folder (`install_suite::sweep`).
#![allow(clippy::disallowed_methods)] // a suite: it reads the environment

use std::io::Read;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| anyhow::anyhow!("usage: install-guard FOLDER"))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let keep = std::env::var_os("DAOS_SUITE_KEEP").is_some();
    Ok(install_suite::sweep(Path::new(&folder), keep)?)
}
