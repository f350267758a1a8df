//! `daos_engine --format`: formats, and says how it went in one line of JSON.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{Arguments, EXIT_FAILED};
use crate::devices;

#[derive(Serialize)]
struct Line<'a> {
    ok: bool,
    device: Option<String>,
    fault: Option<&'a str>,
    error: Option<String>,
    resolution: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = devices::read_conf(&arguments.conf)
        .map_err(|error| Line {
            ok: false,
            device: None,
            fault: None,
            error: Some(format!("{error:#}")),
            resolution: None,
        })
        .and_then(|conf| {
            devices::format(&conf, arguments.force).map_err(|(path, fault)| Line {
                ok: false,
                device: Some(path.display().to_string()),
                fault: Some(fault.name.as_str()),
                error: Some(fault.description),
                resolution: Some(fault.resolution),
            })
        });
    let (line, code) = match result {
        Ok(()) => (Line { ok: true, device: None, fault: None, error: None, resolution: None }, ExitCode::SUCCESS),
        Err(line) => (line, ExitCode::from(EXIT_FAILED)),
    };
    println!("{}", serde_json::to_string(&line).expect("a line of texts is JSON"));
    code
}
