//! `daos container`: the arguments, and containers as text and JSON.

use clap::Subcommand;
use client::{Container, ContainerInfo, ContainerOptions, Property, System};
use serde_json::{Value, json};
use types::{Epoch, Label, Reference, Size, Status};
use wire::fault::Failure;

use super::snapshot::{self, Which};
use crate::output::{PropertyName, Report, Setting, Table, properties_json, properties_report, utc_of_epoch};
use crate::owner::{own_group, own_user};

/// What to do with containers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a container in a pool
    #[command(visible_alias = "cr")]
    Create {
        /// Pool: label or UUID
        pool: Reference,
        /// Name of the container: 1 to 127 of letters, digits and :._-
        label: Option<Label>,
        /// What the container is for: unknown, POSIX, ...
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Properties as name:value, divided by commas
        #[arg(long, value_delimiter = ',', value_name = "NAME:VALUE")]
        properties: Vec<Setting>,
    },
    /// List the containers of a pool
    #[command(visible_alias = "ls")]
    List {
        /// Pool: label or UUID
        pool: Reference,
    },
    /// Show a container
    Query {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
    },
    /// Destroy a container and everything in it
    Destroy {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
        /// Also when another client has it open
        #[arg(short, long)]
        force: bool,
    },
    /// Show properties of a container
    GetProp {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
        /// Names, divided by commas; all when absent
        #[arg(value_delimiter = ',', value_name = "NAME")]
        names: Vec<PropertyName>,
    },
    /// Take a snapshot: the container as it is now can be read until the snapshot is destroyed
    CreateSnap {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
        /// Name of the snapshot: 1 to 127 of letters, digits and :._-
        #[arg(short = 's', long = "snap", value_name = "NAME")]
        name: Option<Label>,
    },
    /// List the snapshots of a container, oldest first
    #[command(visible_alias = "list-snap")]
    ListSnaps {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
    },
    /// Destroy snapshots of a container
    DestroySnap {
        /// Pool: label or UUID
        pool: Reference,
        /// Container: label or UUID
        container: Reference,
        /// Which of them.
        #[command(flatten)]
        which: Which,
    },
}

pub(super) async fn run(system: &System, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Create { pool, label, kind, properties } => {
            let pool = system.open_pool(&pool.to_string()).await?;
            let options = ContainerOptions {
                label: label.map(String::from),
                layout: kind,
                properties: properties.into_iter().map(Setting::into_property).collect(),
                user: own_user(),
                group: own_group(),
            };
            let created = pool.create_container(options).await?;
            Ok(created_report(&pool.query_container(&created.id().to_string()).await?))
        }
        Command::List { pool } => {
            let containers = system.open_pool(&pool.to_string()).await?.list_containers().await?;
            Ok(list_report(&pool, &containers))
        }
        Command::Query { pool, container } => {
            let pool = system.open_pool(&pool.to_string()).await?;
            Ok(query_report(&pool.query_container(&container.to_string()).await?))
        }
        Command::Destroy { pool, container, force } => {
            let pool = system.open_pool(&pool.to_string()).await?;
            pool.destroy_container(&container.to_string(), force).await?;
            Ok(Report::new(format!("Successfully destroyed container {container}\n"), Value::Null))
        }
        Command::GetProp { pool, container, names } => {
            let pool = system.open_pool(&pool.to_string()).await?;
            let all = pool.container_properties(&container.to_string()).await?;
            let chosen = chosen(all, &names)?;
            Ok(properties_report(&format!("Properties of container {container}:"), &chosen))
        }
        Command::CreateSnap { pool, container, name } => {
            snapshot::create(&open(system, &pool, &container).await?, name).await
        }
        Command::ListSnaps { pool, container } => snapshot::list(&open(system, &pool, &container).await?).await,
        Command::DestroySnap { pool, container, which } => {
            snapshot::destroy(&open(system, &pool, &container).await?, &container, &which).await
        }
    }
}

async fn open(system: &System, pool: &Reference, container: &Reference) -> Result<Container, Failure> {
    Ok(system.open_pool(&pool.to_string()).await?.open_container(&container.to_string()).await?)
}

