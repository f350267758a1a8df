//! The active settings as YAML, for `<socket_dir>/.daos_server.active.yml`.
//!
//! Every key is written in its 2.8 spelling with its value after defaults and command line; what is not set is left
//! out. Reading the text gives the same settings again.

use std::fmt::Write;
use std::path::Path;

use crate::settings::{
    AccelerationEngine, BlockClass, BlockTier, EngineConfig, EnvVar, ScmClass, ScmTier, ServerConfig, TransportConfig,
};

impl ServerConfig {
    /// The settings as `daos_server.yml`.
    pub fn to_yaml(&self) -> String {
        let mut out = Writer::default();
        server(&mut out, self);
        out.text
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    indent: usize,
    /// The next line begins a list item.
    item: bool,
}

impl Writer {
    fn key(&mut self, key: &str) -> &mut String {
        let mut spaces = self.indent;
        if self.item {
            spaces -= 2;
        }
        let dash = if std::mem::take(&mut self.item) { "- " } else { "" };
        let _ = write!(self.text, "{:spaces$}{dash}{key}:", "");
        &mut self.text
    }

    fn plain(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.key(key), " {value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        let quoted = quoted(value);
        self.plain(key, quoted);
    }

    fn path(&mut self, key: &str, value: &Path) {
        self.text(key, &value.to_string_lossy());
    }

    fn list<T>(&mut self, key: &str, items: &[T], show: impl Fn(&T) -> String) {
        if items.is_empty() {
            return;
        }
        let items: Vec<String> = items.iter().map(|item| quoted(&show(item))).collect();
        self.plain(key, format!("[{}]", items.join(", ")));
    }

    fn section(&mut self, key: &str, write: impl FnOnce(&mut Writer)) {
        self.key(key).push('\n');
        self.indent += 2;
        write(self);
        self.indent -= 2;
    }

    fn each<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Writer, &T)) {
        if items.is_empty() {
            return;
        }
        self.section(key, |out| {
            for item in items {
                out.indent += 2;
                out.item = true;
                write(out, item);
                out.indent -= 2;
            }
        });
    }
}

/// Double quotes with JSON's escapes, which are a part of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn server(out: &mut Writer, config: &ServerConfig) {
    let ServerConfig {
        name,
        mgmt_svc_replicas,
        control_metadata,
        port,
        control_iface,
        transport,
        fault_path,
        fault_cb,
        provider,
        crt_timeout,
        disable_srx,
        fabric_auth_key,
        core_dump_filter,
        bdev_exclude,
        disable_vfio,
        disable_vmd,
        disable_hotplug,
        hyperthreads,
        socket_dir,
        nr_hugepages,
        disable_hugepages,
        allow_numa_imbalance,
        allow_thp,
        kernel_config_path,
        system_ram_reserved,
        control_log_mask,
        control_log_file,
        control_log_json,
        helper_log_file,
        firmware_helper_log_file,
        telemetry_port,
        disable_engine_auto_restart,
        engine_auto_restart_min_delay,
        client_env_vars,
        file_transfer_exec,
        engines,
    } = config;
    out.text("name", name);
    out.list("mgmt_svc_replicas", mgmt_svc_replicas, ToString::to_string);
    if let Some(metadata) = control_metadata {
        out.section("control_metadata", |out| {
            out.path("path", &metadata.path);
            metadata.device.iter().for_each(|device| out.path("device", device));
            out.plain("allow_spdk_conf_override", metadata.allow_spdk_conf_override);
        });
    }
    out.plain("port", port);
    control_iface.iter().for_each(|iface| out.text("control_iface", iface));
    transport_config(out, transport);
    fault_path.iter().for_each(|path| out.text("fault_path", path));
    fault_cb.iter().for_each(|path| out.path("fault_cb", path));
    provider.iter().for_each(|provider| out.text("provider", &provider.name));
    crt_timeout.iter().for_each(|seconds| out.plain("crt_timeout", seconds));
    out.plain("disable_srx", disable_srx);
    fabric_auth_key.iter().for_each(|key| out.text("fabric_auth_key", key));
    out.plain("core_dump_filter", format!("{core_dump_filter:#x}"));
    out.list("bdev_exclude", bdev_exclude, ToString::to_string);
    out.plain("disable_vfio", disable_vfio);
    out.plain("disable_vmd", disable_vmd);
    out.plain("disable_hotplug", disable_hotplug);
    out.plain("hyperthreads", hyperthreads);
    out.path("socket_dir", socket_dir);
    out.plain("nr_hugepages", nr_hugepages);
    out.plain("disable_hugepages", disable_hugepages);
    out.plain("allow_numa_imbalance", allow_numa_imbalance);
    out.plain("allow_thp", allow_thp);
    kernel_config_path.iter().for_each(|path| out.path("kernel_config_path", path));
    system_ram_reserved.iter().for_each(|gib| out.plain("system_ram_reserved", gib));
    out.plain("control_log_mask", control_log_mask);
    control_log_file.iter().for_each(|path| out.path("control_log_file", path));
    out.plain("control_log_json", control_log_json);
    helper_log_file.iter().for_each(|path| out.path("helper_log_file", path));
    firmware_helper_log_file.iter().for_each(|path| out.path("firmware_helper_log_file", path));
    telemetry_port.iter().for_each(|port| out.plain("telemetry_port", port));
    out.plain("disable_engine_auto_restart", disable_engine_auto_restart);
    out.plain("engine_auto_restart_min_delay", engine_auto_restart_min_delay);
    out.list("client_env_vars", client_env_vars, EnvVar::to_string);
    if let Some(path) = file_transfer_exec {
        out.section("support_config", |out| out.path("file_transfer_exec", path));
    }
    out.each("engines", engines, engine);
}

