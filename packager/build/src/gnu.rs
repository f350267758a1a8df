//! The GNU compiler for an architecture, and what `configure` and `make` find in their environment.

use packager_recipe::{Arch, Target};
use serde::Serialize;

use crate::sandbox::SYSROOT;
use crate::tools::{ToolError, find, said};

/// A GNU compiler with its binary tools.
#[derive(Debug, Clone, Serialize)]
pub struct Gnu {
    /// What the names of its programs begin with: `aarch64-linux-gnu-`, or nothing for the machine's own.
    pub prefix: String,
    /// Its version, and that of every further program that the recipe names.
    pub version: String,
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
        Ok(Gnu { prefix, version })
    }

    /// The environment of a build for a target. On the distribution itself none of it is set, and its rpm macros decide.
    #[must_use]
    pub fn environment(&self, target: &Target, builddir: &str) -> Vec<(String, String)> {
        let Gnu { prefix, version: _ } = self;
        let minor = target.glibc().minor;
        let driver = |name: &str| {
            format!(
                "{prefix}{name} --sysroot={SYSROOT} -B{SYSROOT}/usr/lib -D__GLIBC_MINOR__={minor} -L{SYSROOT}/usr/lib -L{SYSROOT}/usr/lib64"
            )
        };
        let flags = format!(
            "-O2 -g -pipe -Wall -fstack-protector-strong -fstack-clash-protection -Wp,-D_FORTIFY_SOURCE=2 -march={} \
             -fdebug-prefix-map={SYSROOT}= -fmacro-prefix-map={builddir}=/usr/src/debug",
            baseline(target)
        );
        let page = target.arch.page_bytes_max();
        let linking = format!(
            "-Wl,-z,relro,-z,now,-z,max-page-size={page:#x} -Wl,--as-needed -Wl,--build-id=sha1 \
             -Wl,-rpath-link,{SYSROOT}/usr/lib64:{SYSROOT}/usr/lib"
        );
        let mut environment = vec![
            ("CC".to_owned(), driver("gcc")),
            ("CXX".to_owned(), driver("g++")),
            ("CFLAGS".to_owned(), flags.clone()),
            ("CXXFLAGS".to_owned(), flags),
            ("LDFLAGS".to_owned(), linking),
            ("PKG_CONFIG_LIBDIR".to_owned(), format!("{SYSROOT}/usr/lib64/pkgconfig:{SYSROOT}/usr/share/pkgconfig")),
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
fn baseline(target: &Target) -> &str {
    match target.cpu() {
        "generic" if target.arch == Arch::Aarch64 => "armv8-a",
        cpu => cpu,
    }
}
