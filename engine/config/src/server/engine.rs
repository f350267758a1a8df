//! One entry of `engines:`.

use std::path::PathBuf;

use types::FaultName;

use super::global::{flag, value, variables};
use super::{roles, schema, tier};
use crate::reader::{Problem, Section};
use crate::report::{Report, quote};
use crate::settings::{
    Acceleration, AccelerationEngine, AutoFaulty, EngineConfig, EnvVar, IoBuffers, Provider, ProviderKind, ScmClass,
    SecondaryEndpoint, SpdkRpcServer,
};
use crate::value::{check_engine_variable, log_mask, provider};

/// SPDK's own pool sizes.
const SMALL_BUFFERS: u32 = 8192;
const LARGE_BUFFERS: u32 = 1024;

/// DAOS's default: ten IO errors, and as many checksum errors as can be counted.
const MAX_IO_ERRORS: u32 = 10;

/// Most targets of one engine: a target is a core, and no host has more.
const MAX_TARGETS: i64 = 1024;

/// What the global section gives to engines that set nothing.
pub(super) struct Inherited {
    pub(super) provider: Option<Provider>,
    /// The global provider was refused; its absence is not reported again.
    pub(super) provider_is_bad: bool,
    pub(super) crt_timeout: Option<u32>,
    pub(super) disable_srx: bool,
    pub(super) fabric_auth_key: Option<String>,
    /// `control_metadata.path` is set.
    pub(super) control_metadata: bool,
}

/// An engine with the sections it came from.
pub(super) struct Engine {
    pub(super) config: EngineConfig,
    pub(super) section: Section,
    pub(super) scm: Option<Section>,
    pub(super) blocks: Vec<Section>,
}

/// The section as settings; see [`super::global::read`] about refused values.
pub(super) fn read(report: &mut Report, section: &Section, inherited: &Inherited) -> Engine {
    let bad = FaultName::ServerConfigBadConfig;
    let targets = required_integer(report, section, "targets", 1..=MAX_TARGETS, "the number of targets, for example 4");
    let nr_xs_helpers = section.integer(report, "nr_xs_helpers", 0..=MAX_TARGETS, bad).map_or(0, value);
    let (first_core, pinned_numa_node) = cores(report, section);
    let fabric_iface = section.text(report, "fabric_iface").map(value);
    if fabric_iface.is_none() && report.good(&section.at("fabric_iface")) {
        missing(report, section, "fabric_iface", "the network interface of the engine, for example `eth0`");
    }
    let port = required_integer(
        report,
        section,
        "fabric_iface_port",
        1..=65535,
        "the port of the data path, for example 31416",
    );
    let provider = engine_provider(report, section, inherited);
    let storage = section.sections(report, "storage", &schema::TIER);
    let storage_is_readable = report.good(&section.at("storage"));
    let tiers = tier::read(report, section, storage.map_or(Vec::new(), value), storage_is_readable);
    let blocks = roles::settle(report, &tiers, inherited.control_metadata);
    let env_vars = variables(report, section, "env_vars");
    let dcpm = tiers.scm.as_ref().is_some_and(|scm| scm.value.class == ScmClass::Dcpm);
    let on_ssd = blocks.iter().any(|tier| tier.roles != crate::Roles::NONE);
    for variable in &env_vars {
        if let Err(Problem { description, remedy }) =
            check_engine_variable(&variable.value, dcpm, on_ssd, provider.as_ref().map(|provider| provider.kind))
        {
            report.error_at(variable.mark, &variable.path, description, remedy);
        }
    }
    let config = EngineConfig {
        targets: small(targets),
        nr_xs_helpers: small(nr_xs_helpers),
        first_core,
        pinned_numa_node,
        fabric_iface: fabric_iface.unwrap_or_default(),
        fabric_iface_port: u16::try_from(port).expect("the range ends at 65535"),
        provider: provider.unwrap_or(Provider { name: "ofi+tcp".to_owned(), kind: ProviderKind::Tcp }),
        crt_timeout: section
            .count(report, "crt_timeout", 0, bad)
            .map(value)
            .filter(|s| *s > 0)
            .or(inherited.crt_timeout),
        disable_srx: section.boolean(report, "disable_srx").map_or(inherited.disable_srx, value),
        fabric_auth_key: section
            .text(report, "fabric_auth_key")
            .map(value)
            .or_else(|| inherited.fabric_auth_key.clone()),
        bypass_health_chk: flag(report, section, "bypass_health_chk"),
        secondary_endpoints: endpoints(report, section),
        log_mask: section.parsed(report, "log_mask", bad, log_mask).map_or_else(|| "ERR".to_owned(), value),
        log_file: section.text(report, "log_file").map(|given| PathBuf::from(given.value)),
        env_vars: env_vars.into_iter().map(value).collect::<Vec<EnvVar>>(),
        env_pass_through: pass_through(report, section),
        modules: section.text(report, "modules").map(value),
        scm: tiers.scm.as_ref().map_or_else(tier::placeholder, |scm| scm.value.clone()),
        bdevs: blocks,
        acceleration: acceleration(report, section),
        spdk_rpc_server: rpc_server(report, section),
        bdev_auto_faulty: auto_faulty(report, section),
        spdk_iobuf: buffers(report, section),
    };
    Engine {
        config,
        section: section.clone(),
        scm: tiers.scm.map(|scm| scm.section),
        blocks: tiers.blocks.into_iter().map(|block| block.section).collect(),
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).expect("every range read here fits")
}

