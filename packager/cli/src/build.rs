//! Operations that build: srpm, build, rebuild.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use packager_build::schedule::AfterFailure;
use packager_build::{Artifact, Budget, Buildroot, Gnu, Job, Linked, Origin, Store, Toolchain};
use packager_recipe::Target;
use packager_repo::mirror_list::MIRROR_LIST;
use packager_repo::publish;
use packager_repo::stored::Stored;
use packager_rpm::sbom::Component;
use packager_rpm::{Finding, Inspected, Scene, SigningKey, compare};
use packager_source::stop::unless_interrupted;
use packager_source::{Room, keep};
use serde_json::{Value, json};

use crate::address;
use crate::arguments::{BuildOptions, RebuildOptions, SrpmOptions, Which};
use crate::attestation::Asked;
use crate::check::{self, REMEDY, described};
use crate::given::Given;
use crate::keys::signing_key;
use crate::places::Places;
use crate::planned::{self, Faults};
use crate::progress::Line;
use crate::publication::{self, Plan, Signer};
use crate::report::{Report, say, together};
use crate::waves;
use crate::world::{self, Ready, Sources};

/// What every building operation needs.
pub(crate) struct Yard<'y> {
    pub(crate) places: &'y Places,
    target: &'y Target,
    toolchain: Toolchain,
    offline: bool,
    buildroot: Buildroot,
    /// Jobs of everything that runs at the same time.
    pub(crate) budget: Budget,
}

impl<'y> Yard<'y> {
    pub(crate) fn new(
        places: &'y Places,
        target: &'y Target,
        offline: bool,
        jobs: Option<NonZeroUsize>,
    ) -> Result<Yard<'y>> {
        let toolchain = Toolchain::find(target.arch, &places.toolchain())?;
        let jobs = jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let budget = Budget::new(jobs).context("cannot make a pool of jobs")?;
        Ok(Yard { places, target, toolchain, offline, buildroot: Buildroot::Sandbox, budget })
    }

    /// The same with another buildroot.
    fn within(self, buildroot: Buildroot) -> Yard<'y> {
        Yard { buildroot, ..self }
    }

    pub(crate) fn job<'j>(
        &'j self,
        ready: &'j Ready,
        inputs: &'j Inputs,
        progress: &'j (dyn Fn(&str) + Sync),
    ) -> Job<'j> {
        Job {
            recipe: &ready.recipe,
            target: self.target,
            origin: match &ready.sources {
                Sources::Workspace(workspace) => Origin::Workspace(workspace),
                Sources::Copies(_) | Sources::Given => Origin::Archive(&inputs.archive),
            },
            time: ready.time,
            gnu: inputs.gnu.as_ref(),
            linked: &inputs.linked,
            beside: &ready.beside,
            spec: &ready.spec,
            toolchain: &self.toolchain,
            state: &self.places.state,
            mirror: self.places.mirror.as_deref(),
            offline: self.offline,
            buildroot: self.buildroot,
            budget: &self.budget,
            progress,
        }
    }

    /// What a recipe needs beside itself. `known` are the builds before it.
    fn inputs(&self, ready: &Ready, known: &[Linked]) -> Result<Inputs> {
        let sum = ready.recipe.archive.as_ref().and_then(|archive| archive.sha256.as_ref());
        let archive = sum.map(|sum| self.places.state.join("archives").join(sum));
        let gnu = match ready.sources {
            Sources::Copies(_) | Sources::Given => Some(Gnu::find(self.target.arch, &ready.recipe.tools)?),
            Sources::Workspace(_) => None,
        };
        let linked = known.iter().filter(|linked| ready.links.contains(&linked.recipe)).cloned().collect();
        Ok(Inputs { archive: archive.unwrap_or_default(), gnu, linked })
    }

    /// The inputs and build keys of recipes in their order.
    pub(crate) fn keys<'r>(&self, ready: impl IntoIterator<Item = &'r Ready>) -> Result<Vec<(Inputs, String)>> {
        let silent = |_: &str| ();
        let mut known: Vec<Linked> = Vec::new();
        let mut keys = Vec::new();
        for ready in ready {
            let inputs = self.inputs(ready, &known)?;
            let key = self.job(ready, &inputs, &silent).key()?;
            known.push(linked(ready, &key));
            keys.push((inputs, key));
        }
        Ok(keys)
    }
}

/// A build that later ones link against, without its packages.
fn linked(ready: &Ready, key: &str) -> Linked {
    let private = ready.recipe.private.as_ref().map(|private| private.folder.clone());
    Linked { recipe: ready.recipe.name.clone(), key: key.to_owned(), packages: Vec::new(), private }
}

