//! `daos`: arguments in, report out.

use std::process::ExitCode;

use daos_admin::daos::{Cli, run};
use daos_admin::output::main_of;

fn main() -> ExitCode {
    client::own_signals();
    main_of("daos", |cli: &Cli| cli.globals.json, run)
}
