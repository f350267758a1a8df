//! `daos_engine fsck`: what is wrong, line by line, and a summary.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value as Json, json};
use store::inspect::{CheckOptions, Finding, Findings, Severity, Summary, check_target};

use super::devices::{Looked, Target, Targets, identity, incomplete, look, of_another_release, targets};
use super::{Failure, FsckArguments, json, nothing_named};

/// The check of one target.
enum Outcome {
    Checked(Summary, Findings),
    /// With the reason.
    Skipped(String),
    /// Written by another release, in this version.
    OtherVersion(u32),
}

/// Checks, prints, and says whether everything is clean.
pub(super) fn run(arguments: &FsckArguments, out: &mut dyn Write) -> Result<bool, Failure> {
    if arguments.devices.is_empty() && arguments.common.conf.is_none() {
        return Err(nothing_named("fsck"));
    }
    let mut devices = look(&arguments.common, &arguments.devices)?;
    let targets = targets(&mut devices, arguments.common.target);
    if let Some(number) = arguments.common.target.filter(|_| targets.is_empty()) {
        let known = "hint: `daos_engine dump label` lists the slices of every target";
        return Err(Failure::Usage(format!("there is no target {number} on these devices\n{known}")));
    }
    let outcomes: Vec<Outcome> = targets.iter().map(|(key, target)| check(arguments, *key, target)).collect();
    let clean = devices.iter().all(|device| device.findings.are_clean())
        && outcomes.iter().all(|outcome| matches!(outcome, Outcome::Checked(_, findings) if findings.are_clean()));
    if arguments.common.json {
        let response = envelope(&devices, &targets, &outcomes, clean);
        let found = devices.iter().any(|device| !device.findings.are_clean())
            || outcomes.iter().any(|outcome| matches!(outcome, Outcome::Checked(_, findings) if !findings.are_clean()));
        let (error, status) = match (clean, found) {
            (true, _) => (Json::Null, 0),
            (false, true) => (json!("findings"), json::STATUS_FAILED),
            (false, false) => (json!("targets that were not looked at"), json::STATUS_FAILED),
        };
        writeln!(out, "{}", json!({"response": response, "error": error, "status": status}))?;
    } else {
        print(&devices, &targets, &outcomes, out)?;
    }
    Ok(clean)
}

fn check(arguments: &FsckArguments, key: (uuid::Uuid, u32), target: &Target) -> Outcome {
    let mut slices = match target.devices() {
        Ok(slices) => slices,
        Err(missing) => return Outcome::Skipped(incomplete(key.1, &missing)),
    };
    let mut findings = Findings::new(arguments.max_findings);
    let options = CheckOptions { data: arguments.data };
    let summary = check_target(&mut slices, Some(&identity(key)), target.arena_bytes, options, &mut findings);
    match summary.other_version {
        Some(version) => Outcome::OtherVersion(version),
        None => Outcome::Checked(summary, findings),
    }
}

/// Targets by the version that another release wrote them in.
fn other_versions(targets: &Targets, outcomes: &[Outcome]) -> BTreeMap<u32, Vec<u32>> {
    let mut versions: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for ((_, number), outcome) in targets.keys().zip(outcomes) {
        if let Outcome::OtherVersion(version) = outcome {
            versions.entry(*version).or_default().push(*number);
        }
    }
    versions
}

fn locate(target: &Target, finding: &Finding) -> Option<(String, u64)> {
    target.locate(finding.place).map(|(path, byte)| (path.display().to_string(), byte))
}

fn line(finding: &Finding, device: Option<(String, u64)>) -> String {
    let Finding { place, what, advice } = finding;
    let device = device.map(|(path, byte)| format!(" ({path} byte {byte})")).unwrap_or_default();
    format!("{}: {place}{device}: {what}; {}; {}", advice.severity, advice.meaning, advice.remedy)
}

fn print(devices: &[Looked], targets: &Targets, outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    let mut counts = [0; 3];
    let mut count = |findings: &Findings| {
        for (sum, severity) in counts.iter_mut().zip([Severity::Damage, Severity::Warning, Severity::Note]) {
            *sum += findings.count(severity);
        }
    };
    for device in devices {
        count(&device.findings);
        for finding in device.findings.list() {
            writeln!(out, "{}: {}", device.path.display(), line(finding, None))?;
        }
    }
    for (((_, number), target), outcome) in targets.iter().zip(outcomes) {
        match outcome {
            Outcome::Skipped(reason) => writeln!(out, "{reason}")?,
            // Told once for all of them below.
            Outcome::OtherVersion(_) => {}
            Outcome::Checked(summary, findings) => {
                count(findings);
                for finding in findings.list() {
                    writeln!(out, "target {number}: {}", line(finding, locate(target, finding)))?;
                }
                if findings.left_out() > 0 {
                    writeln!(out, "target {number}: {} more findings are not shown", findings.left_out())?;
                }
                writeln!(out, "target {number}: {}", seen(summary))?;
            }
        }
    }
    for (version, numbers) in other_versions(targets, outcomes) {
        writeln!(out, "{}", of_another_release(&numbers, version))?;
    }
    let skipped = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Checked(..))).count();
    let verdict = match counts[0] + counts[1] {
        0 if skipped == 0 => "clean",
        0 if skipped == outcomes.len() => "not checked",
        0 => "not all checked",
        _ => "not clean",
    };
    let [damage, warnings, notes] = counts;
    writeln!(
        out,
        "{verdict}: {} devices, {} targets ({skipped} not looked at): {damage} damage, {warnings} warnings, {notes} notes",
        devices.len(),
        targets.len()
    )
}

fn seen(summary: &Summary) -> String {
    format!(
        "checked superblock generation {}, {} page images, {} log groups ({} bytes), {} pools, {} containers, {} records, {} values, {} bytes of data read; last epoch {:#x}",
        summary.generation,
        summary.pages,
        summary.groups,
        summary.log_bytes,
        summary.pools,
        summary.containers,
        summary.records,
        summary.values,
        summary.data_bytes_checked,
        summary.last_epoch.0
    )
}

fn envelope(devices: &[Looked], targets: &Targets, outcomes: &[Outcome], clean: bool) -> Json {
    let devices = devices.iter().map(|device| {
        let findings = json::findings(&device.findings, &|_| None);
        json!({"device": device.path, "counts": json::counts(&device.findings), "findings": findings})
    });
    let targets = targets.iter().zip(outcomes).map(|(((engine, number), target), outcome)| match outcome {
        Outcome::Skipped(reason) => json!({"target": number, "engine": engine, "skipped": reason}),
        Outcome::OtherVersion(version) => {
            json!({"target": number, "engine": engine, "skipped": of_another_release(&[*number], *version)})
        }
        Outcome::Checked(summary, findings) => json!({
            "target": number,
            "engine": engine,
            "skipped": null,
            "generation": summary.generation,
            "page_images": summary.pages,
            "log_groups": summary.groups,
            "log_bytes": summary.log_bytes,
            "pools": summary.pools,
            "containers": summary.containers,
            "records": summary.records,
            "values": summary.values,
            "data_bytes_read": summary.data_bytes_checked,
            "last_epoch": format!("{:#x}", summary.last_epoch.0),
            "counts": json::counts(findings),
            "findings": json::findings(findings, &|finding| locate(target, finding)),
        }),
    });
    json!({"clean": clean, "devices": devices.collect::<Vec<_>>(), "targets": targets.collect::<Vec<_>>()})
}
