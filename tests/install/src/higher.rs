//! A repository with the next release beside the produced one (how, and why without a compiler: the crate's header).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use packager_build::sandbox::Sandbox;
use packager_build::{Budget, Toolchain, macros};
use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Target, TargetName};
use packager_rpm::{Inspected, elf};
use system_suite::Outcome;

use crate::host;
use crate::repository::{self, Repository};

/// Added to the default configuration of release 2, so that rpm's rules for changed configuration show.
pub(crate) const NEW_DEFAULT: &str = "\n# New in release 2: nothing but this line.\n";

/// Where cargo would have put the programs; `%{cargo_triple}` stands in the macros.
const STAND_IN: &str = "#!/bin/sh\n# Stands in for cargo: the programs are those of release 1.\nset -e\n\
    to=target/TRIPLE/release\nmkdir -p $to\ncp /build/programs/* $to/\n";

impl Repository {
    /// Makes it in `folder`.
    #[must_use]
    pub fn with_higher_release(&self, folder: &Path) -> Repository {
        let target = target(&self.target);
        let work = folder.join("work");
        unpack(&self.source_package(), &work);
        stand_in(self, &target, &work);
        rpmbuild(&target, &work);
        let mut packages = self.packages();
        for arch in [target.arch.name(), "noarch"] {
            let made = fs::read_dir(work.join("RPMS").join(arch)).into_iter().flatten().flatten();
            packages.extend(made.map(|entry| entry.path()));
        }
        let expected = self.packages().len() + self.stack().len();
        assert_eq!(packages.len(), expected, "release 2 has the stack's packages of release 1: {packages:?}");
        repository::publish(&self.target, self.id(), &packages, self.repo_file(), &folder.join("repository"))
    }
}

fn target(name: &str) -> Target {
    let parsed = TargetName::parse(name).expect("a target's name");
    let file = format!("specs/targets/{}/target.yaml", parsed.system);
    let text = fs::read_to_string(host::workspace().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let profile = Profile::parse(Page { file: &file, text: &text }).unwrap_or_else(|error| panic!("{error}"));
    Target::new(&parsed, profile).expect("the profile has the architecture")
}

/// Spec and sources, the spec with a higher release, the server's configuration with one more line.
fn unpack(source_package: &Path, work: &Path) {
    for part in ["SOURCES", "SPECS", "BUILD", "RPMS", "SRPMS", "home", "programs"] {
        fs::create_dir_all(work.join(part)).expect("a folder of the test");
    }
    let package = Inspected::open(source_package).unwrap_or_else(|error| panic!("{error}"));
    for file in &package.files {
        let name = Path::new(&file.path).file_name().expect("a file has a name").to_string_lossy().into_owned();
        if name.ends_with(".spec") {
            let spec = String::from_utf8(file.content.clone()).expect("a spec is text");
            fs::write(work.join("SPECS/daos.spec"), raised(&spec)).expect("a file of the test");
            continue;
        }
        let mut content = file.content.clone();
        if name == "daos_server.yml" {
            content.extend_from_slice(NEW_DEFAULT.as_bytes());
        }
        fs::write(work.join("SOURCES").join(name), content).expect("a file of the test");
    }
}

fn raised(spec: &str) -> String {
    let line = spec.lines().find(|line| line.starts_with("Release:")).expect("a spec has a release");
    let (head, rest) = line.split_once('%').expect("the release ends in the dist tag");
    let number: u32 = head.trim_start_matches("Release:").trim().parse().expect("the release is a number");
    spec.replace(line, &format!("Release:        {}%{rest}", number + 1))
}

fn stand_in(repository: &Repository, target: &Target, work: &Path) {
    let mut programs = 0;
    for package in repository.stack() {
        let package = Inspected::open(&package).unwrap_or_else(|error| panic!("{error}"));
        for file in package.files.iter().filter(|file| file.path.starts_with("/usr/bin/")) {
            assert!(elf::facts(&file.content).is_some(), "{} is a program", file.path);
            let to = work.join("programs").join(Path::new(&file.path).file_name().expect("a file has a name"));
            write_program(&to, &file.content);
            programs += 1;
        }
    }
    assert!(programs > 0, "release 1 has programs");
    let script = STAND_IN.replace("TRIPLE", &packager_build::tools::triple(target.arch));
    write_program(&work.join("stand-in"), script.as_bytes());
    let mut text: String = macros::for_target(target)
        .lines()
        .filter(|line| !line.starts_with("%_enable_debug_packages") && !line.starts_with("%_debug"))
        .map(|line| format!("{line}\n"))
        .collect();
    text.push_str("%debug_package %{nil}\n%packager_cargo /build/stand-in\n");
    fs::write(work.join("macros"), text).expect("a file of the test");
}

fn write_program(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("a file of the test");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of the test");
}

fn rpmbuild(target: &Target, work: &Path) {
    let home = host::cache().join("toolchain");
    let toolchain = Toolchain::find(target.arch, &home).unwrap_or_else(|error| panic!("{error}"));
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let budget = Budget::new(jobs).expect("a pool of jobs");
    let platform = format!("{}-linux", target.arch.name());
    let read: Vec<String> = macros::BASE.map(|path| path.replace("%{_target}", &platform)).into();
    let sandbox = Sandbox {
        toolchain: &toolchain,
        work: PathBuf::from(work),
        time: 0,
        budget: &budget,
        upstream: None,
        interactive: false,
    };
    let mut command = sandbox.command("rpmbuild");
    command.args(["-bb", "--nodeps", "--target", &platform, "--macros", &format!("{}:/build/macros", read.join(":"))]);
    let built = Outcome::of(command.arg("/build/SPECS/daos.spec"));
    assert_eq!(built.code, 0, "rpmbuild of release 2 failed\n{}\n{}", built.stdout, built.stderr);
}
