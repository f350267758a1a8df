//! Where the sources of a recipe are, and what must hold of an archive.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Page};
use crate::values::{is_word, made_of};

/// A cargo workspace in the file system, or the archive of an upstream release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Root of the workspace, relative to the recipe file.
    #[serde(default, deserialize_with = "super::present")]
    pub path: Option<Spanned<String>>,
    /// Files and folders that go into the source tarball.
    #[serde(default)]
    pub include: Vec<Spanned<String>>,
    /// The changelog in the workspace that becomes `%changelog`.
    #[serde(default, deserialize_with = "super::present")]
    pub changelog: Option<Spanned<String>>,
    /// Copies of one release; the first that can be had is used.
    #[serde(default)]
    pub archives: Vec<Spanned<Archive>>,
    /// Day of the release, `2025-01-31`.
    #[serde(default, deserialize_with = "super::present")]
    pub released: Option<Spanned<String>>,
}

/// Another release of the same project, built by the same rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Also {
    /// Its version.
    pub version: Spanned<String>,
    /// Who pins it: `DAOS 2.6.0`.
    pub pinned_by: String,
    /// Day of the release.
    pub released: Spanned<String>,
    /// Copies of it.
    pub archives: Vec<Spanned<Archive>>,
    /// Changes to it; those of the recipe's own version are not for it.
    #[serde(default)]
    pub patches: Vec<Spanned<Patch>>,
}

/// An archive. One of `url`, `debian` and `git` says where it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// Its address.
    #[serde(default, deserialize_with = "super::present")]
    pub url: Option<String>,
    /// Its path below `pool/main/` of a Debian mirror.
    #[serde(default, deserialize_with = "super::present")]
    pub debian: Option<String>,
    /// A repository whose `commit` is made into an archive.
    #[serde(default, deserialize_with = "super::present")]
    pub git: Option<String>,
    /// The id of the commit, 40 hexadecimal digits.
    #[serde(default, deserialize_with = "super::present")]
    pub commit: Option<String>,
    /// Its hash, in hexadecimal. Without one it is not fetched: `--source` gives the sources.
    pub sha256: Option<String>,
    /// Its top folder; `<name>-<version>` when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub folder: Option<String>,
}

/// A change to an upstream release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Patch {
    /// Beside the recipe.
    pub file: String,
    /// Why it is needed.
    pub reason: String,
}

/// What top folders of archives may have beside letters and digits.
const FOLDER_MARKS: &str = "._+~-";

impl Archive {
    /// What an archive needs, beside others or alone.
    pub(super) fn whole(
        archive: &Spanned<Archive>,
        page: Page<'_>,
        beside_others: bool,
        on_request: bool,
    ) -> Result<(), Diagnostic> {
        let value = &archive.value;
        if [&value.url, &value.debian, &value.git].into_iter().flatten().count() != 1 {
            return Err(page.at(archive, "an archive has one of `url`, `debian` and `git`", None));
        }
        if let Some(url) = &value.url {
            let known = ["https://", "http://", "file:///"].iter().any(|scheme| url.starts_with(scheme));
            if !known || url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
                let hint = Some("write an address with `https:`, `http:` or `file:`".to_owned());
                return Err(page.at(archive, format!("`{url}` is no address that can be fetched"), hint));
            }
        }
        if let Some(path) = value.debian.as_ref().filter(|path| {
            path.starts_with('/') || path.split('/').any(|part| part == "..") || !made_of(path, "/._+-~")
        }) {
            let hint = Some("write it like `d/dpdk/dpdk_22.11.11.orig.tar.xz`".to_owned());
            return Err(page.at(archive, format!("`{path}` is no path below `pool/main/`"), hint));
        }
        if value.git.is_some() != value.commit.is_some() {
            return Err(page.at(archive, "`git` and `commit` belong together", None));
        }
        if let Some(url) = &value.git {
            let far = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
            let authority = far.map(|rest| rest.split('/').next().unwrap_or_default());
            if authority.is_none() && !url.starts_with("file:///") && !url.starts_with('/') {
                let hint = Some("write an address with `https:`, or a path from the root".to_owned());
                return Err(page.at(archive, format!("`{url}` is no repository that can be read"), hint));
            }
            if authority.is_some_and(|authority| authority.contains('@')) {
                let hint = Some("recipes and what is published name it; take the credentials out".to_owned());
                return Err(page.at(archive, "an address with credentials", hint));
            }
        }
        // It goes into the spec, where `%` and blanks mean something.
        if let Some(folder) = value.folder.as_ref().filter(|folder| !is_word(folder, FOLDER_MARKS)) {
            let hint = Some("use letters, digits and `._+~-`, and begin with a letter or digit".to_owned());
            return Err(page.at(archive, format!("`{folder}` cannot be the top folder of an archive"), hint));
        }
        let is_id = |id: &String| id.len() == 40 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(commit) = value.commit.as_ref().filter(|commit| !is_id(commit)) {
            let hint = Some("write all 40 lower-case digits: branches and tags move".to_owned());
            return Err(page.at(archive, format!("`{commit}` is no commit"), hint));
        }
        match &value.sha256 {
            Some(sum) if sum.len() != 64 || !sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
                let hint = Some("write the 64 lower-case digits that `sha256sum` prints".to_owned());
                Err(page.at(archive, format!("`{sum}` is no SHA-256"), hint))
            }
            None if beside_others => {
                let hint = Some("add its hash, or remove the other archives".to_owned());
                Err(page.at(archive, "an archive without `sha256` beside others", hint))
            }
            None if !on_request => {
                let hint = Some("add its hash, or `on-request` with the reason".to_owned());
                Err(page.at(archive, "an archive without `sha256` in a recipe that is always built", hint))
            }
            _ => Ok(()),
        }
    }
}
