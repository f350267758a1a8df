//! `repo publish`: brings a repository to where hosts take it from.

use std::time::Duration;

use anyhow::Result;
use packager_repo::destination::place::{self, Reach};
use packager_repo::destination::{self, Done, Options};

use serde_json::{Value, json};

use super::arguments::PublishOptions;
use crate::progress::Counter;
use crate::report::{Report, size};

pub(super) fn publish(options: &PublishOptions) -> Result<Report> {
    let PublishOptions { folder, destination, keep_generations, replace, allow_unsigned, dry_run, .. } = options;
    let PublishOptions { wait, ssh, endpoint, lease, unlocked, jobs, .. } = options;
    let reach = Reach {
        ssh: ssh.clone(),
        endpoint: endpoint.clone(),
        lease: Duration::from_secs(lease.get()),
        unlocked: *unlocked,
        jobs: jobs.get(),
    };
    let options = Options {
        keep: keep_generations.get(),
        replace: *replace,
        allow_unsigned: *allow_unsigned,
        dry_run: *dry_run,
        patience: Duration::from_secs(*wait),
    };
    let counter = Counter::begin(destination);
    let mut all = Vec::new();
    for name in destination::repositories(folder)? {
        let part = if name.is_empty() { folder.clone() } else { folder.join(&name) };
        let place = place::open(&place::below(destination, &name), &reach)?;
        let done = destination::publish(&part, &*place, &options, &mut |file, of| counter.next(&file.name, of))?;
        all.push((name, done));
    }
    drop(counter);
    Ok(Report::new(told(destination, &all, options.dry_run), value(destination, &all, options.dry_run)?))
}

/// The name of a file below the destination.
fn named(part: &str, name: &str) -> String {
    if part.is_empty() { name.to_owned() } else { format!("{part}/{name}") }
}

fn value(destination: &str, all: &[(String, Done)], dry_run: bool) -> Result<Value> {
    let names = |of: fn(&Done) -> &[String]| -> Vec<String> {
        all.iter().flat_map(|(part, done)| of(done).iter().map(|name| named(part, name))).collect()
    };
    let sum = |of: fn(&Done) -> usize| -> usize { all.iter().map(|(_, done)| of(done)).sum() };
    let mut repositories = Vec::new();
    for (part, done) in all {
        let mut value = serde_json::to_value(done)?;
        value["path"] = part.as_str().into();
        repositories.push(value);
    }
    Ok(json!({
        "destination": destination,
        "dry_run": dry_run,
        "written": all.iter().any(|(_, done)| done.written),
        "put": names(|done| &done.put),
        "removed": names(|done| &done.removed),
        "there": sum(|done| done.there),
        "packages": sum(|done| done.packages),
        "bytes": all.iter().map(|(_, done)| done.bytes).sum::<u64>(),
        "repositories": repositories,
    }))
}

fn told(destination: &str, all: &[(String, Done)], dry_run: bool) -> String {
    let mut text = String::new();
    for (part, done) in all {
        let Done { put, bytes, there, removed, packages, revision, written, generations, list_gone } = done;
        let to = place::below(destination, part);
        if dry_run {
            text.extend(put.iter().map(|name| format!("would put     {}\n", named(part, name))));
            text.extend(removed.iter().map(|name| format!("would remove  {}\n", named(part, name))));
            text.push_str(&format!(
                "{to}: {} files would be put ({}), {there} are there, {} would be removed\n",
                put.len(),
                size(*bytes),
                removed.len()
            ));
        } else if !written {
            text.push_str(&format!("{to}: nothing to do, {packages} packages\n"));
        } else {
            let files =
                format!("{} files put ({}), {there} were there, {} removed", put.len(), size(*bytes), removed.len());
            // Above repositories there are pages and keys only.
            text.push_str(&match revision.as_str() {
                "" => format!("{to}: {files}\n"),
                _ => format!("{to}: {packages} packages, {files}; revision {revision}, {generations} kept\n"),
            });
        }
        if *list_gone {
            text.push_str(&format!("{to}: its mirror list goes: hosts that read through it fail\n"));
        }
    }
    text
}
