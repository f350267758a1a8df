//! The command line as clap sees it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// From recipes to signed, reproducible, installable RPM repositories.
#[derive(Debug, Parser)]
#[command(name = "packager", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Folder with `specs/` and `templates/`; found from the current folder upwards when absent
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Folder for toolchains, caches, logs and finished builds
    #[arg(long, global = true, env = "PACKAGER_STATE", value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Folder that `fetch --mirror-to` filled: archives and crates are taken from there before anywhere else
    #[arg(long, global = true, env = "PACKAGER_MIRROR", value_name = "DIR")]
    pub(crate) mirror: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    OfProject(OfProject),
    /// Sign packages
    Sign(SignOptions),
    /// Check signatures of packages and of repository metadata
    Verify(VerifyOptions),
    /// Make signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Compare two versions as rpm does: prints `<`, `=` or `>`
    Evr {
        /// `[epoch:]version[-release]`
        left: String,
        /// `[epoch:]version[-release]`
        right: String,
    },
    /// Say what installing, updating or removing packages would do, as dnf would do it, or why it cannot be done
    Resolve(ResolveOptions),
    /// Make and change the metadata of repositories
    #[command(subcommand)]
    Repo(crate::repo::arguments::RepoCommand),
    /// Print a completion script
    Completion {
        /// For this shell
        shell: Shell,
    },
    /// Write manual pages into a folder
    #[command(hide = true)]
    Manpage {
        /// The folder
        folder: PathBuf,
    },
}

