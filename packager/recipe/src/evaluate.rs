//! As written -> concrete: every entry becomes an install line, a `%files` line and scriptlet lines.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;

use crate::changelog;
use crate::concrete::{ChangelogEntry, Concrete, Package, SourceFile};
use crate::diagnostic::{Diagnostic, Page, nearest};
use crate::scriptlet;
use crate::sysusers;
use crate::target::Target;
use crate::written::{self, Entry, Recipe};

/// What evaluation needs to know about the world.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Version of the cargo workspace.
    pub version: String,
    /// Text of the changelog.
    pub changelog: String,
    /// Time of the sources in seconds since 1970.
    pub source_time: i64,
    /// Text files beside the recipe, by name.
    pub beside: BTreeMap<String, String>,
}

/// First number of the sources that lie beside the recipe; the ones before are made by the packager.
const FIRST_BESIDE: usize = 10;

/// Evaluates a recipe, or says everything that is wrong with it.
pub fn evaluate(recipe: &Recipe, page: Page<'_>, target: &Target, facts: &Facts) -> Result<Concrete, Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let name = recipe.name.value.clone();
    if !recipe.packages.contains_key(&name) {
        let hint = Some(format!("add `{name}:` below `packages:`"));
        findings.push(page.at(&recipe.name, format!("no package is named `{name}` like the recipe"), hint));
    }
    let mut sources = ["", "-vendor", "-docs"]
        .iter()
        .enumerate()
        .map(|(number, part)| SourceFile {
            number,
            name: format!("{name}-{}{part}.tar.xz", facts.version),
            beside_recipe: false,
        })
        .collect::<Vec<_>>();
    let mut install = Vec::new();
    let mut packages = Vec::new();
    for (package_name, written) in &recipe.packages {
        let mut room =
            Room { recipe, page, facts, sources: &mut sources, install: &mut install, findings: &mut findings };
        packages.push(room.package(package_name, written));
    }
    packages.sort_by_key(|package| (!package.main, package.name.clone()));
    for waiver in &recipe.waivers {
        if let Some(package) = waiver.value.package.as_deref().filter(|package| !recipe.packages.contains_key(*package))
        {
            let hint =
                nearest(package, recipe.packages.keys().map(String::as_str)).map(|near| format!("write `{near}`"));
            findings.push(page.at(waiver, format!("a waiver for an unknown package `{package}`"), hint));
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Concrete {
        version: facts.version.clone(),
        release: recipe.release,
        dist: target.profile.dist.clone(),
        summary: recipe.summary.clone(),
        license: recipe.license.clone(),
        maintainer: recipe.maintainer.clone(),
        vendor: target.profile.vendor.clone(),
        url: recipe.url.clone().unwrap_or_default(),
        description: wrapped(&recipe.description),
        target: target.name.clone(),
        arch: target.arch.name().to_owned(),
        rustflags: rustflags(&name, &facts.version, target),
        rust: recipe.cargo.rust.clone(),
        cargo_packages: recipe.cargo.packages.clone(),
        manual: recipe.cargo.manual.clone(),
        completions: recipe.cargo.completions.clone(),
        sources,
        install,
        packages,
        changelog: changelog_entries(recipe, facts),
        waivers: recipe.waivers.iter().map(|waiver| waiver.value.clone()).collect(),
        name,
    })
}

/// Width at which tools show descriptions without breaking lines themselves.
const DESCRIPTION_CHARS: usize = 78;

/// Prose broken into lines; empty lines part paragraphs.
fn wrapped(prose: &str) -> String {
    let mut paragraphs = Vec::new();
    for paragraph in prose.trim().split("\n\n") {
        let mut lines = vec![String::new()];
        for word in paragraph.split_whitespace() {
            let line = lines.last_mut().expect("begun with one");
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > DESCRIPTION_CHARS {
                lines.push(word.to_owned());
                continue;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        paragraphs.push(lines.join("\n"));
    }
    paragraphs.join("\n\n")
}

/// Flags for rustc. Paths are remapped in panic messages only: debug information keeps them for `find-debuginfo`, which
/// rewrites them to `/usr/src/debug` and collects the sources.
fn rustflags(name: &str, version: &str, target: &Target) -> String {
    format!(
        "-C target-cpu={} -C relro-level=full -C relocation-model=pic -C link-arg=-Wl,--build-id=sha1 --remap-path-scope=macro \
         --remap-path-prefix=%{{_builddir}}/{name}-{version}=/usr/src/debug/{name}-{version} \
         --remap-path-prefix=%{{_builddir}}=/usr/src/debug",
        target.cpu()
    )
}

fn changelog_entries(recipe: &Recipe, facts: &Facts) -> Vec<ChangelogEntry> {
    let today = facts.source_time.div_euclid(86_400);
    changelog::parse(&facts.changelog)
        .into_iter()
        .map(|release| {
            let version = release.version.unwrap_or_else(|| facts.version.clone());
            let number = if version == facts.version { recipe.release } else { 1 };
            // A bare percent sign would begin a macro.
            let items = release.items.into_iter().map(|item| item.replace('%', "%%")).collect();
            ChangelogEntry {
                date: changelog::rpm_date(release.day.unwrap_or(today)),
                evr: format!("{version}-{number}"),
                items,
            }
        })
        .collect()
}

/// Where the pieces of a package are gathered.
struct Room<'r> {
    recipe: &'r Recipe,
    page: Page<'r>,
    facts: &'r Facts,
    sources: &'r mut Vec<SourceFile>,
    install: &'r mut Vec<String>,
    findings: &'r mut Vec<Diagnostic>,
}

impl Room<'_> {
    fn package(&mut self, name: &str, written: &written::Package) -> Package {
        let main = name == self.recipe.name.value;
        let mut package = Package {
            name: name.to_owned(),
            main,
            summary: written.summary.clone(),
            description: wrapped(written.description.as_deref().unwrap_or(&self.recipe.description)),
            requires: Vec::new(),
            requires_pre: Vec::new(),
            pre: Vec::new(),
            post: Vec::new(),
            preun: Vec::new(),
            files: Vec::new(),
            special_modes: Vec::new(),
        };
        for requirement in &written.requires {
            package.requires.push(self.requirement(requirement));
        }
        let mut units = Vec::new();
        for entry in &written.files {
            self.entry(entry, &mut package, &mut units);
        }
        package.post.extend(scriptlet::units_post(&units));
        package.preun.extend(scriptlet::units_preun(&units));
        if !package.pre.is_empty() {
            package
                .requires_pre
                .extend(["/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/bin/getent"].map(str::to_owned));
        }
        package
    }

    fn requirement(&mut self, written: &Spanned<String>) -> String {
        let text = written.value.trim();
        if self.recipe.packages.contains_key(text) {
            return format!("{text}%{{?_isa}} = %{{version}}-%{{release}}");
        }
        let own = self.recipe.packages.keys().map(String::as_str);
        if let Some(near) = nearest(text, own).filter(|_| text.starts_with(self.recipe.name.value.as_str())) {
            let finding =
                self.page.at(written, format!("no package `{text}` in this recipe"), Some(format!("write `{near}`")));
            self.findings.push(finding);
        }
        text.to_owned()
    }

    fn entry(&mut self, spanned: &Spanned<Entry>, package: &mut Package, units: &mut Vec<String>) {
        let entry = &spanned.value;
        match entry {
            Entry { binary: Some(program), .. } => {
                let from = format!("target/%{{cargo_triple}}/release/{program}");
                let to = format!("/usr/bin/{program}");
                self.install(&from, &to, "0755");
                let line = self.listed(spanned, "0755", &to, package);
                package.files.push(line);
                if self.recipe.cargo.manual.contains(program) {
                    let page = format!("/usr/share/man/man8/{program}.8");
                    self.install(&format!("docs/{program}.8"), &page, "0644");
                    package.files.push(format!("{page}*"));
                }
            }
            Entry { completions: Some(programs), .. } => {
                for program in programs {
                    if !self.recipe.cargo.completions.contains(program) {
                        let hint = Some("add it to `cargo: completions:`".to_owned());
                        self.findings.push(self.page.at(
                            spanned,
                            format!("no completions are made for `{program}`"),
                            hint,
                        ));
                    }
                    for (from, to) in completion_files(program) {
                        self.install(&from, &to, "0644");
                        package.files.push(to);
                    }
                }
            }
            Entry { directory: Some(path), .. } => {
                self.install.push(format!("install -d -m 0755 %{{buildroot}}{path}"));
                let line = self.listed(spanned, "0755", path, package);
                package.files.push(format!("%dir {line}"));
            }
            Entry { file: Some(file), to: Some(to), .. } => {
                self.beside(spanned, file, to);
                let line = self.listed(spanned, "0644", to, package);
                package.files.push(if entry.config { format!("%config(noreplace) {line}") } else { line });
            }
            Entry { file: Some(file), to: None, .. } => {
                self.findings.push(self.page.at(
                    spanned,
                    format!("`{file}` goes nowhere"),
                    Some("add `to:`".to_owned()),
                ));
            }
            Entry { unit: Some(unit), .. } => {
                self.at_home(spanned, unit, "/usr/lib/systemd/system", package);
                units.push(unit.clone());
            }
            Entry { sysctl: Some(file), .. } => {
                let to = self.at_home(spanned, file, "/usr/lib/sysctl.d", package);
                package.post.push(scriptlet::sysctl_post(&to));
            }
            Entry { tmpfiles: Some(file), .. } => {
                let to = self.at_home(spanned, file, "/usr/lib/tmpfiles.d", package);
                package.post.push(scriptlet::tmpfiles_post(&to));
            }
            Entry { firewalld: Some(file), .. } => {
                package.files.push("%dir /usr/lib/firewalld".to_owned());
                package.files.push("%dir /usr/lib/firewalld/services".to_owned());
                self.at_home(spanned, file, "/usr/lib/firewalld/services", package);
            }
            Entry { sysusers: Some(file), .. } => {
                self.at_home(spanned, file, "/usr/lib/sysusers.d", package);
                match sysusers::pre_install(self.facts.beside.get(file).map_or("", String::as_str)) {
                    Ok(lines) => package.pre.extend(lines),
                    Err(line) => {
                        let message = format!("`{file}` has a line that `%pre` cannot do: `{line}`");
                        self.findings.push(self.page.at(
                            spanned,
                            message,
                            Some("use lines of kinds g, u and m".to_owned()),
                        ));
                    }
                }
            }
            Entry { licence: Some(path), .. } => package.files.push(format!("%license {path}")),
            Entry { doc: Some(path), .. } => package.files.push(format!("%doc {path}")),
            _ => self.findings.push(
                self.page.at(
                    spanned,
                    "this entry does not say what it is",
                    Some(
                        "begin it with one of `binary`, `file`, `directory`, `unit`, `sysusers`, `licence`, `doc`"
                            .to_owned(),
                    ),
                ),
            ),
        }
    }

    /// A file beside the recipe that goes into the folder of its kind.
    fn at_home(&mut self, spanned: &Spanned<Entry>, file: &str, folder: &str, package: &mut Package) -> String {
        let to = format!("{folder}/{file}");
        self.beside(spanned, file, &to);
        let line = self.listed(spanned, "0644", &to, package);
        package.files.push(line);
        to
    }

    fn beside(&mut self, spanned: &Spanned<Entry>, file: &str, to: &str) {
        if !self.facts.beside.contains_key(file) {
            let near =
                nearest(file, self.facts.beside.keys().map(String::as_str)).map(|near| format!("write `{near}`"));
            self.findings.push(self.page.at(spanned, format!("no file `{file}` beside the recipe, in `files/`"), near));
        }
        let number = match self.sources.iter().find(|source| source.beside_recipe && source.name == file) {
            Some(known) => known.number,
            None => {
                let number = FIRST_BESIDE + self.sources.iter().filter(|source| source.beside_recipe).count();
                self.sources.push(SourceFile { number, name: file.to_owned(), beside_recipe: true });
                number
            }
        };
        self.install(&format!("%{{SOURCE{number}}}"), to, "0644");
    }

    fn install(&mut self, from: &str, to: &str, mode: &str) {
        self.install.push(format!("install -D -p -m {mode} {from} %{{buildroot}}{to}"));
    }

    /// The path with its permission bits and owners.
    fn listed(&mut self, spanned: &Spanned<Entry>, default_mode: &str, path: &str, package: &mut Package) -> String {
        let entry = &spanned.value;
        let mode = entry.mode.as_deref().unwrap_or(default_mode);
        if u32::from_str_radix(mode, 8).is_err() || mode.len() != 4 {
            let hint = Some("write four octal digits in quotes, like `\"0640\"`".to_owned());
            self.findings.push(self.page.at(spanned, format!("`{mode}` are no permission bits"), hint));
        }
        let (user, group) = (entry.user.as_deref().unwrap_or("root"), entry.group.as_deref().unwrap_or("root"));
        if entry.mode.is_some() || user != "root" || group != "root" {
            package.special_modes.push(format!("{path} {mode} {user} {group}"));
        }
        format!("%attr({mode}, {user}, {group}) {path}")
    }
}

fn completion_files(program: &str) -> [(String, String); 3] {
    [
        (format!("docs/{program}.bash"), format!("/usr/share/bash-completion/completions/{program}")),
        (format!("docs/_{program}"), format!("/usr/share/zsh/site-functions/_{program}")),
        (format!("docs/{program}.fish"), format!("/usr/share/fish/vendor_completions.d/{program}.fish")),
    ]
}
