//! Faults: errors an administrator can act on.
//!
//! A fault has a domain, a stable name, a description of what is wrong and a resolution. The name is the contract;
//! DAOS's number is printed for people who search for it, and may shift between releases as it does there
//! (reference: src/control/fault/code/codes.go).

use std::fmt;

macro_rules! names {
    ($($name:ident = $code:literal, $domain:literal;)*) => {
        /// The stable name of a fault.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)] // the names are DAOS's own and are described where each fault is raised
        pub enum Name {
            $($name,)*
        }

        impl Name {
            /// Every name.
            pub const ALL: &'static [Name] = &[$(Name::$name,)*];

            /// The name as text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Name::$name => stringify!($name),)* }
            }

            /// DAOS's number at the time of writing.
            pub const fn code(self) -> u32 {
                match self { $(Name::$name => $code,)* }
            }

            /// The part of the system it belongs to, as DAOS prints it.
            pub const fn domain(self) -> &'static str {
                match self { $(Name::$name => $domain,)* }
            }
        }
    };
}

names! {
    Unknown = 0, "general";
    MissingSoftwareDependency = 1, "general";
    SocketFileInUse = 6, "general";
    StorageAlreadyFormatted = 101, "storage";
    StorageFilesystemAlreadyMounted = 102, "storage";
    StorageDeviceAlreadyMounted = 103, "storage";
    StorageTargetAlreadyMounted = 104, "storage";
    StoragePathAccessDenied = 105, "storage";
    ScmNoPMem = 211, "scm";
    ScmRamdiskLowMem = 214, "scm";
    ScmRamdiskBadSize = 215, "scm";
    ScmConfigTierMissing = 216, "scm";
    ScmHugepagesNotSupported = 218, "scm";
    BdevFormatUnknownClass = 301, "bdev";
    BdevFormatFailure = 302, "bdev";
    BdevBadPCIAddress = 303, "bdev";
    BdevNotFound = 304, "bdev";
    BdevDuplicatesInDeviceList = 305, "bdev";
    BdevNoDevicesMatchFilter = 306, "bdev";
    BdevAccelEngineUnknown = 307, "bdev";
    BdevConfigOptFlagUnknown = 308, "bdev";
    BdevConfigTierTypeMismatch = 309, "bdev";
    BdevNonRootVFIODisable = 310, "bdev";
    BdevNoIOMMU = 311, "bdev";
    BdevConfigRolesWithDCPM = 312, "bdev";
    BdevConfigRolesBadNr = 313, "bdev";
    BdevConfigRolesMissing = 314, "bdev";
    BdevConfigMultiTierWithoutRoles = 315, "bdev";
    BdevConfigBadNrTiersWithRoles = 316, "bdev";
    BdevConfigControlMetadataNoRoles = 317, "bdev";
    BdevConfigRolesNoControlMetadata = 318, "bdev";
    BdevConfigRolesWalDataNoMeta = 319, "bdev";
    SystemBadFaultDomainDepth = 401, "system";
    ClientConfigBadControlPort = 501, "client";
    ClientConfigBadAccessPoints = 502, "client";
    ClientConfigEmptyHostList = 503, "client";
    ClientConnectionBadHost = 504, "client";
    ClientConnectionNoRoute = 505, "client";
    ClientConnectionRefused = 506, "client";
    ClientConnectionClosed = 507, "client";
    ClientConnectionTimedOut = 508, "client";
    ClientFormatRunningSystem = 509, "client";
    ClientRpcTimeout = 510, "client";
    ServerScmUnmanaged = 601, "server";
    ServerIommuDisabled = 602, "server";
    ServerWrongSystem = 603, "server";
    ServerPoolScmTooSmall = 604, "server";
    ServerPoolNvmeTooSmall = 605, "server";
    ServerPoolInvalidRanks = 606, "server";
    ServerPoolInvalidNumRanks = 607, "server";
    ServerPoolInvalidServiceReps = 608, "server";
    ServerPoolDuplicateLabel = 609, "server";
    ServerHarnessNotStarted = 610, "server";
    ServerDataPlaneNotStarted = 611, "server";
    ServerInstancesNotStopped = 612, "server";
    ServerConfigInvalidNetDevClass = 613, "server";
    ServerVfioDisabled = 614, "server";
    ServerPoolNoLabel = 615, "server";
    ServerIncompatibleComponents = 616, "server";
    ServerNoCompatibilityInsecure = 617, "server";
    ServerPoolHasContainers = 618, "server";
    ServerPoolMemRatioNoRoles = 619, "server";
    ServerBadFaultDomainLabels = 620, "server";
    ServerTransparentHugepageEnabled = 624, "server";
    ServerConfigBadConfig = 701, "serverconfig";
    ServerConfigNoConfigPath = 702, "serverconfig";
    ServerConfigBadControlPort = 703, "serverconfig";
    ServerConfigBadTelemetryPort = 704, "serverconfig";
    ServerConfigBadMgmtSvcReplicas = 705, "serverconfig";
    ServerConfigEvenMgmtSvcReplicas = 706, "serverconfig";
    ServerConfigBadProvider = 707, "serverconfig";
    ServerConfigNoEngines = 708, "serverconfig";
    ServerConfigDuplicateFabric = 709, "serverconfig";
    ServerConfigDuplicateLogFile = 710, "serverconfig";
    ServerConfigDuplicateScmMount = 711, "serverconfig";
    ServerConfigDuplicateScmDeviceList = 712, "serverconfig";
    ServerConfigOverlappingBdevDeviceList = 713, "serverconfig";
    ServerConfigBdevCountMismatch = 714, "serverconfig";
    ServerConfigTargetCountMismatch = 715, "serverconfig";
    ServerConfigHelperStreamCountMismatch = 716, "serverconfig";
    ServerConfigFaultDomainInvalid = 717, "serverconfig";
    ServerConfigFaultCallbackNotFound = 718, "serverconfig";
    ServerConfigFaultCallbackInsecure = 719, "serverconfig";
    ServerConfigFaultCallbackBadPerms = 720, "serverconfig";
    ServerConfigFaultCallbackFailed = 721, "serverconfig";
    ServerConfigBothFaultPathAndCb = 722, "serverconfig";
    ServerConfigFaultCallbackEmpty = 723, "serverconfig";
    ServerConfigFaultDomainTooManyLayers = 724, "serverconfig";
    ServerConfigNrHugepagesOutOfRange = 725, "serverconfig";
    ServerConfigHugepagesDisabledWithNvmeBdevs = 726, "serverconfig";
    ServerConfigVMDSettingDuplicate = 727, "serverconfig";
    ServerConfigEngineNUMAImbalance = 728, "serverconfig";
    ServerConfigControlMetadataNoPath = 729, "serverconfig";
    ServerConfigRamdiskUnderMinMem = 730, "serverconfig";
    ServerConfigRamdiskOverMaxMem = 731, "serverconfig";
    ServerConfigScmDiffClass = 732, "serverconfig";
    ServerConfigEngineBdevRolesMismatch = 733, "serverconfig";
    ServerConfigSysRsvdZero = 734, "serverconfig";
    ServerConfigEnableHotplugDeprecated = 735, "serverconfig";
    ServerConfigBdevExcludeClash = 736, "serverconfig";
    ServerConfigHugepagesDisabledWithNrSet = 737, "serverconfig";
    ServerConfigScmHugeEnabled = 738, "serverconfig";
    ServerConfigBadControlInterface = 739, "serverconfig";
    ServerConfigControlInterfaceMismatch = 740, "serverconfig";
    SecurityMissingCertFile = 901, "security";
    SecurityUnreadableCertFile = 902, "security";
    SecurityInvalidCert = 903, "security";
    ControlMetadataBadFilesystem = 1001, "control_metadata";
}

