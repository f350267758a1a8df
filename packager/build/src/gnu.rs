//! The GNU compiler for an architecture, and what `configure` and `make` find in their environment.

use std::path::{Path, PathBuf};

use packager_recipe::{Arch, Target};
use serde::Serialize;

use crate::cxx;
use crate::sandbox::SYSROOT;
use crate::tools::{ToolError, find, said};

/// A GNU compiler with its binary tools.
#[derive(Debug, Clone, Serialize)]
pub struct Gnu {
    /// What the names of its programs begin with: `aarch64-linux-gnu-`, or nothing for the machine's own.
    pub prefix: String,
    /// Its version, and that of every further program that the recipe names.
    pub version: String,
    /// The folder of its own libraries.
    pub libraries: PathBuf,
}

/// What a build needs of its environment, beside a compiler for C.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// Where the sources are unpacked.
    pub builddir: &'w str,
    /// A compiler for C++ too.
    pub cxx: bool,
    /// Further folders with libraries, of packages that are linked against.
    pub private: &'w [String],
}

impl Gnu {
    /// Finds the compiler for an architecture, and the programs a recipe asks for.
    pub fn find(arch: Arch, tools: &[String]) -> Result<Gnu, ToolError> {
        let cross = format!("{}-linux-gnu-", arch.name());
        let has = |prefix: &str| {
            ["gcc", "g++", "ar", "ld"].iter().all(|name| which::which(format!("{prefix}{name}")).is_ok())
        };
        let prefix = if has(&cross) {
            cross
        } else if arch.name() == std::env::consts::ARCH && has("") {
            String::new()
        } else {
            let package = match arch {
                Arch::X86_64 => "`gcc` and `g++`, or their `x86-64-linux-gnu` kind",
                Arch::Aarch64 => {
                    "`gcc-aarch64-linux-gnu` and `g++-aarch64-linux-gnu` (Debian), or `gcc-c++-aarch64-linux-gnu`"
                }
            };
            return Err(ToolError::Missing { name: format!("{cross}gcc"), package });
        };
        let mut version = String::new();
        for name in [format!("{prefix}gcc"), format!("{prefix}ld"), "make".to_owned(), "pkg-config".to_owned()]
            .iter()
            .chain(tools)
        {
            let path = find(name, "the package of that name")?;
            // Not every program knows the option; its absence is no reason to stop.
            let text = said(&path, &["--version"]).unwrap_or_default();
            version.push_str(&format!("{name}: {}\n", text.lines().next().unwrap_or_default()));
        }
        let own = said(&find(&format!("{prefix}gcc"), "`gcc`")?, &["-print-libgcc-file-name"])?;
        let libraries = Path::new(&own).parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Gnu { prefix, version, libraries })
    }

    /// The versions of the compiler and its binary tools alone.
    pub(crate) fn compiler(&self) -> String {
        let own = ["gcc", "ld"].map(|name| format!("{}{name}: ", self.prefix));
        self.version.lines().filter(|line| own.iter().any(|name| line.starts_with(name))).collect::<Vec<_>>().join("\n")
    }

    /// The environment of a build for a target. On the distribution itself none of it is set, and its rpm macros decide.
    #[must_use]
    pub fn environment(&self, target: &Target, wanted: Wanted<'_>) -> Vec<(String, String)> {
        let Gnu { prefix, version: _, libraries } = self;
        let Wanted { builddir, cxx, private } = wanted;
        let minor = target.glibc().minor;
        // The baseline is what the compiler does when it is not told otherwise: a project that asks for more gets it.
        let places = format!(
            "-march={} --sysroot={SYSROOT} -B{SYSROOT}/usr/lib -D__GLIBC_MINOR__={minor} -L{SYSROOT}/usr/lib -L{SYSROOT}/usr/lib64",
            baseline(target)
        );
        let driver = |name: &str| format!("{prefix}{name} {places}");
        // rpm's debugedit leaves paths in what clang writes by DWARF 5.
        let clang = format!(
            "/toolchain/zig/zig clang --driver-mode=g++ --target={}-linux-gnu -resource-dir=/toolchain/zig/lib --gcc-install-dir={} \
             --ld-path=/usr/bin/{prefix}ld {places} -nostdinc++ -isystem {SYSROOT}/{} -include {SYSROOT}/{} -stdlib=libc++ \
             -rtlib=libgcc -static-libgcc -gdwarf-4 -Wno-unused-command-line-argument",
            target.arch,
            libraries.display(),
            cxx::HEADERS,
            cxx::SETTINGS
        );
        let flags = format!(
            "-O2 -g -pipe -Wall -fstack-protector-strong -fstack-clash-protection -Wp,-D_FORTIFY_SOURCE=2 \
             -fdebug-prefix-map={SYSROOT}= -fmacro-prefix-map={builddir}=/usr/src/debug"
        );
        let page = target.arch.page_bytes_max();
        let linking = format!(
            "-Wl,-z,relro,-z,now,-z,max-page-size={page:#x} -Wl,--as-needed -Wl,--build-id=sha1 \
             -Wl,-rpath-link,{SYSROOT}/usr/lib64:{SYSROOT}/usr/lib{}",
            private.iter().map(|folder| format!(":{SYSROOT}{folder}")).collect::<String>()
        );
        let folders = ["/usr/lib64", "/usr/share"].into_iter().chain(private.iter().map(String::as_str));
        let descriptions: Vec<String> = folders.map(|folder| format!("{SYSROOT}{folder}/pkgconfig")).collect();
        let mut environment = vec![
            ("CC".to_owned(), driver("gcc")),
            ("CXX".to_owned(), if cxx { clang } else { driver("g++") }),
            ("CFLAGS".to_owned(), flags.clone()),
            ("CXXFLAGS".to_owned(), flags),
            ("LDFLAGS".to_owned(), linking),
            ("PKG_CONFIG_LIBDIR".to_owned(), descriptions.join(":")),
            // Not for the whole build: with it, rpm's generator of `pkgconfig()` provides would see nothing.
            ("PKG_CONFIG".to_owned(), format!("env PKG_CONFIG_SYSROOT_DIR={SYSROOT} pkg-config")),
        ];
        for name in ["ar", "ld", "nm", "ranlib", "strip", "objcopy", "objdump"] {
            environment.push((name.to_uppercase(), format!("{prefix}{name}")));
        }
        environment
    }
}

/// The target's baseline as gcc calls it; rustc's names of x86 levels are the same.
pub(crate) fn baseline(target: &Target) -> &str {
    match target.cpu() {
        "generic" if target.arch == Arch::Aarch64 => "armv8-a",
        cpu => cpu,
    }
}
