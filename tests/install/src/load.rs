//! `install-load`, the suite's own program for the container: built with libfabric as the packages are, whose provider is the guide's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use system_suite::{Outcome, profile_folder};

use crate::host;

const NAME: &str = "install-load";

/// Where it lies, built once in a run. A plain build of the workspace puts one without libfabric in cargo's place, so this one is copied.
pub(crate) fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        host::ready();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With the whole workspace selected, as in a test run, only what the feature changes is compiled again.
        build.args(["build", "--locked", "--quiet", "--workspace", "--bin", NAME, "--features", "install-suite/ofi"]);
        let profile = profile_folder();
        let profile = profile.file_name().unwrap_or_default().to_string_lossy();
        build.arg("--profile").arg(if profile == "debug" { "dev" } else { &*profile });
        Outcome::of(build.current_dir(host::workspace())).ok();
        let copy = profile_folder().join(format!("{NAME}-over-libfabric"));
        // A container of an earlier run may still have it.
        let part = profile_folder().join(format!(".{NAME}-{}", std::process::id()));
        fs::copy(profile_folder().join(NAME), &part).expect("cargo built it");
        fs::rename(&part, &copy).expect("a rename within a folder");
        copy
    })
}
