//! The command line of `daos_server`: arguments -> settings -> operation -> exit code.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. With `--json`, the answer is DAOS's envelope on standard output.

mod arguments;
mod certificates;
mod envelope;
mod network;
mod settings;
mod start;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, CertsCommand, Command, ConfigCommand, NetworkCommand};
use envelope::Outcome;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return Outcome::usage(&error, std::env::args_os().any(|text| text == "--json" || text == "-j"));
        }
    };
    let json = arguments.json;
    let outcome = match arguments.chosen() {
        Command::Start(start) => start::run(&arguments, &start),
        Command::Config(ConfigCommand::Validate(validate)) => validate::run(validate.config.as_deref()),
        Command::Network(NetworkCommand::Scan(scan)) => network::run(scan.provider.as_deref()),
        Command::Certs(CertsCommand::Generate(generate)) => certificates::run(&generate),
        Command::Version => Outcome::done(
            serde_json::json!({ "name": "DAOS Server", "version": env!("CARGO_PKG_VERSION") }),
            format!("DAOS Server v{}", env!("CARGO_PKG_VERSION")),
        ),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "daos_server", &mut std::io::stdout());
            return ExitCode::SUCCESS;
        }
        Command::Manpage { dir } => manual(dir.as_deref()),
    };
    outcome.print(json)
}

/// The manual page on standard output, or as `daos_server.8` in a directory.
fn manual(folder: Option<&std::path::Path>) -> Outcome {
    let mut page = Vec::new();
    let command = Arguments::command();
    if let Err(error) = clap_mangen::Man::new(command).section("8").render(&mut page) {
        return Outcome::failed(format!("cannot write the manual page: {error}"));
    }
    let written = match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join("daos_server.8"), page))
        }
        None => std::io::stdout().write_all(&page),
    };
    let place = folder.map_or_else(|| "standard output".to_owned(), |folder| format!("`{}`", folder.display()));
    match written {
        Ok(()) => Outcome::silent(),
        Err(error) => Outcome::failed(format!(
            "cannot write the manual page to {place}: {error}\nhint: name a folder that can be written"
        )),
    }
}
