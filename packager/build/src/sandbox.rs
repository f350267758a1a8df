//! The room in which anything is built: bubblewrap, no network, fixed paths, fixed environment.
//!
//! What a step sees: the system's `/usr` and what it links to, the toolchain under `/toolchain`, and its own work folder as
//! `/build`. Everything else is absent, so nothing of the machine's state, names or paths can reach a package. The paths are
//! the same on every machine. No cache outlives a build: the pieces that zig compiles for itself remember the folder
//! in which they were first needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::budget::Budget;
use crate::tools::Toolchain;

/// The host name inside, and the build host in the packages.
pub const HOST: &str = "packager.invalid";

/// Where a build finds the target's headers and libraries.
pub const SYSROOT: &str = "/sysroot";

/// What a build that links against libraries of the target sees beside its work folder.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Seen as [`SYSROOT`].
    pub sysroot: PathBuf,
    /// Further variables.
    pub environment: Vec<(String, String)>,
}

/// A sandbox over one work folder.
#[derive(Debug, Clone)]
pub struct Sandbox<'t> {
    /// The tools to show.
    pub toolchain: &'t Toolchain,
    /// Seen as `/build`.
    pub work: PathBuf,
    /// `SOURCE_DATE_EPOCH`.
    pub time: i64,
    /// Jobs, shared with other builds.
    pub budget: &'t Budget,
    /// For what links against libraries of the target.
    pub upstream: Option<Upstream>,
    /// A person sits at it: the terminal is theirs.
    pub interactive: bool,
}

impl Sandbox<'_> {
    /// A command inside.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut bwrap = Command::new(&self.toolchain.bwrap);
        let shared = self.budget.lend(&mut bwrap);
        bwrap.args(["--die-with-parent", "--unshare-all", "--hostname", HOST, "--clearenv"]);
        if !self.interactive {
            bwrap.arg("--new-session");
        }
        bwrap.args(["--uid", "1000", "--gid", "1000"]);
        bwrap.args(["--ro-bind", "/usr", "/usr"]);
        for top in ["bin", "sbin", "lib", "lib64"] {
            let path = PathBuf::from("/").join(top);
            if path.exists() {
                bwrap.arg("--symlink").arg(format!("usr/{top}")).arg(&path);
            }
        }
        // `cc` and its kin are alternatives on Debian.
        for file in ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"] {
            bwrap.args(["--ro-bind-try", file, file]);
        }
        bwrap.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/toolchain/bin"]);
        let rust = &self.toolchain.rust.sysroot;
        if rust != Path::new("/usr") {
            bwrap.arg("--ro-bind").arg(rust).arg("/toolchain/rust");
        }
        bwrap.arg("--ro-bind").arg(&self.toolchain.zig).arg("/toolchain/zig");
        bwrap.arg("--ro-bind").arg(&self.toolchain.zigbuild).arg("/toolchain/bin/cargo-zigbuild");
        bwrap.arg("--bind").arg(&self.work).arg("/build");
        if let Some(Upstream { sysroot, environment }) = &self.upstream {
            bwrap.arg("--ro-bind").arg(sysroot).arg(SYSROOT);
            for (name, value) in environment {
                bwrap.args(["--setenv", name, value]);
            }
        }
        let path = "/toolchain/bin:/toolchain/rust/bin:/usr/bin:/usr/sbin";
        let (time, jobs) = (self.time.to_string(), self.budget.jobs().to_string());
        for (name, value) in &shared {
            bwrap.args(["--setenv", name, value]);
        }
        for (name, value) in [
            ("PATH", path),
            ("HOME", "/build/home"),
            ("TMPDIR", "/tmp"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("SOURCE_DATE_EPOCH", time.as_str()),
            ("CARGO_BUILD_JOBS", jobs.as_str()),
            ("CARGO_INCREMENTAL", "0"),
            ("CARGO_ZIGBUILD_ZIG_PATH", "/toolchain/zig/zig"),
            ("CARGO_ZIGBUILD_CACHE_DIR", "/build/home/zigbuild"),
            ("ZIG_GLOBAL_CACHE_DIR", "/build/home/zig-global"),
            ("ZIG_LOCAL_CACHE_DIR", "/build/home/zig"),
        ] {
            bwrap.args(["--setenv", name, value]);
        }
        bwrap.args(["--chdir", "/build", "--", program]);
        bwrap
    }
}
