//! The arguments of `dmg`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::{pool, storage, system};

/// Administer a DAOS system: storage of the hosts, membership of the engines, pools.
#[derive(Debug, Parser)]
#[command(name = "dmg", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// Before or after the command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Without -o the first of these files is read: ~/.daos_control.yml, /etc/daos/daos_control.yml. Without any of them \
system daos_server is looked for on localhost:10001, with the certificates in /etc/daos/certs.

Exit codes: 0 done, 1 failed, 2 the arguments were not understood.";

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Configuration file (daos_control.yml)
    #[arg(short = 'o', long, global = true, value_name = "FILE", env = "DAOS_CONTROL_CONFIG")]
    pub config_path: Option<PathBuf>,
    /// Servers to talk to instead of those in the configuration, as in node[1-3,7]:10001
    #[arg(short = 'l', long, global = true, value_name = "HOSTS")]
    pub host_list: Option<String>,
    /// Do not use TLS; the servers must be configured the same way
    #[arg(short, long, global = true)]
    pub insecure: bool,
    /// Say on standard error (or in the log file) what is done
    #[arg(short, long, global = true)]
    pub debug: bool,
    /// Print one JSON envelope {response, error, status}
    #[arg(short, long, global = true)]
    pub json: bool,
    /// Write the log there instead of to standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Storage attached to the hosts: scan, format, usage
    #[command(subcommand, visible_alias = "sto", arg_required_else_help = true)]
    Storage(storage::Command),
    /// The system as a whole: members, stop, start, leader
    #[command(subcommand, visible_alias = "sys", arg_required_else_help = true)]
    System(system::Command),
    /// Pools: create, list, query, destroy, properties
    #[command(subcommand, arg_required_else_help = true)]
    Pool(pool::Command),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// Print the man page, or write one page per command
    #[command(hide = true)]
    Manpage {
        /// Write the pages into this folder
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}
