//! A folder with everything a build would fetch, for sites without a network: archives by their hashes, vendored crates by their keys.
//!
//! Archives are checked against the recipes when they are taken from it. Sets of crates are taken as they are: who may write to
//! the folder may write into the packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use packager_build::Job;
use packager_source::Room;

/// Takes the crates of a build from the mirror, when they are there and not here.
pub(crate) fn bring_crates(mirror: Option<&Path>, job: &Job<'_>) -> Result<()> {
    let Some((mirror, home)) = mirror.zip(job.vendored_home()?) else { return Ok(()) };
    let kept = mirror.join("vendored").join(home.file_name().unwrap_or_default());
    if home.is_dir() || !kept.is_dir() {
        return Ok(());
    }
    (job.progress)("crates from the mirror");
    folder(&kept, &home)
}

/// What was put into a mirror, and what lay there already.
#[derive(Default)]
pub(crate) struct Put {
    pub(crate) files: usize,
    pub(crate) there: usize,
    pub(crate) bytes: u64,
}

impl Put {
    /// Puts a file, or a folder of files, below a mirror.
    pub(crate) fn put(&mut self, from: &Path, mirror: &Path, kind: &str) -> Result<()> {
        let to = mirror.join(kind).join(from.file_name().unwrap_or_default());
        if to.exists() {
            self.there += 1;
            return Ok(());
        }
        if from.is_dir() {
            folder(from, &to)?;
        } else {
            let room = room(&to)?;
            let part = room.path().join("part");
            fs::copy(from, &part).with_context(|| format!("cannot copy `{}`", from.display()))?;
            fs::rename(&part, &to).with_context(|| format!("cannot write `{}`", to.display()))?;
        }
        self.files += 1;
        self.bytes += size(&to)?;
        Ok(())
    }
}

/// Copies the files of a folder; the copy appears complete.
fn folder(from: &Path, to: &Path) -> Result<()> {
    let room = room(to)?;
    let part = room.path().join("part");
    let copy = || -> std::io::Result<()> {
        fs::create_dir(&part)?;
        for entry in fs::read_dir(from)? {
            let path = entry?.path();
            fs::copy(&path, part.join(path.file_name().unwrap_or_default()))?;
        }
        fs::rename(&part, to)
    };
    copy().with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))
}

fn room(beside: &Path) -> Result<Room> {
    let parent = beside.parent().map_or_else(PathBuf::new, Path::to_owned);
    Room::make(&parent, ".mirror-").with_context(|| format!("cannot write to `{}`", parent.display()))
}

fn size(path: &Path) -> Result<u64> {
    if path.is_file() {
        return Ok(fs::metadata(path)?.len());
    }
    fs::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
