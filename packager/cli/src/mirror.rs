//! Filling a mirror: `fetch --mirror-to`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use packager_source::mirror::copy;

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
        copy(from, &to).with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))?;
        self.files += 1;
        self.bytes += size(&to)?;
        Ok(())
    }
}

fn size(path: &Path) -> Result<u64> {
    if path.is_file() {
        return Ok(fs::metadata(path)?.len());
    }
    fs::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
