//! What values may be that end in a spec: rpm reads names, paths and single lines there as they stand, and expands macros everywhere.

use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Page};
use crate::version::is_release;
use crate::written::{Entry, Recipe};

/// What names of packages have beside letters and digits.
const NAME_MARKS: &str = "._+-";

/// What paths have beside letters and digits.
const PATH_MARKS: &str = "/._+-@~^,:=";

/// What patterns of paths have beside that.
const PATTERN_MARKS: &str = "*?[]{}!";

/// What to write for a file that comes with the recipe.
const BESIDE_HINT: &str = "write the name of a file in `files/` beside the recipe";

/// Values of a recipe that would become something else in a spec.
pub(crate) fn unsound(recipe: &Recipe, page: Page<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let name_hint = || Some("use letters, digits and `._+-`, and begin with a letter or digit".to_owned());
    if !is_name(&recipe.name.value) {
        findings.push(page.at(&recipe.name, format!("`{}` is no name of a package", recipe.name.value), name_hint()));
    }
    if let Some(project) = recipe.project.as_ref().filter(|project| !is_name(&project.value)) {
        findings.push(page.at(project, format!("`{}` is no name of a project", project.value), name_hint()));
    }
    for name in recipe.packages.keys().filter(|name| !is_name(name)) {
        findings.push(page.at_key(name, format!("`{name}` is no name of a package"), name_hint()));
    }
    let own = [("summary", &recipe.summary), ("license", &recipe.license), ("maintainer", &recipe.maintainer)];
    for (key, value) in own.into_iter().chain(recipe.url.as_ref().map(|url| ("url", url))) {
        findings.extend(line(page, key, value));
    }
    if !is_person(&recipe.maintainer.value) {
        let hint = Some("write it like `Some Body <somebody@example.org>`".to_owned());
        findings.push(page.at(&recipe.maintainer, "a maintainer has a name and an address", hint));
    }
    if let Some(reason) = &recipe.on_request {
        findings.extend(plain_line(page, "on-request", reason));
    }
    if recipe.release == 0 {
        findings.push(page.at_key("release", "releases are counted from 1", Some("write `release: 1`".to_owned())));
    }
    findings.extend(build_words(recipe, page));
    let patches = recipe.also.iter().flat_map(|also| &also.value.patches).chain(&recipe.patches);
    for patch in patches {
        if !made_of(&patch.value.file, PATH_MARKS) {
            let message = format!("`{}` is no path for this", patch.value.file);
            findings.push(page.at(patch, message, Some(BESIDE_HINT.to_owned())));
        }
        if patch.value.reason.contains(char::is_control) {
            findings.push(page.at(patch, "the reason has more than one line", Some("write one line".to_owned())));
        }
    }
    if let Some(rust) = recipe.cargo.as_ref().map(|cargo| &cargo.rust).filter(|rust| !is_release(&rust.value)) {
        let hint = Some("write the oldest compiler that builds it, like `\"1.85\"`".to_owned());
        findings.push(page.at(rust, format!("`{}` is no version of Rust", rust.value), hint));
    }
    if let Some(macros) = macro_in(&recipe.description) {
        findings.push(page.at_key("description", expanded(macros), Some(UNESCAPED.to_owned())));
    }
    for (name, package) in &recipe.packages {
        findings.extend(package.summary.iter().filter_map(|summary| line(page, "summary", summary)));
        if let Some(macros) = package.description.as_deref().and_then(macro_in) {
            findings.push(page.at_key(name, expanded(macros), Some(UNESCAPED.to_owned())));
        }
        for provided in package.provides.iter().filter(|provided| !is_name(provided)) {
            let message = format!("`{provided}` is no name that a package can provide");
            findings.push(page.at_key(
                name,
                message,
                Some("write a name alone; it gets the package's version".to_owned()),
            ));
        }
        for entry in &package.files {
            findings.extend(paths(page, entry));
        }
    }
    findings
}

/// What makes rpm run something while it reads a spec.
const RUN: [&str; 2] = ["%(", "%{lua:"];

/// Lines of a spec by which whoever reads it would run something. Those of our own templates are not among them.
pub(crate) fn run_while_read<'l>(
    mut lines: impl Iterator<Item = &'l String>,
    recipe: &Recipe,
    page: Page<'_>,
) -> Option<Diagnostic> {
    let run = lines.find_map(|line| RUN.into_iter().find(|run| line.replace("%%", "").contains(run)))?;
    let message = "rpm would run a command while it reads the spec";
    let hint = || Some("write a shell's `$(...)` in a step of the build, or the value itself".to_owned());
    Some(page.at_text(run, message, hint()).unwrap_or_else(|| page.at(&recipe.name, message, hint())))
}

