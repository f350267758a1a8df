//! The advisories of a repository: releases in the changelogs of its recipes, and what the project says of dangers. Packages are listed at the
//! version that has the change, since dnf shows an advisory to who has something older; `packager/docs/groups-and-advisories.md` has the rules.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use packager_recipe::changelog::{Release, day_time, parse_day};
use packager_recipe::security::Notice;
use packager_recipe::{Concrete, Security};
use packager_repodata::advisory::{Advisory, Collection, Fixed, Reference};
use packager_repodata::model::{Evr, Package};

use crate::capability::compare;

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The release of a version of which none is known, as `%changelog` has it.
const FIRST_RELEASE: u32 = 1;

/// A recipe whose packages are in a repository.
#[derive(Debug, Clone, Copy)]
pub struct Built<'b> {
    /// The recipe.
    pub recipe: &'b Concrete,
    /// Time of its sources, in seconds since 1970.
    pub time: i64,
}

/// Security advisories in the order of their file, then releases by recipe, the newest first.
#[must_use]
pub fn advisories(repository: &str, built: &[Built<'_>], security: &Security, packages: &[Package]) -> Vec<Advisory> {
    let mut built = built.to_vec();
    built.sort_by_key(|built| &built.recipe.name);
    let notices = security.advisories.iter().filter_map(|notice| of_notice(repository, &built, notice, packages));
    let mut all: Vec<Advisory> = notices.collect();
    for built in &built {
        let mut seen = BTreeSet::new();
        for release in built.recipe.released.iter().filter(|release| seen.insert(&release.version)) {
            all.extend(of_release(repository, *built, release, packages));
        }
    }
    all
}

fn of_release(repository: &str, built: Built<'_>, release: &Release, packages: &[Package]) -> Option<Advisory> {
    let Built { recipe, time } = built;
    let version = release.version.as_deref()?;
    if compare(version, &recipe.version) == Ordering::Greater {
        return None;
    }
    let number = if version == recipe.version { recipe.release } else { FIRST_RELEASE };
    let names: BTreeSet<&str> = recipe.packages.iter().map(|package| package.name.as_str()).collect();
    let collections = collections(repository, recipe, &names, version, number, packages)?;
    let issued = day_time(release.day.unwrap_or(time.div_euclid(DAY_SECONDS)));
    let mut description = String::new();
    for item in &release.items {
        description.push_str("- ");
        description.push_str(item);
        description.push('\n');
    }
    Some(Advisory {
        id: format!("{}-{version}{}", recipe.name.to_uppercase(), recipe.dist),
        kind: kind(version).to_owned(),
        title: format!("{} {version}", recipe.name),
        description,
        collections,
        ..issued_by(recipe, issued)
    })
}

/// A third number that is not 0 mends what the second brought (semantic versioning).
fn kind(version: &str) -> &'static str {
    let third = version.split('.').nth(2).unwrap_or_default();
    if third.parse::<u64>().is_ok_and(|number| number > 0) { "bugfix" } else { "enhancement" }
}

