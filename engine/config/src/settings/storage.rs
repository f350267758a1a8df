//! Storage tiers of one engine.

use std::fmt;
use std::path::PathBuf;

/// Class of the memory tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScmClass {
    /// DRAM (a tmpfs in DAOS).
    Ram,
    /// Persistent memory.
    Dcpm,
}

impl ScmClass {
    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            ScmClass::Ram => "ram",
            ScmClass::Dcpm => "dcpm",
        }
    }
}

/// The memory tier: the first and only one of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScmTier {
    /// Class.
    pub class: ScmClass,
    /// Mount point.
    pub mount: PathBuf,
    /// Block device of the namespace; `dcpm` only, and required there.
    pub device: Option<PathBuf>,
    /// GiB; 0 lets the server compute it. `ram` only.
    pub size_gib: u32,
    /// Memory for metadata, in percent of the metadata there can be on SSD; 100 keeps all of it in memory. `ram` only.
    pub mem_ratio: u8,
    /// No hugepages for the tmpfs.
    pub hugepages_disabled: bool,
}

/// Class of a block tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockClass {
    /// NVMe devices by PCI address.
    Nvme,
    /// Files standing for devices.
    File,
    /// Kernel block devices.
    Kdev,
}

impl BlockClass {
    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            BlockClass::Nvme => "nvme",
            BlockClass::File => "file",
            BlockClass::Kdev => "kdev",
        }
    }

    /// True for the classes that stand in for NVMe and need no hugepages.
    pub const fn is_emulated(self) -> bool {
        matches!(self, BlockClass::File | BlockClass::Kdev)
    }
}

/// One block tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTier {
    /// Class.
    pub class: BlockClass,
    /// Paths (`file`, `kdev`) or PCI addresses in canonical form (`nvme`).
    pub devices: Vec<String>,
    /// GiB per device; required for `file`, 0 takes the whole device.
    pub size_gib: u32,
    /// `bdev_number`; 0 when absent.
    pub number: u32,
    /// Bus numbers to which hot-plug is limited.
    pub busid_range: Option<BusIdRange>,
    /// Roles; [`Roles::NONE`] without metadata on SSD.
    pub roles: Roles,
}

/// What a block tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Write-ahead log.
    Wal,
    /// Checkpointed metadata.
    Meta,
    /// Bulk data.
    Data,
}

impl Role {
    /// Every role, in the order in which they are printed.
    pub const ALL: [Role; 3] = [Role::Wal, Role::Meta, Role::Data];

    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Wal => "wal",
            Role::Meta => "meta",
            Role::Data => "data",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Role::Wal => 1,
            Role::Meta => 2,
            Role::Data => 4,
        }
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Roles = Roles(0);
    /// All three.
    pub const ALL: Roles = Roles(7);

    /// The set of `roles`.
    pub fn of(roles: &[Role]) -> Roles {
        Roles(roles.iter().fold(0, |bits, role| bits | role.bit()))
    }

    /// True when `role` is a member.
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Members of either.
    #[must_use]
    pub const fn union(self, other: Roles) -> Roles {
        Roles(self.0 | other.0)
    }

    /// The members, in the order wal, meta, data.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Role::as_str).collect();
        f.write_str(&names.join(","))
    }
}

/// A PCI address `dddd:bb:dd.f`; behind a VMD, `dddddd:bb:dd.f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Domain, at most 24 bits.
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device, below 32.
    pub device: u8,
    /// Function, below 8.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{}", self.domain, self.bus, self.device, self.function)
    }
}

/// `bdev_busid_range`, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BusIdRange {
    /// First bus.
    pub first: u8,
    /// Last bus.
    pub last: u8,
}

impl fmt::Display for BusIdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}-0x{:02x}", self.first, self.last)
    }
}

/// Engine of `acceleration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccelerationEngine {
    /// Off.
    None,
    /// SPDK's software engine.
    Spdk,
    /// Intel's data mover library.
    Dml,
}

impl AccelerationEngine {
    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            AccelerationEngine::None => "none",
            AccelerationEngine::Spdk => "spdk",
            AccelerationEngine::Dml => "dml",
        }
    }
}

/// `acceleration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceleration {
    /// Which engine.
    pub engine: AccelerationEngine,
    /// Offload copies.
    pub moves: bool,
    /// Offload checksums.
    pub crc: bool,
}

/// `spdk_rpc_server`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpdkRpcServer {
    /// Started at all.
    pub enable: bool,
    /// Socket; SPDK's own default when absent.
    pub sock_addr: Option<PathBuf>,
}

/// `bdev_auto_faulty`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoFaulty {
    /// Declare devices faulty without an administrator.
    pub enable: bool,
    /// After this many IO errors.
    pub max_io_errs: u32,
    /// After this many checksum errors.
    pub max_csum_errs: u32,
}

/// `spdk_iobuf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoBuffers {
    /// Small buffers.
    pub small_pool_count: u32,
    /// Large buffers.
    pub large_pool_count: u32,
}
