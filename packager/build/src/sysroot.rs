//! Sysroots: glibc's headers and stub libraries of exactly the target's version, and the packages that a build links against.
//! How the pieces come together: packager/docs/upstream-projects.md.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_recipe::{Arch, Target};
use packager_source::{Digest, Room, keep};

use crate::gnu::Gnu;
use crate::run::run;
use crate::stages::BuildError;
use crate::tools::Toolchain;

/// Raised when other files come out of the same toolchain.
pub(crate) const GENERATION: &str = "2";

/// What must be in a program for zig to make every stub.
const PROGRAM: &str = "#include <pthread.h>\nstatic void *run(void *p) { return p; }\nint main(void) { pthread_t t; return pthread_create(&t, 0, run, 0); }\n";

/// The libraries of glibc: the name a linker looks for, and the one the loader does.
const LIBRARIES: [(&str, &str); 6] = [
    ("libm.so", "libm.so.6"),
    ("libpthread.so", "libpthread.so.0"),
    ("libdl.so", "libdl.so.2"),
    ("librt.so", "librt.so.1"),
    ("libutil.so", "libutil.so.1"),
    ("libresolv.so", "libresolv.so.2"),
];

/// The floor sysroot of a target, made or from an earlier run.
pub(crate) fn floor(
    toolchain: &Toolchain,
    gnu: &Gnu,
    target: &Target,
    store: &Path,
    log: &Path,
) -> Result<PathBuf, BuildError> {
    layer(&floor_key(toolchain, gnu, target), store, |room, root| {
        let library = root.join("usr/lib");
        fs::create_dir_all(&library).map_err(BuildError::at(&library))?;
        headers(toolchain, target.arch, &root.join("usr/include"))?;
        stubs(toolchain, target, room, &library, log)?;
        starts(gnu, room, &library, log)
    })
}

/// The host's compiler makes the start files.
fn floor_key(toolchain: &Toolchain, gnu: &Gnu, target: &Target) -> String {
    key(&[("generation", GENERATION), ("gnu", &gnu.compiler())], toolchain, target)
}

/// The key of a part of sysroots, over zig, architecture, glibc and `inputs`. The first of these, a generation, has a name of its own for each
/// kind of part.
pub(crate) fn key(inputs: &[(&str, &str)], toolchain: &Toolchain, target: &Target) -> String {
    let mut key = Digest::new();
    let always =
        [("zig", toolchain.zig_version.as_str()), ("arch", target.arch.name()), ("glibc", &target.profile.glibc)];
    for (name, part) in inputs.iter().chain(&always) {
        key.part(name, part.as_bytes());
    }
    key.hex()
}

/// A part of sysroots, made or from an earlier run. `make` is given a folder to work in, which goes away, and the place of the part in it.
pub(crate) fn layer(
    key: &str,
    store: &Path,
    make: impl FnOnce(&Path, &Path) -> Result<(), BuildError>,
) -> Result<PathBuf, BuildError> {
    let home = store.join(key);
    if home.is_dir() {
        keep::used(&home);
        return Ok(home);
    }
    let room = Room::make(store, ".sysroot-").map_err(BuildError::at(store))?;
    let root = room.path().join("root");
    make(room.path(), &root)?;
    keep::settle(store).map_err(BuildError::at(store))?;
    match fs::rename(&root, &home) {
        // Another packager was faster.
        Err(_) if home.is_dir() => Ok(home),
        other => other.map(|()| home.clone()).map_err(BuildError::at(&home)),
    }
}

fn headers(toolchain: &Toolchain, arch: Arch, to: &Path) -> Result<(), BuildError> {
    let cpu = match arch {
        Arch::X86_64 => "x86",
        Arch::Aarch64 => "aarch64",
    };
    let from = toolchain.zig.join("lib/libc/include");
    for folder in
        ["any-linux-any".to_owned(), format!("{cpu}-linux-any"), "generic-glibc".to_owned(), format!("{cpu}-linux-gnu")]
    {
        let folder = from.join(folder);
        merge(&folder, to)?;
    }
    Ok(())
}

