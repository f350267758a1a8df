//! The gates: what must hold of a package before it may enter a repository. Each finding says what, where and what to do.

use packager_recipe::target::GlibcVersion;
use packager_recipe::{Arch, Concrete, Target};
use packager_resolve::{CapabilityList, Distribution, UnmetError, met};
use serde::Serialize;

use crate::elf::{self, Facts};
use crate::inspect::{File, Inspected};
use crate::sbom::licence_present;

/// The folder of the sandbox: a path below it in a package is a leak. Debug information keeps only rewritten paths.
const BUILD_FOLDER: &[u8] = b"/build/";

/// setuid and setgid.
const PRIVILEGE_BITS: u16 = 0o6000;

/// Something a gate does not let through.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Finding {
    /// The gate: what a waiver names.
    pub finding: String,
    /// Binary package.
    pub package: String,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Reason of the waiver that accepts it.
    pub waived: Option<String>,
}

/// Runs all gates that look at packages themselves over the packages of one recipe; `all` are the packages that are published
/// together, which may answer their requirements.
#[must_use]
pub fn check<'p>(
    packages: impl IntoIterator<Item = &'p Inspected>,
    all: &'p [Inspected],
    recipe: &Concrete,
    target: &Target,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let distribution = Distribution::new(target);
    let mut ours = CapabilityList::new("our packages");
    for package in all {
        ours.add(&package.name, offered(package));
    }
    for package in packages {
        let mut report = |finding: &str, message: String, hint: &str| {
            findings.push(Finding {
                finding: finding.to_owned(),
                package: package.name.clone(),
                message,
                hint: hint.to_owned(),
                waived: None,
            });
        };
        requirements(package, target, &distribution, &ours, &mut report);
        form(package, target, &mut report);
        permissions(package, recipe, &mut report);
        for file in &package.files {
            leaks(package, file, &mut report);
            if let Some(facts) = elf::facts(&file.content).filter(|_| !package.is_debug()) {
                program(file, &facts, target, &mut report);
            }
        }
        if !package.is_debug() && !licence_present(package, all) {
            report(
                "no-licence",
                "neither it nor a package of ours that it requires holds a licence text".to_owned(),
                "add a `licence:` entry",
            );
        }
    }
    waive(&mut findings, recipe);
    findings
}

/// Marks the findings that the recipe accepts.
pub fn waive(findings: &mut [Finding], recipe: &Concrete) {
    for finding in findings {
        let accepted = recipe.waivers.iter().find(|waiver| {
            waiver.finding == finding.finding
                && waiver.package.as_ref().is_none_or(|package| *package == finding.package)
                && waiver.containing.as_ref().is_none_or(|part| finding.message.contains(part.as_str()))
        });
        finding.waived = accepted.map(|waiver| waiver.reason.clone());
    }
}

/// A package provides its capabilities and the paths of its files.
fn offered(package: &Inspected) -> Vec<String> {
    let paths = package.files.iter().map(|file| file.path.clone());
    package.provides.iter().cloned().chain(paths).collect()
}

type Report<'r> = dyn FnMut(&str, String, &str) + 'r;

fn requirements(
    package: &Inspected,
    target: &Target,
    distribution: &Distribution,
    ours: &CapabilityList,
    report: &mut Report<'_>,
) {
    for text in package.real_requires() {
        if text.starts_with("user(") || text.starts_with("group(") {
            report(
                "user-requires",
                format!("requires `{text}`, which nothing provides before rpm 4.19"),
                "make users in `%pre` and by sysusers.d only",
            );
            continue;
        }
        match met(text, &[ours, distribution]) {
            Ok(_) => {}
            Err(UnmetError::Unreadable(fault)) => report(
                "unresolvable",
                format!("requires `{text}`, which is no dependency: {fault}"),
                "correct `requires:` in the recipe",
            ),
            Err(UnmetError::Missing(missing)) => {
                let parts: Vec<String> = missing.iter().map(ToString::to_string).collect();
                let which = if parts == [text] { String::new() } else { format!(" (`{}`)", parts.join("`, `")) };
                report(
                    "unresolvable",
                    format!("requires `{text}`, which neither {} nor our packages provide{which}", target.name),
                    "remove the dependency; if the distribution has it, run `packager targets sync` or add it to the target's `lock.yaml`",
                );
            }
        }
    }
}

