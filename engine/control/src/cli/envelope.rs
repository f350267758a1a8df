//! What a command leaves behind: an exit code, and text or DAOS's JSON envelope.

use std::process::ExitCode;

use serde_json::{Value, json};
use types::{Fault, Status};
use wire::fault::Failure;

/// The end of a command.
#[derive(Debug)]
pub(super) struct Outcome {
    response: Value,
    text: String,
    failure: Option<Failure>,
}

impl Outcome {
    /// Success, with the response as JSON and as text.
    pub(super) fn done(response: Value, text: impl Into<String>) -> Outcome {
        Outcome { response, text: text.into(), failure: None }
    }

    /// Success with nothing to say.
    pub(super) fn silent() -> Outcome {
        Outcome::done(Value::Null, "")
    }

    /// Failure without a fault.
    pub(super) fn failed(message: impl Into<String>) -> Outcome {
        let message = message.into();
        match message.split_once("\nhint: ") {
            Some((what, hint)) => Failure::new(Status::Misc, what).with_resolution(hint).into(),
            None => Failure::new(Status::Misc, message).into(),
        }
    }

    /// Arguments that were not understood: an envelope for `--json`, clap's own words otherwise.
    pub(super) fn usage(error: &clap::Error, as_json: bool) -> ExitCode {
        if as_json && error.use_stderr() {
            let text = error.to_string();
            // the first paragraph says what is wrong, the rest is the usage line
            let words: Vec<&str> = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect();
            let line = words.join(" ").trim_start_matches("error: ").to_owned();
            let _ = Outcome::from(Failure::new(Status::Invalid, line).with_resolution("see --help")).print(true);
        } else {
            let _ = error.print(); // a closed terminal cannot be told
        }
        ExitCode::from(if error.use_stderr() { 2 } else { 0 })
    }

    /// Failure that still has a response.
    pub(super) fn failed_with(message: impl Into<String>, response: Value, text: impl Into<String>) -> Outcome {
        Outcome { response, text: text.into(), failure: Some(Failure::new(Status::Misc, message)) }
    }

    /// Prints it.
    pub(super) fn print(self, as_json: bool) -> ExitCode {
        let Outcome { response, text, failure } = self;
        if as_json {
            let error = failure.as_ref().map(|failure| match failure.resolution.as_str() {
                "" => failure.message.clone(),
                hint => format!("{}; hint: {hint}", failure.message),
            });
            let status = failure.as_ref().map_or(0, |failure| failure.status.code());
            let envelope = json!({ "response": response, "error": error, "status": status });
            println!("{}", serde_json::to_string_pretty(&envelope).expect("plain data"));
        } else if !text.is_empty() {
            println!("{}", text.trim_end());
        }
        let Some(failure) = failure else { return ExitCode::SUCCESS };
        if !as_json {
            match failure.as_fault() {
                Some(fault) => {
                    fault.to_string().lines().for_each(|line| eprintln!("ERROR: daos_server: {line}"));
                }
                None => eprintln!("ERROR: daos_server: {failure}"),
            }
        }
        ExitCode::FAILURE
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        Outcome { response: Value::Null, text: String::new(), failure: Some(failure) }
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Outcome {
        Failure::from(fault).into()
    }
}
