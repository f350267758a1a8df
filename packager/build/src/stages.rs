//! The stages of one build: sources, spec, source package, binary packages. Each can be asked for alone.
//!
//! Everything happens below one work folder per key; results leave it by rename when they are complete, so a stage that
//! is stopped at any moment leaves nothing behind that a later run could take for finished.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_recipe::concrete::Archive;
use packager_recipe::{Concrete, Target};
use packager_source::vendor::{VendorError, Vendored};
use packager_source::{Digest, Room, Workspace, digest, keep, mirror, tarball};

use crate::budget::{Acquired, Budget};
use crate::buildroot::Buildroot;
use crate::cross;
use crate::cxx;
use crate::documents;
use crate::gnu::Gnu;
use crate::key::{GENERATION, Inputs, build_key};
use crate::macros;
use crate::run::{RunError, run};
use crate::sandbox::{Sandbox, Upstream};
use crate::store::{Artifact, Store};
use crate::sysroot;
use crate::tools::Toolchain;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The pool of jobs.
    #[error("cannot take a job from the pool")]
    Pool(#[source] io::Error),
    /// Vendoring.
    #[error("vendoring the crates of `{0}`")]
    Vendor(String, #[source] Box<VendorError>),
    /// A package that is linked against.
    #[error(transparent)]
    Package(Box<packager_rpm::PackageError>),
    /// A host has something else than what is to be linked against.
    #[error("not installed here, and linked against: {}\nhint: sudo dnf install {}", names(.0), names(.0))]
    NotInstalled(Vec<PathBuf>),
    /// A step in the sandbox.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A program wrote no document.
    #[error("`{program} {arguments}` wrote nothing\nhint: it must write the document to its standard output")]
    EmptyDocument {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: String,
    },
    /// Somebody saved a file meanwhile.
    #[error("the sources in `{0}` changed while they were packed\nhint: run the same command again")]
    Changed(PathBuf),
    /// The archive is not what is locked.
    #[error("the SHA-256 of `{path}` is {sum}, not {locked}\nhint: run the same command again: it is fetched anew")]
    Archive {
        /// Where it is kept.
        path: PathBuf,
        /// Its hash.
        sum: String,
        /// What its hash must be.
        locked: String,
    },
    /// A step failed, and what it left can be looked at.
    #[error("{failure}; `packager shell --target {target} {recipe}` opens the sandbox as it was left")]
    Left {
        /// The step. Its own hint is the last line.
        failure: Box<RunError>,
        /// The target.
        target: String,
        /// The recipe.
        recipe: String,
    },
    /// rpmbuild ended well but left no packages.
    #[error("rpmbuild left no packages\nhint: the log is `{0}`")]
    NoPackages(PathBuf),
}

impl BuildError {
    /// For `map_err` on file operations.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError + use<> {
        let path = path.to_owned();
        move |source| BuildError::Io { path, source }
    }
}

/// Where the sources come from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'j> {
    /// A cargo workspace.
    Workspace(&'j Workspace),
    /// An upstream release that was fetched.
    Archive(&'j Path),
}

/// A finished build that another one links against.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its recipe.
    pub recipe: String,
    /// Its key.
    pub key: String,
    /// Its binary packages, without debug information.
    pub packages: Vec<PathBuf>,
    /// The folder of its libraries, where it is one of its own.
    pub private: Option<String>,
}

/// What a source package is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For packages.
    Packages,
    /// For a person who looks at its sources.
    Shell,
}

/// Whether a build had anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was in the store.
    Before,
    /// It was built.
    Now,
}

/// Everything about one build.
#[derive(Clone)]
pub struct Job<'j> {
    /// What is built.
    pub recipe: &'j Concrete,
    /// For which target.
    pub target: &'j Target,
    /// From which sources.
    pub origin: Origin<'j>,
    /// Time of the sources in seconds since 1970.
    pub time: i64,
    /// The GNU compiler, for upstream projects.
    pub gnu: Option<&'j Gnu>,
    /// What is linked against: recipe, build key, and packages to unpack.
    pub linked: &'j [Linked],
    /// The folder of the recipe's own files.
    pub beside: &'j Path,
    /// The rendered spec.
    pub spec: &'j str,
    /// With which tools.
    pub toolchain: &'j Toolchain,
    /// The packager's state folder.
    pub state: &'j Path,
    /// Where crates may lie that would be vendored otherwise.
    pub mirror: Option<&'j Path>,
    /// Never use the network.
    pub offline: bool,
    /// Where it is compiled.
    pub buildroot: Buildroot,
    /// Jobs, shared with other builds.
    pub budget: &'j Budget,
    /// Told what begins.
    pub progress: &'j (dyn Fn(&str) + Sync),
}

