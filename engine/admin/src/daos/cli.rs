//! The arguments of `daos`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::{container, kv, pool};

/// Use a DAOS system: its pools, containers and the values in them.
#[derive(Debug, Parser)]
#[command(name = "daos", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// Before or after the command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Pools and containers are named by label or UUID. The agent of this host is found in the folder that \
DAOS_AGENT_DRPC_DIR names, /var/run/daos_agent when it names none.

Exit codes: 0 done, 1 failed, 2 the arguments were not understood.";

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Print one JSON envelope {response, error, status}
    #[arg(short, long, global = true)]
    pub json: bool,
    /// Say on standard error what is done
    #[arg(long, global = true)]
    pub debug: bool,
    /// Print more
    #[arg(long, global = true)]
    pub verbose: bool,
    /// Name of the system
    #[arg(short = 'G', long, global = true, value_name = "NAME", default_value = "daos_server")]
    pub sys_name: String,
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pools of the system
    #[command(subcommand, arg_required_else_help = true)]
    Pool(pool::Command),
    /// Containers of a pool
    #[command(subcommand, visible_alias = "cont", arg_required_else_help = true)]
    Container(container::Command),
    /// Values by key
    #[command(subcommand, arg_required_else_help = true)]
    Kv(kv::Command),
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
