//! `specs/security.yaml`: what was dangerous in packages, and which version mends it. `packager/docs/groups-and-advisories.md` describes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::changelog::{civil, parse_day};
use crate::diagnostic::{Diagnostic, Page};
use crate::groups::known_hint;
use crate::values::{is_name, plain_line};
use crate::version::is_version;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// In the order of the file.
    #[serde(default)]
    pub advisories: Vec<Notice>,
}

/// A danger that a version ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What it is asked for by.
    pub id: Spanned<String>,
    /// `YYYY-MM-DD`.
    pub date: Spanned<String>,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub summary: Spanned<String>,
    /// Prose; the summary when absent.
    pub description: Option<String>,
    /// Numbers of the common list of vulnerabilities.
    #[serde(default)]
    pub cves: Vec<Spanned<String>>,
    /// Packages of one recipe.
    pub packages: Spanned<Vec<Spanned<String>>>,
    /// The version that has the fix, or version and release without the dist tag.
    pub fixed: Spanned<String>,
    /// Addresses where more is said.
    #[serde(default)]
    pub references: Vec<Spanned<String>>,
}

/// The words that dnf and distributions use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Severity {
    /// Anybody can take a host over.
    Critical,
    /// Data or service can be lost.
    Important,
    /// Only in unusual settings.
    Moderate,
    /// Hardly of use to anybody.
    Low,
}

impl Severity {
    /// As metadata has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Critical => "Critical",
            Severity::Important => "Important",
            Severity::Moderate => "Moderate",
            Severity::Low => "Low",
        }
    }
}

impl Notice {
    /// The version that has the fix, and the number before the dist tag, 1 when none is named.
    #[must_use]
    pub fn fixed(&self) -> (&str, u32) {
        version_and_release(&self.fixed.value).unwrap_or((&self.fixed.value, 1))
    }
}

fn version_and_release(text: &str) -> Option<(&str, u32)> {
    let (version, release) = match text.split_once('-') {
        Some((version, release)) => (version, release.parse().ok()?),
        None => (text, 1),
    };
    is_version(version).then_some((version, release))
}

impl Security {
    /// Reads the file. `known` has the recipe of every package.
    pub fn parse(page: Page<'_>, known: &BTreeMap<&str, &str>) -> Result<Security, Vec<Diagnostic>> {
        let read: Security = page.read().map_err(|error| vec![error])?;
        let mut findings = Vec::new();
        let mut ids = BTreeSet::new();
        for notice in &read.advisories {
            if !ids.insert(notice.id.value.as_str()) {
                let hint = Some("give each its own: hosts remember what they have seen by it".to_owned());
                findings.push(page.at(&notice.id, format!("the id `{}` is here twice", notice.id.value), hint));
            }
            values(page, notice, &mut findings);
            packages(page, notice, known, &mut findings);
        }
        if findings.is_empty() { Ok(read) } else { Err(findings) }
    }
}

fn values(page: Page<'_>, notice: &Notice, findings: &mut Vec<Diagnostic>) {
    let Notice { id, date, summary, cves, fixed, references, .. } = notice;
    let mut wrong = |place: &Spanned<String>, what: &str, hint: &str| {
        findings.push(page.at(place, format!("`{}` is no {what}", place.value), Some(hint.to_owned())));
    };
    if !is_name(&id.value) {
        wrong(id, "id", "write one like `DAOS-SA-2026-1`");
    }
    if !is_day(&date.value) {
        wrong(date, "day", "write one like `2026-12-01`");
    }
    if version_and_release(&fixed.value).is_none() {
        wrong(fixed, "version", "write one like `0.2.1`, or `0.2.1-2` with the release");
    }
    for cve in cves.iter().filter(|cve| !is_cve(&cve.value)) {
        wrong(cve, "number of a CVE", "write one like `CVE-2026-12345`");
    }
    for address in references.iter().filter(|address| !is_address(&address.value)) {
        wrong(address, "address", "write one that begins with `https://`");
    }
    findings.extend(plain_line(page, "summary", summary));
}

fn packages(page: Page<'_>, notice: &Notice, known: &BTreeMap<&str, &str>, findings: &mut Vec<Diagnostic>) {
    let Notice { packages, .. } = notice;
    let mut of: Option<(&str, &str)> = None;
    let mut seen = BTreeSet::new();
    for package in &packages.value {
        let name = package.value.as_str();
        let Some(recipe) = known.get(name) else {
            let hint = known_hint(name, &known.keys().copied().collect());
            findings.push(page.at(package, format!("no recipe has a package `{name}`"), hint));
            continue;
        };
        let (first, first_recipe) = *of.get_or_insert((name, recipe));
        if first_recipe != *recipe {
            let message = format!("`{name}` is of the recipe `{recipe}`, `{first}` of `{first_recipe}`");
            let hint = "write an advisory for each: a version says something of one recipe only".to_owned();
            findings.push(page.at(package, message, Some(hint)));
        }
        if !seen.insert(name) {
            let hint = Some("remove one of the two".to_owned());
            findings.push(page.at(package, format!("the package `{name}` is here twice"), hint));
        }
    }
    if packages.value.is_empty() {
        let hint = Some("name those that had the fault".to_owned());
        findings.push(page.at(packages, "an advisory without packages", hint));
    }
}

/// Whether a text is a day that there is: `2026-02-30` is none.
fn is_day(text: &str) -> bool {
    parse_day(text).is_some_and(|day| {
        let (year, month, date) = civil(day);
        text == format!("{year:04}-{month:02}-{date:02}")
    })
}

/// `CVE-<year>-<four digits or more>` (CVE rules of 2014).
fn is_cve(text: &str) -> bool {
    let parts = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(year, number)| year.len() == 4 && number.len() >= 4 && digits(year) && digits(number))
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    })
}
