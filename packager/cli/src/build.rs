//! Operations that build: srpm, build, rebuild.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use packager_build::run::unless_interrupted;
use packager_build::{Artifact, Job, Store, Toolchain};
use packager_recipe::{Target, spec};
use packager_repo::publish::{self, Description, Published, RepoError};
use packager_rpm::sbom::{self, Component};
use packager_rpm::{Finding, Inspected, SigningKey, compare, gates, lint, sign};
use packager_source::{Digest, Room};
use serde_json::{Value, json};

use crate::arguments::{BuildOptions, RebuildOptions, SrpmOptions, Which};
use crate::keys::signing_key;
use crate::places::Places;
use crate::plain::described;
use crate::progress::Line;
use crate::report::{Report, size, table};
use crate::world::{self, Ready};

/// Id of the repository: name of its `.repo` file.
const REPOSITORY: &str = "daos";

/// What every building operation needs.
struct Yard<'y> {
    places: &'y Places,
    target: &'y Target,
    toolchain: Toolchain,
    offline: bool,
    jobs: usize,
}

impl<'y> Yard<'y> {
    fn new(places: &'y Places, target: &'y Target, offline: bool, jobs: Option<NonZeroUsize>) -> Result<Yard<'y>> {
        let toolchain = Toolchain::find(target.arch, &places.toolchain())?;
        let jobs = jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        Ok(Yard { places, target, toolchain, offline, jobs })
    }

    fn job<'j>(&'j self, ready: &'j Ready, progress: &'j (dyn Fn(&str) + Sync)) -> Job<'j> {
        Job {
            recipe: &ready.recipe,
            target: self.target,
            workspace: &ready.workspace,
            beside: &ready.beside,
            spec: &ready.spec,
            toolchain: &self.toolchain,
            state: &self.places.state,
            offline: self.offline,
            jobs: self.jobs,
            progress,
        }
    }
}

fn store(places: &Places) -> Store {
    Store::new(places.state.join("artifacts"))
}

/// `srpm`.
pub(crate) fn source_packages(places: &Places, options: &SrpmOptions) -> Result<Report> {
    let target = world::target(places, &options.which.target)?;
    let yard = Yard::new(places, &target, options.offline, options.jobs)?;
    let (_, ready) = world::planned(places, &target, &options.which.packages)?;
    let mut made = Vec::new();
    for ready in &ready {
        let line = Line::begin(&ready.recipe.nvr());
        let progress = |what: &str| line.step(what);
        let path = yard.job(ready, &progress).source_package(&std::path::absolute(&options.out)?)?;
        line.end("source package made");
        made.push(path);
    }
    let text = made.iter().map(|path| format!("{}\n", path.display())).collect::<String>();
    Ok(Report::new(text, json!({ "source_packages": made })))
}

/// `build`.
pub(crate) fn build(places: &Places, options: &BuildOptions) -> Result<Report> {
    let names = if options.all_targets { world::target_names(places)? } else { options.target.clone() };
    let (key, development) = signing_key(places, options.sign_key.as_deref())?;
    if options.base_url.is_some() && names.len() > 1 {
        bail!("`--base-url` is the address of one repository\nhint: build each target with its own address");
    }
    let mut text = String::new();
    let mut values = Vec::new();
    for name in names {
        let target = world::target(places, &name)?;
        let (part, value) = one_target(places, options, &target, &key, development).with_context(|| name.clone())?;
        text.push_str(&part);
        values.push(value);
    }
    Ok(Report::new(text, json!({ "targets": values })))
}

/// A recipe built or found.
struct Done {
    ready: Ready,
    artifact: Artifact,
    state: &'static str,
    /// What was done, with seconds.
    stages: Vec<(String, f64)>,
    components: Vec<Component>,
}

