//! One running `daos_engine`: started here, or adopted from an earlier `daos_server`.
//!
//! An engine must outlive a killed server. So it has its own process group (a Ctrl-C at the terminal reaches the server
//! only), and its standard error is a file or the server's own, never a pipe that breaks when the server is gone.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::pid_file::{Identity, PidFile};

/// Bytes of standard error that become part of the reason of an exit.
const TAIL_BYTES: u64 = 2048;

/// Lines of it.
const TAIL_LINES: usize = 4;

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(String, OsString)>,
    /// Standard error goes here; to the server's own when absent.
    pub(crate) stderr: Option<PathBuf>,
    /// `/proc/<pid>/coredump_filter`.
    pub(crate) core_dump_filter: u8,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Exit code 0, or unknown.
    pub(crate) clean: bool,
    /// For people: code or signal, and the last lines of standard error.
    pub(crate) reason: String,
    /// Exit code; none after a signal, and of an adopted process.
    pub(crate) code: Option<i32>,
}

enum Handle {
    Child(Child),
    /// True once the process is gone.
    Adopted(watch::Receiver<bool>),
}

/// A running process.
pub(crate) struct Process {
    identity: Identity,
    handle: Handle,
    descriptor: OwnedFd,
    stderr: Option<PathBuf>,
}

impl Process {
    /// Starts a process and records it.
    pub(crate) fn start(launch: &Launch, pid_file: &PidFile) -> io::Result<Process> {
        let stderr = match &launch.stderr {
            Some(path) => Stdio::from(File::create(path)?),
            None => Stdio::inherit(),
        };
        let child = Command::new(&launch.program)
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()?;
        let pid = child.id().expect("a child that was not waited for has a pid");
        let _ = std::fs::write(format!("/proc/{pid}/coredump_filter"), format!("{:#x}", launch.core_dump_filter));
        let descriptor = open(pid)?;
        let identity = Identity::of(pid).unwrap_or(Identity { pid, started: 0 });
        pid_file.write(identity)?;
        Ok(Process { identity, handle: Handle::Child(child), descriptor, stderr: launch.stderr.clone() })
    }

    /// Takes over a process that runs.
    pub(crate) fn adopt(identity: Identity, stderr: Option<PathBuf>) -> io::Result<Process> {
        let descriptor = open(identity.pid)?;
        // The pid may have been reused between reading /proc and opening the descriptor, not after it.
        if Identity::of(identity.pid) != Some(identity) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let gone = watch_for_end(descriptor.try_clone()?)?;
        Ok(Process { identity, handle: Handle::Adopted(gone), descriptor, stderr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// Waits for the end. May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> Exit {
        match &mut self.handle {
            Handle::Child(child) => match child.wait().await {
                Ok(status) => describe(status, self.stderr.as_deref()),
                Err(error) => {
                    Exit { clean: false, reason: format!("its exit status cannot be read: {error}"), code: None }
                }
            },
            Handle::Adopted(gone) => {
                // The exit status belongs to the parent, which is gone.
                let _ = gone.wait_for(|gone| *gone).await;
                let mut reason = "it ended; an adopted process leaves no exit status".to_owned();
                append_tail(&mut reason, self.stderr.as_deref());
                Exit { clean: true, reason, code: None }
            }
        }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = pidfd_send_signal(&self.descriptor, signal) {
            tracing::debug!("engine process {} got no signal: {error}", self.identity.pid);
        }
    }
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for the end of a process that is not our child: its descriptor becomes readable. A thread of its own, which
/// sleeps in the kernel; there are as many as adopted engines.
fn watch_for_end(descriptor: OwnedFd) -> io::Result<watch::Receiver<bool>> {
    let (sender, gone) = watch::channel(false);
    std::thread::Builder::new().name("adopted-engine".to_owned()).spawn(move || {
        while poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
        sender.send_replace(true);
    })?;
    Ok(gone)
}

fn describe(status: ExitStatus, stderr: Option<&Path>) -> Exit {
    let mut reason = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(named) => format!("signal {signal} ({named})"),
            Err(_) => format!("signal {signal}"),
        },
        (None, None) => "unknown exit status".to_owned(),
    };
    if !status.success() {
        append_tail(&mut reason, stderr);
    }
    Exit { clean: status.success(), reason, code: status.code() }
}

fn append_tail(reason: &mut String, stderr: Option<&Path>) {
    if let Some(tail) = stderr.and_then(|path| tail(path).ok()).filter(|tail| !tail.is_empty()) {
        reason.push_str(": ");
        reason.push_str(&tail);
    }
}

/// The last lines of a file, joined by ` | `.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: Vec::new(),
            stderr: Some(folder.join("stderr")),
            core_dump_filter: 0x13,
        }
    }

    #[tokio::test]
    async fn an_exit_tells_code_signal_and_last_words() {
        let folder = tempfile::tempdir().expect("folder");
        let pid_file = PidFile::new(folder.path(), 0);
        for (script, clean, reason) in [
            ("exit 0", true, "exit code 0"),
            ("echo one >&2; echo two >&2; exit 3", false, "exit code 3: one | two"),
            ("kill -9 $$", false, "signal 9 (SIGKILL)"),
        ] {
            let mut process = Process::start(&shell(script, folder.path()), &pid_file).expect("starts");
            let exit = process.wait().await;
            assert_eq!((exit.clean, exit.reason.as_str()), (clean, reason), "{script}");
        }
    }

    #[tokio::test]
    async fn a_process_is_found_adopted_and_ended() {
        let folder = tempfile::tempdir().expect("folder");
        let pid_file = PidFile::new(folder.path(), 0);
        let mut started = Process::start(&shell("exec tail -f /dev/null", folder.path()), &pid_file).expect("starts");
        let found = pid_file.running().expect("it runs");
        assert_eq!(found.pid, started.pid());
        let mut adopted = Process::adopt(found, None).expect("adopts");
        adopted.kill();
        assert!(adopted.wait().await.reason.starts_with("it ended"));
        assert!(started.wait().await.reason.starts_with("signal 9"));
        assert_eq!(pid_file.running(), None);
    }
}
