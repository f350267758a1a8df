//! Buildroots other than our sandbox: packages compiled by the tools of the distribution itself (packager/docs/buildroots.md).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packager_recipe::{Arch, Target};
use packager_rpm::Inspected;

use crate::run::{RunError, last_lines, run};
use crate::stages::{BuildError, Job};
use crate::tools::{ToolError, find};

/// Says which system a machine runs.
const OS_RELEASE: &str = "/etc/os-release";

/// What is run in a container. Its arguments: the architecture, the source package, then repositories with build requirements that are off by default.
const IN_CONTAINER: &str = "arch=$1 package=$2; shift 2; enabled=; for name; do enabled=\"$enabled --enablerepo=$name\"; done\n\
    dnf -y install rpm-build 'dnf-command(builddep)'\n\
    if ls /build/linked/*.rpm >/dev/null 2>&1; then dnf -y install $enabled /build/linked/*.rpm; fi\n\
    dnf -y builddep $enabled \"$package\"\n\
    rpmbuild --target \"$arch\" --define '_topdir /build' --rebuild \"$package\"\n";

/// Where a host's own programs are.
const HOST_PATH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";

/// The step in which mock compiles.
const REBUILD: &str = "mock --rebuild";

/// Where packages are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buildroot {
    /// In a sandbox, with our cross compilers.
    #[default]
    Sandbox,
    /// On this machine, which is the target.
    Host,
    /// In a root that mock makes.
    Mock,
    /// In a container of the distribution.
    Podman,
}

impl Buildroot {
    /// As a person writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Buildroot::Sandbox => "sandbox",
            Buildroot::Host => "host",
            Buildroot::Mock => "mock",
            Buildroot::Podman => "podman",
        }
    }

    /// Refuses what cannot be done on this machine, before anything is compiled.
    pub fn possible(self, target: &Target, offline: bool) -> Result<(), BuildrootError> {
        match self {
            Buildroot::Podman if offline => Err(BuildrootError::Offline),
            Buildroot::Sandbox => Ok(()),
            Buildroot::Host => same_system(target),
            Buildroot::Mock | Buildroot::Podman => {
                find(self.name(), "the package of that name").map(drop).map_err(BuildrootError::Tool)
            }
        }
    }
}

/// A buildroot that cannot be had here.
#[derive(Debug, thiserror::Error)]
pub enum BuildrootError {
    /// Its program is missing.
    #[error(transparent)]
    Tool(ToolError),
    /// A container installs what it needs.
    #[error(
        "`--buildroot podman` needs the network\nhint: leave out `--offline`, or use `mock`, which keeps what it fetched"
    )]
    Offline,
    /// The machine is another one.
    #[error(
        "`--buildroot host` builds for this machine, which is {here}; the target is {target}\nhint: leave the option out to cross-compile"
    )]
    OtherSystem {
        /// What this machine is.
        here: String,
        /// What was asked for.
        target: String,
    },
}

/// Whether this machine is the target.
fn same_system(target: &Target) -> Result<(), BuildrootError> {
    let text = fs::read_to_string(OS_RELEASE).unwrap_or_default();
    let system = System::parse(&text);
    if system.is(&target.name, target.arch, std::env::consts::ARCH) {
        return Ok(());
    }
    let here = format!("{} {} on {}", system.id, system.version, std::env::consts::ARCH);
    Err(BuildrootError::OtherSystem { here, target: target.name.clone() })
}

/// What `os-release` says.
struct System {
    id: String,
    version: String,
}

impl System {
    fn parse(text: &str) -> System {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or("unknown").trim_matches(['"', '\'']).to_lowercase()
        };
        System { id: value("ID"), version: value("VERSION_ID") }
    }

    /// Whether `8.10` is meant by `8`.
    fn is(&self, target: &str, arch: Arch, machine: &str) -> bool {
        let rest = target.strip_prefix(&self.id).and_then(|rest| rest.strip_prefix('-'));
        let release = rest.and_then(|rest| rest.strip_suffix(arch.name())?.strip_suffix('-'));
        let same = |release: &str| {
            self.version.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        arch.name() == machine && release.is_some_and(same)
    }
}

