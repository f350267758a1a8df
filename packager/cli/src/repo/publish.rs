//! `repo publish`: brings a repository to where hosts take it from.

use std::time::Duration;

use anyhow::Result;
use packager_repo::destination::place::{self, Reach};
use packager_repo::destination::{self, Done, Options};

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
    let place = place::open(destination, &reach)?;
    let counter = Counter::begin(destination);
    let done = destination::publish(folder, &*place, &options, &mut |file, of| counter.next(&file.name, of))?;
    drop(counter);
    let mut value = serde_json::to_value(&done)?;
    value["destination"] = destination.as_str().into();
    value["dry_run"] = options.dry_run.into();
    Ok(Report::new(told(destination, &done, options.dry_run), value))
}

fn told(destination: &str, done: &Done, dry_run: bool) -> String {
    let Done { put, bytes, there, removed, packages, revision, written, generations } = done;
    if dry_run {
        let lines = put.iter().map(|name| format!("would put     {name}\n"));
        let lines = lines.chain(removed.iter().map(|name| format!("would remove  {name}\n")));
        let lines: String = lines.collect();
        return format!(
            "{lines}{destination}: {} files would be put ({}), {there} are there, {} would be removed\n",
            put.len(),
            size(*bytes),
            removed.len()
        );
    }
    if !written {
        return format!("{destination}: nothing to do, {packages} packages\n");
    }
    format!(
        "{destination}: {packages} packages, {} files put ({}), {there} were there, {} removed; revision {revision}, {generations} kept\n",
        put.len(),
        size(*bytes),
        removed.len()
    )
}
