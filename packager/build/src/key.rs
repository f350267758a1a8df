//! The build key: a hash over everything that can change a single byte of a package.

use packager_source::Digest;

use crate::buildroot::Buildroot;
use crate::tools::Toolchain;

/// Raised when the packager itself changes what it builds from the same inputs.
pub(crate) const GENERATION: &str = "3";

/// What goes into a key beside the toolchain.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'i> {
    /// The rendered spec: recipe, template, profile and version are in it.
    pub spec: &'i str,
    /// The rpm macros: the rest of the profile.
    pub macros: &'i str,
    /// Hash of the source tree.
    pub source: &'i str,
    /// Hash of each file beside the recipe, by name.
    pub beside: &'i [(String, String)],
    /// `SOURCE_DATE_EPOCH`.
    pub time: i64,
    /// Keys of the builds that are linked against, by recipe.
    pub linked: &'i [(String, String)],
    /// Versions of the GNU tools and their environment, for upstream projects; those do not see the Rust compiler.
    pub gnu: Option<&'i str>,
    /// Where it is compiled.
    pub buildroot: Buildroot,
}

/// The key in hexadecimal.
#[must_use]
pub fn build_key(inputs: Inputs<'_>, toolchain: &Toolchain) -> String {
    let Inputs { spec, macros, source, beside, time, linked, gnu, buildroot } = inputs;
    let mut digest = Digest::new();
    digest.part("generation", GENERATION.as_bytes());
    digest.part("spec", spec.as_bytes());
    digest.part("macros", macros.as_bytes());
    digest.part("source", source.as_bytes());
    for (name, hash) in beside {
        digest.part(name, hash.as_bytes());
    }
    digest.part("time", &time.to_le_bytes());
    for (recipe, key) in linked {
        digest.part("linked", recipe.as_bytes());
        digest.part("key", key.as_bytes());
    }
    if buildroot != Buildroot::Sandbox {
        digest.part("buildroot", buildroot.name().as_bytes());
    }
    let Toolchain { rust, zig: _, zig_version, zigbuild: _, zigbuild_version, rpm_version, helpers, bwrap: _ } =
        toolchain;
    let compilers = match gnu {
        Some(gnu) => vec![("gnu", gnu)],
        None => vec![("rust", rust.version.as_str()), ("zigbuild", zigbuild_version)],
    };
    for (name, version) in
        compilers.into_iter().chain([("zig", zig_version.as_str()), ("rpm", rpm_version), ("helpers", helpers)])
    {
        digest.part(name, version.as_bytes());
    }
    digest.hex()
}
