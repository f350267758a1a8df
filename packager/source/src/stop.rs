//! Stopping when the user asks: every program that is waited for, and every longer piece of work, looks here.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// Set by the signal handler; every running step ends soon after.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a running program is looked at: short against any build, long against the cost of looking.
const POLL: Duration = Duration::from_millis(20);

/// How long a program may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The user asked to stop.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// An error when the user asked to stop: for work that is done in this process, between its pieces.
pub fn unless_interrupted() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// What to add to the message about a program that did not start.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "\nhint: install it; `scripts/packager` installs what builds need",
        _ => "",
    }
}

/// Waits for a program, and ends it when the user asks to stop; then the result is `None`.
pub fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if unless_interrupted().is_err() => {
                end(child)?;
                return Ok(None);
            }
            None => std::thread::sleep(POLL),
        }
    }
}

/// Ends a program: it is asked first, because some have mounts and containers to take down.
fn end(child: &mut Child) -> io::Result<()> {
    match kill_process(Pid::from_child(child), Signal::TERM) {
        Ok(()) | Err(Errno::SRCH) => {}
        // One that became somebody else's, as by a set-user-id program: waiting for it could take hours.
        Err(error) => return Err(error.into()),
    }
    let asked = Instant::now();
    while asked.elapsed() < PATIENCE {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    let _gone = child.kill();
    child.wait().map(drop)
}

/// As [`Command::output`], but ends when the user asks to stop.
pub fn output(command: &mut Command) -> io::Result<Output> {
    // Files, not pipes: what a program leaves running cannot keep us waiting for the end of them.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    unless_interrupted().map_err(io::Error::other)?;
    let status = wait(&mut command.spawn()?)?.ok_or_else(|| io::Error::other(Interrupted))?;
    Ok(Output { status, stdout: whole(&mut stdout)?, stderr: whole(&mut stderr)? })
}

/// Takes the lock of a file; `waiting` is called once when somebody else has it. An error when the user asks to stop.
pub fn lock(file: &File, waiting: impl FnOnce()) -> io::Result<()> {
    let mut waiting = Some(waiting);
    let taken = || {
        let tried = file.try_lock();
        if matches!(tried, Err(TryLockError::WouldBlock))
            && let Some(waiting) = waiting.take()
        {
            waiting();
        }
        tried
    };
    lock_within(Duration::MAX, taken).map(drop)
}

/// Tries for a lock until it is taken, or that much time has passed; then the result is false. An error when the user asks to stop.
pub fn lock_within(patience: Duration, mut taken: impl FnMut() -> Result<(), TryLockError>) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        match taken() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => return Ok(false),
            Err(TryLockError::WouldBlock) => {
                unless_interrupted().map_err(io::Error::other)?;
                std::thread::sleep(POLL);
            }
        }
    }
}

fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_lock_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let held = File::create(&path).expect("a file");
        held.lock().expect("nobody has it");
        let waited = Cell::new(0);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                drop(held);
            });
            let mine = File::open(&path).expect("it is there");
            super::lock(&mine, || waited.set(waited.get() + 1)).expect("it is let go");
        });
        assert_eq!(waited.get(), 1, "told once");
        let mine = File::open(&path).expect("it is there");
        super::lock(&mine, || panic!("nobody has it")).expect("it is free");
    }

    #[test]
    fn output_is_what_the_program_wrote() {
        let output = super::output(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).expect("it runs");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    }
}
