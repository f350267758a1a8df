//! Reads profiles, recipes and templates, and brings them together for one target.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use packager_recipe::changelog::parse_day;
use packager_recipe::concrete::Archive;
use packager_recipe::diagnostic::{Diagnostic, Page, among, nearest};
use packager_recipe::spec::Templates;
use packager_recipe::target::Profile;
use packager_recipe::{Arch, Concrete, Facts, Lock, Recipe, Target, TargetName, evaluate, spec};
use packager_rpm::gates::catalogue;
use packager_source::archive::{Copy, Place};
use packager_source::workspace::modified;
use packager_source::{Archives, Room, Workspace, given, mirror};
use serde_saphyr::Spanned;

use crate::given::Given;
use crate::places::Places;

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// A recipe with everything that one target needs to build it.
pub(crate) struct Ready {
    pub(crate) recipe: Concrete,
    pub(crate) sources: Sources,
    /// Seconds since 1970.
    pub(crate) time: i64,
    pub(crate) beside: PathBuf,
    pub(crate) spec: String,
    /// Recipes whose packages it links against, and theirs.
    pub(crate) links: Vec<String>,
    /// Sources, recipe, profiles or templates have changes that are not committed.
    pub(crate) modified: bool,
}

/// Where the sources come from.
pub(crate) enum Sources {
    Workspace(Box<Workspace>),
    /// Copies of one upstream release.
    Copies(Vec<Copy>),
    /// An archive that was made of what the user gave.
    Given,
}

/// All distributions, sorted.
pub(crate) fn systems(places: &Places) -> Result<Vec<String>> {
    let folder = places.root.join("specs/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// All target names, sorted.
pub(crate) fn target_names(places: &Places) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for system in systems(places)? {
        for arch in profile(places, &system)?.arches() {
            names.push(TargetName { system: system.clone(), arch }.to_string());
        }
    }
    names.sort();
    Ok(names)
}

pub(crate) fn profile(places: &Places, system: &str) -> Result<Profile> {
    let file = format!("specs/targets/{system}/target.yaml");
    if !places.root.join(&file).is_file() {
        bail!(
            "{file}: there is no such file\nhint: every folder in `specs/targets/` describes a distribution: copy the file of another, or remove the folder"
        );
    }
    let text = read(places, &file)?;
    let profile = Profile::parse(Page { file: &file, text: &text })?;
    if let Some(id) = profile.gates.keys().find(|id| catalogue::find(id).is_none()) {
        let near = nearest(id, catalogue::all().iter().map(|gate| gate.id)).map(|near| format!("write `{near}`"));
        let hint = near.unwrap_or_else(|| "`packager check --list` names all".to_owned());
        return Err(Page { file: &file, text: &text }.at_key(id, format!("`{id}` is no gate"), Some(hint)).into());
    }
    Ok(profile)
}

/// A text of the project.
fn read(places: &Places, file: &str) -> Result<String> {
    let bytes = fs::read(places.root.join(file)).with_context(|| format!("cannot read `{file}`"))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        anyhow!("{file}:{line}: this is not UTF-8\nhint: save the file as UTF-8")
    })
}

/// A text of the project that need not be there.
pub(crate) fn read_if_there(places: &Places, file: &str) -> Result<Option<String>> {
    if places.root.join(file).exists() { read(places, file).map(Some) } else { Ok(None) }
}

/// One target by name.
pub(crate) fn target(places: &Places, name: &str) -> Result<Target> {
    let known = target_names(places)?;
    if !known.iter().any(|target| target == name) {
        bail!("no target `{name}`\nhint: {}", among(name, known.iter().map(String::as_str)));
    }
    let parsed = TargetName::parse(name).ok_or_else(|| anyhow!("`{name}` ends in no architecture"))?;
    let profile = profile(places, &parsed.system)?;
    let target =
        Target::new(&parsed, profile).with_context(|| format!("the profile of `{name}` lacks its architecture"))?;
    Ok(target.with_lock(lock(places, &parsed.system, parsed.arch)?))
}

/// The lock that `targets sync` writes, relative to the project.
pub(crate) fn synced_lock(system: &str, arch: Arch) -> String {
    format!("specs/targets/{system}/lock-{arch}.yaml")
}

/// The lock that was written by hand, if there is one.
pub(crate) fn written_lock(places: &Places, system: &str) -> Result<Option<Lock>> {
    read_lock(places, &format!("specs/targets/{system}/lock.yaml"))
}

