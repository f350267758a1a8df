//! A folder with everything a build would fetch, for sites without a network: `archives/<sha256>`, `vendored/<key>/`.
//!
//! Archives are checked against the recipes when they are taken from it. Sets of crates are taken as they are: who may write to
//! the folder may write into the packages.

use std::fs;
use std::io;
use std::path::Path;

use crate::room::Room;

/// Where archives are, by hash.
pub const ARCHIVES: &str = "archives";

/// Where sets of crates are, by key.
pub const VENDORED: &str = "vendored";

/// Copies a file, or the files of a folder. The copy appears complete; its parent is made.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let room = Room::make(to.parent().unwrap_or(Path::new(".")), ".mirror-")?;
    let part = room.path().join("part");
    if from.is_dir() {
        fs::create_dir(&part)?;
        for entry in fs::read_dir(from)? {
            let path = entry?.path();
            settled(&path, &part.join(path.file_name().unwrap_or_default()))?;
        }
    } else {
        settled(from, &part)?;
    }
    fs::rename(&part, to)
}

/// A copy that is on its disk: nobody looks at a set of crates again.
fn settled(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    fs::File::open(to)?.sync_all()
}
