//! `daos_engine fsck` and `daos_engine dump`: the devices of a stopped engine, looked at and never changed.
//!
//! Devices are opened read-only under the lock that the engine takes. What is checked and shown is crate store's
//! `inspect`; this room finds devices and targets, and prints.

mod devices;
mod dump;
mod fsck;
mod json;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::cli::EXIT_FAILED;

#[derive(Debug, Parser)]
#[command(name = "daos_engine", version)]
struct Offline {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check all structures of stopped targets, and say what is wrong, what it means and what can be done.
    ///
    /// One finding per line. Nothing is changed. Exit code 0: nothing is wrong; 1: something is, or a device cannot be
    /// read; 2: the arguments were not understood.
    #[command(override_usage = "daos_engine fsck [OPTIONS] DEVICE...\n       daos_engine fsck [OPTIONS] -n FILE")]
    Fsck(FsckArguments),
    /// Show what is stored, in decoded form, one item per line.
    #[command(
        override_usage = "daos_engine dump [OPTIONS] [STRUCTURE]... DEVICE...\n       daos_engine dump [OPTIONS] [STRUCTURE]... -n FILE"
    )]
    Dump(DumpArguments),
}

#[derive(Debug, Args)]
struct FsckArguments {
    #[command(flatten)]
    common: Common,
    /// Device or device file; all of an engine are needed, unless -n names them.
    #[arg(value_name = "DEVICE", conflicts_with = "conf")]
    devices: Vec<PathBuf>,
    /// Read all values of the data role, too, and compare their checksums.
    #[arg(long)]
    data: bool,
    /// Findings to print for each target; the rest is counted.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_findings: usize,
}

#[derive(Debug, Args)]
struct DumpArguments {
    #[command(flatten)]
    common: Common,
    /// What to show: label, superblock, map, log, arena, pools, containers, snapshots, transactions, free, or container UUID for its records; all
    /// but log and records without. Then devices, unless -n names them.
    #[arg(value_name = "STRUCTURE|DEVICE")]
    words: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Common {
    /// Storage configuration written by daos_server, as the engine takes it.
    #[arg(short = 'n', long = "nvme", value_name = "FILE")]
    conf: Option<PathBuf>,
    /// This target alone.
    #[arg(long, value_name = "N")]
    target: Option<u32>,
    /// One envelope of JSON on standard output.
    #[arg(short = 'j', long)]
    json: bool,
}

/// Why nothing was looked at.
#[derive(Debug)]
enum Failure {
    /// The arguments; exit code 2.
    Usage(String),
    /// A device; exit code 1.
    Device(String),
    /// Standard output.
    Output(io::Error),
}

/// What is said when neither devices nor a configuration are named.
fn nothing_named(command: &str) -> Failure {
    Failure::Usage(format!(
        "nothing to look at is named: devices or device files, or -n with the engine's configuration\nhint: `daos_engine {command} DEVICE...` with all devices of one engine, or `daos_engine {command} -n FILE` with FILE being <control_metadata>/daos_control/engine<N>/daos_nvme.conf"
    ))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// Runs the command when the first argument names one.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.collect();
    if !arguments.get(1).is_some_and(|first| first == "fsck" || first == "dump") {
        return None;
    }
    let (json, result) = match Offline::parse_from(arguments).command {
        Command::Fsck(arguments) => (arguments.common.json, fsck::run(&arguments, &mut io::stdout().lock())),
        Command::Dump(arguments) => (arguments.common.json, dump::run(&arguments, &mut io::stdout().lock())),
    };
    Some(match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(failure) => fail(&failure, json),
    })
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    let (text, code) = match failure {
        Failure::Usage(text) => (text.clone(), 2),
        Failure::Device(text) => (text.clone(), EXIT_FAILED),
        // Who reads has seen enough.
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::from(EXIT_FAILED),
        Failure::Output(error) => (format!("cannot write to standard output: {error}"), EXIT_FAILED),
    };
    if json {
        let line = text.replace('\n', "; ");
        println!("{}", serde_json::json!({"response": null, "error": line, "status": json::STATUS_FAILED}));
    } else {
        eprintln!("ERROR: daos_engine: {text}");
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests;
