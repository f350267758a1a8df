//! `dmg`: the administrator's command line, over gRPC to the servers.
//!
//! One file per noun. `system` and `pool` ask the management service, trying the hosts of the list in turn; `storage`
//! asks every host of the list at the same time.

mod cli;
mod fanout;
mod pool;
mod pool_create;
mod pool_list;
mod settings;
mod storage;
mod storage_format;
mod storage_usage;
mod system;

#[cfg(test)]
mod tests;

use std::time::Duration;

use agent::grpc::ask_in_turn;
use clap::CommandFactory;
use serde_json::json;
use tonic::transport::Channel;
use wire::fault::Failure;
use wire::proto::mgmt::mgmt_svc_client::MgmtSvcClient;

use crate::output::{Report, command_log, manual};

pub use cli::{Cli, Command, Globals};
pub use settings::{Searched, Settings, load};

/// How long the management service may take over a question it answers from its database or its engines' memory.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take over a change that waits for engines: starting, stopping, creating, destroying.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(300);

/// Runs one command.
pub async fn run(cli: Cli) -> Result<Report, Failure> {
    command_log(cli.globals.debug, cli.globals.log_file.as_deref())?;
    match cli.command {
        Command::Version => Ok(Report::new(
            format!("dmg version {}\n", env!("CARGO_PKG_VERSION")),
            json!({"version": env!("CARGO_PKG_VERSION"), "name": "dmg"}),
        )),
        Command::Completion { shell } => Ok(manual::completion(Cli::command(), shell)),
        Command::Manpage { folder } => manual::manpage(Cli::command(), folder.as_deref()),
        Command::Storage(command) => storage::run(&load(&cli.globals, &Searched::of_this_user())?, command).await,
        Command::System(command) => system::run(&load(&cli.globals, &Searched::of_this_user())?, command).await,
        Command::Pool(command) => pool::run(&load(&cli.globals, &Searched::of_this_user())?, command).await,
    }
}

/// Asks the management service of `settings`' system.
async fn ask<T, F>(settings: &Settings, call: impl Fn(MgmtSvcClient<Channel>) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    ask_in_turn(&settings.hosts, &settings.security, call).await.map(|(answer, _)| answer)
}
