//! What a published repository says beside its packages: groups from `specs/groups.yaml`, advisories from the recipes' changelogs and from
//! `specs/security.yaml`. Neither file has to be there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use packager_recipe::diagnostic::{Diagnostic, Page};
use packager_recipe::{Groups, Security};
use packager_repo::Attachment;
use packager_repo::attached::{GROUP, UPDATEINFO};
use packager_repodata::{Package, write};
use packager_resolve::advisories::{self, advisories};
use packager_resolve::groups::comps;
use packager_source::Digest;

use crate::build::Done;
use crate::places::Places;
use crate::world;

const GROUPS: &str = "specs/groups.yaml";
const SECURITY: &str = "specs/security.yaml";

/// Both files of a project.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    groups: Groups,
    security: Security,
    /// As they are written; empty where there is none.
    texts: [String; 2],
}

impl Announced {
    /// Reads them; every package must be a recipe's.
    pub(crate) fn read(places: &Places) -> Result<Announced> {
        let recipes = world::recipes(places)?;
        let known: BTreeMap<&str, &str> = recipes
            .iter()
            .flat_map(|recipe| recipe.packages.keys().map(|package| (package.as_str(), recipe.name.value.as_str())))
            .collect();
        let texts = [GROUPS, SECURITY].map(|file| world::read_if_there(places, file));
        let [groups_text, security_text] = texts;
        let (groups_text, security_text) = (groups_text?, security_text?);
        let packages = known.keys().copied().collect();
        let groups = parsed(GROUPS, groups_text.as_deref(), |page| Groups::parse(page, &packages))?;
        let security = parsed(SECURITY, security_text.as_deref(), |page| Security::parse(page, &known))?;
        Ok(Announced { groups, security, texts: [groups_text, security_text].map(Option::unwrap_or_default) })
    }

    /// Adds what is written to a hash.
    pub(crate) fn state(&self, digest: &mut Digest) {
        for (name, text) in [GROUPS, SECURITY].into_iter().zip(&self.texts) {
            digest.part(name, text.as_bytes());
        }
    }

    /// The metadata for these packages of these recipes; what would be empty is left out.
    pub(crate) fn texts(&self, repository: &str, done: &[Done], packages: &[Package]) -> Vec<Attachment> {
        let binary = packages.iter().filter(|package| package.arch != "src");
        let names: BTreeSet<&str> = binary.map(|package| package.name.as_str()).collect();
        let mut texts = Vec::new();
        let comps = comps(&self.groups, &names);
        if !comps.groups.is_empty() {
            texts.push(Attachment { kind: GROUP, name: "comps.xml", text: write::comps(&comps) });
        }
        let built: Vec<_> =
            done.iter().map(|done| advisories::Built { recipe: &done.ready.recipe, time: done.ready.time }).collect();
        let advisories = advisories(repository, &built, &self.security, packages);
        if !advisories.is_empty() {
            texts.push(Attachment { kind: UPDATEINFO, name: "updateinfo.xml", text: write::updateinfo(&advisories) });
        }
        texts
    }
}

/// What a file says; nothing when it is not there.
fn parsed<T: Default>(
    file: &str,
    text: Option<&str>,
    parse: impl FnOnce(Page<'_>) -> Result<T, Vec<Diagnostic>>,
) -> Result<T> {
    let Some(text) = text else { return Ok(T::default()) };
    let said =
        |findings: Vec<Diagnostic>| anyhow!(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
    parse(Page { file, text }).map_err(said)
}
