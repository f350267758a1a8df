//! Where things are: the specs and templates, and the packager's own state.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The folders of one invocation.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Has `specs/` and `templates/`.
    pub(crate) root: PathBuf,
    /// Toolchains, caches, logs, finished builds.
    pub(crate) state: PathBuf,
    /// Where archives and crates may lie that would be fetched otherwise.
    pub(crate) mirror: Option<PathBuf>,
    /// Keys: apart from what may be deleted at any time.
    pub(crate) keys: PathBuf,
}

impl Places {
    /// From the arguments and the environment.
    pub(crate) fn find(root: Option<PathBuf>, state: Option<PathBuf>, mirror: Option<PathBuf>) -> Result<Places> {
        let here = env::current_dir().context("the current folder does not exist")?;
        let root = match root {
            Some(root) => root.canonicalize().with_context(|| format!("no folder `{}`", root.display()))?,
            None => match here.ancestors().find(|folder| folder.join("specs/targets").is_dir()) {
                Some(root) => root.to_owned(),
                None => bail!(
                    "no `specs/targets` here or in a folder above\nhint: change into the project, or name it with `--root`"
                ),
            },
        };
        let (state, keys) = own(state)?;
        let mirror = mirror.map(std::path::absolute).transpose()?;
        if let Some(mirror) = mirror.as_ref().filter(|mirror| !mirror.is_dir()) {
            bail!("no folder `{}`\nhint: `packager fetch --mirror-to DIR` makes a mirror", mirror.display());
        }
        Ok(Places { root, state, mirror, keys })
    }

    /// The folder of keys, which needs no project.
    pub(crate) fn keys(state: Option<PathBuf>) -> Result<PathBuf> {
        Ok(own(state)?.1)
    }

    /// The private environment with zig that `scripts/packager` makes.
    pub(crate) fn toolchain(&self) -> PathBuf {
        self.state.join("toolchain")
    }
}

/// The packager's own state, and the folder of keys.
fn own(state: Option<PathBuf>) -> Result<(PathBuf, PathBuf)> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let below = |variable: &str, default: &str| {
        env::var_os(variable).map(PathBuf::from).or_else(|| Some(home.clone()?.join(default)))
    };
    let state = match state.or_else(|| Some(below("XDG_CACHE_HOME", ".cache")?.join("packager"))) {
        Some(state) => std::path::absolute(state)?,
        None => bail!("HOME is not set\nhint: name a folder with `--state`"),
    };
    let keys = below("XDG_DATA_HOME", ".local/share").map_or_else(|| state.clone(), |data| data.join("packager"));
    Ok((state, keys.join("keys")))
}
