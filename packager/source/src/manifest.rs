//! Cargo manifests: the workspace without the members that are not shipped, and vendored crates without their contents.

use std::collections::BTreeSet;

use toml_edit::{Array, DocumentMut, Item, Table, value};

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML.
    #[error("not valid TOML")]
    Syntax(#[from] toml_edit::TomlError),
    /// A key that we need.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

/// The root manifest with those members only whose manifest is among the files, those dependencies only that they inherit, and the
/// workspace's version: what other members need changes nothing here.
pub(crate) fn restrict(
    text: &str,
    files: &BTreeSet<String>,
    inherited: &BTreeSet<String>,
) -> Result<(String, String), ManifestError> {
    let mut document: DocumentMut = text.parse()?;
    let version = document
        .get("workspace")
        .and_then(|workspace| workspace.get("package"))
        .and_then(|package| package.get("version"))
        .or_else(|| document.get("package").and_then(|package| package.get("version")))
        .and_then(Item::as_str)
        .ok_or(ManifestError::Missing("workspace.package.version"))?
        .to_owned();
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_mut) {
        if let Some(members) = workspace.get("members").and_then(Item::as_array) {
            let shipped: Array = members
                .iter()
                .filter_map(|member| member.as_str())
                .filter(|member| files.contains(&format!("{member}/Cargo.toml")))
                .collect();
            workspace["members"] = value(shipped);
        }
        if let Some(dependencies) = workspace.get_mut("dependencies").and_then(Item::as_table_mut) {
            dependencies.retain(|name, _| inherited.contains(name));
        }
    }
    Ok((document.to_string(), version))
}

/// The dependencies that a manifest takes from its workspace.
pub(crate) fn inherited(text: &str) -> Result<BTreeSet<String>, ManifestError> {
    let document: DocumentMut = text.parse()?;
    let platforms = document.get("target").and_then(Item::as_table_like).into_iter();
    let platforms = platforms.flat_map(|platforms| platforms.iter().map(|(_, platform)| platform));
    let tables = [document.as_item()].into_iter().chain(platforms).flat_map(|item| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| item.get(kind)?.as_table_like())
    });
    let is_inherited = |item: &Item| item.get("workspace").and_then(Item::as_bool) == Some(true);
    Ok(tables
        .flat_map(|table| table.iter())
        .filter(|(_, item)| is_inherited(item))
        .map(|(name, _)| name.to_owned())
        .collect())
}

/// A vendored crate that no target of ours compiles, reduced to what cargo must read: its dependencies and an empty library.
pub(crate) fn hollow(text: &str) -> Result<String, ManifestError> {
    let mut document: DocumentMut = text.parse()?;
    for key in ["bin", "example", "test", "bench", "lib"] {
        document.remove(key);
    }
    if let Some(package) = document.get_mut("package").and_then(Item::as_table_mut) {
        for key in ["build", "links", "default-run"] {
            package.remove(key);
        }
        package["build"] = value(false);
        for key in ["autobins", "autoexamples", "autotests", "autobenches"] {
            package[key] = value(false);
        }
    }
    let mut library = Table::new();
    library["path"] = value("src/lib.rs");
    document["lib"] = Item::Table(library);
    Ok(document.to_string())
}

/// A `Cargo.lock` without the packages that the shipped members cannot reach, whatever features are on. For hashing: cargo
/// itself writes the lock that is shipped.
pub(crate) fn prune(lock: &str, members: &BTreeSet<String>) -> Result<String, ManifestError> {
    let mut document: DocumentMut = lock.parse()?;
    let packages = document.get_mut("package").and_then(Item::as_array_of_tables_mut);
    let packages = packages.ok_or(ManifestError::Missing("package"))?;
    let field = |package: &Table, key: &str| package.get(key).and_then(Item::as_str).unwrap_or_default().to_owned();
    let known: Vec<(String, String)> =
        packages.iter().map(|package| (field(package, "name"), field(package, "version"))).collect();
    let mut needed = BTreeSet::new();
    let mut queue: Vec<usize> = (0..known.len())
        .filter(|index| {
            let package = packages.get(*index).expect("counted above");
            package.get("source").is_none() && members.contains(&known[*index].0)
        })
        .collect();
    while let Some(index) = queue.pop() {
        if !needed.insert(index) {
            continue;
        }
        let package = packages.get(index).expect("counted above");
        let dependencies = package.get("dependencies").and_then(Item::as_array);
        for dependency in dependencies.into_iter().flatten().filter_map(|value| value.as_str()) {
            // `name`, or `name version` where several versions are locked.
            let mut words = dependency.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            queue.extend(
                (0..known.len()).filter(|other| {
                    known[*other].0 == name && version.is_none_or(|version| known[*other].1 == version)
                }),
            );
        }
    }
    let mut index = 0;
    packages.retain(|_| {
        index += 1;
        needed.contains(&(index - 1))
    });
    Ok(document.to_string())
}

/// The name in a member's manifest.
pub(crate) fn package_name(text: &str) -> Result<Option<String>, ManifestError> {
    let document: DocumentMut = text.parse()?;
    Ok(document.get("package").and_then(|package| package.get("name")).and_then(Item::as_str).map(str::to_owned))
}