/// Nothing when the repository has no package of it, or none with the fix.
fn of_notice(repository: &str, built: &[Built<'_>], notice: &Notice, packages: &[Package]) -> Option<Advisory> {
    let names: BTreeSet<&str> = notice.packages.value.iter().map(|package| package.value.as_str()).collect();
    let is_of = |recipe: &Concrete| recipe.packages.iter().any(|package| names.contains(package.name.as_str()));
    let recipe = built.iter().map(|built| built.recipe).find(|recipe| is_of(recipe))?;
    let (version, number) = notice.fixed();
    let has = format!("{}-{}", recipe.version, recipe.release);
    if compare(&format!("{version}-{number}"), &has) == Ordering::Greater {
        return None;
    }
    let collections = collections(repository, recipe, &names, version, number, packages)?;
    let summary = notice.summary.value.trim();
    let cve = |cve: &str| Reference {
        href: format!("https://www.cve.org/CVERecord?id={cve}"),
        id: cve.to_owned(),
        kind: "cve".to_owned(),
        title: cve.to_owned(),
    };
    let other = |href: &str| Reference {
        href: href.to_owned(),
        id: href.to_owned(),
        kind: "other".to_owned(),
        title: href.to_owned(),
    };
    let cves = notice.cves.iter().map(|number| cve(&number.value));
    Some(Advisory {
        id: notice.id.value.clone(),
        kind: "security".to_owned(),
        title: summary.to_owned(),
        severity: notice.severity.name().to_owned(),
        summary: summary.to_owned(),
        description: notice.description.as_deref().map_or(summary, str::trim).to_owned(),
        references: cves.chain(notice.references.iter().map(|address| other(&address.value))).collect(),
        collections,
        ..issued_by(recipe, day_time(parse_day(&notice.date.value)?))
    })
}

/// What all advisories of a recipe have in common.
fn issued_by(recipe: &Concrete, issued: String) -> Advisory {
    let address = recipe.maintainer.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
    Advisory {
        // As a spec has it, for which percent signs are doubled.
        from: address.unwrap_or(&recipe.maintainer).replace("%%", "%"),
        status: "stable".to_owned(),
        version: "1".to_owned(),
        updated: issued.clone(),
        issued,
        ..Advisory::default()
    }
}

/// Packages of a recipe that the repository has, at a version; nothing when it has none.
fn collections(
    repository: &str,
    recipe: &Concrete,
    names: &BTreeSet<&str>,
    version: &str,
    number: u32,
    packages: &[Package],
) -> Option<Vec<Collection>> {
    let release = format!("{number}{}", recipe.dist);
    let there = packages.iter().filter(|package| package.arch != "src" && names.contains(package.name.as_str()));
    let listed = |package: &Package| {
        let Package { name, arch, evr, sha256, .. } = package;
        let fixed = Evr { epoch: evr.epoch, version: version.to_owned(), release: release.clone() };
        Fixed {
            name: name.clone(),
            arch: arch.clone(),
            source_rpm: format!("{}-{version}-{release}.src.rpm", recipe.name),
            file_name: format!("{name}-{version}-{release}.{arch}.rpm"),
            sha256: if fixed == *evr { sha256.clone() } else { String::new() },
            evr: fixed,
        }
    };
    let packages: Vec<Fixed> = there.map(listed).collect();
    let [short, name] = [repository, repository].map(str::to_owned);
    (!packages.is_empty()).then(|| vec![Collection { short, name, packages }])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use packager_recipe::changelog::released;
    use packager_recipe::concrete;
    use packager_recipe::diagnostic::Page;
    use packager_recipe::{Concrete, Security};
    use packager_repodata::advisory::Advisory;
    use packager_repodata::model::{Evr, Package};

    use super::{Built, advisories, kind};

    const CHANGELOG: &str = "## Unreleased\n\n- soon\n\n## 0.3.0 - 2026-12-03\n- new\n  thing\n- 5 % more\n\n## 0.2.1 - 2026-12-02\n- mended\n\n\
        ## 0.2.0\n- first\n\n## Notes\n- none\n";

    const NONE: &str = "advisories: []\n";

    fn recipe(version: &str, release: u32) -> Concrete {
        let package = |name: &str| concrete::Package { name: name.to_owned(), ..concrete::Package::default() };
        Concrete {
            name: "demo".to_owned(),
            version: version.to_owned(),
            release,
            dist: ".el9".to_owned(),
            maintainer: "Demo <d%%e@demo.invalid>".to_owned(),
            packages: vec![package("demo"), package("demo-libs")],
            released: released(CHANGELOG),
            ..Concrete::default()
        }
    }

    fn made(version: &str, release: u32, security: &str) -> Vec<Advisory> {
        let known = BTreeMap::from([("demo", "demo"), ("demo-libs", "demo"), ("other", "other")]);
        let security = Security::parse(Page { file: "security.yaml", text: security }, &known).expect("good");
        let evr = Evr { epoch: 0, version: version.to_owned(), release: format!("{release}.el9") };
        let package = |name: &str, arch: &str| Package {
            name: name.to_owned(),
            arch: arch.to_owned(),
            evr: evr.clone(),
            sha256: "1".repeat(64),
            ..Package::default()
        };
        let packages = [
            package("demo", "x86_64"),
            package("demo", "src"),
            package("demo-debuginfo", "x86_64"),
            package("lib", "noarch"),
        ];
        let recipe = recipe(version, release);
        advisories("repo", &[Built { recipe: &recipe, time: 1_790_000_000 }], &security, &packages)
    }

    /// Id, type, day, and the packages with whether they have a hash.
    fn shown(advisories: &[Advisory]) -> Vec<String> {
        let one = |advisory: &Advisory| {
            let packages = advisory.collections.iter().flat_map(|collection| &collection.packages);
            let packages: Vec<String> =
                packages.map(|package| format!("{} {}", package.file_name, !package.sha256.is_empty())).collect();
            format!("{} {} {}: {}", advisory.id, advisory.kind, &advisory.issued[..10], packages.join(", "))
        };
        advisories.iter().map(one).collect()
    }

    #[test]
    fn releases_up_to_the_repositorys_are_announced() {
        assert_eq!(
            shown(&made("0.3.0", 4, NONE)[..]),
            [
                "DEMO-0.3.0.el9 enhancement 2026-12-03: demo-0.3.0-4.el9.x86_64.rpm true",
                "DEMO-0.2.1.el9 bugfix 2026-12-02: demo-0.2.1-1.el9.x86_64.rpm false",
                "DEMO-0.2.0.el9 enhancement 2026-09-21: demo-0.2.0-1.el9.x86_64.rpm false",
            ]
        );
        // A commit before the release of 0.2.1, or after all releases.
        assert_eq!(
            shown(&made("0.2.0", 1, NONE))[0],
            "DEMO-0.2.0.el9 enhancement 2026-09-21: demo-0.2.0-1.el9.x86_64.rpm true"
        );
        assert_eq!(made("0.4.0", 1, NONE).len(), 3);
        assert_eq!(made("0.1.0", 1, NONE), []);
    }

    #[test]
    fn an_advisory_says_what_the_changelog_says() {
        let first = &made("0.3.0", 1, NONE)[0];
        assert_eq!(first.description, "- new thing\n- 5 % more\n");
        assert_eq!((first.title.as_str(), first.from.as_str()), ("demo 0.3.0", "d%e@demo.invalid"));
        assert_eq!(first.collections[0].packages[0].source_rpm, "demo-0.3.0-1.el9.src.rpm");
    }

    #[test]
    fn versions_that_mend_are_told_from_those_that_bring() {
        for (version, wanted) in [
            ("1", "enhancement"),
            ("1.2", "enhancement"),
            ("1.2.0", "enhancement"),
            ("1.2.3", "bugfix"),
            ("1.2.3~rc.1", "enhancement"),
        ] {
            assert_eq!(kind(version), wanted, "{version}");
        }
    }

    #[test]
    fn dangers_are_listed_once_the_fix_is_there() {
        let security = |fixed: &str| {
            format!(
                "advisories:\n  - id: SA-1\n    date: 2026-12-04\n    severity: Important\n    summary: Bad\n    cves: [CVE-2026-1234]\n    \
                 packages: [demo, demo-libs]\n    fixed: {fixed}\n    references: [https://demo.invalid/1]\n"
            )
        };
        let first =
            |version: &str, release: u32, fixed: &str| shown(&made(version, release, &security(fixed))).remove(0);
        assert_eq!(first("0.3.0", 1, "0.2.1"), "SA-1 security 2026-12-04: demo-0.2.1-1.el9.x86_64.rpm false");
        assert_eq!(first("0.3.0", 1, "0.3.0"), "SA-1 security 2026-12-04: demo-0.3.0-1.el9.x86_64.rpm true");
        assert_eq!(first("0.3.0", 2, "0.3.0"), "SA-1 security 2026-12-04: demo-0.3.0-1.el9.x86_64.rpm false");
        assert_eq!(first("0.3.0", 2, "0.3.0-2"), "SA-1 security 2026-12-04: demo-0.3.0-2.el9.x86_64.rpm true");
        assert!(first("0.3.0", 1, "0.3.0-2").starts_with("DEMO-"), "it is not there yet");
        assert!(first("0.3.0", 1, "0.3.1").starts_with("DEMO-"), "it is not there yet");
        let made = &made("0.3.0", 1, &security("0.3.0"))[0];
        assert_eq!((made.severity.as_str(), made.description.as_str()), ("Important", "Bad"));
        let references: Vec<&str> = made.references.iter().map(|reference| reference.kind.as_str()).collect();
        assert_eq!(references, ["cve", "other"]);
        let other = security("0.3.0").replace("[demo, demo-libs]", "[other]");
        assert!(shown(&super::tests::made("0.3.0", 1, &other))[0].starts_with("DEMO-"), "nobody has it here");
    }
}