/// Each compiles and packages a source package; the binary packages lie below `RPMS` afterwards.
impl Job<'_> {
    pub(crate) fn on_host(&self, work: &Path, srpm: &Path, log: &Path) -> Result<(), BuildError> {
        self.installed(log)?;
        let mut rpmbuild = Command::new("rpmbuild");
        // A person's own flags and macros are no part of the build key.
        rpmbuild.env_clear().env("PATH", HOST_PATH).env("HOME", work.join("home"));
        rpmbuild.env("SOURCE_DATE_EPOCH", self.time.to_string()).env("LC_ALL", "C.UTF-8");
        // The distribution's `%make_build` names its own number of jobs, which would end a jobserver.
        rpmbuild.env("RPM_BUILD_NCPUS", self.budget.jobs().to_string());
        rpmbuild.arg("--define").arg(format!("_topdir {}", work.display())).arg("--rebuild").arg(srpm);
        Ok(run(&mut rpmbuild, "rpmbuild", log)?)
    }

    /// What is linked against must be installed as it was built, not some other package of the same name.
    fn installed(&self, log: &Path) -> Result<(), BuildError> {
        let mut missing = Vec::new();
        for path in self.linked.iter().flat_map(|linked| &linked.packages) {
            let nevra = Inspected::open(path).map_err(|error| BuildError::Package(Box::new(error)))?.nevra();
            match run(Command::new("rpm").arg("-q").arg(nevra), "rpm -q", log) {
                Err(RunError::Failed { .. }) => missing.push(path.clone()),
                other => other?,
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(BuildError::NotInstalled(missing)) }
    }

    pub(crate) fn in_mock(&self, work: &Path, srpm: &Path, log: &Path) -> Result<(), BuildError> {
        let result = work.join("result");
        let mock = || {
            let mut mock = Command::new("mock");
            let configuration = self.target.profile.mock.get(&self.target.arch).unwrap_or(&self.target.name);
            mock.arg("--root").arg(configuration).arg("--resultdir").arg(&result);
            mock.arg("--uniqueext").arg(format!("packager-{}-{}", self.recipe.name, std::process::id()));
            // The second one is rpm 4.14's.
            for name in ["_smp_build_ncpus", "_smp_ncpus_max"] {
                mock.arg("--define").arg(format!("{name} {}", self.budget.jobs()));
            }
            // Also where the distribution calls its own packages after a level of the instruction set.
            mock.arg("--arch").arg(self.target.arch.name());
            if self.offline {
                mock.arg("--offline");
            }
            if self.target.arch.name() != std::env::consts::ARCH {
                mock.arg("--forcearch").arg(self.target.arch.name());
            }
            mock
        };
        let build = || -> Result<(), RunError> {
            run(mock().arg("--init"), "mock --init", log)?;
            let linked: Vec<&PathBuf> = self.linked.iter().flat_map(|linked| &linked.packages).collect();
            if !linked.is_empty() {
                run(mock().arg("--install").args(linked), "mock --install", log)?;
            }
            run(mock().arg("--no-clean").arg("--rebuild").arg(srpm), REBUILD, log)
        };
        let built = build().map_err(|failure| told_by_mock(failure, &result));
        // The root is of no use to anybody afterwards, whatever happened.
        clean_up(mock().arg("--clean"), log);
        built?;
        for entry in fs::read_dir(&result).map_err(BuildError::at(&result))? {
            let path = entry.map_err(BuildError::at(&result))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(arch) = name.strip_suffix(".rpm").and_then(|name| name.rsplit_once('.')).map(|(_, arch)| arch)
            else {
                continue;
            };
            if arch != "src" {
                let folder = work.join("RPMS").join(arch);
                fs::create_dir_all(&folder).map_err(BuildError::at(&folder))?;
                fs::rename(&path, folder.join(&name)).map_err(BuildError::at(&path))?;
            }
        }
        Ok(())
    }

    pub(crate) fn in_container(&self, work: &Path, srpm: &Path, log: &Path) -> Result<(), BuildError> {
        let linked = work.join("linked");
        fs::create_dir_all(&linked).map_err(BuildError::at(&linked))?;
        for package in self.linked.iter().flat_map(|linked| &linked.packages) {
            let to = linked.join(package.file_name().unwrap_or_default());
            fs::copy(package, &to).map_err(BuildError::at(&to))?;
        }
        let platform = match (self.target.arch, self.target.cpu()) {
            (Arch::X86_64, "x86-64-v2") => "linux/amd64/v2",
            (Arch::X86_64, _) => "linux/amd64",
            (Arch::Aarch64, _) => "linux/arm64",
        };
        let name = format!("packager-{}-{}", self.recipe.name, std::process::id());
        let mut podman = Command::new("podman");
        podman.args([
            "run",
            "--rm",
            "--init",
            "--platform",
            platform,
            "--security-opt",
            "label=disable",
            "--name",
            &name,
        ]);
        for (name, value) in
            [("SOURCE_DATE_EPOCH", self.time.to_string()), ("RPM_BUILD_NCPUS", self.budget.jobs().to_string())]
        {
            podman.arg("--env").arg(format!("{name}={value}"));
        }
        podman.arg("--volume").arg(format!("{}:/build", work.display()));
        podman.arg(&self.target.profile.image).args(["sh", "-euc", IN_CONTAINER, "sh", self.target.arch.name()]);
        podman.arg(format!("/build/SRPMS/{}", srpm.file_name().unwrap_or_default().display()));
        podman.args(&self.target.profile.build_repositories);
        let ran = run(&mut podman, "podman run", log);
        if ran.is_err() {
            // A container outlives the program that started it.
            clean_up(Command::new("podman").args(["rm", "--force", "--time", "0", "--ignore", &name]), log);
        }
        Ok(ran?)
    }
}

