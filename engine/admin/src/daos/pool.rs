//! `daos pool`: the pools this user can reach.

use clap::Subcommand;
use client::{PoolEntry, System};
use serde_json::{Value, json};
use types::Reference;
use wire::fault::Failure;

use crate::output::{Report, Table, fold_ranks, pool_json, pool_text};

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the pools of the system
    #[command(visible_alias = "ls")]
    List,
    /// Show the state and space of a pool
    Query {
        /// Label or UUID
        pool: Reference,
    },
}

pub(super) async fn run(system: &System, command: Command, verbose: bool) -> Result<Report, Failure> {
    match command {
        Command::List => Ok(list_report(&system.list_pools().await?, verbose)),
        Command::Query { pool } => {
            let answer = system.open_pool(&pool.to_string()).await?.query().await?;
            Ok(Report::new(pool_text(&answer), pool_json(&answer)))
        }
    }
}

fn list_report(pools: &[PoolEntry], verbose: bool) -> Report {
    let mut text = "No pools in system\n".to_owned();
    if !pools.is_empty() && verbose {
        let mut table = Table::new(["Label", "UUID", "State", "SvcReps"]);
        for pool in pools {
            table.row([pool.label.clone(), pool.uuid.clone(), pool.state.clone(), fold_ranks(&pool.svc_reps)]);
        }
        text = table.render();
    } else if !pools.is_empty() {
        let mut table = Table::new(["Pool", "State"]);
        for pool in pools {
            let name = if pool.label.is_empty() { &pool.uuid } else { &pool.label };
            table.row([name.clone(), pool.state.clone()]);
        }
        text = table.render();
    }
    let pools: Vec<Value> = pools
        .iter()
        .map(|pool| {
            json!({
                "uuid": pool.uuid,
                "label": pool.label,
                "state": pool.state,
                "svc_ldr": pool.svc_ldr,
                "svc_reps": pool.svc_reps,
            })
        })
        .collect();
    Report::new(text, json!({"pools": pools}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(labels: &[&str], verbose: bool) -> String {
        let entry = |label: &&str| PoolEntry {
            uuid: "5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d".to_owned(),
            label: (*label).to_owned(),
            svc_reps: vec![0],
            state: "Ready".to_owned(),
            svc_ldr: 0,
        };
        let entries: Vec<PoolEntry> = labels.iter().map(entry).collect();
        String::from_utf8(list_report(&entries, verbose).text).unwrap()
    }

    #[test]
    fn pools_are_listed_by_label() {
        assert_eq!(pools(&[], false), "No pools in system\n");
        insta::assert_snapshot!(pools(&["tank", "lake"], false), @r"
        Pool State
        ---- -----
        tank Ready
        lake Ready
        ");
        insta::assert_snapshot!(pools(&["tank"], true), @r"
        Label UUID                                 State SvcReps
        ----- ----                                 ----- -------
        tank  5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d Ready 0
        ");
    }
}
