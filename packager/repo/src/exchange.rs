//! Putting a new folder in the place of an old one, by one exchange of names: a reader sees the old one or the new one.
//!
//! Where names cannot be exchanged (NFS and other file systems, kernels and sandboxes without `renameat2`) the old one stands aside under a
//! name beside its place until the new one is there, and goes last. A stop in between leaves it there, and the next run puts it back.
//! One at a time: callers hold a lock, which for a published repository is [`Lock`].

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use packager_source::room;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// How often a lock is asked for that its holder removes at the same moment. Each time another publication has ended.
const LOCK_TRIES: usize = 1000;

/// Puts `new` where `folder` is or will be; the old one goes, at the latest with the folder that `new` was in.
pub(crate) fn exchange(new: &Path, folder: &Path) -> io::Result<()> {
    exchange_by(new, folder, |new, folder| renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE))
}

fn exchange_by(new: &Path, folder: &Path, by: impl FnOnce(&Path, &Path) -> Result<(), Errno>) -> io::Result<()> {
    if !is_there(folder)? {
        return fs::rename(new, folder);
    }
    match by(new, folder) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => by_two_renames(new, folder),
        other => other.map_err(io::Error::from),
    }
}

fn by_two_renames(new: &Path, folder: &Path) -> io::Result<()> {
    recover(folder)?;
    let old = beside(folder, "old");
    fs::rename(folder, &old)?;
    if let Err(error) = fs::rename(new, folder) {
        return Err(match fs::rename(&old, folder) {
            Ok(()) => error,
            Err(_) => io::Error::new(error.kind(), format!("{error}; what was there is `{}` now", old.display())),
        });
    }
    let _later = fs::remove_dir_all(&old); // what stays of it the next run removes
    Ok(())
}

/// Puts back what a stop left aside, or removes it when something newer is in its place.
pub(crate) fn recover(folder: &Path) -> io::Result<()> {
    let old = beside(folder, "old");
    if !is_there(&old)? {
        return Ok(());
    }
    if is_there(folder)? { fs::remove_dir_all(&old) } else { fs::rename(&old, folder) }
}

/// Gives a file of the old folder a name in the new one as well; a copy, with its mode, where the file system has no second names.
pub(crate) fn second_name(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| copied(from, to))
}

/// Never into a file that is there: that could be a second name of `from` itself, and a copy would empty it first.
fn copied(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = File::create_new(to)?;
    io::copy(&mut from, &mut to)?;
    to.set_permissions(from.metadata()?.permissions())
}

/// Whether a stop left something aside.
pub(crate) fn is_aside(folder: &Path) -> bool {
    fs::symlink_metadata(beside(folder, "old")).is_ok()
}

fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}

/// A hidden name beside a folder.
fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(folder.file_name().unwrap_or_default());
    name.push(format!(".packager-{what}"));
    folder.with_file_name(name)
}

/// The right to change what lies at a place. Its file is gone afterwards: nothing is left lying beside what is served.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _held: File,
}

impl Lock {
    /// Waits for it.
    pub(crate) fn take(folder: &Path) -> io::Result<Lock> {
        let path = beside(folder, "lock");
        for _ in 0..LOCK_TRIES {
            let held = File::options().write(true).create(true).truncate(false).open(&path)?;
            held.lock()?;
            // The one who held it has removed it: then it is another file by now, or none.
            if room::is_at(&held, &path)? {
                return Ok(Lock { path, _held: held });
            }
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, format!("others hold `{}` all the time", path.display())))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Held still: nobody else has taken it.
        let _left = fs::remove_file(&self.path); // the next one takes it as it is
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::Barrier;

    use rustix::io::Errno;

    use super::{Lock, beside, copied, exchange, exchange_by, recover};

    /// A folder with a file that says which one it is.
    fn made(room: &Path, name: &str, text: &str) -> PathBuf {
        let folder = room.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("which"), text).expect("a file");
        folder
    }

    fn which(folder: &Path) -> String {
        fs::read_to_string(folder.join("which")).expect("a file")
    }

    fn names(room: &Path) -> Vec<String> {
        let entries = fs::read_dir(room).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_one_takes_the_place_with_and_without_an_exchange() {
        let room = tempfile::tempdir().expect("a folder");
        let place = room.path().join("place");
        exchange(&made(room.path(), "new", "first"), &place).expect("nothing is there");
        exchange(&made(room.path(), "new", "second"), &place).expect("exchanged");
        assert_eq!((which(&place), which(&room.path().join("new"))), ("second".to_owned(), "first".to_owned()));
        for error in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            let text = error.to_string();
            exchange_by(&made(room.path(), "new", &text), &place, |_, _| Err(error)).expect("two renames");
            assert_eq!((which(&place), names(room.path())), (text, vec!["place".to_owned()]));
        }
        exchange_by(&made(room.path(), "new", "third"), &place, |_, _| Err(Errno::ACCESS)).expect_err("it is said");
    }

    #[test]
    fn what_fails_or_stops_between_two_renames_leaves_the_old_one() {
        let room = tempfile::tempdir().expect("a folder");
        let place = made(room.path(), "place", "old");
        let nowhere = room.path().join("nowhere");
        exchange_by(&nowhere, &place, |_, _| Err(Errno::INVAL)).expect_err("there is no new one");
        assert_eq!((which(&place), names(room.path())), ("old".to_owned(), vec!["place".to_owned()]));
        // Killed after the first rename.
        fs::rename(&place, beside(&place, "old")).expect("renamed");
        recover(&place).expect("put back");
        assert_eq!((which(&place), names(room.path())), ("old".to_owned(), vec!["place".to_owned()]));
        // Killed after the second one.
        made(room.path(), ".place.packager-old", "older");
        recover(&place).expect("removed");
        assert_eq!((which(&place), names(room.path())), ("old".to_owned(), vec!["place".to_owned()]));
    }

    #[test]
    fn two_first_ones_do_not_meet() {
        let room = tempfile::tempdir().expect("a folder");
        let place = room.path().join("place");
        for round in 0..50 {
            let barrier = Barrier::new(2);
            std::thread::scope(|scope| {
                for number in 0..2 {
                    let new = made(room.path(), &format!("new-{number}"), &format!("{round}-{number}"));
                    let (place, barrier) = (&place, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let _lock = Lock::take(place).expect("a lock");
                        exchange(&new, place).expect("one after the other");
                    });
                }
            });
            fs::remove_dir_all(&place).expect("it is there");
        }
        assert!(names(room.path()).iter().all(|name| name.starts_with("new-")), "{:?}", names(room.path()));
    }

    #[test]
    fn a_copy_has_the_bytes_and_the_mode_and_replaces_nothing() {
        let room = tempfile::tempdir().expect("a folder");
        let (from, to) = (room.path().join("from"), room.path().join("to"));
        fs::write(&from, "text").expect("a file");
        fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).expect("a mode");
        copied(&from, &to).expect("copied");
        assert_eq!(fs::read_to_string(&to).expect("a file"), "text");
        assert_eq!(fs::metadata(&to).expect("a file").permissions().mode() & 0o7777, 0o640);
        fs::hard_link(&from, room.path().join("second")).expect("linked");
        let error = copied(&from, &room.path().join("second")).expect_err("it is there");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&from).expect("a file"), "text");
    }
}
