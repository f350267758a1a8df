//! What the host must offer. Missing programs are installed by `scripts/install-suite-tools`; a missing capability fails the
//! test with what to do about it, never skips it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use system_suite::Outcome;

/// The workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the suite lies in the workspace")
}

/// Where what outlives a run is kept.
pub(crate) fn cache() -> PathBuf {
    let from = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let base = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")));
    base.expect("hint: set HOME, the cached roots lie below it").join("packager")
}

/// Checks the host, once.
pub(crate) fn ready() {
    static CHECKED: Once = Once::new();
    CHECKED.call_once(|| {
        assert!(
            nix::unistd::geteuid().is_root(),
            "the install suite makes roots, mounts and containers\nhint: run it as root, or in a virtual machine where you are"
        );
        let tools = Outcome::of(&mut Command::new(workspace().join("scripts/install-suite-tools")));
        assert_eq!(tools.code, 0, "the tools of the install suite cannot be installed: {}", tools.stderr);
        let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        assert!(
            filesystems.lines().any(|line| line.ends_with("\toverlay")),
            "the kernel has no overlayfs\nhint: load the module `overlay`, or run the suite in a virtual machine"
        );
    });
}
