//! Running arm64 programs: qemu-user behind the kernel's binfmt_misc.
//!
//! The registration is global to the machine and harmless to others, so it stays once it is made, as the package qemu-user-static would
//! have made it where a service manager runs.

use std::fs;
use std::path::Path;

const TABLE: &str = "/proc/sys/fs/binfmt_misc";
const FORMAT: &str = "qemu-aarch64";

/// Registers the emulator, if need be.
pub(crate) fn ready() {
    if cfg!(target_arch = "aarch64") {
        return;
    }
    if !Path::new(TABLE).join("register").exists() {
        let none: Option<&str> = None;
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("binfmt_misc"), TABLE, Some("binfmt_misc"), flags, none).unwrap_or_else(|error| {
            panic!("binfmt_misc cannot be mounted: {error}\nhint: arm64 programs run here only with it; load the module `binfmt_misc`")
        });
    }
    let entry = Path::new(TABLE).join(FORMAT);
    if !entry.exists() {
        let rule = "/usr/lib/binfmt.d/qemu-aarch64.conf";
        let text =
            fs::read_to_string(rule).unwrap_or_else(|error| panic!("{rule}: {error}\nhint: install qemu-user-static"));
        fs::write(Path::new(TABLE).join("register"), text.trim()).expect("root may register formats");
    }
    let said = fs::read_to_string(&entry).unwrap_or_default();
    let flags = said.lines().find_map(|line| line.strip_prefix("flags: ")).unwrap_or_default();
    assert!(
        said.starts_with("enabled") && flags.contains('F'),
        "binfmt_misc would not run arm64 programs in another root: {said}\nhint: register qemu-aarch64 with the flag F (package qemu-user-static)"
    );
}
