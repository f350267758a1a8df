//! What is known of a distribution's packages: `specs/targets/<distribution>-<release>/lock.yaml`, written by hand with the source of each
//! fact, or `lock-<arch>.yaml`, written by `packager targets sync` from the distribution's own repositories, which takes its place.
//!
//! packager/docs/target-locks.md describes the format. The same lock always gives the same text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Page};
use crate::target::Arch;

/// rpm's word for packages of no architecture.
const NOARCH: &str = "noarch";

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// In the order of the file; who comes first is preferred.
    pub known: Vec<Known>,
}

/// What one source says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Known {
    /// Where it is known from.
    pub from: String,
    /// The repository that has the packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Packages that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Locked>,
    /// Names, capabilities and paths that no package of the distribution answers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
}

/// A binary package of the distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// `[epoch:]version[-release]`, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evr: Option<String>,
    /// When only this is known: a version that it is older than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// `noarch`, or the one architecture that has it; the target's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Its source package, when that has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Capabilities beside its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// Paths that somebody asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What must not be there beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// What it takes the place of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obsoletes: Vec<String>,
}

impl Known {
    /// Its packages of an architecture.
    pub fn packages_on(&self, arch: Arch) -> impl Iterator<Item = &Locked> {
        let there =
            move |locked: &&Locked| locked.arch.as_deref().is_none_or(|only| [NOARCH, arch.name()].contains(&only));
        self.packages.iter().filter(there)
    }
}

impl Lock {
    /// Reads a lock.
    pub fn parse(page: Page<'_>) -> Result<Lock, Diagnostic> {
        #[derive(Deserialize)]
        struct Places {
            known: Vec<Place>,
        }
        #[derive(Deserialize)]
        struct Place {
            from: Spanned<String>,
            #[serde(default)]
            packages: Vec<Spanned<Locked>>,
        }
        let lock: Lock = page.read()?;
        let places: Places = page.read()?;
        for place in &places.known {
            if place.from.value.trim().is_empty() {
                let hint = Some("name the document or the repository".to_owned());
                return Err(page.at(&place.from, "a fact without its source", hint));
            }
            for package in &place.packages {
                let Locked { name, evr, below, .. } = &package.value;
                if evr.is_some() && below.is_some() {
                    let hint = Some("remove `below`".to_owned());
                    return Err(page.at(package, format!("`{name}` has both `evr` and `below`"), hint));
                }
            }
        }
        Ok(lock)
    }

    /// The packages of an architecture, each with what is known of its origin.
    pub fn packages(&self, arch: Arch) -> impl Iterator<Item = (&Known, &Locked)> {
        self.known.iter().flat_map(move |known| known.packages_on(arch).map(move |locked| (known, locked)))
    }

    /// Every name, capability and path in it: what a new lock must say something about.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for known in &self.known {
            names.extend(known.absent.iter().cloned());
            for locked in &known.packages {
                names.insert(locked.name.clone());
                names.extend(locked.files.iter().cloned());
                names.extend(locked.provides.iter().filter_map(|text| text.split(' ').next()).map(str::to_owned));
            }
        }
        names
    }

    /// The file's text below a heading, of which every line becomes a comment.
    #[must_use]
    pub fn text(&self, heading: &str) -> String {
        let mut text = heading.lines().map(|line| format!("# {line}\n")).collect::<String>();
        text.push_str("known:\n");
        for known in &self.known {
            let Known { from, repository, packages, absent } = known;
            line(&mut text, "  - ", "from", from);
            if let Some(repository) = repository {
                line(&mut text, "    ", "repository", repository);
            }
            if !packages.is_empty() {
                text.push_str("    packages:\n");
            }
            for locked in packages {
                package(&mut text, locked);
            }
            list(&mut text, "    ", "absent", absent);
        }
        text
    }
}

