//! The arguments of `daos_agent`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Tell the clients of this host where the engines of a DAOS system are.
#[derive(Debug, Parser)]
#[command(name = "daos_agent", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Before or after the command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do; start when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "\
Signals: SIGUSR2 asks the servers again; SIGTERM and SIGINT end the agent and remove its socket.

Exit codes: 0 done, 1 failed, 2 the arguments were not understood.";

/// Options of every command; they override the configuration file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Configuration file [default: /etc/daos/daos_agent.yml, when it is there]
    #[arg(short = 'o', long, global = true, value_name = "FILE")]
    pub config_path: Option<PathBuf>,
    /// Do not use TLS towards the servers; they must be configured the same way
    #[arg(short, long, global = true)]
    pub insecure: bool,
    /// Folder of the socket
    #[arg(short = 's', long, global = true, value_name = "FOLDER")]
    pub runtime_dir: Option<PathBuf>,
    /// Log file
    #[arg(short, long, global = true, value_name = "FILE")]
    pub logfile: Option<PathBuf>,
    /// Log everything
    #[arg(short, long, global = true)]
    pub debug: bool,
    /// Print one JSON envelope {response, error, status}
    #[arg(short, long, global = true)]
    pub json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the clients of this host (the default)
    Start,
    /// Print the version
    Version,
    /// Ask the servers for attach info and print it
    DumpAttachinfo {
        /// Write it there instead of to standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show the network interfaces of this host that clients could use
    NetScan {
        /// Provider to show in the list
        #[arg(short, long, default_value = "ofi+tcp")]
        provider: String,
    },
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command_and_start_is_the_default() {
        let cli = Cli::try_parse_from(["daos_agent", "-i", "-s", "/run/x"]).unwrap();
        assert!(cli.command.is_none() && cli.globals.insecure);
        let cli = Cli::try_parse_from(["daos_agent", "start", "-o", "a.yml", "--json"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Start)) && cli.globals.json);
        assert!(Cli::try_parse_from(["daos_agent", "stop"]).is_err());
    }
}
