//! The programs under test, built and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};

/// Path of a program of this workspace, built with the profile of the running test.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("DAOS_SUITE_PROGRAMS").map_or_else(build, PathBuf::from)).join(name)
}

/// Folder of the running test's profile, where the suite's own programs are.
pub fn profile_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a running program has a path");
    // target/<profile>/deps/<test>, or target/<profile>/<binary>
    let parent = exe.parent().expect("programs lie in a folder");
    let folder =
        if parent.ends_with("deps") { parent.parent().expect("deps lies in the profile's folder") } else { parent };
    folder.to_owned()
}

/// What a cluster is made of.
const PROGRAMS: [&str; 6] = ["daos_server", "daos_engine", "daos_agent", "dmg", "daos", "suite-guard"];

fn build() -> PathBuf {
    // All targets, as scripts/test builds them: a smaller selection would resolve other features and build anew. With optimisation, as long suites run, nobody
    // else builds them, and each program takes minutes.
    let mut arguments = match profile_folder().ends_with("release") {
        true => PROGRAMS.iter().flat_map(|name| ["--bin", name]).collect(),
        false => vec!["--all-targets"],
    };
    if cfg!(feature = "ofi") {
        arguments.extend(["--features", "daos-admin/ofi,daos-control/ofi,daos-node/ofi,system-suite/ofi"]);
    }
    if cfg!(feature = "pmem") {
        arguments.extend(["--features", "daos-node/pmem,system-suite/pmem"]);
    }
    cargo_build(&arguments, Path::to_path_buf)
}

/// Builds parts of this workspace with the profile of the running test, and lets `take` have the folder they are in before another
/// build of a suite that runs beside this one may put others of the same names there.
pub fn cargo_build<T>(arguments: &[&str], take: impl FnOnce(&Path) -> T) -> T {
    let folder = profile_folder();
    let lock = std::fs::File::create(folder.join(".suite-build.lock")).expect("cargo's folder can be written");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("a lock there");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--locked", "--quiet", "--workspace"]).args(arguments);
    let profile = folder.file_name().unwrap_or_default().to_string_lossy();
    build.arg("--profile").arg(if profile == "debug" { "dev" } else { &*profile });
    let status = outside_cargo(build.current_dir(env!("CARGO_MANIFEST_DIR"))).status().expect("cargo runs");
    assert!(status.success(), "the programs under test do not build: {arguments:?}");
    take(&folder)
}

/// A command without what cargo tells a test about its package. A build that sees it has other inputs than one that a person starts: the
/// build script of `ring` watches these variables, and with it most of the workspace would be compiled anew, twice.
pub fn outside_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    command
}

/// What a command line program did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Outcome {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Itself, when it succeeded.
    #[track_caller]
    pub fn ok(self) -> Outcome {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Checks that it failed as bad input should: exit 1 or 2, an error on standard error that contains `texts`, and a
    /// hint.
    #[track_caller]
    pub fn refused(self, texts: &[&str]) -> Outcome {
        assert!(self.code == 1 || self.code == 2, "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is missing: {self:?}");
        }
        let hints = ["hint: ", "resolution = ", "--help"];
        assert!(hints.iter().any(|hint| self.stderr.contains(hint)), "no hint: {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}
