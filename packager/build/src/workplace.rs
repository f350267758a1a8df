//! Where a build is done: one work folder and one log for a recipe and a target, for one packager at a time.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use packager_source::{Room, room, stop};

use crate::stages::{BuildError, Job};

/// The only place in which a recipe is built for a target, as long as the value lives.
pub(crate) struct Workplace {
    /// Vanishes with the value.
    pub(crate) room: Room,
    /// Stays.
    pub(crate) log: PathBuf,
    _alone: File,
}

impl Workplace {
    /// Lets others work; the folder is still this one's.
    pub(crate) fn share(self) -> Room {
        self.room
    }
}

impl Job<'_> {
    /// Takes the workplace; whoever comes second waits.
    pub(crate) fn workplace(&self) -> Result<Workplace, BuildError> {
        let name = format!("{}-{}", self.recipe.name, self.target.name);
        let logs = self.state.join("log");
        let (lock, log) = (logs.join(format!("{name}.lock")), logs.join(format!("{name}.log")));
        let alone = || -> io::Result<File> {
            fs::create_dir_all(&logs)?;
            let alone = File::create(&lock)?;
            stop::lock(&alone, || (self.progress)("waiting for another packager that works on it"))?;
            Ok(alone)
        };
        let alone = alone().map_err(BuildError::at(&lock))?;
        let work = self.state.join("work");
        // What any killed packager left, of whatever recipe, takes much of the disk.
        fs::create_dir_all(&work).and_then(|()| room::sweep(&work, "")).map_err(BuildError::at(&work))?;
        let room = Room::make(&work, &format!("{name}-")).map_err(BuildError::at(&work))?;
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BuildError::at(&log)(error)),
            _ => Ok(Workplace { room, log, _alone: alone }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use packager_source::Room;

    use crate::fixture::Fixture;

    #[test]
    fn what_killed_builds_of_other_recipes_left_goes_too() {
        let fixture = Fixture::new("");
        let job = fixture.job();
        let work = job.state.join("work");
        let alive = Room::make(&work, "other-target-").expect("a room");
        fs::create_dir_all(work.join("another-target-dead/BUILD")).expect("folders");
        fs::write(work.join("another-target-dead.lock"), "").expect("a file");
        let place = job.workplace().expect("it is free");
        assert!(place.room.path().is_dir() && alive.path().is_dir());
        assert_eq!(fs::read_dir(&work).expect("a folder").count(), 4, "two rooms with their locks");
    }
}
