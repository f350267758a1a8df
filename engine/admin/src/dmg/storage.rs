//! `dmg storage`: the arguments, and the scan.

use agent::grpc::within;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use types::Size;
use wire::fault::Failure;
use wire::proto::ctl::{BdevDevice, ScmMount, StorageScanReq, StorageScanResp};

use super::fanout::{Answers, ask_every};
use super::{QUERY_TIMEOUT, Settings, storage_format, storage_usage};
use crate::output::{Report, Table, fold_hosts, heading, indented};

/// What to do with storage.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the storage each host is configured with
    Scan {
        /// One line per device
        #[arg(short, long)]
        verbose: bool,
    },
    /// Format the storage of each host, so that its engines can start
    Format {
        /// One line per device
        #[arg(short, long)]
        verbose: bool,
        /// Also what was formatted before; everything on it is lost
        #[arg(long)]
        force: bool,
    },
    /// Ask about formatted storage
    #[command(subcommand, arg_required_else_help = true)]
    Query(Query),
}

/// `dmg storage query`.
#[derive(Debug, Subcommand)]
pub enum Query {
    /// Show how much of the storage is promised to pools
    Usage,
}

pub(super) async fn run(settings: &Settings, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Scan { verbose } => {
            let sys = settings.system.clone();
            let answers = ask_every(settings, move |mut service| {
                let request = within(QUERY_TIMEOUT, StorageScanReq { sys: sys.clone() });
                async move { service.storage_scan(request).await }
            });
            Ok(scan_report(&answers.await, verbose))
        }
        Command::Format { verbose, force } => storage_format::run(settings, verbose, force).await,
        Command::Query(Query::Usage) => storage_usage::run(settings).await,
    }
}

/// Equal but for the name of the host.
fn same_storage(one: &StorageScanResp, other: &StorageScanResp) -> bool {
    let shape = |scan: &StorageScanResp| {
        let bdevs: Vec<BdevDevice> =
            scan.bdevs.iter().map(|device| BdevDevice { uuid: String::new(), ..device.clone() }).collect();
        let scm: Vec<ScmMount> =
            scan.scm.iter().map(|mount| ScmMount { avail_bytes: 0, rank: 0, ..mount.clone() }).collect();
        (bdevs, scm)
    };
    shape(one) == shape(other)
}

fn scan_report(answers: &Answers<StorageScanResp>, verbose: bool) -> Report {
    // a verbose scan shows free space and ranks, so there every host stands for itself
    let groups = answers.grouped(|one, other| !verbose && same_storage(one, other));
    let mut text = answers.failure_lines();
    if verbose {
        for (hosts, scan) in &groups {
            text.push_str(&format!("{}\n{}\n", heading(&fold_hosts(hosts)), indented(&device_lines(scan))));
        }
        text.truncate(text.trim_end().len());
        text.push_str(if text.is_empty() { "" } else { "\n" });
    } else if !groups.is_empty() {
        let mut table = Table::new(["Hosts", "SCM Total", "NVMe Total"]);
        for (hosts, scan) in &groups {
            let scm = counted(scan.scm.iter().map(|mount| mount.total_bytes), "mount");
            table.row([fold_hosts(hosts), scm, counted(scan.bdevs.iter().map(|device| device.total_bytes), "device")]);
        }
        text.push_str(&table.render());
    }
    let storage: Map<String, Value> = groups
        .iter()
        .enumerate()
        .map(|(index, (hosts, scan))| {
            (index.to_string(), json!({"hosts": fold_hosts(hosts), "storage": storage_json(scan)}))
        })
        .collect();
    Report::new(text, json!({"host_errors": answers.failures_json(), "HostStorage": storage})).failed(answers.failure())
}

fn counted(sizes: impl Iterator<Item = u64>, noun: &str) -> String {
    let sizes: Vec<u64> = sizes.collect();
    let plural = if sizes.len() == 1 { "" } else { "s" };
    format!("{} ({} {noun}{plural})", Size(sizes.iter().sum()), sizes.len())
}

fn device_lines(scan: &StorageScanResp) -> String {
    let mut scm = Table::new(["SCM Mount", "Class", "Engine", "Mounted", "Capacity", "Available"]);
    for mount in &scan.scm {
        scm.row([
            mount.path.clone(),
            mount.class.clone(),
            mount.engine.to_string(),
            if mount.mounted { "yes" } else { "no" }.to_owned(),
            Size(mount.total_bytes).to_string(),
            Size(mount.avail_bytes).to_string(),
        ]);
    }
    let mut bdevs = Table::new(["Device", "Class", "Role(s)", "Engine", "Formatted", "Status", "Capacity"]);
    for device in &scan.bdevs {
        bdevs.row([
            device.path.clone(),
            device.class.clone(),
            device.roles.join(","),
            device.engine.to_string(),
            if device.formatted { "yes" } else { "no" }.to_owned(),
            device.state.clone(),
            Size(device.total_bytes).to_string(),
        ]);
    }
    let part = |table: &Table, none: &str| if table.is_empty() { format!("{none}\n") } else { table.render() };
    format!("{}\n{}", part(&scm, "No SCM found"), part(&bdevs, "No NVMe devices found"))
}

fn storage_json(scan: &StorageScanResp) -> Value {
    let devices: Vec<Value> = scan
        .bdevs
        .iter()
        .map(|device| {
            json!({
                "path": device.path,
                "class": device.class,
                "roles": device.roles,
                "total_bytes": device.total_bytes,
                "formatted": device.formatted,
                "dev_state": device.state,
                "instance": device.engine,
                "uuid": device.uuid,
            })
        })
        .collect();
    let mounts: Vec<Value> = scan
        .scm
        .iter()
        .map(|mount| {
            json!({
                "path": mount.path,
                "class": mount.class,
                "total_bytes": mount.total_bytes,
                "avail_bytes": mount.avail_bytes,
                "usable_bytes": mount.usable_bytes,
                "mounted": mount.mounted,
                "instance": mount.engine,
                "rank": mount.rank,
            })
        })
        .collect();
    let memory = scan.mem.as_ref().map(|mem| {
        json!({
            "mem_total_kb": mem.mem_total >> 10,
            "mem_available_kb": mem.mem_available >> 10,
            "hugepages_total": mem.hugepages_total,
            "hugepage_size_kb": mem.hugepage_size >> 10,
        })
    });
    json!({
        "nvme_devices": devices,
        "scm_modules": Value::Null,
        "scm_namespaces": Value::Null,
        "scm_mount_points": mounts,
        "reboot_required": false,
        "mem_info": memory,
    })
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
