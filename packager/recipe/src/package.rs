//! Binary packages: every entry of `files:` becomes an install line, a `%files` line and scriptlet lines.

use serde_saphyr::Spanned;

use crate::concrete::{Package, SourceFile};
use crate::diagnostic::{Diagnostic, Page, instead, nearest};
use crate::evaluate::{Facts, wrapped};
use crate::scriptlet;
use crate::sysusers;
use crate::values::escaped;
use crate::written::{self, Cargo, Entry, Recipe};

/// First number of the sources that lie beside the recipe; the ones before are made by the packager.
const FIRST_BESIDE: usize = 10;

/// What `%pre` runs where users are made.
pub const USER_TOOLS: [&str; 3] = ["/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/bin/getent"];

/// Where the pieces of packages come together.
pub(crate) struct Gathering<'r> {
    pub(crate) recipe: &'r Recipe,
    pub(crate) page: Page<'r>,
    pub(crate) facts: &'r Facts,
    pub(crate) sources: &'r mut Vec<SourceFile>,
    pub(crate) install: &'r mut Vec<String>,
    pub(crate) findings: &'r mut Vec<Diagnostic>,
}

impl Gathering<'_> {
    pub(crate) fn package(&mut self, name: &str, written: &written::Package) -> Package {
        let main = name == self.recipe.name.value;
        let mut package = Package {
            name: name.to_owned(),
            main,
            summary: escaped(&written.summary.as_ref().unwrap_or(&self.recipe.summary).value),
            description: wrapped(&escaped(written.description.as_deref().unwrap_or(&self.recipe.description))),
            requires: Vec::new(),
            provides: written.provides.iter().map(|name| format!("{name} = %{{version}}-%{{release}}")).collect(),
            requires_pre: Vec::new(),
            pre: Vec::new(),
            post: Vec::new(),
            preun: Vec::new(),
            postun: Vec::new(),
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
            package.requires_pre.extend(USER_TOOLS.map(str::to_owned));
        }
        package
    }

    fn requirement(&mut self, written: &Spanned<String>) -> String {
        let text = written.value.trim();
        if let Some(library) = text.split_whitespace().find_map(soname) {
            let hint =
                "remove it; for one that is opened while the program runs, name its package, or `(one or another)`"
                    .to_owned();
            let message = format!("`{library}` is a library: rpm finds those of programs by itself");
            self.findings.push(self.page.at(written, message, Some(hint)));
        }
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
        if !self.one_kind(spanned) {
            return;
        }
        match entry {
            Entry { binary: Some(program), .. } => {
                self.known_program(spanned, program);
                let from = format!("target/%{{cargo_triple}}/release/{program}");
                let to = format!("/usr/bin/{program}");
                let mode = mode_of(spanned, "0755");
                self.install(spanned, &from, &to, mode);
                let line = self.listed(spanned, "0755", &to, package);
                package.files.push(line);
                if self.cargo().is_some_and(|cargo| has(&cargo.manual, program)) {
                    let page = format!("/usr/share/man/man8/{program}.8");
                    self.install(spanned, &format!("docs/{program}.8"), &page, "0644");
                    package.files.push(format!("{page}*"));
                }
            }
            Entry { completions: Some(programs), .. } => {
                for program in programs {
                    if !self.cargo().is_some_and(|cargo| has(&cargo.completions, program)) {
                        let hint = Some("add it to `cargo: completions:`".to_owned());
                        self.findings.push(self.page.at(
                            spanned,
                            format!("no completions are made for `{program}`"),
                            hint,
                        ));
                    }
                    for (from, to) in completion_files(program) {
                        self.install(spanned, &from, &to, "0644");
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
            Entry { unit: Some(unit), .. } => {
                self.at_home(spanned, unit, "/usr/lib/systemd/system", package);
                units.push(unit.clone());
            }
            Entry { sysctl: Some(file), .. } => {
                self.at_home(spanned, file, "/usr/lib/sysctl.d", package);
                let lines = self.facts.beside.get(file).map_or("", String::as_str);
                package.post.extend(scriptlet::sysctl_post(lines));
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
                            Some("use lines of kinds g, u and m with plain names, numbers and paths; `m` after the lines of both".to_owned()),
                        ));
                    }
                }
            }
            Entry { installed: Some(path), .. } => {
                let line = if entry.mode.is_some() || entry.user.is_some() || entry.group.is_some() {
                    self.listed(spanned, "0644", path, package)
                } else {
                    path.clone()
                };
                package.files.push(if entry.config { format!("%config(noreplace) {line}") } else { line });
                // What the loader finds by name must be in its cache.
                if path.contains(".so.") && package.postun.is_empty() {
                    package.post.push(scriptlet::LOADER_CACHE.to_owned());
                    package.postun.push(scriptlet::LOADER_CACHE.to_owned());
                }
            }
            Entry { built: Some(pattern), to: Some(folder), .. } => {
                let folder = folder.trim_end_matches('/');
                self.install.push(format!("install -d -m 0755 %{{buildroot}}{folder}"));
                let mode = mode_of(spanned, "0644");
                self.install.push(format!("install -p -m {mode} {pattern} %{{buildroot}}{folder}/"));
                let path = format!("{folder}/{}", pattern.rsplit('/').next().unwrap_or_default());
                let line = self.listed(spanned, "0644", &path, package);
                package.files.push(line);
            }
            Entry { file: Some(thing), to: None, .. } | Entry { built: Some(thing), to: None, .. } => {
                self.findings.push(self.page.at(
                    spanned,
                    format!("`{thing}` goes nowhere"),
                    Some("add `to:`".to_owned()),
                ));
            }
            Entry { licence: Some(path), .. } => package.files.push(format!("%license {path}")),
            Entry { doc: Some(path), .. } => package.files.push(format!("%doc {path}")),
            _ => unreachable!("`one_kind` saw a kind"),
        }
    }

    /// Whether the entry says once what it is, and nothing that its kind has no use for.
    fn one_kind(&mut self, spanned: &Spanned<Entry>) -> bool {
        let kinds = spanned.value.kinds();
        let kind = match kinds.as_slice() {
            [kind] => *kind,
            [] => {
                let hint = format!("begin it with one of {}", listing(&Entry::KINDS));
                self.findings.push(self.page.at(spanned, "this entry does not say what it is", Some(hint)));
                return false;
            }
            several => {
                let message = format!("this entry is {} at once", listing(several));
                self.findings.push(self.page.at(spanned, message, Some("make an entry of each".to_owned())));
                return false;
            }
        };
        for key in spanned.value.useless(kind) {
            let message = format!("`{key}` means nothing for a `{kind}`");
            self.findings.push(self.page.at(spanned, message, Some("remove it".to_owned())));
        }
        true
    }

    fn cargo(&self) -> Option<&Cargo> {
        self.recipe.cargo.as_ref()
    }

    fn known_program(&mut self, spanned: &Spanned<Entry>, program: &str) {
        if !self.facts.programs.contains(program) {
            let known = self.facts.programs.iter().map(String::as_str);
            let hint = instead(program, known);
            let finding = self.page.at(spanned, format!("the source tree has no program `{program}`"), hint);
            self.findings.push(finding);
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
            let near = instead(file, self.facts.beside.keys().map(String::as_str));
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
        let mode = mode_of(spanned, "0644");
        self.install(spanned, &format!("%{{SOURCE{number}}}"), to, mode);
    }

    fn install(&mut self, spanned: &Spanned<Entry>, from: &str, to: &str, mode: &str) {
        let there = format!(" %{{buildroot}}{to}");
        if self.install.iter().any(|line| line.ends_with(&there)) {
            let hint = Some("remove one of the two".to_owned());
            self.findings.push(self.page.at(spanned, format!("another entry installs `{to}` too"), hint));
        }
        self.install.push(format!("install -D -p -m {mode} {from} %{{buildroot}}{to}"));
    }

    /// The path with its permission bits and owners.
    fn listed(&mut self, spanned: &Spanned<Entry>, default_mode: &str, path: &str, package: &mut Package) -> String {
        let entry = &spanned.value;
        let mode = mode_of(spanned, default_mode);
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

/// The permission bits that an entry asks for. Scripts of rpm that look for programs go by those in the build root.
fn mode_of<'e>(entry: &'e Spanned<Entry>, default: &'e str) -> &'e str {
    entry.value.mode.as_deref().unwrap_or(default)
}

/// The name of a shared library, as rpm writes it: `libm.so.6()(64bit)`, when a word of a dependency is one.
fn soname(word: &str) -> Option<&str> {
    let word = word.trim_start_matches('(');
    let ends = |at: usize| word[at + ".so".len()..].is_empty() || word[at + ".so".len()..].starts_with(['.', '(', ')']);
    let is_one = !word.starts_with('/') && word.match_indices(".so").any(|(at, _)| ends(at));
    // The last bracket may be that of a rich dependency.
    is_one.then(|| if word.contains('(') { word } else { word.trim_end_matches(')') })
}

fn completion_files(program: &str) -> [(String, String); 3] {
    [
        (format!("docs/{program}.bash"), format!("/usr/share/bash-completion/completions/{program}")),
        (format!("docs/_{program}"), format!("/usr/share/zsh/site-functions/_{program}")),
        (format!("docs/{program}.fish"), format!("/usr/share/fish/vendor_completions.d/{program}.fish")),
    ]
}

fn has(names: &[Spanned<String>], wanted: &str) -> bool {
    names.iter().any(|name| name.value == wanted)
}

fn listing(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
