//! `specs/groups.yaml`: which packages belong together. `packager/docs/groups-and-advisories.md` describes it. Every package must be a recipe's;
//! which of them a repository has is not known here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Page, among, instead};
use crate::values::{is_name, plain_line};

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Packages that belong together.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Kinds of hosts.
    #[serde(default)]
    pub environments: Vec<Environment>,
}

/// Packages that belong together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What dnf calls it.
    pub id: Spanned<String>,
    /// One line for people.
    pub name: Spanned<String>,
    /// Prose.
    pub description: String,
    /// Chosen without being asked for.
    #[serde(default)]
    pub default: bool,
    /// Shown to people.
    #[serde(default = "shown")]
    pub uservisible: bool,
    /// Its packages.
    pub packages: Spanned<Members>,
}

/// Packages of a group by when they are installed with it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Always.
    #[serde(default)]
    pub mandatory: Vec<Spanned<String>>,
    /// Unless the host's settings leave such packages out.
    #[serde(default)]
    pub default: Vec<Spanned<String>>,
    /// When they are asked for.
    #[serde(default)]
    pub optional: Vec<Spanned<String>>,
    /// By name, if the package behind it is installed.
    #[serde(default)]
    pub conditional: BTreeMap<String, Spanned<String>>,
}

/// A kind of host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// What dnf calls it.
    pub id: Spanned<String>,
    /// One line for people.
    pub name: Spanned<String>,
    /// Prose.
    pub description: String,
    /// Ids of groups that always belong to it.
    pub groups: Spanned<Vec<Spanned<String>>>,
    /// Ids of groups that can be chosen with it.
    #[serde(default)]
    pub options: Vec<Spanned<String>>,
}

fn shown() -> bool {
    true
}

impl Groups {
    /// Reads the file. `known` are the packages of all recipes.
    pub fn parse(page: Page<'_>, known: &BTreeSet<&str>) -> Result<Groups, Vec<Diagnostic>> {
        let read: Groups = page.read().map_err(|error| vec![error])?;
        let mut findings = Vec::new();
        let mut ids = BTreeSet::new();
        for group in &read.groups {
            head(page, "group", &group.id, &group.name, &mut ids, &mut findings);
            members(page, &group.packages, known, &mut findings);
        }
        let groups: BTreeSet<&str> = read.groups.iter().map(|group| group.id.value.as_str()).collect();
        for environment in &read.environments {
            let Environment { id, name, description: _, groups: own, options } = environment;
            head(page, "environment", id, name, &mut ids, &mut findings);
            if own.value.is_empty() {
                let message = format!("the environment `{}` has no group", id.value);
                findings.push(page.at(own, message, Some("name at least one that always belongs to it".to_owned())));
            }
            let mut seen = BTreeSet::new();
            for id in own.value.iter().chain(options) {
                if !groups.contains(id.value.as_str()) {
                    let hint = among(&id.value, groups.iter().copied());
                    findings.push(page.at(id, format!("there is no group `{}`", id.value), Some(hint)));
                } else if !seen.insert(&id.value) {
                    findings.push(page.at(id, format!("the group `{}` is here twice", id.value), remove()));
                }
            }
        }
        if findings.is_empty() { Ok(read) } else { Err(findings) }
    }
}

fn remove() -> Option<String> {
    Some("remove one of the two".to_owned())
}

/// What groups and environments have in common. dnf asks for both by id, so no two may have the same.
fn head<'r>(
    page: Page<'_>,
    what: &str,
    id: &'r Spanned<String>,
    name: &Spanned<String>,
    ids: &mut BTreeSet<&'r str>,
    findings: &mut Vec<Diagnostic>,
) {
    if !is_name(&id.value) {
        let hint = Some("use letters, digits and `._+-`, and begin with a letter or digit".to_owned());
        findings.push(page.at(id, format!("`{}` is no id of a {what}", id.value), hint));
    } else if !ids.insert(&id.value) {
        let hint = Some("give one of the two another id".to_owned());
        findings.push(page.at(id, format!("the id `{}` is here twice", id.value), hint));
    }
    findings.extend(plain_line(page, "name", name));
}

fn members(page: Page<'_>, spanned: &Spanned<Members>, known: &BTreeSet<&str>, findings: &mut Vec<Diagnostic>) {
    let Members { mandatory, default, optional, conditional } = &spanned.value;
    let mut seen = BTreeSet::new();
    for package in mandatory.iter().chain(default).chain(optional) {
        let name = package.value.as_str();
        if !known.contains(name) {
            findings.push(page.at(package, format!("no recipe has a package `{name}`"), known_hint(name, known)));
        } else if !seen.insert(name) {
            findings.push(page.at(package, format!("the package `{name}` is in this group twice"), remove()));
        }
    }
    for (name, condition) in conditional {
        if !known.contains(name.as_str()) {
            findings.push(page.at(condition, format!("no recipe has a package `{name}`"), known_hint(name, known)));
        } else if !seen.insert(name) {
            findings.push(page.at(condition, format!("the package `{name}` is in this group twice"), remove()));
        }
        if !is_name(&condition.value) {
            let message = format!("`{}` is no name of a package", condition.value);
            let hint = "name the package whose installation brings this one along".to_owned();
            findings.push(page.at(condition, message, Some(hint)));
        }
    }
    if seen.is_empty() && mandatory.len() + default.len() + optional.len() + conditional.len() == 0 {
        let hint = Some("name packages below `mandatory`, `default`, `optional` or `conditional`".to_owned());
        findings.push(page.at(spanned, "a group without packages", hint));
    }
}

/// What to write for a package that no recipe has.
pub(crate) fn known_hint(name: &str, known: &BTreeSet<&str>) -> Option<String> {
    let near = instead(name, known.iter().copied());
    near.or_else(|| Some("name a package of a recipe in `specs/`".to_owned()))
}