fn one_target(
    places: &Places,
    options: &BuildOptions,
    target: &Target,
    key: &SigningKey,
    development: bool,
) -> Result<(String, Value)> {
    let start = Instant::now();
    let yard = Yard::new(places, target, options.offline, options.jobs)?;
    let (_, ready) = world::planned(places, target, &options.packages)?;
    let folder = std::path::absolute(&options.out)?.join(&target.name);
    let url = options.base_url.clone().unwrap_or_else(|| format!("file://{}", folder.display()));
    let silent = |_: &str| ();
    let keys = ready.iter().map(|ready| yard.job(ready, &silent).key()).collect::<Result<Vec<_>, _>>()?;
    let inputs = format!("{} {url}", keys.join(" "));
    let fingerprint = key.public()?.facts().fingerprint;
    let repo_file = repo_file(places, target, &url)?;
    let settings = settings(target, &ready, &repo_file)?;
    let same = |record: Published| record.inputs == inputs && record.settings == settings && record.key == fingerprint;
    if publish::current(&folder).is_some_and(same) {
        let seconds = start.elapsed().as_secs_f64();
        let text =
            format!("{}: nothing to do, {} is complete (looked in {seconds:.2} s)\n", target.name, folder.display());
        return Ok((
            text,
            json!({ "target": target.name, "repository": folder, "state": "nothing to do", "seconds": seconds }),
        ));
    }
    let mut done = Vec::new();
    for (ready, build_key) in ready.into_iter().zip(keys) {
        done.push(build_one(&yard, ready, &build_key)?);
    }
    let line = Line::begin(&target.name);
    line.step("signing and publishing");
    publish_all(target, &done, &folder, Plan { repo_file, inputs, settings }, key)?;
    line.end("repository published");
    let stages: Vec<_> = done.iter().flat_map(|done| done.stages.clone()).chain(line.stages()).collect();
    closing(target, &done, &folder, &fingerprint, development, &stages, start.elapsed().as_secs_f64())
}

fn build_one(yard: &Yard<'_>, ready: Ready, build_key: &str) -> Result<Done> {
    let line = Line::begin(&format!("{}.{}", ready.recipe.nvr(), ready.recipe.arch));
    let progress = |what: &str| line.step(what);
    let job = yard.job(&ready, &progress);
    let (artifact, state) = match store(yard.places).get(build_key) {
        Some(artifact) => (artifact, "cached"),
        None => (job.build(&store(yard.places))?, "built"),
    };
    line.step("gates");
    let inspected = artifact.rpms.iter().map(|path| Inspected::open(path)).collect::<Result<Vec<_>, _>>()?;
    for package in &ready.recipe.packages {
        if !inspected.iter().any(|built| built.name == package.name) {
            bail!(
                "`{}` holds no package `{}`\nhint: remove that folder and build again",
                artifact.folder.display(),
                package.name
            );
        }
    }
    let mut findings = gates::check(&inspected, &ready.recipe, yard.target);
    findings.extend(lint::run(&artifact.rpms)?);
    gates::waive(&mut findings, &ready.recipe);
    refuse(&findings)?;
    unless_interrupted()?;
    let components = job
        .vendored()?
        .crates
        .into_iter()
        .filter(|part| part.linked)
        .map(|part| Component { name: part.name, version: part.version, license: part.license, sha256: part.sha256 })
        .collect();
    line.end(state);
    let stages = line.stages();
    drop(line);
    Ok(Done { ready, artifact, state, stages, components })
}

fn refuse(findings: &[Finding]) -> Result<()> {
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.waived.is_none()).collect();
    if open.is_empty() {
        return Ok(());
    }
    let text = open.iter().map(|finding| described(finding)).collect::<String>();
    bail!(
        "{} findings keep the packages out of the repository:\n{}",
        open.len(),
        text.replace("  hint: ", "  remedy: ").trim_end()
    );
}

/// What a repository is to be made from, beside its packages.
struct Plan {
    repo_file: String,
    inputs: String,
    settings: String,
}

/// Everything that decides what is published but not what is built: the `.repo` file, and what the gates go by.
fn settings(target: &Target, ready: &[Ready], repo_file: &str) -> Result<String> {
    let mut digest = Digest::new();
    digest.part("repo file", repo_file.as_bytes());
    digest.part("profile", &serde_json::to_vec(&target.profile)?);
    for ready in ready {
        digest.part("waivers", &serde_json::to_vec(&ready.recipe.waivers)?);
    }
    Ok(digest.hex())
}

fn repo_file(places: &Places, target: &Target, url: &str) -> Result<String> {
    let data = json!({
        "id": REPOSITORY,
        "title": format!("DAOS packages for {} {}", target.profile.title, target.arch),
        "url": url,
        "key_file": publish::key_file(REPOSITORY),
        "module_hotfixes": target.profile.module_hotfixes,
    });
    let template = "repository.repo.hbs";
    Ok(spec::render(template, &world::template(places, template)?, &data)?)
}