/// What a recipe needs beside itself.
#[derive(Clone)]
pub(crate) struct Inputs {
    /// The archive of an upstream release.
    pub(crate) archive: PathBuf,
    pub(crate) gnu: Option<Gnu>,
    /// Finished builds that it links against, in the order of building.
    pub(crate) linked: Vec<Linked>,
}

pub(crate) fn store(places: &Places) -> Store {
    Store::new(places.state.join("artifacts"))
}

/// The recipes whose packages are in the store. Compiles and fetches nothing. One without a locked archive has no key, and what links against
/// it has none either: they were never built from what the recipe says.
pub(crate) fn cached(places: &Places, target: &Target, ready: &[Ready]) -> Result<BTreeSet<String>> {
    let mut keyless = BTreeSet::new();
    let mut keyed = Vec::new();
    for ready in ready {
        let unlocked = ready.recipe.archive.as_ref().is_some_and(|archive| archive.sha256.is_none());
        if unlocked || ready.links.iter().any(|link| keyless.contains(link)) {
            keyless.insert(&ready.recipe.name);
        } else {
            keyed.push(ready);
        }
    }
    let keys = Yard::new(places, target, true, None)?.keys(keyed.iter().copied())?;
    let store = store(places);
    let there = keyed.iter().zip(keys).filter(|(_, (_, key))| store.get(key).is_some());
    Ok(there.map(|(ready, _)| ready.recipe.name.clone()).collect())
}

/// `srpm`.
pub(crate) fn source_packages(places: &Places, options: &SrpmOptions) -> Result<Report> {
    let target = world::target(places, &options.which.target)?;
    let yard = Yard::new(places, &target, options.offline, options.jobs)?;
    let given = Given::parse(&options.which.sources, options.offline)?;
    let (_, ready) = planned::fetched(places, &target, &options.which.packages, &given)?;
    let mut made = Vec::new();
    for (ready, (inputs, _)) in ready.iter().zip(yard.keys(&ready)?) {
        let line = Line::begin(&ready.recipe.nvr());
        let progress = |what: &str| line.step(what);
        let path = yard.job(ready, &inputs, &progress).source_package(&std::path::absolute(&options.out)?)?;
        line.end("source package made");
        made.push(path);
    }
    let text = made.iter().map(|path| format!("{}\n", path.display())).collect::<String>();
    Ok(Report::new(text, json!({ "source_packages": made })))
}

/// `build`.
pub(crate) fn build(places: &Places, options: &BuildOptions) -> Result<Report> {
    let names = if options.all_targets { world::target_names(places)? } else { options.target.clone() };
    if let Some(url) = &options.base_url {
        match options.mirror_list {
            true => address::check_one("--base-url", url)?,
            false => address::check("--base-url", url)?,
        }
    }
    if options.base_url.is_some() && names.len() > 1 {
        bail!("`--base-url` is the address of one repository\nhint: build each target with its own address");
    }
    let given = Given::parse(&options.sources, options.offline)?;
    for name in &names {
        Buildroot::from(options.buildroot).possible(&world::target(places, name)?, options.offline)?;
    }
    let (key, development) = signing_key(&places.keys, options.sign_key.as_deref())?;
    let mut text = String::new();
    let mut values = Vec::new();
    let mut faults = Vec::new();
    for name in names {
        let target = world::target(places, &name)?;
        match one_target(places, options, &target, &given, (&key, development)).with_context(|| name.clone()) {
            Ok((part, value)) => {
                text.push_str(&part);
                values.push(value);
            }
            Err(error) if options.keep_going && unless_interrupted().is_ok() => faults.push(error),
            Err(error) => return Err(error),
        }
    }
    if faults.is_empty() {
        return Ok(Report::new(text, json!({ "targets": values })));
    }
    say!("{}", text.trim_end());
    Err(together(faults))
}

/// A recipe built or found.
pub(crate) struct Done {
    pub(crate) ready: Ready,
    pub(crate) artifact: Artifact,
    pub(crate) state: &'static str,
    /// Its binary packages.
    pub(crate) packages: Range<usize>,
    pub(crate) components: Vec<Component>,
}

/// All of one target.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) done: Vec<Done>,
    /// The binary packages of all recipes.
    pub(crate) packages: Vec<Inspected>,
    /// What was done, with seconds.
    pub(crate) stages: Vec<Stage>,
    /// What gates found that keeps nothing out.
    pub(crate) warnings: Vec<Finding>,
}

/// A piece of work and how long it took.
pub(crate) struct Stage {
    /// Recipe, or target.
    pub(crate) of: String,
    pub(crate) name: String,
    pub(crate) seconds: f64,
}

