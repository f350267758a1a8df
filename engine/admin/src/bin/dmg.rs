//! `dmg`: arguments in, report out.

use std::process::ExitCode;

use daos_admin::dmg::{Cli, run};
use daos_admin::output::main_of;

fn main() -> ExitCode {
    main_of("dmg", |cli: &Cli| cli.globals.json, run)
}
