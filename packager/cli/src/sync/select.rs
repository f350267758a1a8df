//! What of a distribution's repositories a lock keeps. Pure.

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Arch;
use packager_recipe::lock::{Known, Lock, Locked};
use packager_repodata::Package;
use packager_resolve::Evr;
use packager_resolve::asked::Asked;

/// Capabilities that describe a package and that no package requires.
const DESCRIPTIVE: [&str; 5] = ["application(", "bundled(", "config(", "metainfo(", "mimehandler("];

/// What follows from glibc's version in the target profile.
const GLIBC: [&str; 2] = ["(GLIBC_", "rtld(GNU_HASH)"];

/// One repository that was read.
pub(super) struct Source {
    pub(super) name: String,
    /// Where it is known from, for the lock.
    pub(super) from: String,
    pub(super) packages: Vec<Package>,
}

/// Whether a package can be installed on machines of an architecture.
pub(super) fn installable(package: &Package, arch: Arch) -> bool {
    package.arch == "noarch" || package.arch == arch.name()
}

/// The newest of each package that answers something that is asked for; and what nobody answers.
pub(super) fn select(sources: Vec<Source>, asked: &Asked) -> Lock {
    let mut best: BTreeMap<String, (usize, Evr, Package)> = BTreeMap::new();
    let mut known = Vec::new();
    for (place, source) in sources.into_iter().enumerate() {
        known.push(Known { from: source.from, repository: Some(source.name), ..Known::default() });
        for package in source.packages.into_iter().filter(|package| answers(package, asked)) {
            let evr = Evr::split(&package.evr.to_string());
            // At the same version the repository that was named first is preferred.
            if best.get(&package.name).is_none_or(|(_, known, _)| evr > *known) {
                best.insert(package.name.clone(), (place, evr, package));
            }
        }
    }
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    for (_, _, package) in best.values() {
        answered.extend(offered(package));
        answered.extend(asked.sources.get(source_name(package)).map(String::as_str));
    }
    let absent: Vec<String> = asked.names.iter().filter(|name| !answered.contains(name.as_str())).cloned().collect();
    for (place, _, package) in best.values() {
        known[*place].packages.push(locked(package, asked));
    }
    if !absent.is_empty() {
        known.push(Known { from: "no repository above has them".to_owned(), absent, ..Known::default() });
    }
    Lock { known }
}

/// Names under which a package can be asked for.
fn offered(package: &Package) -> impl Iterator<Item = &str> {
    let provides = package.provides.iter().map(|provided| provided.name.as_str());
    let files = package.files.iter().map(|file| file.path.as_str());
    [package.name.as_str()].into_iter().chain(provides).chain(files)
}

fn answers(package: &Package, asked: &Asked) -> bool {
    asked.sources.contains(source_name(package)) || offered(package).any(|name| asked.names.contains(name))
}

/// `rdma-core` of `rdma-core-35.1-3.oe2203.src.rpm`.
fn source_name(package: &Package) -> &str {
    package.source_rpm.rsplitn(3, '-').nth(2).unwrap_or_default()
}

fn locked(package: &Package, asked: &Asked) -> Locked {
    let Package { name, arch, .. } = package;
    let evr = package.evr.to_string();
    let itself = [format!("{name} = {evr}"), format!("{name}(x86-64) = {evr}"), format!("{name}(aarch-64) = {evr}")];
    let kept = |text: &String| {
        !itself.contains(text)
            && !DESCRIPTIVE.iter().any(|start| text.starts_with(start))
            && !GLIBC.iter().any(|part| text.contains(part))
    };
    let sorted = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>();
    let about = |dependencies: &[packager_repodata::model::Dependency]| {
        let ours = dependencies.iter().filter(|dependency| asked.names.contains(&dependency.name));
        sorted(ours.map(ToString::to_string).collect())
    };
    let source = source_name(package);
    Locked {
        name: name.clone(),
        evr: Some(evr),
        below: None,
        arch: (arch == "noarch").then(|| arch.clone()),
        source: (source != name && !source.is_empty()).then(|| source.to_owned()),
        provides: sorted(package.provides.iter().map(ToString::to_string).filter(kept).collect()),
        files: sorted(
            package.files.iter().map(|file| &file.path).filter(|path| asked.names.contains(*path)).cloned().collect(),
        ),
        conflicts: about(&package.conflicts),
        obsoletes: about(&package.obsoletes),
    }
}

#[cfg(test)]
mod tests {
    use packager_repodata::Package;
    use packager_repodata::model::{Comparison, Constraint, Dependency, Evr, File, FileKind};
    use packager_resolve::asked::Asked;

    use super::{Source, select};

    fn package(name: &str, version: &str, source: &str, provides: &[&str]) -> Package {
        let provided = |name: &&str| Dependency { name: (*name).to_owned(), ..Dependency::default() };
        Package {
            name: name.to_owned(),
            arch: "x86_64".to_owned(),
            evr: Evr { epoch: 0, version: version.to_owned(), release: "1".to_owned() },
            source_rpm: format!("{source}-{version}-1.src.rpm"),
            provides: provides.iter().map(provided).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn the_newest_that_answers_is_kept_and_what_nobody_answers_is_told() {
        let mut tool = package("tool", "3", "tool", &["config(tool)", "bundled(zlib)", "tool(api)"]);
        tool.files = vec![
            File { path: "/usr/bin/tool".to_owned(), kind: FileKind::File },
            File { path: "/usr/bin/other".to_owned(), kind: FileKind::File },
        ];
        let constraint = Constraint {
            comparison: Comparison::Less,
            epoch: String::new(),
            version: "2".to_owned(),
            release: String::new(),
        };
        tool.obsoletes = vec![
            Dependency { name: "isa-l".to_owned(), constraint: Some(constraint), ..Dependency::default() },
            Dependency { name: "unrelated".to_owned(), ..Dependency::default() },
        ];
        let sources = vec![
            Source {
                name: "OS".to_owned(),
                from: "one".to_owned(),
                packages: vec![
                    package("isa-l", "2.9", "isa-l", &[]),
                    package("libpmem", "1.13", "nvml", &["libpmem.so.1"]),
                    tool,
                ],
            },
            Source {
                name: "update".to_owned(),
                from: "two".to_owned(),
                packages: vec![
                    package("isa-l", "2.30", "isa-l", &[]),
                    package("libpmem", "1.13", "nvml", &[]),
                    package("zlib", "1", "zlib", &[]),
                ],
            },
        ];
        let asked = Asked {
            names: ["isa-l", "/usr/bin/tool", "/usr/bin/gone", "nvml", "ucx"].map(str::to_owned).into(),
            sources: ["nvml".to_owned()].into(),
        };
        let lock = select(sources, &asked);
        insta::assert_snapshot!(lock.text("for a test"), @r#"
        # for a test
        known:
          - from: one
            repository: OS
            packages:
              - name: libpmem
                evr: "1.13-1"
                source: nvml
                provides:
                  - libpmem.so.1
              - name: tool
                evr: "3-1"
                provides:
                  - tool(api)
                files:
                  - /usr/bin/tool
                obsoletes:
                  - isa-l < 2
          - from: two
            repository: update
            packages:
              - name: isa-l
                evr: "2.30-1"
          - from: no repository above has them
            absent:
              - /usr/bin/gone
              - ucx
        "#);
    }
}
