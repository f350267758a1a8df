//! Finished things that are kept for later runs, and how they go away: what nobody used for a month is removed.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::room;

/// How long something unused is kept: long enough for a holiday, short enough for a disk.
pub const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Notes that something kept was used just now.
pub fn used(path: &Path) {
    // Only the moment of its removal depends on it, and on a read-only store nothing is removed.
    let _unchanged = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Brings everything that was written below a folder onto its disk: a rename may get there before what it renames.
pub fn settle(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Bytes that may still be written to the file system of a path.
pub fn free(path: &Path) -> io::Result<u64> {
    let status = rustix::fs::statvfs(path)?;
    Ok(status.f_bavail * status.f_frsize)
}

/// Removes what lies in a folder and was not used for `unused`, and rooms of processes that are gone; other work in progress, whose
/// names begin with a dot, stays. Each thing goes whole, by one rename. Returns how many things went; what another packager removes
/// at the same time is no error.
pub fn prune(folder: &Path, unused: Duration) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    room::sweep(folder, ".")?;
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let modified = match entry.metadata().and_then(|metadata| metadata.modified()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        // A clock that was set back makes things look new, and keeps them.
        if SystemTime::now().duration_since(modified).unwrap_or_default() > unused {
            removed += usize::from(room::discard(&entry.path())?);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::{UNUSED, prune, used};
    use std::fs::{self, File};
    use std::time::SystemTime;

    #[test]
    fn what_nobody_used_goes_and_the_rest_stays() {
        let store = tempfile::tempdir().expect("a folder");
        let old = SystemTime::now() - 2 * UNUSED;
        for name in ["unused", "used", ".work", "new"] {
            let path = store.path().join(name);
            fs::create_dir(&path).expect("a folder");
            if name != "new" {
                File::open(&path).and_then(|folder| folder.set_modified(old)).expect("its time");
            }
        }
        used(&store.path().join("used"));
        assert_eq!(prune(store.path(), UNUSED).expect("pruned"), 1);
        assert!(!store.path().join("unused").exists());
        for name in ["used", ".work", "new"] {
            assert!(store.path().join(name).exists(), "{name}");
        }
        assert_eq!(prune(&store.path().join("none"), UNUSED).expect("nothing there"), 0);
    }

    /// Half an entry of a store would count as a whole one, and a kill in the middle left it for ever.
    #[test]
    fn an_entry_is_whole_until_it_is_gone() {
        const PARTS: usize = 500;
        let store = tempfile::tempdir().expect("a folder");
        let entry = store.path().join("entry");
        fs::create_dir(&entry).expect("a folder");
        for number in 0..PARTS {
            fs::write(entry.join(number.to_string()), "").expect("a file");
        }
        File::open(&entry).and_then(|folder| folder.set_modified(SystemTime::now() - 2 * UNUSED)).expect("its time");
        // What a killed one left.
        fs::create_dir(store.path().join(".vendor-dead")).expect("a folder");
        fs::write(store.path().join(".vendor-dead.lock"), "").expect("a file");
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while let Ok(parts) = fs::read_dir(&entry) {
                    assert!(parts.count() == PARTS || !entry.exists(), "half an entry");
                }
            });
            assert_eq!(prune(store.path(), UNUSED).expect("pruned"), 1);
            looking.join().expect("it saw no half");
        });
        assert_eq!(fs::read_dir(store.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn two_packagers_may_prune_at_once() {
        let store = tempfile::tempdir().expect("a folder");
        let old = SystemTime::now() - 2 * UNUSED;
        for number in 0..100 {
            let path = store.path().join(format!("{number}"));
            fs::create_dir_all(path.join("deep")).expect("a folder");
            File::open(&path).and_then(|folder| folder.set_modified(old)).expect("its time");
        }
        let removed: usize = std::thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| prune(store.path(), UNUSED).expect("no error")));
            both.map(|one| one.join().expect("it ends")).iter().sum()
        });
        assert_eq!(removed, 100, "each thing was removed by one of them");
        assert_eq!(fs::read_dir(store.path()).expect("a folder").count(), 0);
    }
}
