//! The `main` of a command line.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use wire::fault::Failure;

use super::envelope::{Format, Report, finish, usage_failure};

/// Exit code for arguments that were not understood, as clap's own.
const USAGE: u8 = 2;

/// Parses the arguments of this process, runs them and prints the result.
pub fn main_of<C: Parser, F: Future<Output = Result<Report, Failure>>>(
    program: &str,
    wants_json: fn(&C) -> bool,
    run: fn(C) -> F,
) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args_os().any(|text| text == "--json" || text == "-j") => {
            finish(program, Format::Json, Err(usage_failure(&error)), &mut io::stdout(), &mut io::stderr());
            return ExitCode::from(USAGE);
        }
        Err(error) => {
            let _ = error.print(); // a closed terminal cannot be told
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let format = if wants_json(&cli) { Format::Json } else { Format::Text };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.expect("threads and an epoll instance are there").block_on(run(cli));
    finish(program, format, result, &mut io::stdout(), &mut io::stderr())
}
