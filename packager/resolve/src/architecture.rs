//! Which architectures a machine runs, which it prefers, and which of them may stand side by side (rpm's colours).
//!
//! The tables are those of libsolv's src/poolarch.c for the machines that DAOS and its build hosts know.

/// Of no machine in particular.
pub(crate) const NOARCH: &str = "noarch";

/// Machine, and what else it runs, the best first.
const COMPATIBLE: [(&str, &[&str]); 6] = [
    ("x86_64", &["i686", "i586", "i486", "i386"]),
    ("i686", &["i586", "i486", "i386"]),
    ("s390x", &["s390"]),
    ("aarch64", &[]),
    ("ppc64le", &[]),
    ("riscv64", &[]),
];

/// What a machine runs.
#[derive(Debug, Clone)]
pub(crate) struct Architectures {
    ranked: Vec<String>,
}

impl Architectures {
    /// Those of a machine; a machine that nobody knows runs its own packages and `noarch`.
    pub(crate) fn new(machine: &str) -> Architectures {
        let others = COMPATIBLE.iter().find(|(name, _)| *name == machine).map_or(&[][..], |(_, others)| others);
        let ranked = std::iter::once(machine).chain(others.iter().copied()).map(str::to_owned).collect();
        Architectures { ranked }
    }

    pub(crate) fn machine(&self) -> &str {
        &self.ranked[0]
    }

    /// 0 for `noarch`, then from 1 in order of preference.
    pub(crate) fn rank(&self, arch: &str) -> Option<usize> {
        if arch == NOARCH {
            return Some(0);
        }
        self.ranked.iter().position(|known| known == arch).map(|at| at + 1)
    }
}

/// Bit 0: 32 bit, bit 1: 64 bit; packages of no architecture are of both.
pub(crate) fn colour(arch: &str) -> u8 {
    match arch {
        NOARCH => 3,
        "s390x" => 2,
        _ if arch.contains("64") => 2,
        _ => 1,
    }
}
