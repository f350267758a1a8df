//! Removes what a cluster leaves behind, also when its test is killed.
//!
//! A guard is a process of its own (`suite-guard`) that waits for the end of its standard input, which the test holds:
//! the end comes when the test drops it, panics, or is killed. Then everything that belongs to the cluster's folder goes:
//! processes that have the folder among their arguments, mounts below it, the folder.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::programs::profile_folder;
use crate::wait_for;

/// A guard of a folder.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts a guard.
    pub fn start(folder: &Path) -> Guard {
        Guard::with("suite-guard", folder)
    }

    /// Starts a suite's own guard program, which lies beside the running test.
    pub fn with(program: &str, folder: &Path) -> Guard {
        let child = Command::new(profile_folder().join(program))
            .arg(folder)
            .stdin(Stdio::piped())
            .process_group(0) // Ctrl-C in the terminal ends the test, not its guard
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is built with the suite: {error}"));
        Guard { child }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait(); // it is our child
    }
}

/// Ends, unmounts and removes what belongs to `folder`. With `keep` the folder stays.
pub fn sweep(folder: &Path, keep: bool) -> io::Result<()> {
    wait_for("the cluster's processes end", Duration::from_secs(60), || {
        let left = processes(folder);
        for pid in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL); // one that has just ended
        }
        left.is_empty().then_some(())
    });
    for mount in mounts(folder)? {
        let _ = nix::mount::umount2(&mount, nix::mount::MntFlags::MNT_DETACH); // the removal below would show it
    }
    if keep {
        eprintln!("kept: {}", folder.display());
        return Ok(());
    }
    fs::remove_dir_all(folder)
}

/// Processes, other than this one, with an argument that lies in the folder.
fn processes(folder: &Path) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).expect("process ids are positive");
    let of = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let below =
            |argument: &[u8]| std::str::from_utf8(argument).is_ok_and(|text| Path::new(text).starts_with(folder));
        (pid != own && line.split(|byte| *byte == 0).skip(1).any(below)).then_some(pid)
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(of).collect()
}

/// Mount points below the folder, the innermost first.
fn mounts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mounts")?;
    let mut found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|at| at.starts_with(folder))
        .collect();
    found.reverse();
    Ok(found)
}