fn missing(report: &mut Report, section: &Section, key: &str, what: &str) {
    let problem = format!("the engine has no `{key}`");
    report.error_at(section.mark(), &section.at(key), problem, format!("set `{key}` to {what}"));
}

/// A number that must be given; the placeholder for a refused one is the least allowed.
fn required_integer(
    report: &mut Report,
    section: &Section,
    key: &str,
    range: std::ops::RangeInclusive<i64>,
    what: &str,
) -> i64 {
    let least = *range.start();
    if !section.has(key) {
        missing(report, section, key, what);
        return least;
    }
    section.integer(report, key, range, FaultName::ServerConfigBadConfig).map_or(least, value)
}

/// An explicit first core of 0 beside a NUMA node is what 2.6 wrote for "unset".
fn cores(report: &mut Report, section: &Section) -> (Option<u32>, Option<u32>) {
    let bad = FaultName::ServerConfigBadConfig;
    let first_core = section.integer(report, "first_core", 0..=65_535, bad);
    let node = section.integer(report, "pinned_numa_node", 0..=1023, bad).map(|node| small(node.value));
    let Some(core) = first_core else { return (None, node) };
    if node.is_none() {
        return (Some(small(core.value)), None);
    }
    if core.value == 0 {
        report.notice(
            bad,
            core.mark,
            &core.path,
            "`first_core` 0 is not used, because `pinned_numa_node` is given",
            "remove `first_core`",
        );
        return (None, node);
    }
    report.error_at(
        core.mark,
        &core.path,
        format!("both `first_core` ({}) and `pinned_numa_node` are given", core.value),
        "remove one of the two",
    );
    (None, node)
}

fn engine_provider(report: &mut Report, section: &Section, inherited: &Inherited) -> Option<Provider> {
    let name = FaultName::ServerConfigBadProvider;
    if section.has("provider") {
        return section.parsed(report, "provider", name, provider).map(value);
    }
    if inherited.provider.is_none() && !inherited.provider_is_bad {
        report.fault(
            name,
            section.mark(),
            &section.at("provider"),
            "no fabric provider is set for the engine",
            "set `provider` at the top level, for example `provider: ofi+tcp`",
        );
    }
    inherited.provider.clone()
}

fn pass_through(report: &mut Report, section: &Section) -> Vec<String> {
    let names = section.texts(report, "env_pass_through").map_or(Vec::new(), value);
    for name in &names {
        if name.value.contains('=') {
            let problem =
                format!("{} sets a variable, but `env_pass_through` names variables to hand on", quote(&name.value));
            report.error_at(name.mark, &name.path, problem, "write the name alone, or move the line to `env_vars`");
        }
    }
    names.into_iter().map(value).collect()
}