fn package(text: &mut String, locked: &Locked) {
    let Locked { name, evr, below, arch, source, provides, files, conflicts, obsoletes } = locked;
    line(text, "      - ", "name", name);
    for (key, value) in [("evr", evr), ("below", below), ("arch", arch), ("source", source)] {
        if let Some(value) = value {
            line(text, "        ", key, value);
        }
    }
    for (key, values) in [("provides", provides), ("files", files), ("conflicts", conflicts), ("obsoletes", obsoletes)]
    {
        list(text, "        ", key, values);
    }
}

fn line(text: &mut String, before: &str, key: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{before}{key}: {}", scalar(value));
}

fn list(text: &mut String, before: &str, key: &str, values: &[String]) {
    if values.is_empty() {
        return;
    }
    let _ = writeln!(text, "{before}{key}:");
    for value in values {
        let _ = writeln!(text, "{before}  - {}", scalar(value));
    }
}

/// A value as YAML reads it back as this text: as it is, or in double quotes.
fn scalar(value: &str) -> String {
    let first = value.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-()=<>, ".contains(c);
    let word = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(&value.to_lowercase().as_str());
    if first && !word && !value.ends_with(' ') && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Known, Lock, Locked};
    use crate::diagnostic::Page;
    use crate::target::Arch;

    fn read(text: &str) -> Result<Lock, String> {
        Lock::parse(Page { file: "lock.yaml", text }).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let package = Locked {
            name: "libibverbs".to_owned(),
            evr: Some("35.1-3.oe2203".to_owned()),
            source: Some("rdma-core".to_owned()),
            provides: vec!["libibverbs.so.1(IBVERBS_1.1)(64bit)".to_owned(), "config(x) = 1:2-3".to_owned()],
            files: vec!["/usr/bin/ibv_devices".to_owned()],
            ..Locked::default()
        };
        let known = |packages, absent| Known {
            from: "repodata".to_owned(),
            repository: Some("OS".to_owned()),
            packages,
            absent,
        };
        let lock = Lock { known: vec![known(vec![package], vec![]), known(vec![], vec!["ucx".to_owned()])] };
        let text = lock.text("Two\nlines");
        assert!(text.starts_with("# Two\n# lines\nknown:\n  - from: repodata\n    repository: OS\n"), "{text}");
        assert_eq!(read(&text).expect("our own text"), lock);
        assert_eq!(read(&text).expect("again").text("Two\nlines"), text);
    }

    proptest! {
        #[test]
        fn any_text_survives(name in "\\PC{1,20}", evr in "[0-9a-z:~^.-]{1,12}", absent in "[ -~]{0,12}", from in "[a-z]\\PC{0,9}") {
            let package = Locked { name, evr: Some(evr), ..Locked::default() };
            let known = Known { from, repository: None, packages: vec![package], absent: vec![absent] };
            let lock = Lock { known: vec![known] };
            prop_assert_eq!(read(&lock.text("")).expect("our own text"), lock);
        }
    }

    #[test]
    fn an_architecture_has_its_own_packages_only() {
        let lock = read(
            "known:\n  - from: a list\n    packages:\n      - { name: a }\n      - { name: b, arch: x86_64 }\n      - { name: c, arch: noarch }\n",
        )
        .expect("a lock");
        let names = |arch| lock.packages(arch).map(|(_, locked)| locked.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(Arch::Aarch64), names(Arch::X86_64)),
            (vec!["a".into(), "c".into()], vec!["a".into(), "b".into(), "c".into()])
        );
    }

    #[test]
    fn mistakes_have_their_place() {
        let fault = read("known:\n  - from: ''\n").expect_err("no source");
        assert!(fault.contains("lock.yaml:2:11: a fact without its source"), "{fault}");
        let fault =
            read("known:\n  - from: x\n    packages:\n      - { name: a, evr: 1-1, below: '2' }\n").expect_err("two");
        assert!(fault.contains("lock.yaml:4:9: `a` has both `evr` and `below`"), "{fault}");
        let fault = read("known:\n  - from: x\n    pakages: []\n").expect_err("misspelt");
        assert!(fault.contains("unknown key `pakages`") && fault.contains("write `packages`"), "{fault}");
    }
}
