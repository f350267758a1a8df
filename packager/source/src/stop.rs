//! Stopping when the user asks: every program that is waited for, and every longer piece of work, looks here.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Set by the signal handler; every running step ends soon after.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a running program is looked at: short against any build, long against the cost of looking.
const POLL: Duration = Duration::from_millis(20);

/// The user asked to stop.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// An error when the user asked to stop: for work that is done in this process, between its pieces.
pub fn unless_interrupted() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// Waits for a program, and ends it when the user asks to stop; then the result is `None`.
pub fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if unless_interrupted().is_err() => {
                // A process that is gone already is no error.
                let _gone = child.kill();
                let _reaped = child.wait();
                return Ok(None);
            }
            None => std::thread::sleep(POLL),
        }
    }
}

/// As [`Command::output`], but ends when the user asks to stop.
pub fn output(command: &mut Command) -> io::Result<Output> {
    // Files, not pipes: what a program leaves running cannot keep us waiting for the end of them.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let status = wait(&mut command.spawn()?)?.ok_or_else(|| io::Error::other(Interrupted))?;
    Ok(Output { status, stdout: whole(&mut stdout)?, stderr: whole(&mut stderr)? })
}

fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn output_is_what_the_program_wrote() {
        let output = super::output(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).expect("it runs");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    }
}
