//! The keys of `daos_server.yml`, in the spellings of 2.6 and 2.8.

use crate::reader::Schema;

pub(crate) static SERVER: Schema = Schema {
    name: "",
    keys: &[
        "name",
        "mgmt_svc_replicas",
        "access_points",
        "control_metadata",
        "port",
        "control_iface",
        "transport_config",
        "fault_path",
        "fault_cb",
        "provider",
        "crt_timeout",
        "disable_srx",
        "fabric_auth_key",
        "core_dump_filter",
        "bdev_exclude",
        "disable_vfio",
        "disable_vmd",
        "disable_hotplug",
        "enable_hotplug",
        "hyperthreads",
        "socket_dir",
        "nr_hugepages",
        "disable_hugepages",
        "allow_numa_imbalance",
        "allow_thp",
        "kernel_config_path",
        "system_ram_reserved",
        "control_log_mask",
        "control_log_file",
        "control_log_json",
        "helper_log_file",
        "firmware_helper_log_file",
        "telemetry_port",
        "disable_engine_auto_restart",
        "engine_auto_restart_min_delay",
        "client_env_vars",
        "support_config",
        "engines",
    ],
    hints: &[
        ("servers", "write `engines`, its name since 2.0"),
        ("enable_vmd", "write `disable_vmd` with the opposite value, its name since 2.4"),
        ("bdev_include", "list the devices in `bdev_list` of each engine"),
        ("crt_ctx_share_addr", "remove the key; nothing reads it since 2.6"),
        ("system_name", "write `name`"),
        ("hostlist", "write `mgmt_svc_replicas`; `hostlist` belongs in `daos_control.yml`"),
        ("runtime_dir", "write `socket_dir`; `runtime_dir` belongs in `daos_agent.yml`"),
        ("log_level", "write `control_log_mask`"),
        ("metadata", "write `control_metadata`"),
    ],
    relatives: &[&ENGINE, &TIER, &CONTROL_METADATA],
};

pub(crate) static CONTROL_METADATA: Schema = Schema {
    name: "control_metadata",
    keys: &["path", "device", "allow_spdk_conf_override"],
    hints: &[],
    relatives: &[&SERVER, &ENGINE],
};

pub(crate) static SUPPORT: Schema =
    Schema { name: "support_config", keys: &["file_transfer_exec"], hints: &[], relatives: &[] };

pub(crate) static ENGINE: Schema = Schema {
    name: "engines[]",
    keys: &[
        "targets",
        "nr_xs_helpers",
        "first_core",
        "pinned_numa_node",
        "fabric_iface",
        "fabric_iface_port",
        "provider",
        "crt_timeout",
        "disable_srx",
        "fabric_auth_key",
        "bypass_health_chk",
        "secondary_provider_endpoints",
        "log_mask",
        "log_file",
        "env_vars",
        "env_pass_through",
        "modules",
        "storage",
        "acceleration",
        "spdk_rpc_server",
        "bdev_auto_faulty",
        "spdk_iobuf",
    ],
    hints: &[
        ("scm_class", "write a tier in `storage` with `class`, as since 2.0"),
        ("bdev_class", "write a tier in `storage` with `class`, as since 2.0"),
        ("rank", "remove the key; ranks are given at join"),
        ("accel_engine", "write `acceleration: {engine: ...}`"),
        ("name", "move `name` to the top level, where it belongs"),
        ("numa_node", "write `pinned_numa_node`"),
        ("crt_ctx_share_addr", "remove the key; nothing reads it since 2.6"),
    ],
    relatives: &[&TIER, &SERVER],
};

pub(crate) static TIER: Schema = Schema {
    name: "engines[].storage[]",
    keys: &[
        "class",
        "scm_mount",
        "scm_list",
        "scm_size",
        "scm_mem_ratio",
        "scm_hugepages_disabled",
        "bdev_list",
        "bdev_size",
        "bdev_number",
        "bdev_busid_range",
        "bdev_roles",
    ],
    hints: &[
        ("scm_class", "write `class`"),
        ("bdev_class", "write `class`"),
        ("mem_ratio", "write `scm_mem_ratio`"),
        ("mem-ratio", "write `scm_mem_ratio`"),
    ],
    relatives: &[&ENGINE, &SERVER],
};

/// Keys of a tier that only a memory tier has, and only a block tier.
pub(crate) const SCM_KEYS: [&str; 5] = ["scm_mount", "scm_list", "scm_size", "scm_mem_ratio", "scm_hugepages_disabled"];
pub(crate) const BLOCK_KEYS: [&str; 5] = ["bdev_list", "bdev_size", "bdev_number", "bdev_busid_range", "bdev_roles"];

pub(crate) static ENDPOINT: Schema = Schema {
    name: "engines[].secondary_provider_endpoints[]",
    keys: &["provider", "fabric_iface", "fabric_iface_port"],
    hints: &[],
    relatives: &[&ENGINE],
};

pub(crate) static ACCELERATION: Schema =
    Schema { name: "engines[].acceleration", keys: &["engine", "options"], hints: &[], relatives: &[] };

pub(crate) static SPDK_RPC: Schema =
    Schema { name: "engines[].spdk_rpc_server", keys: &["enable", "sock_addr"], hints: &[], relatives: &[] };

pub(crate) static AUTO_FAULTY: Schema = Schema {
    name: "engines[].bdev_auto_faulty",
    keys: &["enable", "max_io_errs", "max_csum_errs"],
    hints: &[],
    relatives: &[],
};

pub(crate) static IOBUF: Schema = Schema {
    name: "engines[].spdk_iobuf",
    keys: &["small_pool_count", "large_pool_count"],
    hints: &[],
    relatives: &[],
};
