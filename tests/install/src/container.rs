//! A running container over a cached root: systemd as its first process, or only a place to run commands in.
//!
//! It has a network namespace of its own with nothing but loopback. systemd-nspawn runs it, registered nowhere; commands enter its
//! namespaces by the id of its first process.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use system_suite::{Guard, Outcome, wait_for};

use crate::root::Root;
use crate::{cgroup, load, sweep};

/// How long a boot may take on a loaded machine.
const BOOT: Duration = Duration::from_secs(120);

/// No command inside takes longer, in seconds: dnf with packages of 100 MB under emulation.
const COMMAND_SECONDS: &str = "600";

/// Nor does a program that a test talks to: hundreds of kills, with everything read back after each.
const SESSION_SECONDS: &str = "10800";

/// Lines of each log that a failed test shows.
const LOG_LINES: &str = "60";

/// The host name inside: the guide's first node.
const NODE: &str = "node0";

/// How a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// systemd is its first process.
    Booted,
    /// Nothing runs by itself.
    Bare,
}

/// A container; gone with its files when dropped.
pub struct Container {
    /// Its root.
    pub root: Root,
    folder: PathBuf,
    start: Start,
    leader: u32,
    nspawn: Child,
    _guard: Guard,
}

/// A guard over a folder in which processes run or file systems are mounted.
pub(crate) fn guard(folder: &Path) -> Guard {
    Guard::with("install-guard", folder)
}

impl Container {
    /// Starts one.
    #[must_use]
    pub fn start(root: &Root, start: Start) -> Container {
        let folder = tempfile::Builder::new().prefix("install-suite-").tempdir().expect("a temporary folder").keep();
        let guard = guard(&folder);
        overlay(&root.folder, &folder);
        let mut nspawn = nspawn(&folder, start);
        let leader = wait_for("the container runs", BOOT, || {
            let ended = nspawn.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "systemd-nspawn ended: {ended:?}\n{}", console(&folder));
            let leader = child_of(nspawn.id())?;
            is_up(leader, start).then_some(leader)
        });
        let container = Container { root: root.clone(), folder, start, leader, nspawn, _guard: guard };
        container.write("/etc/hosts", &format!("127.0.0.1 localhost {NODE}\n"));
        container
    }

    /// A folder on the host that lives as long as the container.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its first process, on the host.
    pub(crate) fn leader(&self) -> u32 {
        self.leader
    }

    /// A path inside, as the host sees it; not below `/run` and `/tmp`, which are the container's own.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join("root").join(inside.trim_start_matches('/'))
    }

    /// A command inside, run by its root in a plain environment.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        enter(self.leader, program, COMMAND_SECONDS)
    }

    /// The same for a program that runs beside others and is told by its standard input what to do.
    #[must_use]
    pub fn session(&self, program: &str) -> Command {
        let mut command = enter(self.leader, program, SESSION_SECONDS);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Runs a command.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(program).args(arguments))
    }

    /// Runs lines of shell, as someone who follows a guide does; every line must succeed.
    #[track_caller]
    pub fn shell(&self, lines: &str) -> String {
        self.run("sh", &["-euc", lines]).ok().stdout
    }

    /// Puts a text into a file.
    pub fn write(&self, inside: &str, text: &str) {
        fs::write(self.path(inside), text).unwrap_or_else(|error| panic!("{inside}: {error}"));
    }

    /// The text of a file.
    #[track_caller]
    #[must_use]
    pub fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
    }

    /// Process ids of a program inside, as the container sees them.
    #[must_use]
    pub fn processes(&self, pattern: &str) -> Vec<String> {
        self.run("pgrep", &["-f", pattern]).stdout.lines().map(str::to_owned).collect()
    }

    /// Ends of all logs, for messages of failed tests.
    fn logs(&self) -> String {
        let mut text = String::new();
        if self.start == Start::Booted {
            let journal = ["--no-pager", "-n", LOG_LINES, "-u", "daos_server", "-u", "daos_agent"];
            text.push_str(&format!("== journal of the units\n{}\n", self.run("journalctl", &journal).stdout));
        }
        let tails = format!("tail -n {LOG_LINES} /var/log/daos/* /var/log/dnf*.log /var/log/hawkey.log 2>/dev/null");
        text.push_str(&self.run("sh", &["-c", &tails]).stdout);
        text
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n== console\n{}", self.logs(), console(&self.folder));
        }
        let _ = self.nspawn.kill(); // everything inside ends with it
        let _ = self.nspawn.wait();
    }
}

fn overlay(lower: &Path, folder: &Path) {
    for part in ["changes", "work", "root", "site"] {
        fs::create_dir(folder.join(part)).expect("a folder in a fresh folder");
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        folder.join("changes").display(),
        folder.join("work").display()
    );
    mount(Some("overlay"), &folder.join("root"), Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap_or_else(
        |error| panic!("an overlay over the cached root cannot be mounted ({options}): {error}\nhint: set TMPDIR to a folder on ext4, xfs or tmpfs"),
    );
}

fn nspawn(folder: &Path, start: Start) -> Child {
    let name = sweep::machine(folder);
    // The shell moves itself into the container's cgroups and becomes systemd-nspawn.
    let groups = cgroup::paths(&name);
    let join: String =
        groups.iter().map(|path| format!("mkdir -p {0}; echo $$ > {0}/cgroup.procs; ", path.display())).collect();
    let log = fs::File::create(folder.join("console.log")).expect("a file in a fresh folder");
    let mut command = Command::new("sh");
    command.args(["-euc", &format!("{join}exec systemd-nspawn \"$@\""), "sh"]);
    command.arg("-D").arg(folder.join("root"));
    command.args([
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--resolv-conf=off",
        "--timezone=off",
    ]);
    command.args(["--link-journal=no", &format!("--machine={name}"), &format!("--hostname={NODE}")]);
    command.arg(format!("--bind-ro={}:/usr/local/bin/install-load", load::program().display()));
    match start {
        Start::Booted => command.arg("--boot"),
        Start::Bare => command.args(["--as-pid2", "sleep", "infinity"]),
    };
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a descriptor"))
        .stderr(log)
        .process_group(0) // Ctrl-C in the terminal ends the test, its guard the container
        .spawn()
        .expect("a shell runs")
}

fn enter(leader: u32, program: &str, seconds: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", seconds, "nsenter", "--all", "--target", &leader.to_string(), "--"]);
    command.args([
        "env",
        "-i",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "LANG=C.UTF-8",
    ]);
    command.arg(program).stdin(Stdio::null());
    command
}

fn child_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn is_up(leader: u32, start: Start) -> bool {
    match start {
        Start::Booted => {
            let state = Outcome::of(enter(leader, "systemctl", COMMAND_SECONDS).arg("is-system-running")).stdout;
            matches!(state.trim(), "running" | "degraded")
        }
        Start::Bare => Outcome::of(&mut enter(leader, "hostname", COMMAND_SECONDS)).stdout.trim() == NODE,
    }
}

fn console(folder: &Path) -> String {
    fs::read_to_string(folder.join("console.log")).unwrap_or_default()
}
