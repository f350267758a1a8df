//! C++ at an old glibc: libstdc++ of the build host's compiler asks for the build host's glibc, so parts in C++ are compiled by the
//! clang that is in zig, against its libc++, which is compiled once for the target's glibc and linked statically.
//!
//! Headers and archives are laid out as a sysroot that goes over the floor. GNU ld links, with the same flags as for C.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_recipe::Target;

use crate::run::{RunError, run};
use crate::stages::BuildError;
use crate::sysroot::{found, key, layer, merge};
use crate::tools::Toolchain;

/// Raised when other files come out of the same toolchain.
pub(crate) const GENERATION: &str = "1";

/// Where the headers are, in the sysroot.
pub(crate) const HEADERS: &str = "usr/include/c++/v1";

/// What zig's libc++ was configured with, which zig itself gives on each command line.
pub(crate) const SETTINGS: &str = "usr/include/c++/v1/__config_site";

/// What must be in a program for zig to make all archives.
const PROGRAM: &str = "int main() { throw 1; }\n";

/// The archives, as zig calls them. `-lc++` means all of them.
const ARCHIVES: [(&str, &str); 3] =
    [("libc++.a", "libc++static.a"), ("libc++abi.a", "libc++abi.a"), ("libunwind.a", "libunwind.a")];

/// The C++ library of a target, made or from an earlier run.
pub(crate) fn runtime(toolchain: &Toolchain, target: &Target, store: &Path, log: &Path) -> Result<PathBuf, BuildError> {
    layer(&key(&[("c++ generation", GENERATION)], toolchain, target), store, |room, root| {
        let headers = root.join(HEADERS);
        for folder in ["lib/libcxx/include", "lib/libcxxabi/include"] {
            let folder = toolchain.zig.join(folder);
            merge(&folder, &headers)?;
        }
        let zig = Zig { toolchain, target, room, log };
        let settings = root.join(SETTINGS);
        fs::write(&settings, zig.settings()?).map_err(BuildError::at(&settings))?;
        zig.archives(&root.join("usr/lib"))
    })
}

struct Zig<'z> {
    toolchain: &'z Toolchain,
    target: &'z Target,
    room: &'z Path,
    log: &'z Path,
}

impl Zig<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut zig = Command::new(self.toolchain.zig.join("zig"));
        let cache = self.room.join("zig");
        zig.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
        zig.arg("c++").arg("-target").arg(format!("{}-linux-gnu.{}", self.target.arch, self.target.profile.glibc));
        zig.arg(program);
        zig
    }

    fn program(&self) -> Result<PathBuf, BuildError> {
        let program = self.room.join("program.cc");
        fs::write(&program, PROGRAM).map_err(BuildError::at(&program))?;
        Ok(program)
    }

    /// The definitions that zig adds when it compiles C++, as a header.
    fn settings(&self) -> Result<String, BuildError> {
        let said = self.room.join("said");
        run(self.command(&self.program()?).args(["-v", "-E"]), "asking zig for its libc++", &said)?;
        let text = fs::read(&said).map_err(BuildError::at(&said))?;
        let header = definitions(&String::from_utf8_lossy(&text));
        if header.is_empty() {
            let source = std::io::Error::other("zig does not say what its libc++ was configured with");
            return Err(BuildError::Run(RunError::Start { program: "zig c++".to_owned(), source }));
        }
        Ok(header)
    }

    /// Lets zig link a program, and takes the archives that it made for that. Without debug information, which would name the
    /// folder they were made in.
    fn archives(&self, library: &Path) -> Result<(), BuildError> {
        let mut zig = self.command(&self.program()?);
        zig.args(["-O2", "-s", "-pie", "-o"]).arg(self.room.join("program"));
        run(&mut zig, "making the C++ library", self.log)?;
        fs::create_dir_all(library).map_err(BuildError::at(library))?;
        let made = self.room.join("zig/o");
        for (name, to) in ARCHIVES {
            let from = found(&made, name).map_err(BuildError::at(&made.join(name)))?;
            fs::copy(&from, library.join(to)).map_err(BuildError::at(&from))?;
        }
        let names: Vec<String> = ARCHIVES.iter().map(|(_, name)| format!("/usr/lib/{name}")).collect();
        let script = format!("GROUP ( {} )\n", names.join(" "));
        fs::write(library.join("libc++.a"), script).map_err(BuildError::at(library))
    }
}

/// `-D _LIBCPP_X=1` on a command line -> `#define _LIBCPP_X 1`.
fn definitions(said: &str) -> String {
    let words = said.split_whitespace().map(|word| word.trim_start_matches("-D"));
    let mut lines: Vec<String> = words
        .filter(|word| word.starts_with("_LIBCPP_") || word.starts_with("_LIBCXXABI_"))
        .map(|word| match word.split_once('=') {
            Some((name, value)) => format!("#define {name} {value}\n"),
            None => format!("#define {word} 1\n"),
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::definitions;

    #[test]
    fn definitions_of_a_command_line_become_a_header() {
        let said = "clang -cc1 -D _LIBCPP_B -D_LIBCPP_A=_LIBCPP_NONE -D OTHER=1 -D _LIBCPP_B -o x";
        assert_eq!(definitions(said), "#define _LIBCPP_A _LIBCPP_NONE\n#define _LIBCPP_B 1\n");
        assert_eq!(definitions("clang x.cc"), "");
    }
}
