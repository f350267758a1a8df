//! What a failed build leaves behind, and a shell over it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_source::{Room, keep, room};

use crate::macros;
use crate::run::RunError;
use crate::sandbox::Sandbox;
use crate::stages::{BuildError, Job, Purpose};

/// File in a work folder that was left: a shell over it holds it.
const HELD: &str = "shell.lock";

/// What is added to the name of such a folder that had to go while a shell was open over it.
const OPEN: &str = ".open-";

impl Job<'_> {
    /// Where the work folder of the last build lies that failed.
    fn left(&self) -> PathBuf {
        self.state.join("failed").join(format!("{}-{}", self.recipe.name, self.target.name))
    }

    /// Keeps the work folder of a build that failed, and says so. One without unpacked sources, as when the documents were not made, is of
    /// no use to a shell, and goes.
    pub(crate) fn leave(&self, room: Room, failure: RunError) -> BuildError {
        let cleared = self.clear_left().is_ok();
        // Why it failed is what a person wants to know, whatever becomes of the folder.
        if !cleared || !unpacked(room.path()) || room.keep_as(&self.left()).is_err() {
            return failure.into();
        }
        let (target, recipe) = (self.target.name.clone(), self.recipe.name.clone());
        BuildError::Left { failure: Box::new(failure), target, recipe }
    }

    /// Removes what earlier failures left. Where a shell is open over it, it goes out of the way: a sandbox sees the folder, not its name.
    pub(crate) fn clear_left(&self) -> Result<(), BuildError> {
        let left = self.left();
        let (folder, name) = (left.parent().unwrap_or(Path::new(".")), left.file_name().unwrap_or_default());
        let open = format!("{}{OPEN}", name.display());
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(BuildError::at(folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(BuildError::at(folder))?;
            let path = entry.path();
            if path != left && !entry.file_name().to_string_lossy().starts_with(&open) {
                continue;
            }
            // Ours until it is gone, so that no shell begins meanwhile.
            let held = File::options().create(true).append(true).open(path.join(HELD)).ok();
            let busy = held.as_ref().is_some_and(|held| matches!(held.try_lock(), Err(TryLockError::WouldBlock)));
            let gone = match (busy, path == left) {
                (false, _) => room::discard(&path).map(drop),
                (true, true) => fs::rename(&path, unused(folder, &open)),
                (true, false) => Ok(()),
            };
            gone.map_err(BuildError::at(&path))?;
        }
        Ok(())
    }

    /// What the last build left when it failed. No build removes it as long as the file lives.
    fn held(&self) -> Result<Option<(PathBuf, File)>, BuildError> {
        let left = self.left();
        let lock = left.join(HELD);
        // Again only when a build put another one into its place in this moment.
        while unpacked(&left) {
            let held = match File::options().create(true).append(true).open(&lock) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(BuildError::at(&lock))?,
            };
            held.lock_shared().map_err(BuildError::at(&lock))?;
            if room::is_at(&held, &lock).map_err(BuildError::at(&lock))? {
                keep::used(&left);
                return Ok(Some((left, held)));
            }
        }
        Ok(None)
    }

    /// Calls `with` with a shell's command in the sandbox: as the last build left it when that failed, else with the sources unpacked.
    pub fn shell<T>(&self, script: Option<&str>, with: impl FnOnce(&mut Command) -> T) -> Result<T, BuildError> {
        if let Some((left, _held)) = self.held()? {
            return self.shell_in(&left, script, with);
        }
        let place = self.workplace()?;
        let work = place.room.path();
        let srpm = self.srpm(&self.key()?, work, &place.log, Purpose::Shell)?;
        let name = srpm.file_name().unwrap_or_default().to_string_lossy();
        let upstream = self.upstream(work, &place.log)?;
        (self.progress)("unpacking");
        let what = format!("/build/SRPMS/{name}");
        self.rpmbuild(work, &["-rp", "--nodeps"], &what, "unpacking", upstream, &place.log)?;
        // A person may stay for long.
        let room = place.share();
        self.shell_in(room.path(), script, with)
    }

    fn shell_in<T>(
        &self,
        work: &Path,
        script: Option<&str>,
        with: impl FnOnce(&mut Command) -> T,
    ) -> Result<T, BuildError> {
        let log = work.join("shell.log");
        let sandbox = Sandbox { upstream: self.upstream(work, &log)?, interactive: true, ..self.sandbox(work)? };
        let mut command = sandbox.command("bash");
        command.arg("-c").arg(format!("cd {} && cd */ && exec bash \"$@\"", macros::BUILDDIR)).arg("shell");
        if let Some(script) = script {
            command.arg("-c").arg(script);
        }
        Ok(with(&mut command))
    }
}

