//! `packager`: arguments -> settings -> operation -> report.
//!
//! Exit codes: 0 done, 1 failed, 2 usage.

#![allow(clippy::disallowed_methods)] // the command line: it reads the environment and the files it is pointed at

mod address;
mod announced;
mod arguments;
mod attestation;
mod build;
mod check;
mod given;
mod keys;
mod mirror;
mod places;
mod plain;
mod plan;
mod planned;
mod progress;
mod publication;
mod repo;
mod report;
mod repository;
mod resolve;
mod shell;
mod sources;
mod sync;
mod waves;
mod world;

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{CommandFactory, Parser};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use arguments::{Arguments, Command, KeysCommand, OfProject, TargetsCommand};
use places::Places;
use report::{Report, say};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let mut words = std::env::args_os().skip(1).take_while(|word| word != "--");
            return report::usage(&error, words.any(|word| word == "--json"));
        }
    };
    if let Err(error) = catch_signals() {
        say!("packager: cannot catch signals: {error}");
        return ExitCode::FAILURE;
    }
    let json = arguments.json;
    match operate(arguments) {
        Ok(report) => report.print(json),
        Err(error) => report::fail(&error, json),
    }
}

fn operate(arguments: Arguments) -> anyhow::Result<Report> {
    let Arguments { root, state, mirror, json, command } = arguments;
    // What needs no project.
    let command = match command {
        Command::Evr { left, right } => return resolve::evr(&left, &right),
        Command::Resolve(options) => return resolve::resolve(&options),
        Command::Repo(command) => {
            let keys = state.clone();
            return repo::operate(&command, json, || Places::keys(keys), || Places::find(root, state, mirror));
        }
        Command::Verify(options) => return keys::verify(&options),
        Command::Sign(options) => return keys::sign(&Places::keys(state)?, &options),
        Command::Keys(KeysCommand::New(options)) => return keys::new(&Places::keys(state)?, &options),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "packager", &mut script);
            return Ok(Report::text(String::from_utf8(script)?));
        }
        Command::Manpage { folder } => {
            std::fs::create_dir_all(&folder)?;
            clap_mangen::generate_to(Arguments::command(), &folder)?;
            return Ok(Report::text(format!("manual pages are in {}\n", folder.display())));
        }
        Command::OfProject(OfProject::Check(options)) if options.target.is_none() => {
            return check::gates(&options, None);
        }
        Command::OfProject(command) => command,
    };
    let places = Places::find(root, state, mirror)?;
    match command {
        OfProject::Targets(TargetsCommand::List) => plain::targets(&places),
        OfProject::Targets(TargetsCommand::Show { target }) => plain::target(&places, &target),
        OfProject::Targets(TargetsCommand::Sync(options)) => sync::sync(&places, &options),
        OfProject::Plan(options) => plan::plan(&places, &options),
        OfProject::Spec(which) => plain::spec(&places, &which),
        OfProject::Srpm(options) => build::source_packages(&places, &options),
        OfProject::Build(options) => build::build(&places, &options),
        OfProject::Rebuild(options) => build::rebuild(&places, &options),
        OfProject::Fetch(options) => sources::fetch(&places, &options),
        OfProject::Lock(options) => sources::lock(&places, &options),
        OfProject::Shell(options) => shell::shell(&places, &options, json),
        OfProject::Check(options) => check::check(&places, &options),
    }
}

/// The first signal asks every step to end and clean up after itself; a second Ctrl-C ends the program at once.
fn catch_signals() -> std::io::Result<()> {
    let mut caught = vec![SIGINT, SIGTERM];
    if !hang_ups_are_ignored() {
        caught.push(SIGHUP);
    }
    let mut signals = Signals::new(caught)?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // Closing a terminal sends more than one of the others.
            if packager_source::stop::INTERRUPTED.swap(true, Ordering::Relaxed) && signal == SIGINT {
                std::process::exit(1);
            }
        }
    });
    Ok(())
}

/// As under `nohup`, which is to stay so.
fn hang_ups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (SIGHUP - 1)) != 0
}