/// What goes into `BuildRequires` and behind `rm`.
fn build_words(recipe: &Recipe, page: Page<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for tool in recipe.tools.iter().filter(|tool| !is_name(&tool.value)) {
        let hint = Some("write the name of a program in `/usr/bin`".to_owned());
        findings.push(page.at(tool, format!("`{}` is no name of a program", tool.value), hint));
    }
    for wanted in recipe.build_requires.iter().filter(|wanted| !is_requirement(wanted)) {
        let hint =
            Some("write one name, like `zlib-devel`, or one with a version, like `zlib-devel >= 1.2`".to_owned());
        findings.push(page.at_key("build-requires", format!("`{wanted}` is no requirement"), hint));
    }
    let marks = format!("{PATH_MARKS}{PATTERN_MARKS}");
    for path in &recipe.discard {
        let inside = !path.split('/').any(|part| part == "..") && path.trim_matches('/').len() > 1;
        if !path.starts_with('/') || !inside || !made_of(path, &marks) {
            let hint = Some("write a path or pattern from the root, like `/usr/lib64/*.a`".to_owned());
            findings.push(page.at_key("discard", format!("`{path}` is no path for this"), hint));
        }
    }
    findings
}

/// `name`, or `name >= version`; names may be those of pkg-config's files and the like.
fn is_requirement(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_capability = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/') && made_of(word, "._+-()/:")
    };
    match words[..] {
        [name] => is_capability(name),
        [name, relation, version] => {
            is_capability(name) && ["<", "<=", "=", ">=", ">"].contains(&relation) && made_of(version, "._+-~^:")
        }
        _ => false,
    }
}

/// Text for people, as rpm must read it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// Whether a text begins with a letter or digit, and has nothing but these and `marks`.
#[must_use]
pub fn is_word(text: &str, marks: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && made_of(text, marks)
}

pub(crate) fn is_name(text: &str) -> bool {
    is_word(text, NAME_MARKS)
}

pub(crate) fn made_of(text: &str, marks: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || marks.contains(letter))
}

/// `Name <address>`.
fn is_person(text: &str) -> bool {
    let address = text.split_once(" <").and_then(|(name, rest)| (!name.trim().is_empty()).then_some(rest));
    address.and_then(|rest| rest.strip_suffix('>')).is_some_and(|address| address.contains('@'))
}

/// A value that must be one line, and text, in a spec.
fn line(page: Page<'_>, key: &str, value: &Spanned<String>) -> Option<Diagnostic> {
    let fault = plain_line(page, key, value);
    fault.or_else(|| {
        macro_in(value.value.trim()).map(|macros| page.at(value, expanded(macros), Some(UNESCAPED.to_owned())))
    })
}

/// A value that must be one line, and text.
pub(crate) fn plain_line(page: Page<'_>, key: &str, value: &Spanned<String>) -> Option<Diagnostic> {
    let text = value.value.trim();
    if text.is_empty() {
        return Some(page.at(value, format!("`{key}` is empty"), Some("write one line".to_owned())));
    }
    if text.contains(char::is_control) {
        let hint = "write one line; longer prose belongs into `description`".to_owned();
        return Some(page.at(value, format!("`{key}` has more than one line"), Some(hint)));
    }
    None
}

const UNESCAPED: &str = "write it without the percent sign";

fn expanded(macros: &str) -> String {
    format!("rpm would expand `{macros}`")
}

/// The beginning of a macro of rpm, when there is one in a text: a percent sign before a blank or another mark is none.
fn macro_in(text: &str) -> Option<&str> {
    text.match_indices('%').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let begins = rest.starts_with(|next: char| next.is_ascii_alphabetic() || "_{([?!*#".contains(next));
        begins.then(|| text[at..].split_whitespace().next().unwrap_or("%"))
    })
}