/// What reads `specs/` and `templates/`.
#[derive(Debug, Subcommand)]
pub(crate) enum OfProject {
    /// Look at the target profiles
    #[command(subcommand)]
    Targets(TargetsCommand),
    /// Show what would be built, in which order, and why
    Plan(PlanOptions),
    /// Print the spec of a recipe for a target
    Spec(Which),
    /// Make self-contained source packages
    Srpm(SrpmOptions),
    /// Fetch everything that builds would fetch, and copy it for a site without a network
    Fetch(FetchOptions),
    /// Compare every copy of every upstream archive with the recipes
    Lock(LockOptions),
    /// Build packages and publish a signed repository
    Build(BuildOptions),
    /// Build again and compare with the first build
    Rebuild(RebuildOptions),
    /// Open a shell in the sandbox of a build: as the last one left it when it failed, else with the sources unpacked
    Shell(ShellOptions),
    /// Run the gates over packages
    Check(CheckOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetsCommand {
    /// List all targets
    List,
    /// Show one profile
    Show {
        /// `<distribution>-<release>-<arch>`
        target: String,
    },
    /// Lock what the distribution's own repositories offer, as far as recipes ask for it
    Sync(SyncOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SyncOptions {
    /// `<distribution>-<release>-<arch>`
    pub(crate) target: String,
    /// A repository of the distribution: a folder with `repodata/`, or the address of one; all of them, the preferred one first
    #[arg(long, value_name = "[NAME=]DIR|URL", required = true)]
    pub(crate) repo: Vec<String>,
    /// Armored OpenPGP public key that signed the repositories' metadata; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
    /// Lock packages as absent that the target's lock.yaml knows and none of these repositories has
    #[arg(long)]
    pub(crate) allow_absent: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an RSA-4096 key pair
    New(NewKeyOptions),
}

/// A target and packages.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// `<distribution>-<release>-<arch>`
    #[arg(long)]
    pub(crate) target: String,
    /// Packages, recipes, or what their makers call them; when none is named, all that are not built on request only
    #[arg(value_name = "PKG")]
    pub(crate) packages: Vec<String>,
    #[command(flatten)]
    pub(crate) sources: GivenSources,
}

#[derive(Debug, Args, Default)]
pub(crate) struct AskedVersions {
    /// Another version of a recipe than its own, of those it lists under `also`
    #[arg(long = "use", value_name = "RECIPE=VERSION")]
    pub(crate) versions: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GivenSources {
    #[command(flatten)]
    pub(crate) asked: AskedVersions,
    /// Sources of a recipe in place of those it locks: a folder, an archive, or the address of one
    #[arg(long, value_name = "RECIPE=PATH|URL")]
    pub(crate) source: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Say in sentences why this package is built or taken from the distribution, who needs it, and what it needs
    #[arg(long, value_name = "PKG")]
    pub(crate) explain: Option<String>,
    /// For people, for programs, for Graphviz, or as a drawing
    #[arg(long, value_enum, default_value = "tree", conflicts_with = "explain")]
    pub(crate) format: PlanFormat,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Text
    Tree,
    /// The same as `--json`
    Json,
    /// Graphviz
    Dot,
    /// A drawing, one column per wave
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct SrpmOptions {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where the source packages go
    #[arg(long, value_name = "DIR", default_value = "dist/source")]
    pub(crate) out: PathBuf,
    /// Never use the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Parallel compiler jobs; one per processor when absent
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// See packager/docs/buildroots.md.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum BuildrootKind {
    /// Our sandbox with cross compilers at the target's glibc; the only reproducible one
    #[default]
    Sandbox,
    /// This machine, which must be the target, with the compilers that are installed
    Host,
    /// A root with the distribution's compilers, made by mock
    Mock,
    /// The distribution's container image
    Podman,
}

impl From<BuildrootKind> for packager_build::Buildroot {
    fn from(kind: BuildrootKind) -> packager_build::Buildroot {
        match kind {
            BuildrootKind::Sandbox => packager_build::Buildroot::Sandbox,
            BuildrootKind::Host => packager_build::Buildroot::Host,
            BuildrootKind::Mock => packager_build::Buildroot::Mock,
            BuildrootKind::Podman => packager_build::Buildroot::Podman,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BuildOptions {
    /// `<distribution>-<release>-<arch>`; may be given several times
    #[arg(long, required_unless_present = "all_targets")]
    pub(crate) target: Vec<String>,
    /// Every target there is
    #[arg(long, conflicts_with = "target")]
    pub(crate) all_targets: bool,
    /// Packages, recipes, or what their makers call them; when none is named, all that are not built on request only
    #[arg(value_name = "PKG")]
    pub(crate) packages: Vec<String>,
    #[command(flatten)]
    pub(crate) sources: GivenSources,
    /// Jobs of all recipes and their compilers together; one per processor when absent
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Where packages are compiled
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    pub(crate) buildroot: BuildrootKind,
    /// Build everything that does not need what failed
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Never use the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Where repositories go, one folder per target
    #[arg(long, value_name = "DIR", default_value = "dist")]
    pub(crate) out: PathBuf,
    /// Armored OpenPGP secret key; a development key is made once when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// Address under which the repository will be served; its local path when absent
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Let hosts read the metadata through a mirror list below that address: they never see two publications at once
    #[arg(long, requires = "base_url")]
    pub(crate) mirror_list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FetchOptions {
    /// `<distribution>-<release>-<arch>`; may be given several times; all when absent
    #[arg(long)]
    pub(crate) target: Vec<String>,
    /// Packages, recipes, or what their makers call them; all when none is named
    #[arg(value_name = "PKG")]
    pub(crate) packages: Vec<String>,
    #[command(flatten)]
    pub(crate) asked: AskedVersions,
    /// Copy it into this folder, which `--mirror` reads
    #[arg(long, value_name = "DIR")]
    pub(crate) mirror_to: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["verify", "update"]))]
pub(crate) struct LockOptions {
    /// Fail when a copy differs, or when no copy of an archive can be had
    #[arg(long)]
    pub(crate) verify: bool,
    /// Write the hashes of the copies that differ into the recipes
    #[arg(long)]
    pub(crate) update: bool,
    /// Recipes; all when none is named
    #[arg(value_name = "RECIPE")]
    pub(crate) recipes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShellOptions {
    /// `<distribution>-<release>-<arch>`
    #[arg(long)]
    pub(crate) target: String,
    /// Package, recipe, or what its makers call it
    #[arg(value_name = "PKG")]
    pub(crate) package: String,
    #[command(flatten)]
    pub(crate) sources: GivenSources,
    /// Run this and leave with its status: one word is a script for bash, several are a program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Never use the network
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildOptions {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Fail unless every package is byte for byte the same
    #[arg(long)]
    pub(crate) check: bool,
    /// Never use the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Parallel compiler jobs; one per processor when absent
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// `<distribution>-<release>-<arch>`
    #[arg(long, required_unless_present_any = ["list", "explain"])]
    pub(crate) target: Option<String>,
    /// List the gates
    #[arg(long, conflicts_with_all = ["packages", "previous"])]
    pub(crate) list: bool,
    /// Say what a gate looks for, why, and how to mend what it finds
    #[arg(long, value_name = "GATE", conflicts_with_all = ["list", "packages", "previous"])]
    pub(crate) explain: Option<String>,
    /// Repository with the packages that these replace: interfaces of libraries are compared
    #[arg(long, value_name = "DIR")]
    pub(crate) previous: Option<PathBuf>,
    /// Package files
    #[arg(required_unless_present_any = ["list", "explain"], value_name = "RPM")]
    pub(crate) packages: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SignOptions {
    /// Armored OpenPGP secret key; the development key when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// Package files, signed in place
    #[arg(required = true, value_name = "RPM")]
    pub(crate) packages: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// Armored OpenPGP public key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Refuse repositories without provenance
    #[arg(long)]
    pub(crate) require_provenance: bool,
    /// Package files, or folders of repositories
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("goals").required(true).multiple(true).args(["install", "update", "erase"]))]
pub(crate) struct ResolveOptions {
    /// Installed packages and repositories as JSON; packager/docs/resolver.md describes it
    #[arg(long, value_name = "FILE", required_unless_present = "repo")]
    pub(crate) universe: Option<PathBuf>,
    /// A repository: a folder with `repodata/`, or the address of one; may be given several times
    #[arg(long, value_name = "NAME=DIR|URL")]
    pub(crate) repo: Vec<String>,
    /// What is installed: the packages of the repository in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) installed: Option<String>,
    /// Packages or capabilities that are to be there: `name`, `name >= 2`, `name-1-1.x86_64`, `/usr/bin/sh`, `(a or b)`
    #[arg(long, value_name = "CAP", num_args = 1..)]
    pub(crate) install: Vec<String>,
    /// Packages that are to be as new as possible; everything installed when none is named
    #[arg(long, value_name = "CAP", num_args = 0..)]
    pub(crate) update: Option<Vec<String>>,
    /// Packages that are to go
    #[arg(long, value_name = "CAP", num_args = 1..)]
    pub(crate) erase: Vec<String>,
    /// Remove installed packages that stand in the way
    #[arg(long)]
    pub(crate) allow_erasing: bool,
    /// Leave out what is only recommended
    #[arg(long)]
    pub(crate) no_weak: bool,
    /// Architecture of the machine; the one of the file, or this machine's, when absent
    #[arg(long, value_name = "ARCH")]
    pub(crate) arch: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NewKeyOptions {
    /// Name of the files
    pub(crate) name: String,
    /// `Name <address>` in the key; made from the name when absent
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Where the files go; the packager's key folder when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