fn form(package: &Inspected, target: &Target, report: &mut Report<'_>) {
    let wanted = target.profile.binary_payload.split('.').nth(1).unwrap_or_default();
    if !wanted.starts_with(&package.payload) {
        report(
            "payload",
            format!("has a payload of kind `{}` instead of `{wanted}`", package.payload),
            "correct `binary-payload:` of the target profile",
        );
    }
    if !package.sha256_files {
        report(
            "digest",
            "does not hash its files with SHA-256".to_owned(),
            "this is a mistake in the packager's macros",
        );
    }
    if package.arch != target.arch.name() && package.arch != "noarch" {
        report("arch", format!("is for `{}`", package.arch), "this is a mistake in the packager");
    }
    if !package.release.ends_with(&target.profile.dist) {
        report(
            "dist",
            format!("has the release `{}` without `{}`", package.release, target.profile.dist),
            "let the template end `Release:` in %{?dist}",
        );
    }
    if !package.source_rpm.ends_with(".src.rpm") {
        report("source-rpm", "names no source package".to_owned(), "this is a mistake in the packager");
    }
}

fn permissions(package: &Inspected, recipe: &Concrete, report: &mut Report<'_>) {
    let declared: Vec<&str> =
        recipe.packages.iter().flat_map(|package| &package.special_modes).map(String::as_str).collect();
    for file in package.files.iter().filter(|file| !file.link) {
        let line = format!("{} {:04o} {} {}", file.path, file.mode & 0o7777, file.user, file.group);
        let plain = file.mode & PRIVILEGE_BITS == 0 && file.user == "root" && file.group == "root";
        if !plain && !declared.contains(&line.as_str()) {
            report(
                "undeclared-mode",
                format!("`{line}` is not declared"),
                "declare mode, user and group in the recipe",
            );
        }
        if file.mode & PRIVILEGE_BITS != 0 || file.capabilities.is_some() {
            report(
                "privileged-file",
                format!("`{line}` runs with privileges of its own"),
                "give the unit the capabilities instead",
            );
        }
        if file.mode & 0o002 != 0 && file.mode & 0o1000 == 0 {
            report("world-writable", format!("`{line}`"), "remove the bit");
        }
    }
}

/// Where an absolute path into the sandbox's folder begins. Other paths may have a folder of that name in their middle.
fn build_folder(content: &[u8]) -> Option<usize> {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let places = content.windows(BUILD_FOLDER.len()).enumerate().filter(|(_, window)| *window == BUILD_FOLDER);
    places.map(|(at, _)| at).find(|at| at.checked_sub(1).is_none_or(|before| !inside(&content[before])))
}

fn leaks(package: &Inspected, file: &File, report: &mut Report<'_>) {
    // Sources may speak of a folder of that name; programs must not.
    if let Some(at) = build_folder(&file.content).filter(|_| !package.is_debug() || elf::facts(&file.content).is_some())
    {
        let end = file.content.len().min(at + 100);
        let shown = String::from_utf8_lossy(&file.content[at..end]);
        let shown = shown.split(['\0', '\n', '"']).next().unwrap_or_default().to_owned();
        report("build-path", format!("`{}` contains `{shown}`", file.path), "remap the path with compiler flags");
    }
}

fn program(file: &File, facts: &Facts, target: &Target, report: &mut Report<'_>) {
    let path = &file.path;
    let machine = match target.arch {
        Arch::X86_64 => object::elf::EM_X86_64.0,
        Arch::Aarch64 => object::elf::EM_AARCH64.0,
    };
    if facts.machine != machine {
        report("machine", format!("`{path}` is a program for another processor"), "build it for the target");
    }
    let floor = target.glibc();
    for need in &facts.needs {
        let version = need.strip_prefix("GLIBC_").and_then(GlibcVersion::parse);
        if version.is_some_and(|version| version > floor) {
            report(
                "glibc-floor",
                format!("`{path}` needs {need}, {} has {floor}", target.name),
                "link against the target's glibc",
            );
        }
    }
    if facts.library_paths {
        report("rpath", format!("`{path}` has an RPATH or RUNPATH"), "link without it");
    }
    if !facts.position_independent {
        report("no-pie", format!("`{path}` is not position independent"), "compile with -C relocation-model=pic");
    }
    if !facts.relro {
        report("no-relro", format!("`{path}` has no RELRO segment"), "link with -z relro");
    }
    if facts.program && !facts.bind_now {
        report("no-bind-now", format!("`{path}` binds symbols lazily"), "link with -z now");
    }
    if facts.executable_stack {
        report(
            "executable-stack",
            format!("`{path}` asks for an executable stack"),
            "mark its assembly with .note.GNU-stack",
        );
    }
    if facts.alignment_min < target.arch.page_bytes_max() {
        let message =
            format!("`{path}` is aligned to {:#x}; kernels with larger pages cannot load it", facts.alignment_min);
        report("page-size", message, "link with -z max-page-size=65536");
    }
}