/// What is known of a distribution's packages: from its repositories, or else by hand.
fn lock(places: &Places, system: &str, arch: Arch) -> Result<Lock> {
    if let Some(synced) = read_lock(places, &synced_lock(system, arch))? {
        return Ok(synced);
    }
    Ok(written_lock(places, system)?.unwrap_or_default())
}

fn read_lock(places: &Places, file: &str) -> Result<Option<Lock>> {
    match fs::read_to_string(places.root.join(file)) {
        Ok(text) => Ok(Some(Lock::parse(Page { file, text: &text })?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{file}`")),
    }
}

/// A template's text.
pub(crate) fn template(places: &Places, name: &str) -> Result<String> {
    let path = places.root.join("templates").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read the template `{}`", path.display()))
}

/// The store of upstream archives.
pub(crate) fn archives(places: &Places) -> Archives {
    let mirror = places.mirror.as_ref().map(|mirror| mirror.join(mirror::ARCHIVES));
    Archives::new(places.state.join("archives")).with_mirror(mirror)
}

/// A recipe as written.
pub(crate) struct Written {
    pub(crate) folder: PathBuf,
    /// As messages name it.
    file: String,
    pub(crate) text: String,
    pub(crate) recipe: Recipe,
}

impl Written {
    fn read(places: &Places, folder: PathBuf) -> Result<Written> {
        let path = folder.join("recipe.yaml");
        let file = path.strip_prefix(&places.root).unwrap_or(&path).to_string_lossy().into_owned();
        let text = read(places, &file)?;
        let recipe = Recipe::parse(Page { file: &file, text: &text })?;
        let written = Written { folder, file, text, recipe };
        written.known_waivers()?;
        Ok(written)
    }

    /// Findings of rpmlint may have any name, but one that is nearly a gate's is a slip.
    fn known_waivers(&self) -> Result<(), Diagnostic> {
        for waiver in &self.recipe.waivers {
            let finding = &waiver.value.finding;
            let near = nearest(finding, catalogue::all().iter().map(|gate| gate.id)).filter(|near| near != finding);
            if let Some(near) = near {
                let hint = Some(format!("write `{near}`"));
                return Err(self.page().at(waiver, format!("there is no finding `{finding}`"), hint));
            }
        }
        Ok(())
    }

    pub(crate) fn page(&self) -> Page<'_> {
        Page { file: &self.file, text: &self.text }
    }

    /// Whether a person may mean it: by its name, or by what its makers call it.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let project = self.recipe.project.as_ref().is_some_and(|project| project.value == name);
        project || self.recipe.name.value == name
    }

    /// Where in the text something begins, in bytes.
    pub(crate) fn offset<T>(&self, spanned: &Spanned<T>) -> usize {
        let line = usize::try_from(spanned.referenced.line()).unwrap_or(1);
        self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
    }
}

/// Replaces a file of the project by one rename.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    let room = Room::make(path.parent().unwrap_or(Path::new(".")), ".new-").with_context(cannot)?;
    let part = room.path().join("part");
    fs::write(&part, text).and_then(|()| fs::rename(&part, path)).with_context(cannot)
}

/// All recipes as written, by folder name.
pub(crate) fn written(places: &Places) -> Result<Vec<Written>> {
    let folder = places.root.join("specs");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.join("recipe.yaml").is_file() {
            folders.push(path);
        } else if path.join("files").is_dir() || path.join("recipe.yml").is_file() {
            let name = path.strip_prefix(&places.root).unwrap_or(&path).display();
            bail!("`{name}` has no `recipe.yaml`\nhint: write one, or move the folder out of `specs/`");
        }
    }
    folders.sort();
    let recipes = folders.into_iter().map(|folder| Written::read(places, folder)).collect::<Result<Vec<_>>>()?;
    for written in &recipes {
        let (name, folder) = (&written.recipe.name, written.folder.file_name().unwrap_or_default());
        if folder != name.value.as_str() {
            let message = format!("the recipe `{}` lies in the folder `{}`", name.value, folder.display());
            let hint = Some("give both one name".to_owned());
            return Err(written.page().at(name, message, hint).into());
        }
    }
    said_once(&recipes)?;
    Ok(recipes)
}

/// A name stands for one recipe: its own, that of one of its packages, or what its makers call it.
fn said_once(recipes: &[Written]) -> Result<(), Diagnostic> {
    let mut known: BTreeMap<&str, (&str, &Written)> = BTreeMap::new();
    for written in recipes {
        let Recipe { name, project, packages, .. } = &written.recipe;
        // A recipe may have a package of its own name.
        let recipe = (!packages.contains_key(&name.value)).then_some(("recipe", name.value.as_str(), Some(name)));
        let packages = packages.keys().map(|package| ("package", package.as_str(), None));
        let project = project.as_ref().map(|project| ("project", project.value.as_str(), Some(project)));
        for (kind, new, place) in recipe.into_iter().chain(packages).chain(project) {
            let Some((first, other)) = known.insert(new, (kind, written)) else { continue };
            let (message, hint) = if std::ptr::eq(other, written) {
                (format!("`{new}` is a name of this recipe already"), "remove the key")
            } else {
                let message = if first == kind {
                    format!("a second {kind} `{new}`; the first is in `{}`", other.file)
                } else {
                    format!("the {kind} `{new}` has the name of a {first} of `{}`", other.file)
                };
                (message, "give it another name, or remove one of the recipes")
            };
            let (page, hint) = (written.page(), Some(hint.to_owned()));
            return Err(match place {
                Some(place) => page.at(place, message, hint),
                None => page.at_key(new, message, hint),
            });
        }
    }
    Ok(())
}

/// What to say of a name that no recipe has.
pub(crate) fn no_recipe(name: &str, recipes: &[Written]) -> anyhow::Error {
    let hint = among(name, recipes.iter().map(|written| written.recipe.name.value.as_str()));
    anyhow!("no recipe `{name}`\nhint: {hint}")
}

/// All recipes as written, for no target.
pub(crate) fn recipes(places: &Places) -> Result<Vec<Recipe>> {
    Ok(written(places)?.into_iter().map(|written| written.recipe).collect())
}

/// All recipes, evaluated for a target and rendered.
pub(crate) fn ready(places: &Places, target: &Target, given: &Given) -> Result<Vec<Ready>> {
    let recipes = written(places)?;
    let is_known = |name: &&String| recipes.iter().any(|written| written.is_called(name));
    if let Some(name) = given.names().find(|name| !is_known(name)) {
        return Err(no_recipe(name, &recipes));
    }
    for written in &recipes {
        let names: Vec<&String> = given.names().filter(|name| written.is_called(name)).collect();
        if let [one, .., other] = names[..]
            && one != other
        {
            bail!("`{one}` and `{other}` are one recipe\nhint: leave one of them out");
        }
    }
    let wanted = |written: Written| Ok(Written { recipe: given.version_of(written.recipe)?, ..written });
    let recipes = recipes.into_iter().map(wanted).collect::<Result<Vec<_>>>()?;
    let built: BTreeSet<String> = recipes
        .iter()
        .flat_map(|written| &written.recipe.packages)
        .flat_map(|(name, package)| package.provides.iter().chain([name]))
        .cloned()
        .collect();
    let parts = spec::PARTS
        .iter()
        .map(|part| Ok((*part, template(places, &format!("{part}.hbs"))?)))
        .collect::<Result<Vec<_>>>()?;
    let templates = Templates::new(parts.iter().map(|(name, text)| (*name, text.as_str())))?;
    let around = Around { places, target, built, templates, given, modified: changed(places, &SHARED)? };
    recipes.iter().map(|written| one(written, &around)).collect()
}

/// What all recipes have in common.
struct Around<'a> {
    places: &'a Places,
    target: &'a Target,
    /// Packages of all recipes, and what else they answer to.
    built: BTreeSet<String>,
    templates: Templates,
    given: &'a Given,
    /// [`SHARED`] has changes that are not committed.
    modified: bool,
}

/// What decides about the packages of every recipe, and about what is said of them.
const SHARED: [&str; 4] = ["specs/targets", "specs/groups.yaml", "specs/security.yaml", "templates"];

/// Whether folders of the project have changes that are not committed.
fn changed(places: &Places, folders: &[impl AsRef<Path>]) -> Result<bool> {
    let folders = folders.iter().map(|folder| folder.as_ref().to_owned()).collect::<Vec<_>>();
    Ok(modified(&places.root, &folders)?)
}

fn one(written: &Written, around: &Around<'_>) -> Result<Ready> {
    let Around { places, target, built, templates, given, modified: shared } = around;
    let Written { folder, recipe, .. } = written;
    let beside = folder.join("files");
    let place = given.place(recipe);
    let facts =
        Facts { beside: texts(&beside)?, built: built.clone(), given: place.map(str::to_owned), ..Facts::default() };
    let (sources, facts) = match &recipe.source.path {
        Some(path) => workspace(written, path, facts)?,
        None => upstream(places, recipe, facts, given)?,
    };
    let concrete = evaluate(recipe, written.page(), target, &facts)
        .map_err(|findings| anyhow!(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")))?;
    let spec = templates.render(&concrete.template, &template(places, &concrete.template)?, &concrete)?;
    let own = folder.strip_prefix(&places.root).unwrap_or(folder);
    let tree = match &sources {
        Sources::Workspace(workspace) => workspace.modified,
        Sources::Copies(_) | Sources::Given => false,
    };
    let modified = place.is_some() || tree || *shared || changed(places, &[own])?;
    Ok(Ready { recipe: concrete, sources, time: facts.source_time, beside, spec, links: Vec::new(), modified })
}

/// A cargo workspace, and what evaluation needs to know of it.
fn workspace(written: &Written, path: &Spanned<String>, facts: Facts) -> Result<(Sources, Facts)> {
    let Written { folder, recipe, .. } = written;
    let page = written.page();
    let root = facts.given.as_ref().map_or_else(|| folder.join(&path.value), PathBuf::from);
    if let Some(given) = facts.given.as_deref().filter(|given| !Path::new(given).join("Cargo.toml").is_file()) {
        let name = &recipe.name.value;
        bail!(
            "`--source {name}={given}` is no cargo workspace: it has no `Cargo.toml`\nhint: `{name}` is built from a workspace; name its folder"
        );
    }
    let root = root.canonicalize().map_err(|_| {
        let hint = Some("name it relative to the recipe".to_owned());
        page.at(path, format!("no folder `{}`", root.display()), hint)
    })?;
    let include: Vec<String> = recipe.source.include.iter().map(|path| path.value.clone()).collect();
    for path in &recipe.source.include {
        if !root.join(&path.value).exists() {
            return Err(page.at(path, format!("no `{}` in the source tree", path.value), None).into());
        }
    }
    let workspace = Workspace::open(&root, &include, epoch()?)?;
    let changelog = match &recipe.source.changelog {
        Some(path) => fs::read_to_string(root.join(&path.value)).map_err(|error| {
            page.at(path, format!("cannot read `{}` in the source tree: {error}", path.value), None)
        })?,
        None => String::new(),
    };
    let facts = Facts {
        version: workspace.version.clone(),
        changelog,
        source_time: workspace.time,
        cargo_packages: workspace.packages.clone(),
        programs: workspace.programs.clone(),
        ..facts
    };
    Ok((Sources::Workspace(Box::new(workspace)), facts))
}

/// The copies of an upstream release.
pub(crate) fn copies(recipe: &Recipe) -> Vec<Copy> {
    recipe
        .source
        .archives
        .iter()
        .filter_map(|archive| {
            let archive = &archive.value;
            let place = match (&archive.url, &archive.debian, &archive.git) {
                (Some(url), ..) => Place::Url(url.clone()),
                (_, Some(path), _) => Place::Debian(path.clone()),
                (.., url) => Place::Git {
                    url: url.clone().unwrap_or_default(),
                    commit: archive.commit.clone().unwrap_or_default(),
                    folder: archive.folder.clone().unwrap_or_else(|| recipe.folder()),
                },
            };
            Some(Copy { place, sha256: archive.sha256.clone()? })
        })
        .collect()
}

/// An upstream release, and which copy of it is at hand.
fn upstream(places: &Places, recipe: &Recipe, facts: Facts, given: &Given) -> Result<(Sources, Facts)> {
    let copies = copies(recipe);
    let day = recipe.source.released.as_ref().and_then(|day| parse_day(&day.value)).unwrap_or_default();
    let source_time = epoch()?.unwrap_or(day * DAY_SECONDS);
    let name = &recipe.name.value;
    if let Some(archive) = given.archive(recipe, source_time, &places.state.join("archives"))? {
        let given::Given { name, sha256, folder } = archive;
        let given_archive = Some(Archive { name, sha256: Some(sha256), folder });
        return Ok((Sources::Given, Facts { given_archive, source_time, ..facts }));
    }
    let copy = given.verified(name).or_else(|| archives(places).at_hand(&copies)).unwrap_or(0);
    // Copies are those archives that are locked.
    let locked = recipe.source.archives.iter().enumerate().filter(|(_, archive)| archive.value.sha256.is_some());
    let archive = locked.map(|(at, _)| at).nth(copy).unwrap_or(0);
    Ok((Sources::Copies(copies), Facts { archive, source_time, ..facts }))
}

/// `SOURCE_DATE_EPOCH`, when it is set.
fn epoch() -> Result<Option<i64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => {
            text.parse().map(Some).with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds"))
        }
        Err(_) => Ok(None),
    }
}

fn texts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() {
                let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                texts.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    Ok(texts)
}