/// The programs of a member: those its manifest names, and those that cargo finds by their place. `has` tells whether a file
/// of the member is there, `sources` lists what lies in its `src/bin`.
pub(crate) fn programs(
    text: &str,
    has: impl Fn(&str) -> bool,
    sources: &[String],
) -> Result<BTreeSet<String>, ManifestError> {
    let document: DocumentMut = text.parse()?;
    let Some(package) = document.get("package") else { return Ok(BTreeSet::new()) };
    let mut programs: BTreeSet<String> = document
        .get("bin")
        .and_then(Item::as_array_of_tables)
        .into_iter()
        .flatten()
        .filter_map(|program| program.get("name").and_then(Item::as_str))
        .map(str::to_owned)
        .collect();
    if package.get("autobins").and_then(Item::as_bool).unwrap_or(true) {
        // A `[[bin]]` with this path gives the program its name instead.
        let named = text.contains("src/main.rs");
        let name = package.get("name").and_then(Item::as_str).filter(|_| !named && has("src/main.rs"));
        programs.extend(name.map(str::to_owned));
        programs.extend(sources.iter().map(|source| source.strip_suffix(".rs").unwrap_or(source).to_owned()));
    }
    Ok(programs)
}

/// `name version` of every package of a `Cargo.lock` with its checksum.
pub(crate) fn locked(text: &str) -> Result<BTreeSet<(String, String, Option<String>)>, ManifestError> {
    let document: DocumentMut = text.parse()?;
    let packages =
        document.get("package").and_then(Item::as_array_of_tables).ok_or(ManifestError::Missing("package"))?;
    let field = |package: &Table, key: &str| package.get(key).and_then(Item::as_str).map(str::to_owned);
    Ok(packages
        .iter()
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?, field(package, "checksum"))))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{hollow, inherited, programs, prune, restrict};

    #[test]
    fn members_that_are_not_shipped_vanish() {
        let text = "[workspace]\nmembers = [\"a\", \"b\"]\n[workspace.package]\nversion = \"1.2.3\"\n[workspace.dependencies]\na = { path = \"a\" }\nb = { path = \"b\" }\nserde = \"1\"\nclap = \"4\"\n";
        let files = BTreeSet::from(["a/Cargo.toml".to_owned()]);
        let (text, version) = restrict(text, &files, &BTreeSet::from(["serde".to_owned()])).expect("restricted");
        assert_eq!(version, "1.2.3");
        assert!(text.contains("members = [\"a\"]"), "{text}");
        assert!(!text.contains("path = \"b\"") && !text.contains("clap"), "{text}");
        assert!(text.contains("serde = \"1\""), "{text}");
    }

    #[test]
    fn what_a_member_inherits_is_found_in_every_table() {
        let text = "[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\nc = \"1\"\n[dev-dependencies]\nd.workspace = true\n\
             [target.'cfg(unix)'.dependencies]\ne.workspace = true\n[build-dependencies.f]\nworkspace = true\n";
        let found: Vec<String> = inherited(text).expect("a manifest").into_iter().collect();
        assert_eq!(found, ["a", "b", "d", "e", "f"]);
    }

    #[test]
    fn only_what_members_reach_stays_locked() {
        let package = |name: &str, rest: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n{rest}\n");
        let lock = format!(
            "version = 4\n\n{}{}{}{}",
            package("a", "dependencies = [\"x\"]\n"),
            package("b", "dependencies = [\"y\"]\n"),
            package("x", "source = \"registry\"\nchecksum = \"00\"\n"),
            package("y", "source = \"registry\"\nchecksum = \"11\"\n"),
        );
        let pruned = prune(&lock, &BTreeSet::from(["a".to_owned()])).expect("pruned");
        let rest = format!(
            "version = 4\n\n{}{}",
            package("a", "dependencies = [\"x\"]\n"),
            package("x", "source = \"registry\"\nchecksum = \"00\"\n")
        );
        assert_eq!(pruned, rest);
    }

    #[test]
    fn programs_are_named_or_found_by_their_place() {
        let has = |file: &str| file == "src/main.rs";
        let other = ["other.rs".to_owned(), "folder".to_owned()];
        let found = programs("[package]\nname = \"demo\"\n", has, &other).expect("a manifest");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["demo", "folder", "other"]);
        let named = "[package]\nname = \"demo-cli\"\n[[bin]]\nname = \"demo\"\npath = \"src/main.rs\"\n";
        assert_eq!(programs(named, has, &[]).expect("a manifest").into_iter().collect::<Vec<_>>(), ["demo"]);
    }

    #[test]
    fn a_hollow_crate_keeps_its_dependencies() {
        let text = hollow(
            "[package]\nname = \"w\"\nversion = \"1.0.0\"\nbuild = \"build.rs\"\n[lib]\npath = \"lib.rs\"\n[[bin]]\nname = \"x\"\n[dependencies.y]\nversion = \"1\"\n",
        );
        let text = text.expect("hollow");
        assert!(
            text.contains("build = false") && text.contains("[dependencies.y]") && text.contains("src/lib.rs"),
            "{text}"
        );
        assert!(!text.contains("[[bin]]"));
    }
}
