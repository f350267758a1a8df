//! All recipes of a target, several at a time, each as soon as the recipes it links against are there.

use std::iter::zip;

use anyhow::{Result, anyhow};
use packager_build::schedule::{self, AfterFailure, Fate};
use packager_build::{Artifact, Linked, Made, Store};
use packager_rpm::sbom::Component;
use packager_rpm::{Inspected, PackageError, inspect, lint};
use packager_source::stop::unless_interrupted;

use crate::build::{Built, Done, Inputs, Stage, Yard, store};
use crate::progress::Line;
use crate::report::{say, together};
use crate::world::Ready;

/// One recipe, built or found.
struct Finished {
    artifact: Artifact,
    packages: Vec<Inspected>,
    state: &'static str,
    components: Vec<Component>,
    stages: Vec<Stage>,
}

/// Builds what the store does not have.
pub(crate) fn build(
    yard: &Yard<'_>,
    ready: Vec<Ready>,
    keys: &[(Inputs, String)],
    after_failure: AfterFailure,
) -> Result<Built> {
    let needs: Vec<Vec<usize>> = ready
        .iter()
        .map(|one| (0..ready.len()).filter(|other| one.links.contains(&ready[*other].recipe.name)).collect())
        .collect();
    let fates = schedule::run(&needs, yard.budget.jobs(), after_failure, |task, needed: &[&Finished]| {
        let (inputs, key) = &keys[task];
        let linked = zip(&inputs.linked, needed).map(|(linked, finished)| filled(linked, &finished.artifact)).collect();
        one(yard, &ready[task], &Inputs { linked, ..inputs.clone() }, key)
    });
    unless_interrupted()?;
    let mut built = Built::default();
    let mut faults = Vec::new();
    let names: Vec<String> = ready.iter().map(|ready| ready.recipe.name.clone()).collect();
    for (ready, fate) in zip(ready, fates) {
        match fate {
            Fate::Done(finished) => built.take(ready, finished)?,
            Fate::Failed(error) => faults.push(error.context(format!("`{}` was not built", ready.recipe.name))),
            Fate::Blocked(by) => {
                faults.push(anyhow!("`{}` was not built: it needs `{}`", ready.recipe.name, names[by]));
            }
            Fate::NotBegun => {}
        }
    }
    if faults.is_empty() { Ok(built) } else { Err(together(faults)) }
}

/// With the packages that others link against.
pub(crate) fn filled(linked: &Linked, artifact: &Artifact) -> Linked {
    let mut packages = artifact.rpms.clone();
    packages.retain(|path| !lint::is_debug(path));
    Linked { packages, ..linked.clone() }
}

fn one(yard: &Yard<'_>, ready: &Ready, inputs: &Inputs, key: &str) -> Result<Finished> {
    let line = Line::begin(&format!("{}.{}", ready.recipe.nvr(), ready.recipe.arch));
    let progress = |what: &str| line.step(what);
    let job = yard.job(ready, inputs, &progress);
    let store = store(yard.places);
    let (artifact, packages, made) = match kept(&store, key)? {
        Some((artifact, packages)) => (artifact, packages, Made::Before),
        None => {
            let (artifact, made) = job.build(key, &store)?;
            let packages = read(&artifact)?;
            (artifact, packages, made)
        }
    };
    let state = if made == Made::Now { "built" } else { "cached" };
    let components = job
        .vendored()?
        .into_iter()
        .flat_map(|vendored| vendored.crates)
        .filter(|part| part.linked)
        .map(|part| Component { name: part.name, version: part.version, license: part.license, sha256: part.sha256 })
        .collect();
    line.end(state);
    Ok(Finished { artifact, packages, state, components, stages: line.stages() })
}

/// What the store has of a key, with its packages. Nothing when it was damaged since: building removes it.
fn kept(store: &Store, key: &str) -> Result<Option<(Artifact, Vec<Inspected>)>> {
    let Some(artifact) = store.get(key) else { return Ok(None) };
    match inspect::intact(&artifact.srpm).and_then(|()| read(&artifact)) {
        Ok(packages) => Ok(Some((artifact, packages))),
        Err(error) if error.is_damage() => {
            say!("packager: `{}` is damaged; building it again", error.path.display());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn read(artifact: &Artifact) -> Result<Vec<Inspected>, PackageError> {
    artifact.rpms.iter().map(|path| Inspected::open(path)).collect()
}

impl Built {
    /// Reads the packages of a recipe that is finished.
    fn take(&mut self, ready: Ready, finished: Finished) -> Result<()> {
        let Finished { artifact, packages, state, components, stages } = finished;
        let first = self.packages.len();
        self.packages.extend(packages);
        let packages = first..self.packages.len();
        for package in &ready.recipe.packages {
            if !self.packages[packages.clone()].iter().any(|built| built.name == package.name) {
                return Err(anyhow!(
                    "`{}` holds no package `{}`\nhint: remove that folder and build again",
                    artifact.folder.display(),
                    package.name
                ));
            }
        }
        self.stages.extend(stages);
        self.done.push(Done { ready, artifact, state, packages, components });
        Ok(())
    }
}