/// Paths of an entry that are none, or not below the build root.
fn paths(page: Page<'_>, spanned: &Spanned<Entry>) -> Vec<Diagnostic> {
    let Entry {
        binary,
        directory,
        file,
        unit,
        sysctl,
        tmpfiles,
        sysusers,
        firewalld,
        installed,
        built,
        licence,
        doc,
        to,
        ..
    } = &spanned.value;
    let mut findings = Vec::new();
    let mut check = |paths: &[&Option<String>], absolute: bool, patterns: bool, hint: &str| {
        for path in paths.iter().filter_map(|path| path.as_ref()) {
            let marks = if patterns { format!("{PATH_MARKS}{PATTERN_MARKS}") } else { PATH_MARKS.to_owned() };
            let inside = !path.split('/').any(|part| part == "..");
            if path.is_empty() || path.starts_with('/') != absolute || !inside || !made_of(path, &marks) {
                findings.push(page.at(spanned, format!("`{path}` is no path for this"), Some(hint.to_owned())));
            }
        }
    };
    let rooted = "write a path from the root, like `/etc/app.yml`, of letters, digits and `/._+-@~^,:=`";
    check(&[directory, to], true, false, rooted);
    check(&[installed], true, true, "write a path or pattern from the root, like `/usr/lib64/libapp.so.*`");
    check(&[built, licence, doc], false, true, "write a path or pattern in the source tree, like `docs/app.conf`");
    let beside = [file, unit, sysctl, tmpfiles, sysusers, firewalld];
    check(&beside, false, false, BESIDE_HINT);
    check(&[binary], false, false, "write the name of a program");
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = include_str!("../../cli/tests/walk/fixture/specs/demo/recipe.yaml");

    fn found(from: &str, to: &str) -> Vec<String> {
        assert!(RECIPE.contains(from), "the recipe has `{from}`");
        let text = RECIPE.replacen(from, to, 1);
        let page = Page { file: "recipe.yaml", text: &text };
        let recipe = Recipe::parse(page).expect("a readable recipe");
        unsound(&recipe, page).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
    }

    #[test]
    fn values_stay_what_they_are() {
        assert_eq!(found("release: 1", "release: 2"), [] as [&str; 0]);
        assert_eq!(found("summary: A program", "summary: 100% a program, 5 %"), [] as [&str; 0]);
        for good in ["zlib-devel", "zlib-devel >= 1.2.11-3", "pkgconfig(libndctl)", "/usr/bin/x"] {
            assert!(is_requirement(good), "{good}");
        }
        for (from, to, told) in [
            ("name: demo", "name: \"\"", "1: `` is no name of a package"),
            ("rust: \"1.85\"", "rust: \">= 1.85\"", "15: `>= 1.85` is no version of Rust"),
            ("\n  demo:\n", "\n  \"de mo\":\n", "21: `de mo` is no name of a package"),
            ("summary: A", "summary: \"%(touch x) A\" #", "3: rpm would expand `%(touch`"),
            ("license: Apache-2.0", "license: \"MIT\\n%pre\"", "4: `license` has more than one line"),
            ("license: Apache-2.0", "license: \"\"", "4: `license` is empty"),
            (
                "maintainer: Demo packages <packages@demo.invalid>",
                "maintainer: me",
                "5: a maintainer has a name and an address",
            ),
            ("  A package for", "  %files of", "6: rpm would expand `%files`"),
            ("to: /etc/demo.conf", "to: etc/demo.conf", "26: `etc/demo.conf` is no path for this"),
            ("to: /etc/demo.conf", "to: /etc/../demo.conf", "26: `/etc/../demo.conf` is no path for this"),
            ("to: /etc/demo.conf", "to: \"/etc/a b\"", "26: `/etc/a b` is no path for this"),
            ("to: /etc/demo.conf", "to: \"/etc/%{x}\"", "26: `/etc/%{x}` is no path for this"),
            ("- licence: LICENSE", "- licence: /LICENSE", "27: `/LICENSE` is no path for this"),
            ("file: demo.conf", "file: ../demo.conf", "26: `../demo.conf` is no path for this"),
            ("release: 1", "release: 0", "2: releases are counted from 1"),
            ("release: 1", "release: 1\non-request: \"one\\ntwo\"", "3: `on-request` has more than one line"),
            (
                "    files:\n",
                "    provides: [\"a b\"]\n    files:\n",
                "21: `a b` is no name that a package can provide",
            ),
        ] {
            assert_eq!(found(from, to), [told], "{to}");
        }
    }

    #[test]
    fn words_of_the_build_stay_words() {
        let found = |line: &str| -> Vec<String> {
            let text = format!(
                "name: x\nversion: \"1\"\n{line}\nrelease: 1\nsummary: X\nlicense: MIT\nmaintainer: M <m@m.invalid>\ndescription: X\nsource:\n  released: 2026-01-02\n  archives:\n    - url: http://x.invalid/x.tar.gz\n      sha256: {}\nmake: {{}}\npackages: {{ x: {{}} }}\n",
                "0".repeat(64)
            );
            let page = Page { file: "recipe.yaml", text: &text };
            let recipe = Recipe::parse(page).expect("a readable recipe");
            unsound(&recipe, page).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
        };
        for good in ["discard: ['/usr/lib64/*.a', /usr/bin]", "tools: [nasm]"] {
            assert_eq!(found(good), [] as [&str; 0], "{good}");
        }
        for (line, told) in [
            ("tools: [\"../x y\"]", "3: `../x y` is no name of a program"),
            ("build-requires: [a b c]", "3: `a b c` is no requirement"),
            ("build-requires: [\"%(touch x)\"]", "3: `%(touch x)` is no requirement"),
            ("discard: [relative]", "3: `relative` is no path for this"),
            ("discard: [/]", "3: `/` is no path for this"),
            ("discard: [/../../etc]", "3: `/../../etc` is no path for this"),
            ("discard: [\"/usr/bin; touch x\"]", "3: `/usr/bin; touch x` is no path for this"),
        ] {
            assert_eq!(found(line), [told], "{line}");
        }
    }
}
