//! Arguments and environment of `daos_engine`, in DAOS's spelling. `daos_server` starts it; people seldom do.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::{format, log, offline, start};

/// The data plane of one engine instance. Started by daos_server, which gives all settings.
#[derive(Debug, Clone, Parser)]
#[command(name = "daos_engine", version, after_help = OFFLINE_HELP)]
pub struct Arguments {
    /// Number of targets; must be that of the format.
    #[arg(short = 't', long = "targets", value_name = "N")]
    pub targets: Option<u32>,
    /// Number of helper threads. Accepted for compatibility; targets need none, a notice is logged.
    #[arg(short = 'x', long = "xshelpernr", value_name = "N", default_value_t = 0)]
    pub helpers: u32,
    /// Core of the first target's thread; the others follow.
    #[arg(short = 'f', long = "firstcore", value_name = "CORE", conflicts_with = "numa_node")]
    pub first_core: Option<usize>,
    /// NUMA node on whose cores the targets' threads are placed.
    #[arg(short = 'p', long = "pinned_numa_node", value_name = "NODE")]
    pub numa_node: Option<u32>,
    /// System name; must be that of the format.
    #[arg(short = 'g', long = "group", value_name = "NAME", default_value = "daos_server")]
    pub group: String,
    /// Folder of daos_server's socket and this engine's.
    #[arg(short = 'd', long = "socket_dir", value_name = "DIR", default_value = "/var/run/daos_server")]
    pub socket_dir: PathBuf,
    /// Mount point of the memory tier; must be that of the format.
    #[arg(short = 's', long = "storage", value_name = "DIR")]
    pub scm_mount: Option<PathBuf>,
    /// Storage configuration written by daos_server.
    #[arg(short = 'n', long = "nvme", value_name = "FILE")]
    pub conf: PathBuf,
    /// Index of this engine within its server.
    #[arg(short = 'I', long = "instance_idx", value_name = "N", default_value_t = 0)]
    pub instance: u32,
    /// Format the devices of the storage configuration, print one line of JSON, and end.
    #[arg(long)]
    pub format: bool,
    /// With --format: also devices that are formatted already. What they hold is lost.
    #[arg(long, requires = "format")]
    pub force: bool,
    /// Interface whose address the data port is bound to.
    #[arg(long, env = "D_INTERFACE", value_name = "IFACE", default_value = "lo", hide = true)]
    pub interface: String,
    /// Fabric provider.
    #[arg(long, env = "D_PROVIDER", value_name = "NAME", default_value = "ofi+tcp", hide = true)]
    pub provider: String,
    /// Data port.
    #[arg(long, env = "D_PORT", value_name = "PORT", default_value_t = 31416, hide = true)]
    pub port: u16,
    /// Who computes checksums and parity: `rust`, `isal` where it is built in, or `auto` for what measures faster.
    #[arg(long, env = "DAOS_ERASURE", value_name = "KERNEL", default_value = "auto", hide = true)]
    pub erasure: String,
    /// Log level, in DAOS's words.
    #[arg(long, env = "D_LOG_MASK", value_name = "MASK", default_value = "INFO", hide = true)]
    pub log_mask: String,
    /// Log file; standard error without.
    #[arg(long, env = "D_LOG_FILE", value_name = "FILE", hide = true)]
    pub log_file: Option<PathBuf>,
}

const OFFLINE_HELP: &str = "\
Of a stopped engine, changing nothing (each has --help of its own):
  daos_engine fsck -n FILE | DEVICE...    check all that is stored and say what is wrong
  daos_engine dump -n FILE | DEVICE...    show what is stored, structure by structure";

/// Exit code when the engine could not start or had to end for a reason that a restart may not mend.
pub const EXIT_FAILED: u8 = 1;
/// Exit code when a target's thread could not go on: a restart recovers it from its log.
pub const EXIT_TARGET_FAILED: u8 = 3;

/// Runs the program and gives its exit code: 0 after an orderly shutdown, [`EXIT_FAILED`], 2 for wrong usage,
/// [`EXIT_TARGET_FAILED`].
pub fn run() -> ExitCode {
    if let Some(code) = offline::run(std::env::args_os()) {
        return code;
    }
    fabric::own_signals();
    let arguments = Arguments::parse();
    if arguments.format {
        return format::run(&arguments);
    }
    if let Err(error) = log::start(&arguments) {
        eprintln!("ERROR: daos_engine: {error:#}");
        return ExitCode::from(EXIT_FAILED);
    }
    match start::run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            // daos_server keeps the last lines of standard error as the exit reason.
            eprintln!("ERROR: daos_engine: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