fn one_target(
    places: &Places,
    options: &BuildOptions,
    target: &Target,
    given: &Given,
    (key, development): (&SigningKey, bool),
) -> Result<(String, Value)> {
    let start = Instant::now();
    let buildroot = Buildroot::from(options.buildroot);
    let yard = Yard::new(places, target, options.offline, options.jobs)?.within(buildroot);
    let after_failure = if options.keep_going { AfterFailure::Go } else { AfterFailure::Stop };
    let (steps, ready, faults) = planned::fetched_with_faults(places, target, &options.packages, given, after_failure)?;
    let (ready, faults) = possible(ready, faults, buildroot);
    let mut faults: Vec<anyhow::Error> = faults.into_iter().map(|(_, fault)| fault).collect();
    if !faults.is_empty() && (ready.is_empty() || after_failure == AfterFailure::Stop) {
        return Err(together(faults));
    }
    let folder = std::path::absolute(&options.out)?.join(&target.name);
    let url = options.base_url.clone().unwrap_or_else(|| address::of_folder(&folder));
    let keys = yard.keys(&ready)?;
    let public = key.public()?;
    let plain: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
    let asked = Asked { packages: options.packages.clone(), versions: given.described(), url, buildroot };
    let plan = Plan::new(places, target, &ready, &plain, asked, options.mirror_list)?;
    publish::recover(&folder)?;
    if faults.is_empty() && publish::current(&folder).is_some_and(|record| plan.made(&record, &public)) {
        let seconds = start.elapsed().as_secs_f64();
        let text =
            format!("{}: nothing to do, {} is complete (looked in {seconds:.2} s)\n", target.name, folder.display());
        return Ok((
            text,
            json!({ "target": target.name, "repository": folder, "state": "nothing to do", "seconds": seconds }),
        ));
    }
    // Before minutes of compiling, not after.
    publish::possible(&folder)?;
    if development {
        publication::keep_release(&folder, &public)?;
    }
    if !faults.is_empty() {
        // What can be built is; nothing is published.
        faults.extend(waves::build(&yard, ready, &keys, after_failure).err());
        return Err(together(faults));
    }
    leaving(&folder, &ready);
    if !options.mirror_list && folder.join(MIRROR_LIST).is_file() {
        say!(
            "packager: note: `{}` had a mirror list and will have none: hosts that read through it fail\nhint: build with `--mirror-list` to keep it",
            folder.display()
        );
    }
    let mut built = waves::build(&yard, ready, &keys, after_failure)?;
    let line = Line::begin(&target.name);
    line.step("gates");
    built.warnings = pass_gates(target, &built, &folder)?;
    line.step("signing and publishing");
    publication::publish(target, &yard.toolchain, &built, &folder, plan, key)?;
    line.end("repository published");
    built.stages.extend(line.stages());
    for kept in ["failed", "artifacts", "archives", "vendored", "documents", "sysroots"] {
        let kept = places.state.join(kept);
        keep::prune(&kept, keep::UNUSED)
            .with_context(|| format!("cannot remove what is old from `{}`", kept.display()))?;
    }
    let signer = Signer { fingerprint: &public.facts().fingerprint, development };
    let install = steps.to_install(&options.packages);
    Ok(publication::closing(target, &built, &install, &folder, signer, start.elapsed().as_secs_f64()))
}

/// The recipes that can be built, and why the others cannot: their archive cannot be had, they need what a cross build does not see, or they link
/// against such a recipe.
fn possible(ready: Vec<Ready>, mut faults: Faults, buildroot: Buildroot) -> (Vec<Ready>, Faults) {
    let mut kept = Vec::new();
    for one in ready {
        let name = &one.recipe.name;
        let failed = |name: &String| faults.iter().any(|(failed, _)| failed == name);
        if failed(name) {
            continue;
        }
        let unseen = one.recipe.unseen();
        let fault = if buildroot == Buildroot::Sandbox && !unseen.is_empty() {
            anyhow!(
                "`{name}` needs {} of the distribution, which a cross build does not see\nhint: build it with `--buildroot host` or `mock`, or its source \
                 package (`packager srpm`) on the distribution",
                unseen.join(", ")
            )
        } else if let Some(needed) = one.links.iter().find(|link| failed(link)) {
            anyhow!("`{name}` was not built: it needs `{needed}`")
        } else {
            kept.push(one);
            continue;
        };
        faults.push((name.clone(), fault));
    }
    (kept, faults)
}

