//! The programs a build needs, found once, with the versions that belong into the build key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_recipe::Arch;
use serde::Serialize;

/// A missing or unusable tool.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Not found.
    #[error(
        "`{name}` is not installed\nhint: run `scripts/packager`, which installs what builds need, or install {package}"
    )]
    Missing {
        /// The program.
        name: String,
        /// What has it.
        package: &'static str,
    },
    /// No compiler with the target's standard library.
    #[error(
        "no Rust toolchain here has the standard library of `{triple}`\nhint: `rustup target add {triple}`, or on Debian 12 `dpkg --add-architecture {debian}` and the package `libstd-rust-web-dev:{debian}`; `scripts/packager` does either"
    )]
    NoStd {
        /// Rust's name of the target.
        triple: String,
        /// Debian's name of the architecture.
        debian: &'static str,
    },
    /// It does not run.
    #[error("`{program}` does not say its version")]
    Version {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A Rust toolchain: where it is installed and what it calls itself.
#[derive(Debug, Clone, Serialize)]
pub struct Rust {
    /// Installation prefix, `/usr` for a distribution's.
    pub sysroot: PathBuf,
    /// `rustc -vV`.
    pub version: String,
}

/// Everything that turns sources into packages for one architecture.
#[derive(Debug, Clone, Serialize)]
pub struct Toolchain {
    /// cargo and rustc with the target's standard library.
    pub rust: Rust,
    /// Folder of the zig installation.
    pub zig: PathBuf,
    /// zig's version.
    pub zig_version: String,
    /// The `cargo-zigbuild` program.
    pub zigbuild: PathBuf,
    /// Its version.
    pub zigbuild_version: String,
    /// `rpmbuild --version`.
    pub rpm_version: String,
    /// Versions of the programs that rpmbuild runs over what was compiled.
    pub helpers: String,
    /// The sandbox program.
    pub bwrap: PathBuf,
}

/// Finds a program on `PATH`.
pub fn find(name: &str, package: &'static str) -> Result<PathBuf, ToolError> {
    which::which(name).map_err(|_| ToolError::Missing { name: name.to_owned(), package })
}

/// Rust's name of an architecture's Linux.
#[must_use]
pub fn triple(arch: Arch) -> String {
    format!("{}-unknown-linux-gnu", arch.name())
}

impl Toolchain {
    /// Finds the tools for an architecture. `home` is the private environment that `scripts/packager` makes for zig.
    pub fn find(arch: Arch, home: &Path) -> Result<Toolchain, ToolError> {
        let zigbuild = home.join("bin/cargo-zigbuild");
        let libraries = site_packages(home);
        let zig = libraries.as_ref().map(|folder| folder.join("ziglang")).filter(|folder| folder.join("zig").is_file());
        let (Some(zig), true, Some(libraries)) = (zig, zigbuild.is_file(), libraries) else {
            return Err(ToolError::Missing {
                name: "zig".to_owned(),
                package: "`ziglang` and `cargo-zigbuild` from PyPI",
            });
        };
        find("rpmbuild", "`rpm` (Debian) or `rpm-build`")?;
        let mut helpers = String::new();
        for (name, package) in [
            ("find-debuginfo", "`debugedit`"),
            ("eu-strip", "`elfutils`"),
            ("gzip", "`gzip`"),
            ("xz", "`xz-utils` or `xz`"),
        ] {
            let text = said(&find(name, package)?, &["--version"])?;
            helpers.push_str(text.lines().next().unwrap_or_default());
            helpers.push('\n');
        }
        find("rpmkeys", "`rpm`")?;
        find("rpmlint", "`rpmlint`")?;
        find("cc", "`gcc`")?;
        Ok(Toolchain {
            rust: rust_for(arch)?,
            zig_version: distribution_version(&libraries, "ziglang"),
            zig,
            zigbuild_version: distribution_version(&libraries, "cargo_zigbuild"),
            zigbuild,
            rpm_version: said(Path::new("rpmbuild"), &["--version"])?,
            helpers,
            bwrap: find("bwrap", "`bubblewrap`")?,
        })
    }
}

/// The first toolchain that has both the target's and the host's standard library: the one on `PATH`, then the
/// distribution's.
fn rust_for(arch: Arch) -> Result<Rust, ToolError> {
    let triple = triple(arch);
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let on_path = find("rustc", "Rust from rustup or `rustc-web cargo-web`")?;
    for rustc in [on_path, PathBuf::from("/usr/bin/rustc")] {
        if !rustc.is_file() {
            continue;
        }
        let sysroot = PathBuf::from(said(&rustc, &["--print", "sysroot"])?);
        let has = |triple: &str| sysroot.join("lib/rustlib").join(triple).join("lib").is_dir();
        if has(&triple) && has(&host) && sysroot.join("bin/cargo").is_file() {
            return Ok(Rust { version: said(&sysroot.join("bin/rustc"), &["-vV"])?, sysroot });
        }
    }
    let debian = match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    };
    Err(ToolError::NoStd { triple, debian })
}

/// What a program prints, without blanks around it.
pub(crate) fn said(program: &Path, arguments: &[&str]) -> Result<String, ToolError> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| ToolError::Version { program: program.to_owned(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ToolError::Version { program: program.to_owned(), source: std::io::Error::other(said) });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn site_packages(home: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(home.join("lib")).ok()?;
    entries.flatten().map(|entry| entry.path().join("site-packages")).find(|folder| folder.is_dir())
}

/// A Python distribution's version, from the name of its metadata folder: reading it costs nothing, asking zig 0.1 s.
fn distribution_version(libraries: &Path, name: &str) -> String {
    let prefix = format!("{name}-");
    fs::read_dir(libraries)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find_map(|folder| folder.strip_prefix(&prefix)?.strip_suffix(".dist-info").map(str::to_owned))
        .unwrap_or_default()
}
