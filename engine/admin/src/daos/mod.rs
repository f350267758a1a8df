//! `daos`: the user's command line, over the client library.
//!
//! One file per noun. What can be wrong with keys, values and ranges is found before anything is sent.

mod cli;
mod container;
mod key;
mod kv;
mod kv_get;
mod kv_list;
mod kv_put;
mod kv_remove;
mod pool;
mod snapshot;
mod store;
mod value;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use clap::CommandFactory;
use client::{Settings, System};
use serde_json::json;
use wire::fault::Failure;

use crate::output::{Report, command_log, manual};
pub use cli::{Cli, Command, Globals};

/// Runs one command.
pub async fn run(cli: Cli) -> Result<Report, Failure> {
    let Cli { globals, command } = cli;
    command_log(globals.debug, None)?;
    match command {
        Command::Version => Ok(Report::new(
            format!("daos version {}\n", env!("CARGO_PKG_VERSION")),
            json!({"version": env!("CARGO_PKG_VERSION"), "name": "daos"}),
        )),
        Command::Completion { shell } => Ok(manual::completion(Cli::command(), shell)),
        Command::Manpage { folder } => manual::manpage(Cli::command(), folder.as_deref()),
        Command::Pool(command) => pool::run(&connect(&globals).await?, command, globals.verbose).await,
        Command::Container(command) => container::run(&connect(&globals).await?, command).await,
        Command::Kv(command) => {
            let kv::Place { pool, container } = command.place().clone();
            let prepared = command.prepare(&mut io::stdin().lock())?;
            let system = connect(&globals).await?;
            let container = system.open_pool(&pool.to_string()).await?.open_container(&container.to_string()).await?;
            let mut out = io::stdout().lock();
            kv::run(&store::Opened(container), prepared, (!globals.json).then_some(&mut out)).await
        }
    }
}

async fn connect(globals: &Globals) -> Result<System, Failure> {
    let settings = Settings {
        system: globals.sys_name.clone(),
        retry_for: Duration::from_secs(globals.retry_for),
        ..Settings::from_env()
    };
    Ok(System::connect(settings).await?)
}
