//! `dmg pool`: the arguments, and the commands on one pool that is there.

use agent::grpc::within;
use clap::Subcommand;
use serde_json::{Value, json};
use types::Reference;
use wire::fault::Failure;
use wire::proto::mgmt::{PoolDestroyReq, PoolGetPropReq, PoolQueryReq, PoolQueryResp, PoolSetPropReq};

use super::{CHANGE_TIMEOUT, QUERY_TIMEOUT, Settings, ask, pool_create, pool_list};
use crate::output::{PropertyName, Report, Setting, pool_json, pool_text, properties_json, properties_report};

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a pool
    #[command(visible_alias = "cr")]
    Create(pool_create::Arguments),
    /// List the pools of the system
    #[command(visible_alias = "ls")]
    List {
        /// With UUID, service replicas and both tiers
        #[arg(short, long)]
        verbose: bool,
        /// Do not ask the pools for their space
        #[arg(short, long)]
        no_query: bool,
    },
    /// Show the state and space of a pool
    #[command(visible_alias = "qry")]
    Query {
        /// Label or UUID
        pool: Reference,
    },
    /// Destroy a pool and everything in it
    Destroy {
        /// Label or UUID
        pool: Reference,
        /// Also when clients have it open, or a rank that holds a part of it is away
        #[arg(short, long)]
        force: bool,
        /// Also when the pool has containers
        #[arg(short, long)]
        recursive: bool,
    },
    /// Show properties of a pool
    GetProp {
        /// Label or UUID
        pool: Reference,
        /// Names, divided by commas; all when absent
        #[arg(value_delimiter = ',', value_name = "NAME")]
        names: Vec<PropertyName>,
    },
    /// Change properties of a pool
    SetProp {
        /// Label or UUID
        pool: Reference,
        /// Properties as name:value, divided by commas
        #[arg(value_delimiter = ',', required = true, value_name = "NAME:VALUE")]
        properties: Vec<Setting>,
    },
}

pub(super) async fn run(settings: &Settings, command: Command) -> Result<Report, Failure> {
    let sys = settings.system.clone();
    match command {
        Command::Create(arguments) => pool_create::run(settings, arguments).await,
        Command::List { verbose, no_query } => pool_list::run(settings, verbose, no_query).await,
        Command::Query { pool } => {
            let answer = query(settings, &pool.to_string()).await?;
            Ok(Report::new(pool_text(&answer), pool_json(&answer)))
        }
        Command::Destroy { pool, force, recursive } => {
            let request = PoolDestroyReq { sys, id: pool.to_string(), force, recursive };
            ask(settings, |mut service| {
                let request = within(CHANGE_TIMEOUT, request.clone());
                async move { service.pool_destroy(request).await }
            })
            .await?;
            Ok(Report::new("Pool-destroy command succeeded\n", Value::Null))
        }
        Command::GetProp { pool, names } => {
            let names = names.into_iter().map(|name| name.0).collect();
            let request = PoolGetPropReq { sys, id: pool.to_string(), names };
            let answer = ask(settings, |mut service| {
                let request = within(QUERY_TIMEOUT, request.clone());
                async move { service.pool_get_prop(request).await }
            });
            Ok(properties_report(&format!("Pool {pool} properties:"), &answer.await?.properties))
        }
        Command::SetProp { pool, properties } => {
            let properties = properties.into_iter().map(Setting::into_property).collect();
            let request = PoolSetPropReq { sys, id: pool.to_string(), properties };
            let answer = ask(settings, |mut service| {
                let request = within(CHANGE_TIMEOUT, request.clone());
                async move { service.pool_set_prop(request).await }
            });
            let set = properties_json(&answer.await?.properties);
            Ok(Report::new("pool set-prop succeeded\n", json!(set)))
        }
    }
}

/// Asks for one pool.
pub(super) async fn query(settings: &Settings, id: &str) -> Result<PoolQueryResp, Failure> {
    let request = PoolQueryReq { sys: settings.system.clone(), id: id.to_owned() };
    ask(settings, |mut service| {
        let request = within(QUERY_TIMEOUT, request.clone());
        async move { service.pool_query(request).await }
    })
    .await
}
