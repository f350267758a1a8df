//! `dmg storage format`: every host formats what its daos_server.yml names.

use std::time::Duration;

use agent::grpc::within;
use serde_json::{Map, Value, json};
use types::Status;
use wire::fault::{Failure, fault_name};
use wire::proto::ctl::{FormatResult, StorageFormatReq, StorageFormatResp};

use super::Settings;
use super::fanout::{Answers, ask_every};
use crate::output::{Report, Table, fold_hosts, heading, indented};

/// How long a host may take. Emulated devices of some hundred GiB are laid out in seconds; a slow disk takes minutes.
const FORMAT_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn run(settings: &Settings, verbose: bool, force: bool) -> Result<Report, Failure> {
    let sys = settings.system.clone();
    let answers = ask_every(settings, move |mut service| {
        let request = within(FORMAT_TIMEOUT, StorageFormatReq { sys: sys.clone(), force });
        async move { service.storage_format(request).await }
    });
    Ok(report(&answers.await, verbose))
}

/// An engine that did not start after the format of its devices.
fn is_engine(result: &FormatResult) -> bool {
    result.kind == "engine"
}

/// What the memory tier's entry is called by the server.
fn is_scm(result: &FormatResult) -> bool {
    matches!(result.kind.to_ascii_lowercase().as_str(), "scm" | "ram" | "dcpm")
}

fn report(answers: &Answers<StorageFormatResp>, verbose: bool) -> Report {
    let groups = answers.grouped(|one, other| one.results == other.results);
    let mut text = answers.failure_lines();
    for (hosts, format) in &groups {
        text.push_str(&failed_lines(&fold_hosts(hosts), format));
    }
    if verbose {
        for (hosts, format) in &groups {
            text.push_str(&format!("{}\n{}\n", heading(&fold_hosts(hosts)), indented(&device_lines(format))));
        }
        text.truncate(text.trim_end().len());
        text.push_str(if text.is_empty() { "" } else { "\n" });
    } else if !groups.is_empty() {
        let mut table = Table::new(["Hosts", "SCM Devices", "NVMe Devices"]);
        for (hosts, format) in &groups {
            let count = |scm: bool| format.results.iter().filter(|r| r.ok && is_scm(r) == scm).count().to_string();
            table.row([fold_hosts(hosts), count(true), count(false)]);
        }
        text.push_str(&format!("Format Summary:\n{}", indented(&table.render())));
    }
    let storage: Map<String, Value> = groups
        .iter()
        .enumerate()
        .map(|(index, (hosts, format))| {
            let results: Vec<Value> = format.results.iter().map(json_of).collect();
            (index.to_string(), json!({"hosts": fold_hosts(hosts), "results": results}))
        })
        .collect();
    let failure = answers.failure().or_else(|| device_failure(&groups));
    Report::new(text, json!({"host_errors": answers.failures_json(), "HostStorage": storage})).failed(failure)
}

fn json_of(result: &FormatResult) -> Value {
    json!({
        "device": result.device,
        "kind": result.kind,
        "ok": result.ok,
        "fault": result.fault,
        "error": result.error,
        "resolution": result.resolution,
        "instance": result.engine,
    })
}

fn outcome(result: &FormatResult) -> &str {
    if result.ok { "CMD SUCCESS" } else { &result.error }
}

fn failed_lines(hosts: &str, format: &StorageFormatResp) -> String {
    let failed: Vec<&FormatResult> = format.results.iter().filter(|result| !result.ok).collect();
    if failed.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["Hosts", "Device", "Error"]);
    for result in failed {
        table.row([hosts.to_owned(), result.device.clone(), outcome(result).to_owned()]);
    }
    format!("Errors:\n{}\n", indented(&table.render()))
}

fn device_lines(format: &StorageFormatResp) -> String {
    let lines = |title, scm: bool| {
        let mut table = Table::new([title, "Engine", "Format Result"]);
        for result in format.results.iter().filter(|result| !is_engine(result) && is_scm(result) == scm) {
            table.row([result.device.clone(), result.engine.to_string(), outcome(result).to_owned()]);
        }
        if table.is_empty() { String::new() } else { table.render() }
    };
    let (scm, nvme) = (lines("SCM Mount", true), lines("NVMe Device", false));
    if scm.is_empty() || nvme.is_empty() { format!("{scm}{nvme}") } else { format!("{scm}\n{nvme}") }
}

/// The first device that was not formatted, as the failure of the command.
fn device_failure(groups: &[(Vec<config::HostPort>, &StorageFormatResp)]) -> Option<Failure> {
    let failed = || groups.iter().flat_map(|(_, format)| &format.results).filter(|result| !result.ok);
    let first = failed().next()?;
    let count = failed().count();
    let more = if count > 1 { format!(" ({} more devices failed)", count - 1) } else { String::new() };
    let fault = fault_name(&first.fault);
    let status = fault.map_or(Status::Misc, wire::fault::status_of_fault);
    let what = if first.device.is_empty() { "storage".to_owned() } else { format!("`{}`", first.device) };
    let message = if is_engine(first) {
        format!("the storage was formatted, but {}: {}", first.device, first.error)
    } else {
        format!("{what} was not formatted: {}{more}", first.error)
    };
    Some(Failure { status, fault, message, resolution: first.resolution.clone() })
}

#[cfg(test)]
#[path = "storage_format_tests.rs"]
mod tests;
