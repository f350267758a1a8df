//! Repositories as the resolver sees them: metadata in a folder or behind an address, turned into packages of a universe.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use packager_repo::stored::Stored;
use packager_repodata::model;
use packager_repodata::write::Format;
use packager_resolve::Package;
use packager_source::archive;

/// The binary packages of a repository: a folder with `repodata/`, or an address below which there is one.
pub(crate) fn packages(place: &str) -> Result<Vec<Package>> {
    if !place.starts_with("http://") && !place.starts_with("https://") {
        return read(Path::new(place)).with_context(|| format!("the repository `{place}` cannot be read"));
    }
    let room = tempfile::tempdir().context("cannot make a temporary folder")?;
    fs::create_dir(room.path().join("repodata")).context("cannot make a temporary folder")?;
    let address = place.trim_end_matches('/');
    let fetch = |path: &str| {
        archive::download(&format!("{address}/{path}"), &room.path().join(path))
            .with_context(|| format!("cannot fetch `{path}` of the repository `{place}`"))
    };
    fetch("repodata/repomd.xml")?;
    let stored = Stored::open(room.path())?;
    for format in Format::ALL {
        let wanted = stored.repomd.data.iter().find(|data| data.kind == format.name());
        // Only names that lie in the folder we made; anything else is refused when it is read.
        if let Some(data) = wanted.filter(|data| !data.location.contains("..")) {
            fetch(&data.location)?;
        }
    }
    read(room.path()).with_context(|| format!("the repository `{place}` cannot be read"))
}

fn read(folder: &Path) -> Result<Vec<Package>> {
    let stored = Stored::open(folder)?;
    let mut packages = stored.primary()?;
    stored.complete(&mut packages)?;
    Ok(packages.into_iter().filter(|package| package.arch != "src").map(converted).collect())
}

fn converted(package: model::Package) -> Package {
    let texts = |dependencies: Vec<model::Dependency>| {
        let mut texts: Vec<String> = dependencies.iter().map(ToString::to_string).collect();
        texts.dedup();
        texts
    };
    let model::Weak { recommends, suggests, supplements, enhances } = package.weak;
    Package {
        name: package.name,
        evr: package.evr.to_string(),
        arch: package.arch,
        provides: texts(package.provides),
        requires: texts(package.requires),
        conflicts: texts(package.conflicts),
        obsoletes: texts(package.obsoletes),
        recommends: texts(recommends),
        suggests: texts(suggests),
        supplements: texts(supplements),
        enhances: texts(enhances),
        files: package.files.into_iter().map(|file| file.path).collect(),
    }
}