/// The properties that were asked for, in the order they were asked for.
fn chosen(all: Vec<Property>, names: &[PropertyName]) -> Result<Vec<Property>, Failure> {
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &PropertyName| {
        all.iter().find(|property| property.name == name.0).cloned().ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|property| property.name.as_str()).collect();
            Failure::new(Status::Invalid, format!("a container has no property `{}`", name.0))
                .with_resolution(format!("the properties are {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn created_report(info: &ContainerInfo) -> Report {
    let ContainerInfo { container_uuid, container_label, container_type, .. } = info;
    let mut text = format!("  Container UUID : {container_uuid}\n");
    if !container_label.is_empty() {
        text.push_str(&format!("  Container Label: {container_label}\n"));
    }
    text.push_str(&format!("  Container Type : {container_type}\n\n"));
    let name = if container_label.is_empty() { container_uuid } else { container_label };
    text.push_str(&format!("Successfully created container {name}\n"));
    Report::new(text, json_of(info))
}

fn list_report(pool: &Reference, containers: &[ContainerInfo]) -> Report {
    let text = if containers.is_empty() {
        format!("No containers in pool {pool}\n")
    } else {
        let mut table = Table::new(["UUID", "Label", "Type"]);
        for info in containers {
            table.row([info.container_uuid.clone(), info.container_label.clone(), info.container_type.clone()]);
        }
        format!("Containers in pool {pool}:\n{}", crate::output::indented(&table.render()))
    };
    let response: Vec<Value> = containers.iter().map(json_of).collect();
    Report::new(text, json!(response))
}

fn query_report(info: &ContainerInfo) -> Report {
    let lines = [
        ("Container UUID", info.container_uuid.clone()),
        ("Container Label", info.container_label.clone()),
        ("Container Type", info.container_type.clone()),
        ("Pool UUID", info.pool_uuid.clone()),
        ("Container redundancy factor", info.redundancy_factor.to_string()),
        ("Number of open handles", info.num_handles.to_string()),
        ("Latest open time", utc_of_epoch(Epoch(info.open_time))),
        ("Latest close/modify time", utc_of_epoch(Epoch(info.close_modify_time))),
        (
            "History from epoch",
            if info.history_from == 0 { String::new() } else { Epoch(info.history_from).to_string() },
        ),
        ("Number of snapshots", info.num_snapshots.to_string()),
        (
            "Latest Persistent Snapshot",
            match Epoch(info.latest_snapshot) {
                Epoch::ZERO => String::new(),
                epoch => format!("{epoch} ({})", utc_of_epoch(epoch)),
            },
        ),
        ("Health", info.health.clone()),
        ("Used", Size(info.used_bytes).to_string()),
    ];
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    let text: String = shown.map(|(name, value)| format!("  {name:width$}: {value}\n")).collect();
    Report::new(text, json_of(info))
}

/// DAOS's `ContainerInfo`.
fn json_of(info: &ContainerInfo) -> Value {
    json!({
        "pool_uuid": info.pool_uuid,
        "container_uuid": info.container_uuid,
        "container_label": info.container_label,
        "latest_snapshot": info.latest_snapshot,
        "redundancy_factor": info.redundancy_factor,
        "num_handles": info.num_handles,
        "history_from": info.history_from,
        "num_snapshots": info.num_snapshots,
        "open_time": info.open_time,
        "close_modify_time": info.close_modify_time,
        "container_type": info.container_type,
        "health": info.health,
        "used_bytes": info.used_bytes,
        "properties": properties_json(&info.properties),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn info() -> ContainerInfo {
        let opened = Epoch::from_system_time(UNIX_EPOCH + Duration::from_millis(1_767_323_045_500));
        ContainerInfo {
            pool_uuid: "5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d".to_owned(),
            container_uuid: "00000000-0000-4000-8000-000000000001".to_owned(),
            container_label: "data".to_owned(),
            container_type: "unknown".to_owned(),
            health: "HEALTHY".to_owned(),
            open_time: opened.0,
            used_bytes: 4_200_000,
            ..ContainerInfo::default()
        }
    }

    fn text(report: Report) -> String {
        String::from_utf8(report.text).unwrap()
    }

    #[test]
    fn a_new_container_is_named() {
        insta::assert_snapshot!(text(created_report(&info())), @r"
          Container UUID : 00000000-0000-4000-8000-000000000001
          Container Label: data
          Container Type : unknown

        Successfully created container data
        ");
    }

    #[test]
    fn containers_are_listed_under_their_pool() {
        let pool: Reference = "tank".parse().unwrap();
        insta::assert_snapshot!(text(list_report(&pool, &[info()])), @r"
        Containers in pool tank:
          UUID                                 Label Type
          ----                                 ----- ----
          00000000-0000-4000-8000-000000000001 data  unknown
        ");
        assert_eq!(text(list_report(&pool, &[])), "No containers in pool tank\n");
    }

    #[test]
    fn properties_are_chosen_by_name_and_unknown_ones_are_named() {
        let property = |name: &str| Property { name: name.to_owned(), value: "1".to_owned() };
        let all = || vec![property("label"), property("rd_fac")];
        let names = |names: &[&str]| names.iter().map(|name| PropertyName((*name).to_owned())).collect::<Vec<_>>();
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &names(&["rd_fac"])).unwrap(), [property("rd_fac")]);
        let failure = chosen(all(), &names(&["colour"])).unwrap_err();
        assert!(failure.resolution.ends_with("label, rd_fac"), "{failure}");
    }

    #[test]
    fn a_query_shows_what_is_known() {
        let taken = ContainerInfo { num_snapshots: 2, latest_snapshot: 1 << 40, ..info() };
        let report = query_report(&taken);
        assert_eq!(report.response["num_snapshots"], 2);
        assert!(text(report).contains("Latest Persistent Snapshot : 0x10000000000 (2021-01-01T00:01:08Z)\n"));
        let report = query_report(&info());
        assert_eq!(report.response["container_label"], "data");
        insta::assert_snapshot!(text(report), @r"
          Container UUID             : 00000000-0000-4000-8000-000000000001
          Container Label            : data
          Container Type             : unknown
          Pool UUID                  : 5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d
          Container redundancy factor: 0
          Number of open handles     : 0
          Latest open time           : 2026-01-02T03:04:05Z
          Number of snapshots        : 0
          Health                     : HEALTHY
          Used                       : 4.2 MB
        ");
    }
}
