//! Finished things that are kept for later runs, and how they go away: what nobody used for a month is removed.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long something unused is kept: long enough for a holiday, short enough for a disk.
pub const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Notes that something kept was used just now.
pub fn used(path: &Path) {
    // Only the moment of its removal depends on it, and on a read-only store nothing is removed.
    let _unchanged = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes what lies in a folder and was not used for `unused`; work in progress, whose names begin with a dot, stays. Returns
/// how many things went.
pub fn prune(folder: &Path, unused: Duration) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let metadata = entry.metadata()?;
        // A clock that was set back makes things look new, and keeps them.
        let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or_default();
        if age > unused {
            let path = entry.path();
            if metadata.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
            removed += 1;
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
}