/// An error with a name, what is wrong, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which fault.
    pub name: Name,
    /// What is wrong, with the offending value; lower case, no period.
    pub description: String,
    /// What to do, in the imperative.
    pub resolution: String,
}

impl Fault {
    /// A fault from its three parts.
    pub fn new(name: Name, description: impl Into<String>, resolution: impl Into<String>) -> Fault {
        Fault { name, description: description.into(), resolution: resolution.into() }
    }
}

impl fmt::Display for Fault {
    /// Two lines in DAOS's form, with the stable name added: `server: ServerPoolNoLabel: code = 615 description = "..."`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (domain, name, code) = (self.name.domain(), self.name.as_str(), self.name.code());
        writeln!(f, "{domain}: {name}: code = {code} description = {:?}", self.description)?;
        write!(f, "{domain}: {name}: code = {code} resolution = {:?}", self.resolution)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_prints_description_then_resolution() {
        let fault = Fault::new(Name::ServerPoolNoLabel, "cannot create a pool without a label", "retry with a label");
        assert_eq!(
            fault.to_string(),
            "server: ServerPoolNoLabel: code = 615 description = \"cannot create a pool without a label\"\n\
             server: ServerPoolNoLabel: code = 615 resolution = \"retry with a label\""
        );
    }

    #[test]
    fn codes_are_distinct_and_ordered() {
        assert!(Name::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }
}
