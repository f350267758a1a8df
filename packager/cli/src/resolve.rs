//! `evr` and `resolve`: questions about versions and universes of packages. They need no project.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use packager_resolve::universe::{INSTALLED, PRIORITY_DEFAULT};
use packager_resolve::{Evr, Goal, Package, Request, Universe};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::ResolveOptions;
use crate::report::Report;
use crate::repository;

/// Bytes of a universe: the largest distributions with all files stay below half of it.
const UNIVERSE_BYTES_MAX: u64 = 2 << 30;

/// `evr`.
pub(crate) fn evr(left: &str, right: &str) -> Result<Report> {
    let read = |text: &str| {
        Evr::parse(text).map_err(|fault| {
            anyhow!(
                "this is no version: {fault}\nhint: write `[epoch:]version[-release]`, for instance `1:2.0~rc1-3.el9`"
            )
        })
    };
    let order = match read(left)?.cmp(&read(right)?) {
        Ordering::Less => "<",
        Ordering::Equal => "=",
        Ordering::Greater => ">",
    };
    Ok(Report::new(format!("{order}\n"), json!({ "left": left, "order": order, "right": right })))
}

/// A universe as it stands in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    arch: String,
    #[serde(default)]
    installed: Vec<Package>,
    #[serde(default)]
    repositories: Vec<Offered>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    name: String,
    #[serde(default = "priority")]
    priority: i32,
    packages: Vec<Package>,
}

fn priority() -> i32 {
    PRIORITY_DEFAULT
}

/// `resolve`.
pub(crate) fn resolve(options: &ResolveOptions) -> Result<Report> {
    let universe = universe(options)?;
    let mut goals: Vec<Goal> = options.install.iter().cloned().map(Goal::Install).collect();
    goals.extend(options.erase.iter().cloned().map(Goal::Erase));
    match options.update.as_deref() {
        Some([]) => goals.push(Goal::UpdateAll),
        Some(named) => goals.extend(named.iter().cloned().map(Goal::Update)),
        None => {}
    }
    let request = Request { goals, allow_erasing: options.allow_erasing, weak: !options.no_weak };
    let transaction = packager_resolve::resolve(&universe, &request)?;
    Ok(Report::new(transaction.to_string(), serde_json::to_value(&transaction)?))
}

/// Everything that was named: a described universe, repositories, and what is installed.
fn universe(options: &ResolveOptions) -> Result<Universe> {
    let described = match &options.universe {
        Some(path) => described(path)?,
        None => Described { arch: std::env::consts::ARCH.to_owned(), installed: Vec::new(), repositories: Vec::new() },
    };
    let mut universe = Universe::new(options.arch.as_deref().unwrap_or(&described.arch));
    for package in described.installed {
        universe.add(INSTALLED, package)?;
    }
    for repository in described.repositories {
        let id = universe.repository(&repository.name, repository.priority);
        for package in repository.packages {
            universe.add(id, package)?;
        }
    }
    if let Some(place) = &options.installed {
        for package in repository::packages(place)? {
            universe.add(INSTALLED, package)?;
        }
    }
    for named in &options.repo {
        let (name, place) = named.split_once('=').with_context(|| {
            format!("`{named}` names no repository\nhint: write `NAME=DIR`, for instance `base=/srv/base`")
        })?;
        let id = universe.repository(name, PRIORITY_DEFAULT);
        for package in repository::packages(place)? {
            universe.add(id, package)?;
        }
    }
    Ok(universe)
}

fn described(path: &Path) -> Result<Described> {
    let place = path.display();
    let cannot = || format!("cannot read the universe `{place}`\nhint: packager/docs/resolver.md describes the file");
    let size = fs::metadata(path).with_context(cannot)?.len();
    if size > UNIVERSE_BYTES_MAX {
        bail!("the universe `{place}` has {size} bytes, more than {UNIVERSE_BYTES_MAX}\nhint: leave out file lists");
    }
    let text = fs::read_to_string(path).with_context(cannot)?;
    serde_json::from_str(&text).map_err(|error| {
        anyhow!("the universe `{place}` cannot be read: {error}\nhint: packager/docs/resolver.md describes the format")
    })
}
