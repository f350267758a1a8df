//! Running a program with its output in a log file, and stopping it when the user asks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packager_source::keep;
use packager_source::stop::{self, Interrupted, unless_interrupted};

/// Lines of the log's end that an error message shows.
const TAIL_LINES: usize = 30;

/// Bytes of the log's end in which the cause is looked for: compilers that run side by side write after the first failure.
const SEARCHED_BYTES: u64 = 256 << 10;

/// How programs say `ENOSPC` in the sandbox's locale; the second is zig's way.
const NO_SPACE: [&str; 2] = ["No space left on device", "NoSpaceLeft"];

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error("cannot start `{program}`{}", stop::remedy(source))]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its end was not seen.
    #[error("{step}: cannot wait for its end")]
    Wait {
        /// What was being done.
        step: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{step} failed ({status})\n{tail}\nhint: the whole log is `{log}`")]
    Failed {
        /// What was being done.
        step: String,
        /// Exit status.
        status: std::process::ExitStatus,
        /// The end of its log.
        tail: String,
        /// The log.
        log: PathBuf,
    },
    /// The device is full.
    #[error("{step} failed: no space left on device\nhint: free some space below `{}` and run the same command again: finished stages are kept; the whole log is `{}`", state.display(), log.display())]
    Full {
        /// What was being done.
        step: String,
        /// Where the room is missing.
        state: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// The user stopped it.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The log.
    #[error("cannot write the log `{path}`")]
    Log {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Runs to the end. Output goes to the log's end.
pub fn run(command: &mut Command, step: &str, log: &Path) -> Result<(), RunError> {
    // A program that is ended in the moment of its start may leave a part of itself behind.
    unless_interrupted()?;
    let log_error = |source| RunError::Log { path: log.to_owned(), source };
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(log_error)?;
    }
    let output = OpenOptions::new().create(true).append(true).open(log).map_err(log_error)?;
    let errors = output.try_clone().map_err(log_error)?;
    let mut child =
        command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().map_err(|source| RunError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
    // The sandbox dies with its first process, and with us.
    let status = stop::wait(&mut child)
        .map_err(|source| RunError::Wait { step: step.to_owned(), source })?
        .ok_or(Interrupted)?;
    if status.success() {
        return Ok(());
    }
    unless_interrupted()?;
    let (step, log) = (step.to_owned(), log.to_owned());
    let end = tail(&log, SEARCHED_BYTES);
    let state = log.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_owned();
    if NO_SPACE.iter().any(|words| end.contains(words)) {
        return Err(RunError::Full { step, state, log });
    }
    let tail = format!("{}{}", last_lines(&end), scarce(&state));
    Err(RunError::Failed { step, status, tail, log })
}

/// Bytes below which a step that failed may have failed for want of them: its own words for it may not have fitted into the log.
const SCARCE_BYTES: u64 = 32 << 20;

/// What there is to say about the room that is left after a failure.
fn scarce(state: &Path) -> String {
    match keep::free(state).ok().filter(|bytes| *bytes < SCARCE_BYTES) {
        Some(bytes) => format!(
            "\nhint: only {} MiB are free below `{}`: free some space and run the same command again",
            bytes >> 20,
            state.display()
        ),
        None => String::new(),
    }
}

/// As many of the last lines as an error message shows.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn tail(log: &Path, bytes: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).trim_end().to_owned())
    };
    read().unwrap_or_default()
}
