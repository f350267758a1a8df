//! `daos_agent`: tells the clients of one host where the engines of a system are, over a Unix socket.
//!
//! Asked for attach info or the pool list (`service`, on the `socket`), it asks `daos_server` over gRPC (`grpc`), keeps
//! the answer (`attach`) and adds the network interface to use (`interface`). It never touches data and holds no state
//! that it could not ask for again. `grpc` and `terminal` also serve `dmg` and `daos`.

#![allow(clippy::disallowed_methods)] // an IO crate: sockets, certificate files, sysfs and the clock

pub mod attach;
pub mod cli;
pub mod grpc;
mod inspect;
pub mod interface;
mod service;
mod settings;
mod socket;
mod start;
pub mod terminal;

use std::path::Path;

use clap::CommandFactory;
use config::TransportRole;
use serde_json::json;
use types::Status;
use wire::fault::Failure;

use attach::{Attachment, Caching};
use cli::{Cli, Command};
use grpc::Security;
use terminal::{Report, manual, start_log};

pub use socket::SOCKET_NAME;

/// Runs one command of `daos_agent`.
pub async fn run(cli: Cli) -> Result<Report, Failure> {
    let load = || settings::load(&cli.globals, Path::new(settings::DEFAULT_PATH));
    match cli.command.unwrap_or(Command::Start) {
        Command::Start => {
            let config = load()?;
            let (level, file) = start::log_settings(&config, cli.globals.debug);
            start_log(level, file)?;
            start::run(config).await
        }
        Command::Version => Ok(Report::new(
            format!("DAOS Agent v{}\n", env!("CARGO_PKG_VERSION")),
            json!({"version": env!("CARGO_PKG_VERSION"), "name": "DAOS Agent"}),
        )),
        Command::DumpAttachinfo { output } => {
            let config = load()?;
            let security = Security::load(&config.transport, TransportRole::Agent)?;
            let attachment = Attachment::new(config, security, Caching::Off);
            inspect::dump_attach_info(&attachment, output.as_deref()).await
        }
        Command::NetScan { provider } => {
            let found = interface::scan()
                .map_err(|error| Failure::new(Status::Misc, format!("cannot list this host's interfaces: {error}")))?;
            Ok(inspect::net_scan(&found, &provider))
        }
        Command::Completion { shell } => Ok(manual::completion(Cli::command(), shell)),
        Command::Manpage { folder } => manual::manpage(Cli::command(), folder.as_deref()),
    }
}
