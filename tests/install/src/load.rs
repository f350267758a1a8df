//! `install-load`, the suite's own program for the container: built with libfabric as the packages are, whose provider is the guide's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use system_suite::cargo_build;

use crate::host;

const NAME: &str = "install-load";

/// Where it lies: as `INSTALL_SUITE_LOAD` says, because packages of another version need one that speaks their protocol; else built once in a
/// run. A plain build of the workspace puts one without libfabric in cargo's place, so this one is copied.
pub(crate) fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        host::ready();
        if let Some(program) = std::env::var_os("INSTALL_SUITE_LOAD") {
            return program.into();
        }
        cargo_build(&["--bin", NAME, "--features", "install-suite/ofi"], |folder| {
            let copy = folder.join(format!("{NAME}-over-libfabric"));
            // A container of an earlier run may still have it.
            let part = folder.join(format!(".{NAME}-{}", std::process::id()));
            fs::copy(folder.join(NAME), &part).expect("cargo built it");
            fs::rename(&part, &copy).expect("a rename within a folder");
            copy
        })
    })
}