fn endpoints(report: &mut Report, section: &Section) -> Vec<SecondaryEndpoint> {
    let name = "secondary_provider_endpoints";
    let sections = section.sections(report, name, &schema::ENDPOINT).map_or(Vec::new(), value);
    let mut endpoints = Vec::new();
    for endpoint in sections {
        let provider = endpoint.parsed(report, "provider", FaultName::ServerConfigBadProvider, provider).map(value);
        let iface = endpoint.text(report, "fabric_iface").map(value);
        let port = endpoint.port(report, "fabric_iface_port", 1, FaultName::ServerConfigBadConfig).map(value);
        for key in ["provider", "fabric_iface", "fabric_iface_port"] {
            if !endpoint.has(key) {
                let problem = format!("the endpoint has no `{key}`");
                report.error_at(
                    endpoint.mark(),
                    &endpoint.at(key),
                    problem,
                    format!("set `{key}` or remove the endpoint"),
                );
            }
        }
        if let (Some(provider), Some(fabric_iface), Some(fabric_iface_port)) = (provider, iface, port) {
            endpoints.push(SecondaryEndpoint { provider, fabric_iface, fabric_iface_port });
        }
    }
    endpoints
}

fn acceleration(report: &mut Report, section: &Section) -> Acceleration {
    let mut settings = Acceleration { engine: AccelerationEngine::None, moves: false, crc: false };
    let Some(section) = section.section(report, "acceleration", &schema::ACCELERATION) else { return settings };
    let engines = [AccelerationEngine::None, AccelerationEngine::Spdk, AccelerationEngine::Dml];
    let words = engines.map(|engine| (engine.as_str(), engine));
    if let Some(engine) = section.word(report, "engine", FaultName::BdevAccelEngineUnknown, &words) {
        settings.engine = engine.value;
    }
    let Some(options) = options(report, &section) else { return settings };
    for option in &options {
        match option.value.as_str() {
            "move" => settings.moves = true,
            "crc" => settings.crc = true,
            other => {
                let remedy = crate::suggest::for_word(other, &["move", "crc"], "`options`");
                let problem = format!("{} is not an acceleration option", quote(other));
                report.fault(FaultName::BdevConfigOptFlagUnknown, option.mark, &option.path, problem, remedy);
            }
        }
    }
    if settings.engine == AccelerationEngine::None && (settings.moves || settings.crc) {
        let remedy = "set `engine` to `spdk` or `dml`, or remove `options`";
        report.error_at(
            section.mark_of("options"),
            &section.at("options"),
            "acceleration options without an engine",
            remedy,
        );
    }
    settings
}

/// A list, or one text with commas: DAOS's own examples use both.
fn options(report: &mut Report, section: &Section) -> Option<Vec<crate::reader::Given<String>>> {
    use crate::document::Kind;
    let node = section.node("options")?;
    if !matches!(node.value.kind, Kind::Scalar { .. }) {
        return section.texts(report, "options").map(value);
    }
    let text = section.text(report, "options")?;
    let part =
        |part: &str| crate::reader::Given { value: part.trim().to_owned(), mark: text.mark, path: text.path.clone() };
    Some(text.value.split(',').map(part).collect())
}

fn rpc_server(report: &mut Report, section: &Section) -> SpdkRpcServer {
    let Some(section) = section.section(report, "spdk_rpc_server", &schema::SPDK_RPC) else {
        return SpdkRpcServer::default();
    };
    SpdkRpcServer {
        enable: flag(report, &section, "enable"),
        sock_addr: section.text(report, "sock_addr").map(|given| PathBuf::from(given.value)),
    }
}

fn auto_faulty(report: &mut Report, section: &Section) -> AutoFaulty {
    let mut settings = AutoFaulty { enable: true, max_io_errs: MAX_IO_ERRORS, max_csum_errs: u32::MAX };
    let Some(section) = section.section(report, "bdev_auto_faulty", &schema::AUTO_FAULTY) else { return settings };
    let bad = FaultName::ServerConfigBadConfig;
    settings.enable = section.boolean(report, "enable").map_or(settings.enable, value);
    settings.max_io_errs = section.count(report, "max_io_errs", 0, bad).map_or(settings.max_io_errs, value);
    settings.max_csum_errs = section.count(report, "max_csum_errs", 0, bad).map_or(settings.max_csum_errs, value);
    settings
}

fn buffers(report: &mut Report, section: &Section) -> IoBuffers {
    let mut settings = IoBuffers { small_pool_count: SMALL_BUFFERS, large_pool_count: LARGE_BUFFERS };
    let Some(section) = section.section(report, "spdk_iobuf", &schema::IOBUF) else { return settings };
    let bad = FaultName::ServerConfigBadConfig;
    settings.small_pool_count =
        section.count(report, "small_pool_count", 1, bad).map_or(settings.small_pool_count, value);
    settings.large_pool_count =
        section.count(report, "large_pool_count", 1, bad).map_or(settings.large_pool_count, value);
    settings
}
