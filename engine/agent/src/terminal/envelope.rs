//! From the result of a command to streams and exit code.
//!
//! People get the text on standard output and, for a failure, `ERROR: <program>: <what>` and the resolution on standard
//! error. Programs (`--json`) get exactly one envelope `{"response", "error", "status"}` on standard output, as DAOS
//! prints it, where status is 0 or a negative DER code. Exit code: 0 done, 1 failed, 2 not understood.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;
use types::Status;
use wire::fault::Failure;

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// What a command found out.
#[derive(Debug, Clone)]
pub struct Report {
    /// For people, as it goes to standard output.
    pub text: Vec<u8>,
    /// For programs: `response`.
    pub response: Value,
    /// Set when part of the work failed although there is something to report.
    pub failure: Option<Failure>,
}

impl Report {
    /// All went well.
    pub fn new(text: impl Into<Vec<u8>>, response: Value) -> Report {
        Report { text: text.into(), response, failure: None }
    }

    /// With a failure of a part.
    #[must_use]
    pub fn failed(self, failure: Option<Failure>) -> Report {
        Report { failure, ..self }
    }
}

/// The one JSON document of a command.
#[derive(Serialize)]
struct Envelope<'r> {
    response: &'r Value,
    error: Option<String>,
    status: i32,
}

/// Writes `result` of `program` to the two streams.
pub fn finish(
    program: &str,
    format: Format,
    result: Result<Report, Failure>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let report = result.unwrap_or_else(|failure| Report::new("", Value::Null).failed(Some(failure)));
    let written = match format {
        Format::Text => write_text(program, &report, out, err),
        Format::Json => write_envelope(&report, out),
    };
    match written {
        // the reader has seen enough, as in `daos kv list ... | head`
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(err, "ERROR: {program}: cannot write the output: {error}"); // nothing is left to tell
            ExitCode::FAILURE
        }
        Ok(()) if report.failure.is_some() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn write_text(program: &str, report: &Report, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    out.write_all(&report.text)?;
    out.flush()?;
    let Some(failure) = &report.failure else { return Ok(()) };
    match failure.as_fault() {
        Some(fault) => {
            let text = fault.to_string();
            let lines = if fault.resolution.is_empty() { 1 } else { 2 };
            for line in text.lines().take(lines) {
                writeln!(err, "ERROR: {program}: {line}")?;
            }
        }
        None => {
            writeln!(err, "ERROR: {program}: {}", named(failure))?;
            if !failure.resolution.is_empty() {
                writeln!(err, "hint: {}", failure.resolution)?;
            }
        }
    }
    Ok(())
}

fn write_envelope(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let envelope = Envelope {
        response: &report.response,
        error: report.failure.as_ref().map(error_text),
        status: report.failure.as_ref().map_or(0, |failure| failure.status.code()),
    };
    serde_json::to_writer_pretty(&mut *out, &envelope)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// One line: name and description of a fault, or the message, and the resolution.
fn error_text(failure: &Failure) -> String {
    let what = match failure.as_fault() {
        Some(fault) => fault.to_string().lines().next().unwrap_or_default().to_owned(),
        None => named(failure),
    };
    let text = if failure.resolution.is_empty() { what } else { format!("{what}; hint: {}", failure.resolution) };
    one_line(&text)
}

/// A drawing of the place in a file becomes its words: lines that only draw are left out.
fn one_line(text: &str) -> String {
    let words = text.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    words.collect::<Vec<_>>().join("; ")
}

/// The message behind its DER name, which scripts look for; a status without a meaning of its own is left out.
fn named(failure: &Failure) -> String {
    match failure.status {
        Status::Misc => failure.message.clone(),
        status => format!("{}({}): {}", status.name(), status.code(), failure.message),
    }
}

/// Arguments that were not understood, for `--json`: the caller still gets an envelope.
pub fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    // the first paragraph says what is wrong, the rest is the usage line
    let words: Vec<&str> = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect();
    let line = words.join(" ").trim_start_matches("error: ").to_owned();
    Failure::new(Status::Invalid, line).with_resolution("see --help")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{Fault, FaultName};

    fn printed(format: Format, result: Result<Report, Failure>) -> (String, String, bool) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = finish("dmg", format, result, &mut out, &mut err);
        let succeeded = format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), succeeded)
    }

    fn no_label() -> Failure {
        Fault::new(FaultName::ServerPoolNoLabel, "cannot create a pool without a label", "retry with a label").into()
    }

    #[test]
    fn a_success_is_text_or_an_envelope() {
        let report = Report::new("done\n", json!({"uuid": "x"}));
        assert_eq!(printed(Format::Text, Ok(report.clone())), ("done\n".to_owned(), String::new(), true));
        let (out, err, succeeded) = printed(Format::Json, Ok(report));
        assert!(succeeded && err.is_empty());
        insta::assert_snapshot!(out, @r#"
        {
          "response": {
            "uuid": "x"
          },
          "error": null,
          "status": 0
        }
        "#);
    }

    #[test]
    fn a_fault_prints_both_of_its_lines() {
        let (out, err, succeeded) = printed(Format::Text, Err(no_label()));
        assert!(!succeeded && out.is_empty());
        insta::assert_snapshot!(err, @r#"
        ERROR: dmg: server: ServerPoolNoLabel: code = 615 description = "cannot create a pool without a label"
        ERROR: dmg: server: ServerPoolNoLabel: code = 615 resolution = "retry with a label"
        "#);
    }

    #[test]
    fn a_failure_in_json_stays_on_standard_output() {
        let (out, err, succeeded) = printed(Format::Json, Err(no_label()));
        assert!(!succeeded && err.is_empty());
        insta::assert_snapshot!(out, @r#"
        {
          "response": null,
          "error": "server: ServerPoolNoLabel: code = 615 description = \"cannot create a pool without a label\"; hint: retry with a label",
          "status": -1003
        }
        "#);
    }

    #[test]
    fn an_error_of_several_lines_is_one_line_in_json() {
        let (out, _, _) = printed(Format::Json, Err(Failure::new(Status::Invalid, "bad\n  |\n2 | x: y\n  | ^\n\nend")));
        let envelope: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(envelope["error"], "DER_INVAL(-1003): bad; 2 | x: y; end");
    }

    #[test]
    fn a_part_that_failed_leaves_the_rest_readable() {
        let failure = Failure::new(Status::TimedOut, "1 of 2 hosts failed").with_resolution("start it");
        let (out, err, succeeded) = printed(Format::Text, Ok(Report::new("half\n", Value::Null).failed(Some(failure))));
        assert!(!succeeded);
        assert_eq!(
            (out.as_str(), err.as_str()),
            ("half\n", "ERROR: dmg: DER_TIMEDOUT(-1011): 1 of 2 hosts failed\nhint: start it\n")
        );
    }

    #[test]
    fn a_usage_error_is_one_line_that_names_what_is_missing() {
        let command = clap::Command::new("dmg").arg(clap::Arg::new("label").required(true));
        let failure = usage_failure(&command.try_get_matches_from(["dmg"]).unwrap_err());
        assert_eq!(failure.message, "the following required arguments were not provided: <label>");
    }

    #[test]
    fn binary_output_is_not_touched() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        finish("daos", Format::Text, Ok(Report::new(vec![0, 255, b'\n', 0], Value::Null)), &mut out, &mut err);
        assert_eq!(out, [0, 255, b'\n', 0]);
    }
}
