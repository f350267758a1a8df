//! `dmg`: arguments in, report out.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use daos_admin::dmg::{Cli, run};
use daos_admin::output::{Format, finish, start_log, usage_failure};

fn main() -> ExitCode {
    let json = std::env::args().any(|argument| argument == "--json" || argument == "-j");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if json && error.use_stderr() => {
            finish("dmg", Format::Json, Err(usage_failure(&error)), &mut io::stdout(), &mut io::stderr());
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    let format = if cli.globals.json { Format::Json } else { Format::Text };
    let result = start_log(cli.globals.debug, cli.globals.log_file.as_deref()).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("threads and an epoll instance are there").block_on(run(cli))
    });
    finish("dmg", format, result, &mut io::stdout(), &mut io::stderr())
}