impl Job<'_> {
    /// The build key.
    pub fn key(&self) -> Result<String, BuildError> {
        let mut beside = Vec::new();
        for source in self.recipe.sources.iter().filter(|source| source.beside_recipe) {
            let path = self.beside.join(&source.name);
            beside.push((source.name.clone(), digest::file(&path).map_err(BuildError::at(&path))?));
        }
        let source = self.source_key()?;
        let macros = self.macros();
        let linked: Vec<_> = self.linked.iter().map(|linked| (linked.recipe.clone(), linked.key.clone())).collect();
        let gnu = self.gnu.map(|gnu| {
            let environment = self.environment(gnu);
            let files = cross::files(gnu, self.target, self.recipe, &environment);
            let cxx = self.recipe.cxx.then_some(cxx::GENERATION);
            format!("{}{:?}{environment:?}{files:?}", gnu.version, (sysroot::GENERATION, cxx))
        });
        let inputs = Inputs {
            spec: self.spec,
            macros: &macros,
            source: &source,
            beside: &beside,
            time: self.time,
            linked: &linked,
            gnu: gnu.as_deref(),
            buildroot: self.buildroot,
        };
        Ok(build_key(inputs, self.toolchain))
    }

    fn macros(&self) -> String {
        let mut macros = macros::for_target(self.target);
        if self.recipe.cargo.is_none() {
            macros.push_str(&macros::for_upstream(self.target));
        } else if !self.linked.is_empty() {
            macros.push_str(&macros::for_linked());
        }
        macros
    }

    fn source_key(&self) -> Result<String, BuildError> {
        match (self.origin, &self.recipe.archive) {
            (Origin::Workspace(workspace), _) => {
                let mut key = Digest::new();
                key.part("tarball generation", tarball::GENERATION.as_bytes());
                key.part("tree", workspace.digest().map_err(BuildError::at(&workspace.root))?.as_bytes());
                Ok(key.hex())
            }
            (Origin::Archive(_), Some(Archive { sha256: Some(sum), .. })) => Ok(sum.clone()),
            (Origin::Archive(path), _) => digest::file(path).map_err(BuildError::at(path)),
        }
    }

    /// Vendored crates, made or from an earlier run; none for upstream projects.
    pub fn vendored(&self) -> Result<Option<Vendored>, BuildError> {
        match self.origin {
            Origin::Workspace(workspace) => self.vendor(workspace).map(Some),
            Origin::Archive(_) => Ok(None),
        }
    }

    /// Where the vendored crates lie once they are made; nowhere for upstream projects.
    pub fn vendored_home(&self) -> Result<Option<PathBuf>, BuildError> {
        match self.origin {
            Origin::Workspace(_) => Ok(Some(self.state.join("vendored").join(self.vendored_key()?))),
            Origin::Archive(_) => Ok(None),
        }
    }

    fn vendored_key(&self) -> Result<String, BuildError> {
        let mut key = Digest::new();
        key.part("generation", GENERATION.as_bytes());
        key.part("rust", self.toolchain.rust.version.as_bytes());
        key.part("source", self.source_key()?.as_bytes());
        key.part("time", &self.time.to_le_bytes());
        for feature in self.features() {
            key.part("feature", feature.as_bytes());
        }
        Ok(key.hex())
    }

    /// What the options of a cargo project switch on.
    fn features(&self) -> &[String] {
        self.recipe.cargo.as_ref().map_or(&[], |build| &build.features)
    }

    fn vendor(&self, workspace: &Workspace) -> Result<Vendored, BuildError> {
        let cargo = self.toolchain.rust.sysroot.join("bin/cargo");
        let (store, key) = (self.state.join("vendored"), self.vendored_key()?);
        let home = store.join(&key);
        if let Some(kept) = self.mirror.map(|mirror| mirror.join(mirror::VENDORED).join(&key))
            && kept.is_dir()
            && !home.is_dir()
        {
            mirror::copy(&kept, &home).map_err(BuildError::at(&home))?;
        }
        Vendored::make(workspace, self.features(), &cargo, self.offline, &store, &key)
            .map_err(|error| BuildError::Vendor(self.recipe.name.clone(), Box::new(error)))
    }

    /// The source package, into a fresh work folder; returns the folder and the package.
    ///
    /// `key` is the one under which the result is kept: what is read now must be what it was made from.
    pub(crate) fn srpm(&self, key: &str, work: &Path, log: &Path, purpose: Purpose) -> Result<PathBuf, BuildError> {
        let sources = work.join("SOURCES");
        for folder in ["SOURCES", "SPECS", "BUILD", "RPMS", "SRPMS", "home"] {
            let path = work.join(folder);
            fs::create_dir_all(&path).map_err(BuildError::at(&path))?;
        }
        let place = match self.origin {
            Origin::Workspace(workspace) => {
                self.workspace_sources(workspace, &sources, log, purpose)?;
                &workspace.root
            }
            Origin::Archive(path) => {
                (self.progress)("sources");
                let copy = sources.join(&self.recipe.sources[0].name);
                fs::copy(path, &copy).map_err(BuildError::at(path))?;
                // The key believed the recipe; what was fetched may be long ago.
                let (sum, locked) = (digest::file(&copy).map_err(BuildError::at(&copy))?, self.source_key()?);
                if sum != locked {
                    return Err(BuildError::Archive { path: path.to_owned(), sum, locked });
                }
                path
            }
        };
        for source in self.recipe.sources.iter().filter(|source| source.beside_recipe) {
            let to = sources.join(&source.name);
            fs::copy(self.beside.join(&source.name), &to).map_err(BuildError::at(&to))?;
        }
        // rpm stores the times of sources as they are.
        for entry in fs::read_dir(&sources).map_err(BuildError::at(&sources))? {
            let path = entry.map_err(BuildError::at(&sources))?.path();
            self.settle(&path)?;
        }
        // Everything was read once for the key, maybe long ago, and once for the package: the same, or the key would lie.
        if self.key()? != key {
            return Err(BuildError::Changed(place.to_owned()));
        }
        let spec = work.join("SPECS").join(format!("{}.spec", self.recipe.name));
        fs::write(&spec, self.spec).map_err(BuildError::at(&spec))?;
        self.settle(&spec)?;
        (self.progress)("source package");
        let arguments = ["-bs", "--nodeps"];
        self.rpmbuild(
            work,
            &arguments,
            &format!("/build/SPECS/{}.spec", self.recipe.name),
            "making the source package",
            None, // it needs no compiler
            log,
        )?;
        let made = files(&work.join("SRPMS"), ".src.rpm")?;
        made.into_iter().next().ok_or_else(|| BuildError::NoPackages(log.to_owned()))
    }

    /// The tarballs of a cargo project.
    fn workspace_sources(
        &self,
        workspace: &Workspace,
        sources: &Path,
        log: &Path,
        purpose: Purpose,
    ) -> Result<(), BuildError> {
        (self.progress)("crates");
        let vendored = self.vendor(workspace)?;
        (self.progress)("sources");
        let [main, vendor, docs] = [0, 1, 2].map(|number| sources.join(&self.recipe.sources[number].name));
        let contents = workspace.contents(&self.recipe.folder(), &vendored.lock);
        contents.write(&main, self.time).map_err(BuildError::at(&main))?;
        fs::copy(&vendored.tarball, &vendor).map_err(BuildError::at(&vendor))?;
        match self.documents(&contents, &vendored, &docs, log) {
            // Who wants to know why a program does not compile needs everything else.
            Err(BuildError::Run(RunError::Failed { .. }) | BuildError::EmptyDocument { .. })
                if purpose == Purpose::Shell =>
            {
                (self.progress)("leaving out the documents, which cannot be made");
                documents::without_programs(&vendored.crates, self.time, &docs)
            }
            other => other,
        }
    }

    /// Documents, made or from an earlier run with the same sources, crates and compiler.
    fn documents(
        &self,
        contents: &tarball::Contents,
        vendored: &Vendored,
        to: &Path,
        log: &Path,
    ) -> Result<(), BuildError> {
        let mut key = Digest::new();
        key.part("vendored", self.vendored_key()?.as_bytes());
        let wanted = self.recipe.cargo.as_ref().map(|build| (&build.manual, &build.completions));
        key.part("wanted", format!("{wanted:?}").as_bytes());
        let store = self.state.join("documents");
        let kept = store.join(format!("{}.tar.xz", key.hex()));
        if !kept.is_file() {
            (self.progress)("documents");
            let room = Room::make(&store, ".documents-").map_err(BuildError::at(&store))?;
            let tree = room.path().join(self.recipe.folder());
            contents.unpack(room.path()).map_err(BuildError::at(&tree))?;
            run(
                Command::new("tar").arg("-xf").arg(&vendored.tarball).arg("-C").arg(&tree),
                "unpacking the vendored crates",
                log,
            )?;
            fs::create_dir_all(room.path().join("home")).map_err(BuildError::at(&tree))?;
            let made = room.path().join("docs.tar.xz");
            documents::make(self.recipe, &vendored.crates, &self.sandbox(room.path())?, &made, log)?;
            fs::rename(&made, &kept).map_err(BuildError::at(&kept))?;
        }
        keep::used(&kept);
        fs::copy(&kept, to).map(drop).map_err(BuildError::at(to))
    }

    /// Only the source package, copied into `out`.
    pub fn source_package(&self, out: &Path) -> Result<PathBuf, BuildError> {
        let place = self.workplace()?;
        let _job = self.begin()?;
        let srpm = self.srpm(&self.key()?, place.room.path(), &place.log, Purpose::Packages)?;
        fs::create_dir_all(out).map_err(BuildError::at(out))?;
        let to = out.join(srpm.file_name().unwrap_or_default());
        let room = Room::make(out, ".srpm-").map_err(BuildError::at(out))?;
        let part = room.path().join("package");
        fs::copy(&srpm, &part).map_err(BuildError::at(&part))?;
        fs::rename(&part, &to).map_err(BuildError::at(&to))?;
        Ok(to)
    }

    /// Builds source and binary packages and puts them into the store, unless it has them, undamaged. `key` is the job's, from when the
    /// build was planned.
    pub fn build(&self, key: &str, store: &Store) -> Result<(Artifact, Made), BuildError> {
        let place = self.workplace()?;
        // Whoever had the workplace before may have built just this.
        if let Some(artifact) = store.get(key) {
            if artifact.damage().is_none() {
                return Ok((artifact, Made::Before));
            }
            store.forget(&artifact).map_err(BuildError::at(&artifact.folder))?;
        }
        let _job = self.begin()?;
        let ready = match self.packages(key, place.room.path(), &place.log) {
            // `shell` opens our sandbox, and no other buildroot.
            Err(BuildError::Run(failure @ RunError::Failed { .. })) if self.buildroot == Buildroot::Sandbox => {
                return Err(self.leave(place.room, failure));
            }
            other => other?,
        };
        let artifact = store.put(key, &ready).map_err(BuildError::at(&ready))?;
        self.clear_left()?;
        Ok((artifact, Made::Now))
    }

    /// Builds into a folder of its own, whatever the store holds: for comparing.
    pub fn build_apart(&self, folder: &Path) -> Result<Artifact, BuildError> {
        let _job = self.begin()?;
        let log = folder.join("build.log");
        let ready = self.packages(&self.key()?, folder, &log)?;
        Artifact::read("apart", &ready).map_err(BuildError::at(&ready))
    }

    fn packages(&self, key: &str, work: &Path, log: &Path) -> Result<PathBuf, BuildError> {
        let srpm = self.srpm(key, work, log, Purpose::Packages)?;
        let name = srpm.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // From the source package and nothing else: this proves that it is self-contained.
        for folder in ["SOURCES", "SPECS"] {
            let path = work.join(folder);
            fs::remove_dir_all(&path).and_then(|()| fs::create_dir_all(&path)).map_err(BuildError::at(&path))?;
        }
        // A stage of its own before compiling begins.
        let upstream = if self.buildroot == Buildroot::Sandbox { self.upstream(work, log)? } else { None };
        (self.progress)("compiling and packaging");
        match self.buildroot {
            Buildroot::Sandbox => {
                let arguments = ["--rebuild", "--nodeps"];
                self.rpmbuild(work, &arguments, &format!("/build/SRPMS/{name}"), "rpmbuild", upstream, log)?;
            }
            Buildroot::Host => self.on_host(work, &srpm, log)?,
            Buildroot::Mock => self.in_mock(work, &srpm, log)?,
            Buildroot::Podman => self.in_container(work, &srpm, log)?,
        }
        let ready = work.join("ready");
        fs::create_dir_all(&ready).map_err(BuildError::at(&ready))?;
        let mut rpms = Vec::new();
        for arch in [self.target.arch.name(), "noarch"] {
            rpms.extend(files(&work.join("RPMS").join(arch), ".rpm")?);
        }
        if rpms.is_empty() {
            return Err(BuildError::NoPackages(log.to_owned()));
        }
        rpms.push(srpm);
        for rpm in rpms {
            let to = ready.join(rpm.file_name().unwrap_or_default());
            fs::rename(&rpm, &to).map_err(BuildError::at(&to))?;
        }
        Ok(ready)
    }

    pub(crate) fn rpmbuild(
        &self,
        work: &Path,
        arguments: &[&str],
        what: &str,
        step: &str,
        upstream: Option<Upstream>,
        log: &Path,
    ) -> Result<(), BuildError> {
        let macros_path = work.join("macros");
        fs::write(&macros_path, self.macros()).map_err(BuildError::at(&macros_path))?;
        let arch = self.target.arch.name();
        let platform = format!("{arch}-linux");
        let read = macros::BASE.map(|path| path.replace("%{_target}", &platform));
        let sandbox = Sandbox { upstream, ..self.sandbox(work)? };
        let mut command = sandbox.command("rpmbuild");
        command.args(arguments).args(["--target", &platform]);
        command.arg("--macros").arg(format!("{}:/build/macros", read.join(":")));
        command.arg(what);
        run(&mut command, step, log)?;
        Ok(())
    }

    pub(crate) fn sandbox(&self, work: &Path) -> Result<Sandbox<'_>, BuildError> {
        fs::create_dir_all(work.join("home")).map_err(BuildError::at(work))?;
        let (work, time) = (work.to_owned(), self.time);
        Ok(Sandbox { toolchain: self.toolchain, work, time, budget: self.budget, upstream: None, interactive: false })
    }

    /// A job of the pool, until the value goes.
    fn begin(&self) -> Result<Acquired, BuildError> {
        self.budget.begin().map_err(BuildError::Pool)
    }

    /// Gives a file the time of the sources and plain permission bits.
    fn settle(&self, path: &Path) -> Result<(), BuildError> {
        use std::os::unix::fs::PermissionsExt;
        use std::time::{Duration, UNIX_EPOCH};
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.time).unwrap_or(0));
        let touch = || -> io::Result<()> {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
            fs::File::options().append(true).open(path)?.set_modified(time)
        };
        touch().map_err(BuildError::at(path))
    }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder).map_err(BuildError::at(folder))? {
            let path = entry.map_err(BuildError::at(folder))?.path();
            if path.to_string_lossy().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use packager_recipe::concrete::CargoBuild;
    use packager_source::{Workspace, digest};

    use super::{BuildError, Origin, Purpose};
    use crate::fixture::Fixture;

    /// The key believes the recipe's hash, so what is built under it must have that hash.
    #[test]
    fn an_archive_that_is_not_what_the_key_says_is_refused() {
        let good = tempfile::NamedTempFile::new().expect("a file");
        fs::write(good.path(), "whole").expect("written");
        let fixture = Fixture::new(&digest::file(good.path()).expect("a hash"));
        let job = fixture.job();
        let work = fixture.folder.path().join("work");
        let make = || job.srpm(&job.key().expect("a key"), &work, &work.join("log"), Purpose::Packages);
        fs::write(&fixture.archive, "who").expect("written");
        let error = make().expect_err("it is half");
        assert!(matches!(error, BuildError::Archive { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("archive` is ") && text.contains("hint: "), "{text}");
        // The whole one comes further: there is no sandbox.
        fs::write(&fixture.archive, "whole").expect("written");
        let error = make().expect_err("there is no sandbox");
        assert!(matches!(error, BuildError::Run(_)), "{error}");
    }

    #[test]
    fn crates_depend_on_the_features_that_are_on() {
        let mut fixture = Fixture::new("");
        let root = fixture.folder.path().join("tree");
        fs::create_dir(&root).expect("a folder");
        fs::write(root.join("Cargo.toml"), "[package]\nname = \"a\"\nversion = \"1.0.0\"\n").expect("written");
        fs::write(root.join("Cargo.lock"), "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n").expect("written");
        let include = ["Cargo.toml", "Cargo.lock"].map(str::to_owned);
        let workspace = Workspace::open(&root, &include, Some(0)).expect("a workspace");
        let mut home = |features: &[&str]| {
            fixture.recipe.cargo = Some(CargoBuild {
                rustflags: String::new(),
                rust: String::new(),
                glibc: String::new(),
                packages: Vec::new(),
                features: features.iter().map(|feature| (*feature).to_owned()).collect(),
                manual: Vec::new(),
                completions: Vec::new(),
                lto: Vec::new(),
            });
            let job = super::Job { origin: Origin::Workspace(&workspace), ..fixture.job() };
            job.vendored_home().expect("a key")
        };
        let homes = [home(&[]), home(&["a/one"]), home(&["a/one", "a/two"])];
        assert!(homes[0] != homes[1] && homes[1] != homes[2], "{homes:?}");
        assert_eq!(homes[1], home(&["a/one"]));
    }
}
