//! Pristine Debian roots, made once and kept: complete or absent, never changed.

use std::fs;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::emulation;
use crate::host;
use crate::mirror::Mirror;

/// Counts changes of how a root is made.
const GENERATION: u32 = 1;

/// What a root has beyond Debian's minimum: what every RPM distribution has, and dnf.
const PACKAGES: [&str; 8] = ["systemd", "systemd-sysv", "dbus", "rpm", "dnf", "passwd", "procps", "iproute2"];

/// A processor architecture, under rpm's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Booted with systemd.
    X86_64,
    /// Emulated by qemu-user.
    Aarch64,
}

impl Architecture {
    /// rpm's name.
    #[must_use]
    pub fn rpm(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "aarch64",
        }
    }

    fn debian(self) -> &'static str {
        match self {
            Architecture::X86_64 => "amd64",
            Architecture::Aarch64 => "arm64",
        }
    }
}

/// A cached root.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its architecture.
    pub architecture: Architecture,
    /// Where it lies.
    pub folder: PathBuf,
}

impl Root {
    /// The root of an architecture, made if it is not there.
    #[must_use]
    pub fn of(architecture: Architecture) -> Root {
        host::ready();
        if architecture == Architecture::Aarch64 {
            emulation::ready();
        }
        let mirror = Mirror::of_apt();
        let roots = host::cache().join("roots");
        fs::create_dir_all(&roots).expect("the cache can be written");
        let name = format!("{}-{}-{GENERATION}-{}", mirror.codename, architecture.debian(), PACKAGES.join("-"));
        let folder = roots.join(&name);
        // One maker at a time, also among processes.
        let lock = fs::File::create(roots.join(format!(".{name}.lock"))).expect("the cache can be written");
        let _lock =
            Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("a lock in the cache");
        if !folder.is_dir() {
            eprintln!("install suite: making a {} root, once", architecture.debian());
            make(&mirror, architecture, &roots, &folder);
        }
        Root { architecture, folder }
    }
}

fn make(mirror: &Mirror, architecture: Architecture, roots: &Path, folder: &Path) {
    let room = tempfile::Builder::new().prefix(".making-").tempdir_in(roots).expect("the cache can be written");
    let guard = crate::container::guard(room.path());
    let downloads = roots.join("downloads");
    fs::create_dir_all(&downloads).expect("the cache can be written");
    let to = room.path().join("root");
    mirror.debootstrap(architecture.debian(), &PACKAGES, &to, &downloads, room.path());
    settle(&to);
    fs::rename(&to, folder).expect("a rename within the cache");
    drop(guard);
}

/// Where Debian's rpm differs from every RPM distribution: its database is the caller's own.
fn settle(root: &Path) {
    let macros = root.join("etc/rpm");
    fs::create_dir_all(&macros).expect("a folder in a fresh root");
    fs::write(macros.join("macros.install-suite"), "%_dbpath /var/lib/rpm\n").expect("a file in a fresh root");
    for cached in ["var/cache/apt", "var/lib/apt/lists"] {
        fs::remove_dir_all(root.join(cached)).expect("a folder of debootstrap");
    }
}
