//! Where a walk takes place: a copy of the fixture project with the real profiles and templates, and a state folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// What the walks build for.
pub(crate) const TARGET: &str = "almalinux-8-x86_64";

/// A project with one recipe, and a packager's state of its own.
pub(crate) struct Yard {
    room: tempfile::TempDir,
    _sysroots: Arc<tempfile::TempDir>,
}

impl Yard {
    /// A copy of the fixture with the project's profiles and templates, as a git repository of its own.
    pub(crate) fn new() -> Yard {
        let room = tempfile::tempdir().expect("temporary folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = room.path().join("root");
        copy(&here.join("tests/walk/fixture"), &root);
        copy(&here.join("../../specs/targets"), &root.join("specs/targets"));
        copy(&here.join("../../templates"), &root.join("templates"));
        let user = std::env::var_os("PACKAGER_STATE").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/packager");
        let toolchain = user.unwrap_or_else(home).join("toolchain");
        assert!(toolchain.is_dir(), "no toolchain at {}: run scripts/packager once", toolchain.display());
        fs::create_dir_all(room.path().join("state")).expect("state");
        let sysroots = sysroots();
        for (name, shared) in [("toolchain", toolchain.as_path()), ("sysroots", sysroots.path())] {
            std::os::unix::fs::symlink(shared, room.path().join("state").join(name)).expect("link");
        }
        Yard { room, _sysroots: sysroots }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.room.path().join(path)
    }

    /// The packager in this yard, to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
        command
            .args(arguments)
            .current_dir(self.path("root"))
            .env("PACKAGER_STATE", self.path("state"))
            .env("XDG_DATA_HOME", keys())
            .env("SOURCE_DATE_EPOCH", "1790000000");
        command
    }

    pub(crate) fn packager(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the packager runs")
    }

    /// Runs the packager in a mount namespace of its own, which is gone with the process, after a shell script with these arguments.
    pub(crate) fn after_mounting(&self, script: &str, places: &[&Path], arguments: &[&str]) -> Output {
        let packager = self.command(arguments);
        let mut unshare = Command::new("unshare");
        if rustix::process::geteuid().is_root() {
            unshare.arg("--mount");
        } else {
            unshare.args(["--map-root-user", "--mount"]);
        }
        let whole = format!("{script} && shift {} && exec \"$@\"", places.len());
        unshare.args(["sh", "-c", &whole, "sh"]).args(places);
        unshare.arg(packager.get_program()).args(packager.get_args()).current_dir(self.path("root"));
        unshare.envs(packager.get_envs().filter_map(|(name, value)| Some((name, value?))));
        unshare.output().expect("unshare runs")
    }

    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let output = self.packager(arguments);
        assert!(output.status.success(), "{arguments:?}\n{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn bad(&self, arguments: &[&str], code: i32) -> String {
        let output = self.packager(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
        said(&output)
    }
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Sysroots follow from the toolchain alone, so walks side by side share them, in a folder that goes with the last of them.
fn sysroots() -> Arc<tempfile::TempDir> {
    static FOLDER: Mutex<Weak<tempfile::TempDir>> = Mutex::new(Weak::new());
    let mut folder = FOLDER.lock().expect("nobody panics with it");
    folder.upgrade().unwrap_or_else(|| {
        let made = Arc::new(tempfile::tempdir().expect("temporary folder"));
        *folder = Arc::downgrade(&made);
        made
    })
}

/// The folder of keys that all walks share: an RSA-4096 key takes its time. Removed by the system like all temporary files.
pub(crate) fn keys() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("temporary folder");
            let made = Command::new(env!("CARGO_BIN_EXE_packager"))
                .args([
                    "keys",
                    "new",
                    "development",
                    "--user",
                    "DEVELOPMENT KEY of the walks <walks@demo.invalid>",
                    "--out",
                ])
                .arg(folder.path().join("packager/keys"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .expect("the packager runs");
            assert!(made.status.success(), "{}", said(&made));
            folder
        })
        .path()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    output
}