fn transport_config(out: &mut Writer, transport: &TransportConfig) {
    let TransportConfig { allow_insecure, client_cert_dir, ca_cert, cert, key } = transport;
    out.section("transport_config", |out| {
        out.plain("allow_insecure", allow_insecure);
        client_cert_dir.iter().for_each(|path| out.path("client_cert_dir", path));
        out.path("ca_cert", ca_cert);
        out.path("cert", cert);
        out.path("key", key);
    });
}

fn engine(out: &mut Writer, config: &EngineConfig) {
    let EngineConfig {
        targets,
        nr_xs_helpers,
        first_core,
        pinned_numa_node,
        fabric_iface,
        fabric_iface_port,
        provider,
        crt_timeout,
        disable_srx,
        fabric_auth_key,
        bypass_health_chk,
        secondary_endpoints,
        log_mask,
        log_file,
        env_vars,
        env_pass_through,
        modules,
        scm,
        bdevs,
        acceleration,
        spdk_rpc_server,
        bdev_auto_faulty,
        spdk_iobuf,
    } = config;
    out.plain("targets", targets);
    out.plain("nr_xs_helpers", nr_xs_helpers);
    first_core.iter().for_each(|core| out.plain("first_core", core));
    pinned_numa_node.iter().for_each(|node| out.plain("pinned_numa_node", node));
    out.text("fabric_iface", fabric_iface);
    out.plain("fabric_iface_port", fabric_iface_port);
    out.text("provider", &provider.name);
    crt_timeout.iter().for_each(|seconds| out.plain("crt_timeout", seconds));
    out.plain("disable_srx", disable_srx);
    fabric_auth_key.iter().for_each(|key| out.text("fabric_auth_key", key));
    out.plain("bypass_health_chk", bypass_health_chk);
    out.each("secondary_provider_endpoints", secondary_endpoints, |out, endpoint| {
        out.text("provider", &endpoint.provider.name);
        out.text("fabric_iface", &endpoint.fabric_iface);
        out.plain("fabric_iface_port", endpoint.fabric_iface_port);
    });
    out.text("log_mask", log_mask);
    log_file.iter().for_each(|path| out.path("log_file", path));
    out.list("env_vars", env_vars, EnvVar::to_string);
    out.list("env_pass_through", env_pass_through, String::clone);
    modules.iter().for_each(|modules| out.text("modules", modules));
    out.section("storage", |out| {
        out.indent += 2;
        out.item = true;
        scm_tier(out, scm);
        for tier in bdevs {
            out.item = true;
            block_tier(out, tier);
        }
        out.indent -= 2;
    });
    out.section("acceleration", |out| {
        out.plain("engine", acceleration.engine.as_str());
        if acceleration.engine != AccelerationEngine::None {
            let options: Vec<&str> = [("move", acceleration.moves), ("crc", acceleration.crc)]
                .iter()
                .filter(|(_, on)| *on)
                .map(|(name, _)| *name)
                .collect();
            out.list("options", &options, |name| (*name).to_owned());
        }
    });
    out.section("spdk_rpc_server", |out| {
        out.plain("enable", spdk_rpc_server.enable);
        spdk_rpc_server.sock_addr.iter().for_each(|path| out.path("sock_addr", path));
    });
    out.section("bdev_auto_faulty", |out| {
        out.plain("enable", bdev_auto_faulty.enable);
        out.plain("max_io_errs", bdev_auto_faulty.max_io_errs);
        out.plain("max_csum_errs", bdev_auto_faulty.max_csum_errs);
    });
    out.section("spdk_iobuf", |out| {
        out.plain("small_pool_count", spdk_iobuf.small_pool_count);
        out.plain("large_pool_count", spdk_iobuf.large_pool_count);
    });
}

fn scm_tier(out: &mut Writer, tier: &ScmTier) {
    let ScmTier { class, mount, device, size_gib, mem_ratio, hugepages_disabled } = tier;
    out.plain("class", class.as_str());
    out.path("scm_mount", mount);
    match class {
        ScmClass::Dcpm => {
            device.iter().for_each(|device| out.list("scm_list", &[device], |path| path.display().to_string()));
        }
        ScmClass::Ram => {
            out.plain("scm_size", size_gib);
            if *mem_ratio < 100 {
                out.plain("scm_mem_ratio", mem_ratio);
            }
            out.plain("scm_hugepages_disabled", hugepages_disabled);
        }
    }
}

fn block_tier(out: &mut Writer, tier: &BlockTier) {
    let BlockTier { class, devices, size_gib, number, busid_range, roles } = tier;
    out.plain("class", class.as_str());
    out.list("bdev_list", devices, String::clone);
    if *class == BlockClass::File {
        out.plain("bdev_size", size_gib);
    }
    if *number > 0 {
        out.plain("bdev_number", number);
    }
    busid_range.iter().for_each(|range| out.text("bdev_busid_range", &range.to_string()));
    let roles: Vec<_> = roles.iter().collect();
    out.list("bdev_roles", &roles, |role| role.as_str().to_owned());
}
