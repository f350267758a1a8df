//! `daos_agent`: arguments in, report out.

use std::process::ExitCode;

use daos_agent::terminal::main_of;

fn main() -> ExitCode {
    main_of("daos_agent", |cli: &daos_agent::cli::Cli| cli.globals.json, daos_agent::run)
}