/// Runs to the end even when the user asked to stop. The log says what went wrong; what was built does not depend on it.
fn clean_up(command: &mut Command, log: &Path) {
    let output = fs::File::options().append(true).create(true).open(log);
    let _told = output
        .and_then(|output| command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).status().map(drop));
}

/// mock says itself what it could not install; what the compiler said is in a file of its own.
fn told_by_mock(failure: RunError, result: &Path) -> RunError {
    let RunError::Failed { step, status, mut tail, log } = failure else { return failure };
    let name = if step == REBUILD { "build.log" } else { "root.log" };
    if let Ok(text) = fs::read_to_string(result.join(name)) {
        // One log holds everything; where it cannot be written the message still has the end.
        let _told = fs::File::options().append(true).open(&log).and_then(|mut log| log.write_all(text.as_bytes()));
        tail = format!("{tail}\n{name}:\n{}", last_lines(&text));
    }
    RunError::Failed { step, status, tail, log }
}

#[cfg(test)]
mod tests {
    use packager_recipe::Arch;

    use super::System;

    #[test]
    fn a_machine_is_the_target_or_not() {
        let alma = System::parse("NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel\"\nVERSION_ID=\"8.10\"\n");
        assert!(alma.is("almalinux-8-x86_64", Arch::X86_64, "x86_64"));
        assert!(!alma.is("almalinux-8-x86_64", Arch::X86_64, "aarch64"));
        assert!(!alma.is("almalinux-8-aarch64", Arch::Aarch64, "x86_64"));
        assert!(!alma.is("almalinux-9-x86_64", Arch::X86_64, "x86_64"));
        let ten = System::parse("ID=almalinux\nVERSION_ID=10.0\n");
        assert!(!ten.is("almalinux-1-x86_64", Arch::X86_64, "x86_64"));
        let euler = System::parse("ID=\"openEuler\"\nVERSION_ID=\"22.03\"\n");
        assert!(euler.is("openeuler-22.03-aarch64", Arch::Aarch64, "aarch64"));
        assert!(!System::parse("").is("almalinux-8-x86_64", Arch::X86_64, "x86_64"));
    }
}