/// Whether the sources are unpacked in a work folder: a shell begins there.
fn unpacked(work: &Path) -> bool {
    let tree = work.join(macros::BUILDDIR.trim_start_matches("/build/"));
    fs::read_dir(tree).into_iter().flatten().flatten().any(|entry| entry.path().is_dir())
}

/// A name that nothing in the folder has. Who asks has the workplace, so nobody else makes one.
fn unused(folder: &Path, prefix: &str) -> PathBuf {
    let path = |number: usize| folder.join(format!("{prefix}{number}"));
    let mut number = 0;
    while path(number).exists() {
        number += 1;
    }
    path(number)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::{Path, PathBuf};
    use std::process::ExitStatus;

    use packager_source::Room;

    use super::unpacked;
    use crate::fixture::Fixture;
    use crate::macros;
    use crate::run::RunError;
    use crate::stages::{BuildError, Job};

    fn unpack(work: &Path) {
        let tree = work.join(macros::BUILDDIR.strip_prefix("/build/").expect("below the work folder"));
        fs::create_dir_all(tree.join("x-1.0")).expect("folders");
    }

    /// A build fails, with its sources unpacked or before.
    fn fail(job: &Job<'_>, with_sources: bool) -> BuildError {
        let room = Room::make(&job.state.join("work"), "x-").expect("a room");
        if with_sources {
            unpack(room.path());
        }
        let (step, tail, log) = ("a step".to_owned(), String::new(), PathBuf::from("log"));
        job.leave(room, RunError::Failed { step, status: ExitStatus::from_raw(256), tail, log })
    }

    /// A shell ends. A program that another test starts in this moment has the file too, so closing it would not be enough.
    fn end(held: &File) {
        held.unlock().expect("it was locked");
    }

    fn failed(job: &Job<'_>) -> Vec<String> {
        let entries = fs::read_dir(job.state.join("failed")).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The shell was recommended, and could not change into what is not there: documents are made before anything is unpacked.
    #[test]
    fn a_failure_before_the_sources_are_unpacked_leaves_nothing() {
        let fixture = Fixture::new("");
        let job = fixture.job();
        assert!(matches!(fail(&job, true), BuildError::Left { .. }));
        end(&job.held().expect("looked").expect("it is there").1);
        let error = fail(&job, false);
        assert!(matches!(error, BuildError::Run(_)) && !error.to_string().contains("packager shell"), "{error}");
        // Nor is the older one the last.
        assert!(failed(&job).is_empty(), "{:?}", failed(&job));
        // What an older packager left.
        fs::create_dir_all(job.left().join("SOURCES")).expect("folders");
        assert!(job.held().expect("looked").is_none());
    }

    #[test]
    fn a_build_leaves_alone_what_a_shell_is_open_over() {
        let fixture = Fixture::new("");
        let job = fixture.job();
        let name = "x-almalinux-8-x86_64";
        fail(&job, true);
        let (place, held) = job.held().expect("looked").expect("it is there");
        assert_eq!(place, job.left());
        // The next build fails too, and another one does not.
        assert!(matches!(fail(&job, true), BuildError::Left { .. }));
        assert_eq!(failed(&job), [name.to_owned(), format!("{name}.open-0")]);
        let (_, second) = job.held().expect("looked").expect("it is there");
        job.clear_left().expect("cleared");
        assert_eq!(failed(&job), [0, 1].map(|number| format!("{name}.open-{number}")));
        let kept = job.state.join("failed").join(format!("{name}.open-0"));
        assert!(unpacked(&kept), "the first shell still has its folder");
        assert!(job.held().expect("looked").is_none(), "a new shell begins over what is now");
        end(&held);
        job.clear_left().expect("cleared");
        assert_eq!(failed(&job), [format!("{name}.open-1")]);
        end(&second);
        job.clear_left().expect("cleared");
        assert!(failed(&job).is_empty(), "{:?}", failed(&job));
    }
}
