//! Target profiles: what a distribution's release demands of a package and offers to it.
//!
//! A profile is data (`specs/targets/<distribution>-<release>/target.yaml`); nothing here branches on a
//! distribution's name. What the distribution offers is in its lock; the capabilities of glibc follow from its version.

mod places;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Page};
use crate::lock::Lock;
use places::Places;

/// A processor architecture, under rpm's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

impl Arch {
    /// rpm's and Rust's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// File name of the program loader.
    #[must_use]
    pub fn loader(self) -> &'static str {
        match self {
            Arch::X86_64 => "ld-linux-x86-64.so.2",
            Arch::Aarch64 => "ld-linux-aarch64.so.1",
        }
    }

    /// Smallest alignment of loadable segments that runs on every kernel of the architecture: aarch64 kernels exist
    /// with 64 KiB pages.
    #[must_use]
    pub fn page_bytes_max(self) -> u64 {
        match self {
            Arch::X86_64 => 0x1000,
            Arch::Aarch64 => 0x1_0000,
        }
    }

    /// First glibc release with this architecture: the oldest symbol version that exists.
    fn first_glibc(self) -> GlibcVersion {
        match self {
            Arch::X86_64 => GlibcVersion { minor: 2, patch: 5 },
            Arch::Aarch64 => GlibcVersion { minor: 17, patch: 0 },
        }
    }

    /// Instruction sets that a profile may name, in Rust's names: those that the gates can tell.
    fn cpus(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"],
            Arch::Aarch64 => &["generic"],
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a finding of a gate matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It keeps the package out of the repository.
    Error,
    /// It is told.
    Warning,
}

/// Up to three numbers with dots between them, as symbol versions of libraries have; a missing one is 0, a fourth is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreeNumbers([u32; 3]);

impl ThreeNumbers {
    /// Reads `3.4.25`, `2.34` or `4.16.1.3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<ThreeNumbers> {
        let numbers = text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
        Some(ThreeNumbers([0, 1, 2].map(|at| numbers.get(at).copied().unwrap_or(0))))
    }
}

/// `2.<minor>[.<patch>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion {
    /// The number after `2.`.
    pub minor: u32,
    /// The third number; 0 when absent.
    pub patch: u32,
}

impl GlibcVersion {
    /// Reads `2.34` or `2.2.5`.
    #[must_use]
    pub fn parse(text: &str) -> Option<GlibcVersion> {
        let mut parts = text.strip_prefix("2.")?.split('.');
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        parts.next().is_none().then_some(GlibcVersion { minor, patch })
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2.{}", self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

/// `<distribution>-<release>-<arch>`: what a person names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName {
    /// `<distribution>-<release>`: the folder of the profile.
    pub system: String,
    /// The architecture.
    pub arch: Arch,
}

impl TargetName {
    /// Splits at the architecture; `None` when the text ends in none that we know.
    #[must_use]
    pub fn parse(text: &str) -> Option<TargetName> {
        [Arch::X86_64, Arch::Aarch64].into_iter().find_map(|arch| {
            let system = text.strip_suffix(arch.name())?.strip_suffix('-')?;
            (!system.is_empty()).then(|| TargetName { system: system.to_owned(), arch })
        })
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.system, self.arch)
    }
}

/// The file as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// For people: `openEuler 22.03 LTS`.
    pub title: String,
    /// The `Vendor` tag and the vendor part of the platform.
    pub vendor: String,
    /// Dist tag with its leading dot.
    pub dist: String,
    /// glibc of the first release of this line: the floor for every symbol we may use.
    pub glibc: String,
    /// Newest `GLIBCXX_` symbol version of its libstdc++.
    pub glibcxx: String,
    /// Newest `CXXABI_` symbol version of its libstdc++.
    pub cxxabi: String,
    /// The distribution's rpm.
    pub rpm: String,
    /// rpm's payload flags for binary packages.
    pub binary_payload: String,
    /// rpm's payload flags for source packages.
    pub source_payload: String,
    /// rpm's `_build_id_links` as the distribution sets it.
    pub build_id_links: String,
    /// One debuginfo package per binary package instead of one per source package.
    pub debuginfo_subpackages: bool,
    /// The distribution filters by module streams, which must not hide our packages.
    pub module_hotfixes: bool,
    /// Instruction set that every machine of the release has, in Rust's names, by architecture.
    pub cpu: BTreeMap<Arch, String>,
    /// The distribution's container image.
    pub image: String,
    /// mock's configurations where they are not called as the target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mock: BTreeMap<Arch, String>,
    /// Repositories of the distribution that hold build requirements and are off by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_repositories: Vec<String>,
    /// Gates whose findings matter more or less here than elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, Severity>,
}

/// A profile for one architecture.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// `<distribution>-<release>-<arch>`.
    pub name: String,
    /// The architecture.
    pub arch: Arch,
    /// The profile.
    pub profile: Profile,
    /// What is known of the distribution's packages.
    pub lock: Lock,
}

impl Profile {
    /// Reads a profile.
    pub fn parse(page: Page<'_>) -> Result<Profile, Diagnostic> {
        let profile: Profile = page.read()?;
        let places: Places = page.read()?;
        if let Some((place, message, hint)) = places.unsound() {
            return Err(page.at(place, message, Some(hint)));
        }
        Ok(profile)
    }

    /// The architectures that the profile describes.
    pub fn arches(&self) -> impl Iterator<Item = Arch> + '_ {
        self.cpu.keys().copied()
    }
}

impl Target {
    /// The profile for one architecture, if the profile has it; nothing is known of the distribution's packages.
    #[must_use]
    pub fn new(name: &TargetName, profile: Profile) -> Option<Target> {
        let lock = Lock::default();
        profile.cpu.contains_key(&name.arch).then(|| Target { name: name.to_string(), arch: name.arch, profile, lock })
    }

    /// The same with what is known of the distribution's packages.
    #[must_use]
    pub fn with_lock(self, lock: Lock) -> Target {
        Target { lock, ..self }
    }

    /// The glibc floor.
    #[must_use]
    pub fn glibc(&self) -> GlibcVersion {
        GlibcVersion::parse(&self.profile.glibc).expect("checked when the profile was read")
    }

    /// The instruction set in Rust's name.
    #[must_use]
    pub fn cpu(&self) -> &str {
        &self.profile.cpu[&self.arch]
    }

    /// What follows from the version of glibc, as rpm writes capabilities.
    #[must_use]
    pub fn glibc_capabilities(&self) -> Vec<String> {
        let mut all = vec![format!("glibc = {}", self.profile.glibc), "rtld(GNU_HASH)".to_owned()];
        let loader = self.arch.loader();
        for soname in GLIBC_LIBRARIES.into_iter().chain([loader]) {
            all.push(format!("{soname}()(64bit)"));
            for version in self.glibc_versions() {
                all.push(format!("{soname}(GLIBC_{version})(64bit)"));
            }
        }
        all
    }

    fn glibc_versions(&self) -> impl Iterator<Item = GlibcVersion> + '_ {
        let floor = self.glibc();
        let old = [(2, 5), (2, 6), (3, 0), (3, 2), (3, 3), (3, 4)].map(|(minor, patch)| GlibcVersion { minor, patch });
        let regular = (4..=floor.minor).map(|minor| GlibcVersion { minor, patch: 0 });
        old.into_iter().chain(regular).filter(move |version| *version >= self.arch.first_glibc() && *version <= floor)
    }
}

/// The libraries of glibc that programs link (from 2.34 on most are empty, kept for programs linked before).
const GLIBC_LIBRARIES: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"];
