//! What a person sees at the end, and what a program sees instead.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use packager_source::stop::unless_interrupted;
use serde::Serialize;
use serde_json::{Value, json};

/// A line to standard error. Whether somebody reads it does not decide what the program does.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _unread = writeln!(std::io::stderr(), $($what)*);
    }};
}
pub(crate) use say;

/// The exit code for a command line that cannot be understood; clap's too.
const USAGE: u8 = 2;

/// The result of an operation.
pub(crate) struct Report {
    /// For people, with its line breaks.
    pub(crate) text: String,
    /// For programs.
    pub(crate) value: Value,
    /// Everything asked for was found in order.
    pub(crate) good: bool,
    /// The exit status of a command that was run for the user, and becomes ours.
    pub(crate) status: Option<u8>,
}

impl Report {
    /// A result for people and programs.
    pub(crate) fn new(text: impl Into<String>, value: Value) -> Report {
        Report { text: text.into(), value, good: true, status: None }
    }

    /// A result that is a text.
    pub(crate) fn text(text: impl Into<String>) -> Report {
        let text = text.into();
        let value = json!(text);
        Report::new(text, value)
    }

    /// Everything was said already.
    pub(crate) fn silent() -> Report {
        Report::new("", Value::Null)
    }

    /// Prints to standard output.
    pub(crate) fn print(self, as_json: bool) -> ExitCode {
        let text = match self.value {
            Value::Null => String::new(),
            value if as_json => format!("{value:#}\n"),
            _ => harmless(&self.text),
        };
        let mut out = std::io::stdout().lock();
        // A reader that went away, as `head` does, is no failure.
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            say!("packager: cannot write the result: {error}");
            return ExitCode::FAILURE;
        }
        if let Some(status) = self.status {
            return ExitCode::from(status);
        }
        if self.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A text for a terminal: names from packages and metadata may hold anything, and move its cursor or worse.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && !matches!(letter, '\n' | '\t') {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Prints an error with its causes; hints come last.
pub(crate) fn fail(error: &anyhow::Error, as_json: bool) -> ExitCode {
    let mut message = String::new();
    let mut hints = Vec::new();
    // Whatever a step says that was cut short, the reason is this one.
    let interrupted = unless_interrupted().map_err(anyhow::Error::from).err();
    for cause in interrupted.as_ref().unwrap_or(error).chain() {
        let said = cause.to_string();
        let several = said.lines().filter(|line| line.starts_with("hint: ")).count() > 1;
        let mut lines: Vec<&str> = Vec::new();
        for line in said.lines() {
            match line.strip_prefix("hint: ") {
                // Each stays below what it is for.
                Some(_) if several && !as_json => lines.push(line),
                Some(hint) => hints.push(hint.to_owned()),
                None => lines.push(line),
            }
        }
        hints.extend(remedy(cause).map(str::to_owned));
        let text = lines.join("\n");
        if !text.is_empty() && !message.contains(&text) {
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&text);
        }
    }
    if as_json {
        tell_programs(&message, &hints);
    } else {
        say!("error: {}", harmless(&message));
        for hint in hints {
            say!("hint: {}", harmless(&hint));
        }
    }
    ExitCode::FAILURE
}

/// A command line that cannot be understood, as clap says it; help and version are no faults. For programs it is an error like any other.
pub(crate) fn usage(error: &clap::Error, as_json: bool) -> ExitCode {
    if !as_json || !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let message = match error.kind() {
        // Its text is the help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a subcommand is missing".to_owned(),
        _ => {
            let first = text.split("\n\n").next().unwrap_or_default();
            first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
        }
    };
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let hints: Vec<&str> = tips.chain(["`--help` behind the command says what it takes"]).collect();
    tell_programs(&message, &hints);
    ExitCode::from(USAGE)
}

/// An error for programs. Whether somebody reads it does not decide what this one does.
fn tell_programs(message: &str, hints: &[impl Serialize]) {
    let _unread = writeln!(std::io::stdout(), "{:#}", json!({ "error": message, "hints": hints }));
}

/// Several faults as one.
pub(crate) fn together(mut faults: Vec<anyhow::Error>) -> anyhow::Error {
    if faults.len() == 1 {
        return faults.remove(0);
    }
    anyhow::anyhow!("{}", faults.iter().map(|fault| format!("{fault:#}")).collect::<Vec<_>>().join("\n"))
}

/// What to do about a refusal of the system.
fn remedy(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use std::io::ErrorKind;
    Some(match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space there and run the same command again: finished stages are kept"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "name a place that you may write to, or ask its owner"
        }
        ErrorKind::NotADirectory => "a file is where a folder is needed: move it away, or name another place",
        _ => return None,
    })
}

/// Columns with two blanks between them.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `1.2 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // for people
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(super::harmless("a\u{1b}[31mb\r\n\tc\0"), "a\\u{1b}[31mb\\r\n\tc\\u{0}");
    }
}