/// Copies a tree over another; files that are there are replaced.
pub(crate) fn merge(from: &Path, to: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(to).map_err(BuildError::at(to))?;
    for entry in fs::read_dir(from).map_err(BuildError::at(from))? {
        let entry = entry.map_err(BuildError::at(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(BuildError::at(&path))?.is_dir() {
            merge(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(BuildError::at(&target))?;
        }
    }
    Ok(())
}

/// Lets zig link a program in both ways, and takes what it made for that out of its cache. Stripped: debug information of start files would bring
/// the path of this folder into every program.
fn stubs(toolchain: &Toolchain, target: &Target, room: &Path, library: &Path, log: &Path) -> Result<(), BuildError> {
    let cache = room.join("zig");
    let program = room.join("program.c");
    fs::write(&program, PROGRAM).map_err(BuildError::at(&program))?;
    for way in ["-no-pie", "-pie"] {
        let mut zig = Command::new(toolchain.zig.join("zig"));
        zig.arg("cc").arg("-target").arg(format!("{}-linux-gnu.{}", target.arch, target.profile.glibc));
        zig.args([way, "-s"]).arg(&program).arg("-o").arg(room.join("program"));
        zig.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
        run(&mut zig, "making the stub libraries of glibc", log)?;
    }
    let loader = target.arch.loader();
    let made = cache.join("o");
    let mut wanted = vec![("libc.so.6", "libc.so.6"), ("libld.so.2", loader)];
    wanted.extend(["libc_nonshared.a", "crt1.o", "Scrt1.o"].map(|name| (name, name)));
    for (name, to) in wanted {
        let from = found(&made, name).map_err(BuildError::at(&made.join(name)))?;
        fs::copy(&from, library.join(to)).map_err(BuildError::at(&from))?;
    }
    for (name, to) in LIBRARIES {
        if let Ok(from) = found(&made, to) {
            fs::copy(&from, library.join(to)).map_err(BuildError::at(&from))?;
            symlink(to, library.join(name)).map_err(BuildError::at(library))?;
        } else {
            // From 2.34 on it is a part of libc, and glibc itself installs an archive without members under its name.
            let empty = library.join(name).with_extension("a");
            fs::write(&empty, "!<arch>\n").map_err(BuildError::at(&empty))?;
        }
    }
    let script = format!("GROUP ( /usr/lib/libc.so.6 /usr/lib/libc_nonshared.a AS_NEEDED ( /usr/lib/{loader} ) )\n");
    fs::write(library.join("libc.so"), script).map_err(BuildError::at(library))
}

/// The file of a name in one of the folders below `folder`.
pub(crate) fn found(folder: &Path, name: &str) -> io::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path().join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "zig did not make it"))
}

/// Start files that hold nothing: what they were for is done by arrays of functions.
fn starts(gnu: &Gnu, room: &Path, library: &Path, log: &Path) -> Result<(), BuildError> {
    let empty = room.join("empty.c");
    fs::write(&empty, "").map_err(BuildError::at(&empty))?;
    for name in ["crti.o", "crtn.o"] {
        let mut compiler = Command::new(format!("{}gcc", gnu.prefix));
        compiler.arg("-c").arg(&empty).arg("-o").arg(library.join(name)).current_dir(room);
        run(&mut compiler, "making the start files", log)?;
    }
    Ok(())
}

/// A sysroot for one build: the floor and what goes over it, as hard links, and packages unpacked into it.
pub(crate) fn with_packages(layers: &[PathBuf], packages: &[PathBuf], to: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(to).map_err(BuildError::at(to))?;
    for layer in layers {
        link(layer, to).map_err(BuildError::at(to))?;
    }
    for path in packages {
        // Unpacked beside first: a package must not write through a hard link into the floor.
        let apart = to.with_extension("package");
        packager_rpm::extract(path, &apart).map_err(|error| BuildError::Package(Box::new(error)))?;
        overlay(&apart, to).map_err(BuildError::at(to))?;
        fs::remove_dir_all(&apart).map_err(BuildError::at(&apart))?;
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            link(&path, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &target)?;
        } else {
            fs::hard_link(&path, &target)?;
        }
    }
    Ok(())
}

/// Moves a tree into another.
fn overlay(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            overlay(&path, &target)?;
        } else {
            fs::rename(&path, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::floor_key;
    use crate::fixture::Fixture;
    use crate::gnu::Gnu;

    /// The compiler makes a part of it: another compiler, another sysroot. What else a recipe runs does not matter.
    #[test]
    fn a_floor_belongs_to_its_compiler() {
        let fixture = Fixture::new("");
        let key = |version: &str| {
            let (prefix, libraries) = ("aarch64-linux-gnu-".to_owned(), "/".into());
            floor_key(&fixture.toolchain, &Gnu { prefix, version: version.to_owned(), libraries }, &fixture.target)
        };
        let twelve = "aarch64-linux-gnu-gcc: 12.2\naarch64-linux-gnu-ld: 2.40\nmake: 4.3\n";
        assert_eq!(key(twelve), key(&format!("{twelve}nasm: 2.16\n")));
        for (old, new) in [("12.2", "12.3"), ("2.40", "2.41")] {
            assert_ne!(key(twelve), key(&twelve.replace(old, new)));
        }
    }
}
