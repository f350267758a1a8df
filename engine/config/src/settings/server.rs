//! `daos_server.yml`, global section.

use std::path::PathBuf;

use super::{EngineConfig, EnvVar, HostPort, LogLevel, PciAddress, Provider, TransportConfig};

/// The whole of `daos_server.yml`, checked and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// System name.
    pub name: String,
    /// Replicas of the management service; an odd number. (`mgmt_svc_replicas`, or the 2.6 name `access_points`.)
    pub mgmt_svc_replicas: Vec<HostPort>,
    /// Metadata on SSD; absent for persistent memory or volatile use.
    pub control_metadata: Option<ControlMetadata>,
    /// gRPC port.
    pub port: u16,
    /// Interface whose first IPv4 address the control plane binds; all addresses when absent.
    pub control_iface: Option<String>,
    /// TLS of the control plane.
    pub transport: TransportConfig,
    /// Fault domain of this host; `/hostname` when absent and no callback is set.
    pub fault_path: Option<String>,
    /// Program that prints the fault domain.
    pub fault_cb: Option<PathBuf>,
    /// Fabric provider of the engines that set none; absent only without engines.
    pub provider: Option<Provider>,
    /// Default RPC timeout in seconds; the engine's own default when absent.
    pub crt_timeout: Option<u32>,
    /// Shared receive contexts off.
    pub disable_srx: bool,
    /// Provider authentication key.
    pub fabric_auth_key: Option<String>,
    /// `/proc/self/coredump_filter` of the engines.
    pub core_dump_filter: u8,
    /// PCI addresses never touched.
    pub bdev_exclude: Vec<PciAddress>,
    /// Use UIO instead of VFIO; needs root.
    pub disable_vfio: bool,
    /// No volume management devices.
    pub disable_vmd: bool,
    /// No NVMe hot-plug. (2.6: the reverse `enable_hotplug`.)
    pub disable_hotplug: bool,
    /// Accepted and unused, as in DAOS.
    pub hyperthreads: bool,
    /// Directory of `daos_server.sock` and the engines' sockets.
    pub socket_dir: PathBuf,
    /// Hugepages for all engines; 0 lets the server choose.
    pub nr_hugepages: u32,
    /// Use no hugepages.
    pub disable_hugepages: bool,
    /// Accept engines unevenly spread over NUMA nodes.
    pub allow_numa_imbalance: bool,
    /// Accept transparent hugepages.
    pub allow_thp: bool,
    /// Kernel configuration to read; found by itself when absent.
    pub kernel_config_path: Option<PathBuf>,
    /// GiB left to the system; scaled to the machine when absent ([`crate::system_ram_reserved_bytes`]).
    pub system_ram_reserved: Option<u32>,
    /// Level of the control plane's log.
    pub control_log_mask: LogLevel,
    /// Control plane's log; standard error when absent.
    pub control_log_file: Option<PathBuf>,
    /// Log as JSON.
    pub control_log_json: bool,
    /// Log of the privileged helper.
    pub helper_log_file: Option<PathBuf>,
    /// Log of the firmware helper (deprecated).
    pub firmware_helper_log_file: Option<PathBuf>,
    /// Prometheus port; off when absent.
    pub telemetry_port: Option<u16>,
    /// Leave a stopped engine stopped.
    pub disable_engine_auto_restart: bool,
    /// Least seconds between two restarts of one engine.
    pub engine_auto_restart_min_delay: u32,
    /// Environment given to clients with the attach information.
    pub client_env_vars: Vec<EnvVar>,
    /// `support_config.file_transfer_exec`.
    pub file_transfer_exec: Option<PathBuf>,
    /// One entry per engine process; empty means that the server listens and starts none.
    pub engines: Vec<EngineConfig>,
}

/// `control_metadata`: where the control plane keeps its records when the SCM tier is volatile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlMetadata {
    /// Directory; records go to its subdirectory `daos_control`.
    pub path: PathBuf,
    /// Block device to mount there.
    pub device: Option<PathBuf>,
    /// Let the engine read extra SPDK settings from there.
    pub allow_spdk_conf_override: bool,
}

impl ControlMetadata {
    /// The directory that holds the records.
    pub fn directory(&self) -> PathBuf {
        self.path.join("daos_control")
    }
}

/// Command-line values of `daos_server start` that win over the file. They are checked like the file's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `-p`.
    pub port: Option<u16>,
    /// `-s`: SCM mount of every engine; sensible with one engine only.
    pub scm_mount: Option<PathBuf>,
    /// `-m`.
    pub modules: Option<String>,
    /// `-t`.
    pub targets: Option<u32>,
    /// `-x`.
    pub nr_xs_helpers: Option<u32>,
    /// `-f`.
    pub first_core: Option<u32>,
    /// `-g`.
    pub name: Option<String>,
    /// `-d`.
    pub socket_dir: Option<PathBuf>,
    /// `-i`.
    pub insecure: bool,
}