/// Says which packages go: a repository has those of one build.
fn leaving(folder: &Path, ready: &[Ready]) {
    // One that cannot be read is replaced, which mends it.
    let Some(stored) = Stored::open(folder).ok().filter(|_| publish::is_ours(folder)) else { return };
    let made: BTreeSet<&str> =
        ready.iter().flat_map(|ready| &ready.recipe.packages).map(|package| package.name.as_str()).collect();
    let debug = |name: &String| ["-debuginfo", "-debugsource"].iter().any(|end| name.ends_with(end));
    let there = stored.primary().unwrap_or_default().into_iter().filter(|package| package.arch != "src");
    let gone: BTreeSet<String> =
        there.map(|package| package.name).filter(|name| !made.contains(name.as_str()) && !debug(name)).collect();
    if !gone.is_empty() {
        let names: Vec<String> = gone.into_iter().collect();
        say!(
            "packager: note: `{}` will hold what this build makes, and no longer {}\nhint: name these too to keep them, or give `--out` another folder",
            folder.display(),
            names.join(", ")
        );
    }
}

/// What the repository holds now of the packages that are to be replaced; a folder that is no repository of ours has nothing to compare
/// with. One that is damaged is compared as far as it goes: publishing again is how it is mended.
fn before(folder: &Path, built: &[Inspected]) -> Vec<Inspected> {
    if !publish::is_ours(folder) {
        return Vec::new();
    }
    let warn = |what: &str| say!("packager: warning: {what}");
    if publish::current(folder).is_none() {
        warn(&format!("`{}` is not as its record says: files are missing or changed", folder.display()));
    }
    let packages = folder.join("Packages");
    if !packages.is_dir() {
        warn(&format!("there is no `{}` to compare interfaces with", packages.display()));
        return Vec::new();
    }
    let mut found = Vec::new();
    for package in built {
        match check::previous(folder, std::slice::from_ref(package)) {
            Ok(ours) => found.extend(ours),
            Err(error) => warn(&format!("the interfaces of `{}` are not compared: {error:#}", package.name)),
        }
    }
    found
}

/// Every finding that no waiver accepts, of all packages that are published together; returns what is only a warning.
fn pass_gates(target: &Target, built: &Built, folder: &Path) -> Result<Vec<Finding>> {
    let before = before(folder, &built.packages);
    let scene = Scene::new(&built.packages, &before, target);
    let mut findings = Vec::new();
    for done in &built.done {
        let ours: Vec<&Inspected> = built.packages[done.packages.clone()].iter().collect();
        findings.extend(check::of_recipe(&ours, &done.ready.recipe, &scene)?);
    }
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.is_open()).collect();
    if open.is_empty() {
        findings.retain(|finding| finding.waived.is_none());
        return Ok(findings);
    }
    let text = open.iter().map(|finding| described(finding, REMEDY)).collect::<String>();
    bail!("{} findings keep the packages out of the repository:\n{}", open.len(), text.trim_end());
}

/// `rebuild`.
pub(crate) fn rebuild(places: &Places, options: &RebuildOptions) -> Result<Report> {
    let Which { target, packages, sources } = &options.which;
    let target = world::target(places, target)?;
    let yard = Yard::new(places, &target, options.offline, options.jobs)?;
    let (_, ready) = planned::fetched(places, &target, packages, &Given::parse(sources, options.offline)?)?;
    let store = store(places);
    let mut known: Vec<Linked> = Vec::new();
    let mut results = Vec::new();
    for ready in &ready {
        let line = Line::begin(&ready.recipe.nvr());
        let progress = |what: &str| line.step(what);
        let inputs = yard.inputs(ready, &known)?;
        let job = yard.job(ready, &inputs, &progress);
        let (first, _) = job.build(&job.key()?, &store)?;
        known.push(waves::filled(&linked(ready, &first.key), &first));
        // Another place with a name of another length: paths must not matter.
        let parent = places.state.join("work");
        let room = Room::make(&parent, "rebuild-at-another-place-")
            .with_context(|| format!("cannot make a folder in `{}`", parent.display()))?;
        // And a state of its own: crates (unless a mirror has them) and documents are made again too.
        let apart = Job { state: room.path(), ..job.clone() };
        let second = apart.build_apart(&room.path().join("build"))?;
        let left: Vec<PathBuf> = first.rpms.iter().chain([&first.srpm]).cloned().collect();
        let right: Vec<PathBuf> = second.rpms.iter().chain([&second.srpm]).cloned().collect();
        results.extend(compare::compare(&left, &right)?);
        line.end("built again");
    }
    let mut text = String::new();
    for result in &results {
        text.push_str(&format!("{}: {}\n", result.name, if result.identical { "identical" } else { "differs" }));
        for difference in &result.differences {
            text.push_str(&format!("  {difference}\n"));
        }
    }
    let same = results.iter().all(|result| result.identical);
    let mut report = Report::new(text, json!({ "identical": same, "packages": results }));
    report.good = same || !options.check;
    Ok(report)
}
