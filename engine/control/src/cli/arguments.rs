//! Arguments of `daos_server`, as in DAOS.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use config::Overrides;

use crate::certs::DEFAULT_DAYS;

/// DAOS control server: formats storage, starts and watches engines, serves dmg and agents.
#[derive(Debug, Parser)]
#[command(name = "daos_server", version = env!("CARGO_PKG_VERSION"), args_conflicts_with_subcommands = false)]
pub(super) struct Arguments {
    /// Log everything of interest to developers
    #[arg(short = 'b', long, global = true)]
    pub(super) debug: bool,
    /// Answer as JSON on standard output
    #[arg(short, long, global = true)]
    pub(super) json: bool,
    /// Log as JSON
    #[arg(short = 'J', long, global = true)]
    pub(super) json_logging: bool,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Start,
}

impl Arguments {
    /// The command; `start` when none is given.
    pub(super) fn chosen(&self) -> Command {
        self.command.clone().unwrap_or_else(|| Command::Start(self.start.clone()))
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Command {
    /// Start the server (the default)
    Start(Start),
    /// Work on the configuration file
    #[command(subcommand, visible_alias = "cfg")]
    Config(ConfigCommand),
    /// Look at the network
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Make the certificates of the system
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Print the version
    Version,
    /// Print a completion script
    Completion {
        /// For this shell
        shell: Shell,
    },
    /// Write the manual page
    #[command(hide = true)]
    Manpage {
        /// Directory; standard output when absent
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct Start {
    /// Configuration file
    #[arg(short = 'o', long)]
    pub(super) config: Option<PathBuf>,
    /// Control port
    #[arg(short, long)]
    port: Option<u16>,
    /// Mount point of the memory tier
    #[arg(short, long)]
    storage: Option<PathBuf>,
    /// Server modules to load
    #[arg(short, long)]
    modules: Option<String>,
    /// Targets of each engine
    #[arg(short, long)]
    targets: Option<u32>,
    /// Helper threads of each engine
    #[arg(short = 'x', long)]
    xshelpernr: Option<u32>,
    /// First core of the engine
    #[arg(short, long)]
    firstcore: Option<u32>,
    /// System name
    #[arg(short, long)]
    group: Option<String>,
    /// Directory of the Unix sockets
    #[arg(short = 'd', long)]
    socket_dir: Option<PathBuf>,
    /// Allow connections without certificates
    #[arg(short, long)]
    insecure: bool,
    /// Format unformatted storage without waiting for dmg
    #[arg(long)]
    pub(super) auto_format: bool,
}

impl Start {
    /// What wins over the file.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            port: self.port,
            scm_mount: self.storage.clone(),
            modules: self.modules.clone(),
            targets: self.targets,
            nr_xs_helpers: self.xshelpernr,
            first_core: self.firstcore,
            name: self.group.clone(),
            socket_dir: self.socket_dir.clone(),
            insecure: self.insecure,
        }
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration file and print everything that is wrong with it
    Validate(Validate),
}

#[derive(Debug, Clone, Args)]
pub(super) struct Validate {
    /// Configuration file
    #[arg(short = 'o', long)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum CertsCommand {
    /// Make an authority and a certificate for each role
    Generate(Generate),
}

#[derive(Debug, Clone, Args)]
pub(super) struct Generate {
    /// Directory in which `daosCA` is made
    #[arg(default_value = ".")]
    pub(super) directory: PathBuf,
    /// Validity in days
    #[arg(long, default_value_t = DEFAULT_DAYS)]
    pub(super) days: u32,
    /// Name or address of a server, put into its certificate; may be repeated
    #[arg(long = "name")]
    pub(super) names: Vec<String>,
    /// New certificates under the authority that exists
    #[arg(long, conflicts_with = "force")]
    pub(super) renew: bool,
    /// A new authority in place of one that exists: every host needs all files again
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum NetworkCommand {
    /// List interfaces and what they can be used for
    Scan(Scan),
}

#[derive(Debug, Clone, Args)]
pub(super) struct Scan {
    /// Only interfaces that serve this provider; `all` for every one
    #[arg(short, long)]
    pub(super) provider: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn start_is_the_default_and_its_flags_are_daos_s() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).expect(line).chosen();
        let line = "-o f.yml -p 10002 -s /m -t 2 -x 1 -f 3 -g sys -d /run/x -i --auto-format";
        for line in [format!("daos_server {line}"), format!("daos_server start {line}")] {
            let Command::Start(start) = parse(&line) else { panic!("{line}") };
            assert_eq!(start.config, Some("f.yml".into()));
            assert!(start.auto_format);
            let overrides = start.overrides();
            assert_eq!((overrides.port, overrides.targets, overrides.nr_xs_helpers), (Some(10002), Some(2), Some(1)));
            assert_eq!(
                (overrides.first_core, overrides.name.as_deref(), overrides.insecure),
                (Some(3), Some("sys"), true)
            );
        }
        assert!(matches!(parse("daos_server version"), Command::Version));
        assert!(matches!(parse("daos_server cfg validate -o x"), Command::Config(_)));
        assert!(Arguments::try_parse_from(["daos_server", "start", "--no-such-flag"]).is_err());
    }
}
