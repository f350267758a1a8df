//! The programs a build needs, found once, with the versions that belong into the build key.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use packager_recipe::Arch;
use packager_source::digest;
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
        source: io::Error,
    },
    /// What it is made of is not known.
    #[error(
        "cannot tell which libraries `{program}` writes packages with\nhint: install the package that has it, `rpm` (Debian) or `rpm-build`, again"
    )]
    Libraries {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A Python distribution without its metadata.
    #[error(
        "`{folder}` has no `{name}-VERSION.dist-info`, so the version of `{name}` is not known\nhint: remove `{home}` and run `scripts/packager`, which makes it again"
    )]
    Unversioned {
        /// The distribution.
        name: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
        /// The environment.
        home: PathBuf,
    },
}

/// As the sandbox sees it, whatever is on `PATH`.
const RPMBUILD: &str = "/usr/bin/rpmbuild";

/// What the names of rpmbuild's libraries begin with that decide bytes of packages: it compresses, classifies files and reads programs
/// by them. libmagic stands for its database, which the distributions build with it.
const RPM_LIBRARIES: [&str; 8] =
    ["librpm", "libmagic.", "libz.", "libbz2.", "liblzma.", "libzstd.", "libelf.", "libdw."];

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
    /// Versions of the programs that rpmbuild runs over what was compiled, and hashes of the libraries it writes packages with.
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
        find("rpmkeys", "`rpm`")?;
        find("rpm", "`rpm`")?; // rpmlint runs it
        find("rpmlint", "`rpmlint`")?;
        find("cc", "`gcc`")?;
        // Programs take their time to begin; a build that has nothing to do is this and little else.
        let (rust, rpm, helpers) = thread::scope(|scope| {
            let rust = scope.spawn(|| rust_for(arch));
            let rpm = scope.spawn(|| Ok((said(Path::new(RPMBUILD), &["--version"])?, rpm_libraries()?)));
            let helpers = helpers();
            (joined(rust), joined(rpm), helpers)
        });
        let (rpm_version, rpm_libraries) = rpm?;
        Ok(Toolchain {
            rust: rust?,
            zig_version: distribution_version(home, &libraries, "ziglang")?,
            zig,
            zigbuild_version: distribution_version(home, &libraries, "cargo_zigbuild")?,
            zigbuild,
            rpm_version,
            helpers: helpers? + &rpm_libraries,
            bwrap: find("bwrap", "`bubblewrap`")?,
        })
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T, ToolError>>) -> Result<T, ToolError> {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Versions of the programs that rpmbuild runs over what was compiled.
fn helpers() -> Result<String, ToolError> {
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
    Ok(helpers)
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

/// What a program prints, without blanks around it. It is asked once: several recipes are built with the same tools.
pub(crate) fn said(program: &Path, arguments: &[&str]) -> Result<String, ToolError> {
    static SAID: Mutex<BTreeMap<(PathBuf, String), String>> = Mutex::new(BTreeMap::new());
    let known = || SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let question = (program.to_owned(), arguments.join(" "));
    if let Some(answer) = known().get(&question) {
        return Ok(answer.clone());
    }
    let answer = printed(Command::new(program).args(arguments))
        .map_err(|source| ToolError::Version { program: program.to_owned(), source })?;
    known().insert(question, answer.clone());
    Ok(answer)
}

fn printed(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Names and hashes of rpmbuild's libraries, as its loader finds them in the sandbox: 3 MB, read once for all targets.
fn rpm_libraries() -> Result<String, ToolError> {
    static HASHES: OnceLock<String> = OnceLock::new();
    if let Some(hashes) = HASHES.get() {
        return Ok(hashes.clone());
    }
    let hashes = || -> io::Result<String> {
        // What `ldd` does, without its shell.
        let text = printed(Command::new(RPMBUILD).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1"))?;
        let mut hashes = String::new();
        for (name, path) in deciding(&text) {
            hashes.push_str(&format!("{name} {}\n", digest::file(Path::new(path))?));
        }
        if hashes.is_empty() { Err(io::Error::other("the loader names none of rpm's")) } else { Ok(hashes) }
    };
    let hashes = hashes().map_err(|source| ToolError::Libraries { program: RPMBUILD, source })?;
    Ok(HASHES.get_or_init(|| hashes).clone())
}

/// The libraries that decide bytes of packages, of those that the loader lists as `name => path (address)`.
fn deciding(listed: &str) -> Vec<(&str, &str)> {
    let mut deciding: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(" => ")?;
            Some((name, rest.rsplit_once(" (").map_or(rest, |(path, _)| path)))
        })
        .filter(|(name, _)| RPM_LIBRARIES.iter().any(|wanted| name.starts_with(wanted)))
        .collect();
    // The order of loading says nothing.
    deciding.sort_unstable();
    deciding
}

fn site_packages(home: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(home.join("lib")).ok()?;
    entries.flatten().map(|entry| entry.path().join("site-packages")).find(|folder| folder.is_dir())
}

/// A Python distribution's version, from the name of its metadata folder: reading it costs nothing, asking zig 0.1 s.
fn distribution_version(home: &Path, libraries: &Path, name: &'static str) -> Result<String, ToolError> {
    let prefix = format!("{name}-");
    fs::read_dir(libraries)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find_map(|folder| folder.strip_prefix(&prefix)?.strip_suffix(".dist-info").map(str::to_owned))
        .ok_or_else(|| ToolError::Unversioned { name, folder: libraries.to_owned(), home: home.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ToolError, deciding, distribution_version, rpm_libraries};

    #[test]
    fn a_version_that_is_not_known_is_an_error() {
        let home = tempfile::tempdir().expect("a folder");
        let libraries = home.path().join("lib/python3/site-packages");
        fs::create_dir_all(libraries.join("cargo_zigbuild-0.20.1.dist-info")).expect("a folder");
        let version = |name| distribution_version(home.path(), &libraries, name);
        assert_eq!(version("cargo_zigbuild").expect("it is there"), "0.20.1");
        let error = version("ziglang").expect_err("its metadata is missing");
        assert!(matches!(error, ToolError::Unversioned { .. }) && error.to_string().contains("hint: "), "{error}");
    }

    #[test]
    fn what_decides_bytes_is_found_among_the_libraries() {
        let listed = "linux-vdso.so.1 (0x7f)\n\tlibzstd.so.1 => /lib/libzstd.so.1 (0x7f)\n\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\
             \tlibrpmio.so.9 => /lib/librpmio.so.9 (0x7f)\n\tlibmagic.so.1 => not found\n";
        assert_eq!(
            deciding(listed),
            [
                ("libmagic.so.1", "not found"),
                ("librpmio.so.9", "/lib/librpmio.so.9"),
                ("libzstd.so.1", "/lib/libzstd.so.1")
            ]
        );
        // Of this machine's rpmbuild.
        let hashes = rpm_libraries().expect("it is installed");
        for name in ["librpmbuild.so", "libmagic.so", "liblzma.so"] {
            assert!(hashes.lines().any(|line| line.starts_with(name) && line.len() > 64), "{name}\n{hashes}");
        }
    }
}
