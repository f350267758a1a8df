//! What the schema allows and this engine cannot run yet. Here and nowhere else.
//!
//! | setting | state |
//! |---|---|
//! | tiers of class `nvme` | refused: there is no user-space NVMe driver |
//! | `provider` that was not built in | refused |
//! | an engine without block tiers (with roles, beside class `ram`) | refused: the log, the checkpoints and the data need a place |
//! | more than one replica of the management service | notice: the first one serves alone |
//! | `secondary_provider_endpoints`, `acceleration`, `spdk_rpc_server` | notice: nothing reads them |

use types::FaultName;

use crate::settings::{AccelerationEngine, BlockClass, ScmClass, ServerConfig};
use crate::{Finding, Severity};

/// Findings for everything in `config` that an engine with these `providers` cannot run. Errors must stop the start; notices say what
/// has no effect. Lines are zero; [`crate::Places::locate`] fills them in.
pub fn unsupported(config: &ServerConfig, providers: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |severity, name, path: String, description: String, resolution: &str| {
        findings.push(Finding {
            severity,
            name,
            line: 0,
            column: 0,
            path,
            description,
            resolution: resolution.to_owned(),
        });
    };
    let bad = FaultName::ServerConfigBadConfig;
    if config.mgmt_svc_replicas.len() > 1 {
        find(
            Severity::Notice,
            bad,
            "mgmt_svc_replicas".to_owned(),
            format!("the management service is not replicated yet; `{}` serves it alone", config.mgmt_svc_replicas[0]),
            "list one host, or keep the list for a later release",
        );
    }
    for (index, engine) in config.engines.iter().enumerate() {
        let path = |key: &str| format!("engines[{index}].{key}");
        if !providers.contains(&engine.provider.name.as_str()) {
            find(
                Severity::Error,
                FaultName::ServerConfigBadProvider,
                path("provider"),
                format!("the provider `{}` is known but not built into this engine", engine.provider),
                "set `provider: ofi+tcp` and restart daos_server",
            );
        }
        if engine.scm.class == ScmClass::Dcpm && engine.bdevs.is_empty() {
            find(
                Severity::Error,
                bad,
                path("storage"),
                "the engine has no block tier, and this engine keeps bulk data nowhere else".to_owned(),
                "add a tier of class `file` or `kdev`, and restart daos_server",
            );
        }
        for (tier_index, tier) in engine.bdevs.iter().enumerate() {
            if tier.class == BlockClass::Nvme {
                find(
                    Severity::Error,
                    bad,
                    path(&format!("storage[{}].class", tier_index + 1)),
                    "the class `nvme` is known but a user-space NVMe driver is not built into this engine".to_owned(),
                    "use class `kdev` with the kernel's device, for example `/dev/nvme0n1`, and restart daos_server",
                );
            }
        }
        if engine.scm.class == ScmClass::Ram && !engine.metadata_on_ssd() {
            find(
                Severity::Error,
                bad,
                path("storage"),
                "the engine has no block tiers with roles, and this engine keeps nothing in memory alone".to_owned(),
                "set `control_metadata.path` and add a tier of class `file` or `kdev`, and restart daos_server",
            );
        }
        let unread = [
            ("secondary_provider_endpoints", !engine.secondary_endpoints.is_empty()),
            ("acceleration", engine.acceleration.engine != AccelerationEngine::None),
            ("spdk_rpc_server", engine.spdk_rpc_server.enable),
        ];
        for (key, _) in unread.into_iter().filter(|(_, set)| *set) {
            find(Severity::Notice, bad, path(key), format!("`{key}` has no effect yet"), "remove the key");
        }
    }
    findings
}
