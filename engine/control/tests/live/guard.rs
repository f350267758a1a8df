//! What is left to do when a test fails: its logs shown, its processes ended by their ids, its memory tier unmounted.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use nix::mount::{MntFlags, umount2};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cluster::Cluster;

/// Set in a process that is to fail as a test does.
const FAILS: &str = "LIVE_TEST_FAILS";

/// The log of servers within this process goes where the test's own words go: the runner shows it when the test fails.
pub(crate) fn show_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().with_test_writer().with_ansi(false).init());
}

/// Everything that the processes of a cluster wrote, under the name of each file.
pub(crate) fn logs(folder: &Path) -> String {
    let mut text = String::new();
    for place in [folder.to_owned(), folder.join("run")] {
        for entry in std::fs::read_dir(&place).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log" || extension == "stderr") {
                let words = std::fs::read(&path).unwrap_or_default();
                text.push_str(&format!("---- {}\n{}\n", path.display(), String::from_utf8_lossy(&words)));
            }
        }
    }
    text
}

/// Ids of the processes that were started with a path below the folder.
fn processes_of(folder: &Path) -> Vec<i32> {
    let below = format!("{}/", folder.display());
    let ids = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| names(*id, &below)).collect()
}

/// True when a word of the command line contains the text; a process that is gone has none.
fn names(id: i32, text: &str) -> bool {
    let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).contains(text)
}

/// Kills what a cluster started, engines above all, and waits until it is gone.
pub(crate) fn end_processes(folder: &Path) {
    let below = format!("{}/", folder.display());
    for id in processes_of(folder) {
        let Some(process) = opened(id) else { continue };
        // The id may have become another's before it was opened, not after.
        if names(id, &below) && pidfd_send_signal(&process, Signal::KILL).is_ok() {
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], None); // until it has ended
        }
    }
}

fn opened(id: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(id)?, PidfdFlags::empty()).ok()
}

/// Unmounts a memory tier, as often as it is mounted.
pub(crate) fn unmount(mount: &Path) {
    while umount2(mount, MntFlags::MNT_DETACH).is_ok() {}
}

/// An engine that was killed by the guard was started again by its server, with its tmpfs, and stayed; and of all that
/// happened only the words of the panic were shown.
#[test]
fn a_test_that_fails_leaves_nothing_behind_and_shows_the_logs() {
    if std::env::var_os(FAILS).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("builds");
        return runtime.block_on(async {
            let mut cluster = Cluster::new();
            cluster.up().await;
            panic!("engine {:?} runs, and this test fails", cluster.engine_pid().expect("it runs"));
        });
    }
    let folder = tempfile::tempdir().expect("folder");
    let own = std::env::current_exe().expect("own path");
    let output = Command::new(own)
        .args(["--exact", "guard::a_test_that_fails_leaves_nothing_behind_and_shows_the_logs"])
        .env(FAILS, "1")
        .env("TMPDIR", folder.path())
        .output()
        .expect("runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let left = processes_of(folder.path());
    end_processes(folder.path());
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let below = format!("{}/", folder.path().display());
    let mounted: Vec<&str> = mounts.split_whitespace().filter(|word| word.starts_with(&below)).collect();
    mounted.iter().for_each(|mount| unmount(Path::new(mount)));
    assert_eq!((left, mounted), (Vec::new(), Vec::new()), "{text}");
    assert!(!output.status.success() && text.contains(" runs, and this test fails"), "{text}");
    for shown in ["/run/daos_engine0.stderr\nthe fake engine serves on ", "engine 0 joined as rank 0"] {
        assert!(text.contains(shown), "`{shown}` is not in\n{text}");
    }
}
