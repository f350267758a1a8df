//! What a failed build leaves behind, and a shell over it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_source::Room;

use crate::macros;
use crate::run::RunError;
use crate::sandbox::Sandbox;
use crate::stages::{BuildError, Job};

impl Job<'_> {
    /// Where the work folder of the last build lies that failed.
    fn left(&self) -> PathBuf {
        self.state.join("failed").join(format!("{}-{}", self.recipe.name, self.target.name))
    }

    /// Keeps the work folder of a build that failed, and says so.
    pub(crate) fn leave(&self, room: Room, failure: RunError) -> BuildError {
        let left = self.left();
        if let Err(error) = room.keep_as(&left) {
            return BuildError::at(&left)(error);
        }
        let (target, recipe) = (self.target.name.clone(), self.recipe.name.clone());
        BuildError::Left { failure: Box::new(failure), target, recipe }
    }

    /// Removes what an earlier failure left.
    pub(crate) fn clear_left(&self) -> Result<(), BuildError> {
        let left = self.left();
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BuildError::at(&left)(error)),
            _ => Ok(()),
        }
    }

    /// Calls `with` with a shell's command in the sandbox: as the last build left it when that failed, else with the sources unpacked.
    pub fn shell<T>(&self, script: Option<&str>, with: impl FnOnce(&mut Command) -> T) -> Result<T, BuildError> {
        let left = self.left();
        if left.is_dir() {
            return self.shell_in(&left, script, with);
        }
        let place = self.workplace()?;
        let work = place.room.path();
        let srpm = self.srpm(&self.key()?, work, &place.log)?;
        let name = srpm.file_name().unwrap_or_default().to_string_lossy();
        (self.progress)("unpacking");
        self.rpmbuild(work, &["-rp", "--nodeps"], &format!("/build/SRPMS/{name}"), "unpacking", &place.log)?;
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
