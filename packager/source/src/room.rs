//! Work folders: each belongs to one running process, and what a killed one left behind is removed by the next.
//!
//! A room is a fresh folder with a prefix of its own and a lock file beside it. The lock is held as long as the process
//! lives; the kernel releases it however the process ends. So a folder whose lock can be taken belongs to nobody.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ending of the lock file beside a room.
const LOCK: &str = ".lock";

/// How often, and how long each time, a sweep waits for programs that write into a folder while the kernel ends them.
const LETTING_GO_TRIES: usize = 100;
const LETTING_GO_WAIT: Duration = Duration::from_millis(50);

/// How often a room is begun anew whose lock a sweep took first: each time needs another sweep in a moment of microseconds.
const MADE_TRIES: usize = 100;

/// What the names of rooms begin with that hold what is being removed.
const DISCARDED: &str = ".discarded-";

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
        let (held, lock) = locked(parent, prefix)?;
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
        discard(place)?;
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(&self.folder, place)
    }
}

/// A fresh lock file, held.
fn locked(parent: &Path, prefix: &str) -> io::Result<(File, PathBuf)> {
    for _ in 0..MADE_TRIES {
        let (held, lock) = tempfile::Builder::new().prefix(prefix).suffix(LOCK).tempfile_in(parent)?.keep()?;
        held.lock()?;
        // Until it was locked, a sweep took it for a dead process's.
        if is_at(&held, &lock)? {
            return Ok((held, lock));
        }
    }
    Err(io::Error::other("other processes remove every lock file at once; run the same command again"))
}

/// Whether a path still leads to an open file.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => Ok(place(other?) == place(file.metadata()?)),
    }
}

/// Removes a file or folder. For whoever looks it goes whole, by one rename, whenever this is stopped. Tells whether it was there.
pub fn discard(path: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(false);
    }
    let room = Room::make(path.parent().unwrap_or(Path::new(".")), DISCARDED)?;
    match fs::rename(path, room.path().join("discarded")) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
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

/// Removes the rooms of a prefix, an empty one for all, whose locks nobody holds. What another user left cannot be looked at or removed, and
/// is no reason to stop: it stays, with its lock.
pub fn sweep(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock = entry?.path();
        let name = lock.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with(prefix) || !name.ends_with(LOCK) {
            continue;
        }
        let Ok(file) = File::open(&lock) else { continue };
        if file.try_lock().is_ok() && removed(&lock.with_extension("")).is_ok() {
            let _gone = fs::remove_file(&lock); // another process may sweep too
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, Room, discard, is_at, sweep};
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

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

    #[test]
    fn what_cannot_be_looked_at_keeps_nobody_from_work() {
        let parent = tempfile::tempdir().expect("a folder");
        // No file can be opened there, whoever asks.
        std::os::unix::fs::symlink("/nowhere/at/all", parent.path().join("a-dead.lock")).expect("a link");
        fs::write(parent.path().join("b-dead.lock"), "").expect("a file");
        sweep(parent.path(), "").expect("the rest is swept");
        assert!(!parent.path().join("b-dead.lock").exists());
    }

    #[test]
    fn a_lock_that_was_removed_or_replaced_is_no_lock() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("work-x.lock");
        let held = File::create(&path).expect("a file");
        assert!(is_at(&held, &path).expect("looked"));
        fs::remove_file(&path).expect("removed");
        assert!(!is_at(&held, &path).expect("looked"));
        fs::write(&path, "").expect("a file");
        assert!(!is_at(&held, &path).expect("looked"));
    }

    /// A sweep could take the lock file in the moment before its maker did, and remove the room of a running process.
    #[test]
    fn a_room_that_is_being_made_survives_every_sweep() {
        let parent = tempfile::tempdir().expect("a folder");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    sweep(parent.path(), "work-").expect("swept");
                }
            });
            let makers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        (0..200).all(|_| {
                            let room = Room::make(parent.path(), "work-").expect("a room");
                            lock_of(room.path()).is_file() && room.path().is_dir()
                        })
                    })
                })
                .collect();
            let good = makers.into_iter().map(|maker| maker.join().expect("it ends")).collect::<Vec<_>>();
            done.store(true, Ordering::Relaxed);
            assert_eq!(good, [true, true]);
        });
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn what_is_discarded_goes_by_one_rename_and_leaves_nothing() {
        let parent = tempfile::tempdir().expect("a folder");
        let (folder, file) = (parent.path().join("folder"), parent.path().join("file"));
        fs::create_dir_all(folder.join("deep")).expect("a folder");
        fs::write(&file, "").expect("a file");
        assert!(discard(&folder).expect("discarded") && discard(&file).expect("discarded"));
        assert!(!discard(&file).expect("not there"));
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
        // What a kill in the middle leaves is whole nowhere, and goes with the next one.
        let dead = parent.path().join(".discarded-dead");
        fs::create_dir_all(dead.join("discarded")).expect("a folder");
        fs::write(lock_of(&dead), "").expect("a file");
        fs::write(&file, "").expect("a file");
        assert!(discard(&file).expect("discarded"));
        assert!(!dead.exists());
    }
}