fn publish_all(target: &Target, done: &[Done], folder: &Path, plan: Plan, key: &SigningKey) -> Result<()> {
    let Plan { repo_file, inputs, settings } = plan;
    let packages: Vec<PathBuf> = done.iter().flat_map(|done| done.artifact.rpms.clone()).collect();
    let sources: Vec<PathBuf> = done.iter().map(|done| done.artifact.srpm.clone()).collect();
    let time = done.iter().map(|done| done.ready.workspace.time).max().unwrap_or(0);
    let description = Description {
        folder,
        id: REPOSITORY,
        repo_file,
        packages: &packages,
        sources: &sources,
        extra: Vec::new(),
        inputs,
        settings,
        time,
    };
    publish::publish::<anyhow::Error>(&description, key, |signed| {
        let public = key.public().map_err(RepoError::from)?;
        for path in signed {
            sign::verify(path, &public)?;
        }
        sign::verify_with_rpm(signed, &public)?;
        let mut beside = Vec::new();
        for path in signed.iter().filter(|path| !path.to_string_lossy().ends_with(".src.rpm")) {
            beside.push(bill(path, done, target)?);
        }
        unless_interrupted()?;
        Ok(beside)
    })?;
    Ok(())
}

/// The bill of materials of a signed package, and where it goes.
fn bill(path: &Path, done: &[Done], target: &Target) -> Result<(PathBuf, Vec<u8>)> {
    let package = Inspected::open(path)?;
    let owner = done
        .iter()
        .find(|done| done.artifact.srpm.file_name().is_some_and(|name| name.to_string_lossy() == package.source_rpm))
        .with_context(|| format!("`{}` comes from no source package of this build", path.display()))?;
    // Only packages with programs contain the crates.
    let has_programs = package.files.iter().any(|file| packager_rpm::elf::facts(&file.content).is_some());
    let components: &[Component] = if has_programs { &owner.components } else { &[] };
    let sum = packager_source::digest::file(path)?;
    let document = sbom::document(&package, &sum, components, owner.ready.workspace.time, &target.name);
    let mut name = path.as_os_str().to_owned();
    name.push(".spdx.json");
    Ok((PathBuf::from(name), serde_json::to_vec_pretty(&document)?))
}

fn closing(
    target: &Target,
    done: &[Done],
    folder: &Path,
    fingerprint: &str,
    development: bool,
    stages: &[(String, f64)],
    seconds: f64,
) -> Result<(String, Value)> {
    let mut rows = vec![["PACKAGE", "SIZE", "INSTALLED", "STATE"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    let mut installable = Vec::new();
    for done in done {
        for path in &done.artifact.rpms {
            let package = Inspected::open(path)?;
            let bytes = std::fs::metadata(path)?.len();
            rows.push(vec![package.nevra(), size(bytes), size(package.installed_bytes), done.state.to_owned()]);
            values.push(json!({ "nevra": package.nevra(), "bytes": bytes, "installed_bytes": package.installed_bytes,
                "state": done.state }));
            if !package.is_debug() {
                installable.push(package.name);
            }
        }
    }
    let repo_file = folder.join(format!("{REPOSITORY}.repo"));
    let install = [
        format!("sudo cp {} /etc/yum.repos.d/", repo_file.display()),
        format!("sudo dnf install {}", installable.join(" ")),
    ];
    let modified = done.iter().any(|done| done.ready.workspace.modified);
    let mut text = table(&rows);
    text.push_str(&format!("\nrepository  {}\nsigned by   {fingerprint}", folder.display()));
    text.push_str(if development { " (development key: not for release)\n" } else { "\n" });
    if modified {
        text.push_str("sources     have changes that are not committed\n");
    }
    text.push_str(&format!(
        "time        {seconds:.1} s\n\nInstall on {}:\n  {}\n  {}\n",
        target.profile.title, install[0], install[1]
    ));
    let value = json!({
        "target": target.name, "repository": folder, "key": fingerprint, "development_key": development,
        "uncommitted_sources": modified, "packages": values, "install": install, "state": "built", "seconds": seconds,
        "stages": stages.iter().map(|(name, seconds)| json!({ "stage": name, "seconds": seconds })).collect::<Vec<_>>(),
    });
    Ok((text, value))
}

/// `rebuild`.
pub(crate) fn rebuild(places: &Places, options: &RebuildOptions) -> Result<Report> {
    let Which { target, packages } = &options.which;
    let target = world::target(places, target)?;
    let yard = Yard::new(places, &target, options.offline, options.jobs)?;
    let (_, ready) = world::planned(places, &target, packages)?;
    let mut results = Vec::new();
    for ready in &ready {
        let line = Line::begin(&ready.recipe.nvr());
        let progress = |what: &str| line.step(what);
        let job = yard.job(ready, &progress);
        let store = store(places);
        let first = match store.get(&job.key()?) {
            Some(first) => first,
            None => job.build(&store)?,
        };
        // Another place with a name of another length: paths must not matter.
        let parent = places.state.join("work");
        let room = Room::make(&parent, "rebuild-at-another-place-")
            .with_context(|| format!("cannot make a folder in `{}`", parent.display()))?;
        // And a state of its own: crates and documents are made again too.
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
