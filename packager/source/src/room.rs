//! Work folders: each belongs to one running process, and what a killed one left behind is removed by the next.
//!
//! A room is a fresh folder with a prefix of its own and a lock file beside it. The lock is held as long as the process
//! lives; the kernel releases it however the process ends. So a folder whose lock can be taken belongs to nobody.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ending of the lock file beside a room.
const LOCK: &str = ".lock";

/// How often, and how long each time, a sweep waits for programs that write into a folder while the kernel ends them.
const LETTING_GO_TRIES: usize = 100;
const LETTING_GO_WAIT: Duration = Duration::from_millis(50);

/// A work folder that goes away with the value.
#[derive(Debug)]
pub struct Room {
    folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Room {
    /// Makes `parent/<prefix><random>`, after removing the rooms of that prefix whose processes are gone.
    pub fn make(parent: &Path, prefix: &str) -> io::Result<Room> {
        fs::create_dir_all(parent)?;
        sweep(parent, prefix)?;
        // The lock first: a stop in between leaves a lock without a folder, which the next sweep removes.
        let (held, lock) = tempfile::Builder::new().prefix(prefix).suffix(LOCK).tempfile_in(parent)?.keep()?;
        held.lock()?;
        let folder = lock.with_extension("");
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Room { folder, lock, _held: held })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Moves the folder to a place in the same file system, where it stays. What was there goes.
    pub fn keep_as(self, place: &Path) -> io::Result<()> {
        gone(fs::remove_dir_all(place))?;
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(&self.folder, place)
    }
}

/// Removing what is not there is no error.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

impl Drop for Room {
    fn drop(&mut self) {
        // A folder that cannot be removed keeps its lock file, so that the next sweep tries again.
        if removed(&self.folder).is_ok() {
            let _gone = fs::remove_file(&self.lock); // a sweep of another process may have come first
        }
    }
}

/// Removes a folder of which the last programs that were killed with its process may still be letting go.
fn removed(folder: &Path) -> io::Result<()> {
    let mut left = LETTING_GO_TRIES;
    loop {
        match gone(fs::remove_dir_all(folder)) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && left > 0 => {
                left -= 1;
                std::thread::sleep(LETTING_GO_WAIT);
            }
            other => return other,
        }
    }
}

/// Removes the rooms of a prefix whose locks nobody holds.
pub fn sweep(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock = entry?.path();
        let name = lock.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with(prefix) || !name.ends_with(LOCK) {
            continue;
        }
        let file = match File::open(&lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if file.try_lock().is_err() {
            continue;
        }
        let folder = lock.with_extension("");
        removed(&folder)?;
        let _gone = fs::remove_file(&lock); // another process may sweep too
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, Room};
    use std::fs;
    use std::path::{Path, PathBuf};

    fn lock_of(folder: &Path) -> PathBuf {
        let mut name = folder.as_os_str().to_owned();
        name.push(LOCK);
        PathBuf::from(name)
    }

    #[test]
    fn a_room_of_a_running_process_stays_and_one_of_a_dead_process_goes() {
        let parent = tempfile::tempdir().expect("a folder");
        let alive = Room::make(parent.path(), "work-").expect("a room");
        // What `kill -9` leaves: a folder and a lock that nobody holds.
        let dead = parent.path().join("work-dead");
        fs::create_dir_all(dead.join("deep")).expect("a folder");
        fs::write(lock_of(&dead), "").expect("a file");
        // Another prefix, and what is no room at all.
        fs::create_dir(parent.path().join("other-dead")).expect("a folder");
        fs::write(lock_of(&parent.path().join("other-dead")), "").expect("a file");
        let next = Room::make(parent.path(), "work-").expect("a room");
        assert!(alive.path().is_dir() && next.path().is_dir());
        assert!(!dead.exists() && !lock_of(&dead).exists());
        assert!(parent.path().join("other-dead").is_dir());
        let (path, lock) = (next.path().to_owned(), lock_of(next.path()));
        drop(next);
        assert!(!path.exists() && !lock.exists());
    }

    #[test]
    fn a_room_can_be_kept_and_takes_the_place_of_an_older_one() {
        let parent = tempfile::tempdir().expect("a folder");
        let place = parent.path().join("kept/here");
        for text in ["first", "second"] {
            let room = Room::make(parent.path(), "work-").expect("a room");
            let lock = lock_of(room.path());
            fs::write(room.path().join(text), text).expect("a file");
            room.keep_as(&place).expect("it is moved");
            assert!(!lock.exists() && place.join(text).is_file());
        }
        assert!(!place.join("first").exists());
    }
}
