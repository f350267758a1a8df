//! `repo site`: repositories of several targets in one folder, with pages for people and `.repo` files for hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use packager_recipe::spec::Templates;
use packager_recipe::target::Profile;
use packager_recipe::target::TargetName;
use packager_repo::attached::{self, GROUP, UPDATEINFO};
use packager_repo::collect::collect;
use packager_repo::mirror_list::{MIRROR_LIST, Mirrored};
use packager_repo::operations::{self, Settings};
use packager_repo::publish::key_file;
use packager_repo::stored::{REPOMD, Stored};
use packager_repo::verify::{self, Verified};
use packager_repodata::Package;
use packager_rpm::{SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::arguments::SiteOptions;
use crate::address;
use crate::keys::signing_key;
use crate::places::Places;
use crate::publication::REPOSITORY;
use crate::report::{Report, size};
use crate::world;

/// What hosts install, and where the rest of a release lies.
const PARTS: [(Part, &str, &str); 3] = [
    (Part::Main, "", "Packages"),
    (Part::Debug, "debug/", "Debug information"),
    (Part::Source, "source/", "Source packages"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Main,
    Debug,
    Source,
}

impl Part {
    fn of(package: &Package) -> Part {
        let debug = ["-debuginfo", "-debugsource"].iter().any(|ending| package.name.ends_with(ending));
        match package.arch.as_str() {
            "src" => Part::Source,
            _ if debug => Part::Debug,
            _ => Part::Main,
        }
    }
}

/// A distribution's release in the site.
struct Release {
    profile: Profile,
    /// `openeuler/22.03`.
    path: String,
    arches: BTreeSet<String>,
}

pub(super) fn site(options: &SiteOptions, places: &Places, keys: &Path) -> Result<Report> {
    let SiteOptions { folders, out, base_url, sign_key, mirror_lists, no_mirror_lists } = options;
    let (key, development) = signing_key(keys, sign_key.as_deref())?;
    let public = key.public()?;
    let pages = Pages::new(places, base_url.trim_end_matches('/'), &public)?;
    // Everything is looked at before anything is written.
    let mut inputs = Vec::new();
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let target = world::target(places, name)
            .with_context(|| format!("`{}` does not carry the name of a target", folder.display()))?;
        let Verified { packages, .. } = verify::verify(folder, &public)?;
        inputs.push((folder, target, packages));
    }
    let mut releases: BTreeMap<String, Release> = BTreeMap::new();
    let (mut added, mut written) = (0, false);
    for (folder, target, packages) in &inputs {
        let name = TargetName::parse(&target.name).context("a target ends in its architecture")?;
        let path = release_path(&name.system);
        let arch = target.arch.name().to_owned();
        for (part, below, _) in PARTS {
            let of_part: Vec<&Package> = packages.iter().filter(|package| Part::of(package) == part).collect();
            let place = format!("{path}/{below}{arch}");
            let mirrored = match (mirror_lists, no_mirror_lists) {
                (true, _) => Mirrored::At(format!("{}/{place}", pages.url)),
                (_, true) => Mirrored::Nowhere,
                _ => Mirrored::AsItWas,
            };
            let (to, settings) = (out.join(place), settings(&key, mirrored));
            added += collect(folder, &of_part, &to)?;
            written |= operations::update(&to, &settings)?.written;
            if part == Part::Main {
                written |= attached::carry(folder, &to, &[GROUP, UPDATEINFO], &settings)?;
            }
        }
        let release = releases.entry(name.system).or_insert_with(|| {
            let (profile, arches) = (target.profile.clone(), BTreeSet::new());
            Release { profile, path, arches }
        });
        release.arches.insert(arch);
    }
    // Releases of earlier runs stay in the list.
    for system in world::systems(places)? {
        let (profile, path) = (world::profile(places, &system)?, release_path(&system));
        let is_there = |arch: &String| out.join(&path).join(arch).join(REPOMD).is_file();
        let arches: BTreeSet<String> = profile.arches().map(|arch| arch.name().to_owned()).filter(is_there).collect();
        if !arches.is_empty() {
            let release = releases.entry(system).or_insert_with(|| Release { profile, path, arches: BTreeSet::new() });
            release.arches.extend(arches);
        }
    }
    let mut listed = Vec::new();
    for release in releases.values() {
        let (files, value) = pages.release(out, release)?;
        for (name, text) in files {
            written |= replace(&out.join(&release.path).join(name), &text)?;
        }
        listed.push(value);
    }
    written |= replace(&out.join("index.html"), &pages.index(&listed)?)?;
    written |= replace(&out.join(key_file(REPOSITORY)), public.armored())?;
    Ok(report(out, &listed, added, written, development))
}

fn report(out: &Path, listed: &[Value], added: usize, written: bool, development: bool) -> Report {
    let mut text = String::new();
    for release in listed {
        let word = |name: &str| release[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!(
            "{}, {}:\n  sudo dnf config-manager --add-repo {}/{}.repo\n",
            word("title"),
            word("arches"),
            word("url"),
            REPOSITORY
        ));
    }
    if development {
        text.push_str("signed by the development key: not for release (`--sign-key` names another)\n");
    }
    let what = if written { format!("{added} packages added") } else { "nothing to do".to_owned() };
    text.push_str(&format!("{}: {what}\n", out.display()));
    Report::new(text, json!({ "site": out, "added": added, "written": written, "releases": listed }))
}

fn settings(key: &SigningKey, mirrored: Mirrored) -> Settings<'_> {
    let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Settings { workers, key: Some(key), mirrored, ..Settings::default() }
}

/// Where a distribution's release lies: `openeuler-22.03` in `openeuler/22.03`.
fn release_path(system: &str) -> String {
    system.rsplit_once('-').map_or_else(|| system.to_owned(), |(name, release)| format!("{name}/{release}"))
}

/// Writes a file that everybody may read by a rename, unless it is so already. Says whether it wrote.
fn replace(path: &Path, text: &str) -> Result<bool> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let cannot = || format!("cannot write `{}`", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(cannot)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable).with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(true)
}

/// What pages are made from.
struct Pages<'p> {
    templates: Templates,
    texts: BTreeMap<&'static str, String>,
    url: &'p str,
    fingerprint: String,
    user: String,
    key: &'p VerifyingKey,
}

impl<'p> Pages<'p> {
    fn new(places: &Places, url: &'p str, key: &'p VerifyingKey) -> Result<Pages<'p>> {
        address::check_one("--base-url", url)?;
        let style = world::template(places, "pages/style.hbs")?;
        let names = ["pages/release.html.hbs", "pages/site.html.hbs", "pages/site.repo.hbs"];
        let texts = names.into_iter().map(|name| Ok((name, world::template(places, name)?)));
        let facts = key.facts();
        Ok(Pages {
            templates: Templates::for_pages([("style", style.as_str())])?,
            texts: texts.collect::<Result<_>>()?,
            url,
            fingerprint: spaced(&facts.fingerprint),
            user: facts.user,
            key,
        })
    }

    fn page(&self, name: &str, data: &Value) -> Result<String> {
        Ok(self.templates.render(name, &self.texts[name], data)?)
    }

    /// Whether the `.repo` file of a release leads to mirror lists. It is one file for all architectures, and for what earlier runs made.
    fn is_mirrored(&self, folder: &Path, arches: &[&str]) -> Result<bool> {
        let places = || PARTS.iter().flat_map(|(_, below, _)| arches.iter().map(move |arch| format!("{below}{arch}")));
        let with: Vec<String> = places().filter(|place| folder.join(place).join(MIRROR_LIST).is_file()).collect();
        if with.is_empty() || with.len() == places().count() {
            return Ok(!with.is_empty());
        }
        bail!(
            "of `{}` only {} have mirror lists, and hosts have one file for all\nhint: name the repositories of all architectures, with `--mirror-lists` or `--no-mirror-lists`",
            folder.display(),
            with.join(", ")
        )
    }

    /// The files of a release, and what the page above says of it.
    fn release(&self, out: &Path, release: &Release) -> Result<(Vec<(String, String)>, Value)> {
        let url = format!("{}/{}", self.url, release.path);
        let arches: Vec<&str> = release.arches.iter().map(String::as_str).collect();
        let folder = out.join(&release.path);
        let (mut parts, mut count) = (Vec::new(), 0);
        for (_, below, heading) in PARTS {
            let packages = packages(&folder, below, &arches)?;
            count += packages.len();
            parts.push(json!({ "heading": heading, "packages": packages }));
        }
        let mirrored = self.is_mirrored(&folder, &arches)?;
        let title = &release.profile.title;
        let key_file = key_file(REPOSITORY);
        let data = json!({
            "id": REPOSITORY,
            "title": format!("DAOS packages for {title}"),
            "url": url,
            "mirrored": mirrored,
            "up": "../../",
            "install": "daos-server daos-client daos-admin",
            "fingerprint": self.fingerprint,
            "user": self.user,
            "key_file": key_file,
            "module_hotfixes": release.profile.module_hotfixes,
            "parts": parts,
        });
        let files = vec![
            (key_file, self.key.armored().to_owned()),
            (format!("{REPOSITORY}.repo"), self.page("pages/site.repo.hbs", &data)?),
            ("index.html".to_owned(), self.page("pages/release.html.hbs", &data)?),
        ];
        let value = json!({
            "id": REPOSITORY, "title": title, "path": release.path, "url": url, "arches": arches.join(", "), "packages": count,
        });
        Ok((files, value))
    }

    fn index(&self, releases: &[Value]) -> Result<String> {
        self.page(
            "pages/site.html.hbs",
            &json!({
                "title": "DAOS packages",
                "releases": releases,
                "fingerprint": self.fingerprint,
                "user": self.user,
                "key_file": key_file(REPOSITORY),
            }),
        )
    }
}

/// The packages of a part, by name, the newest first.
fn packages(folder: &Path, below: &str, arches: &[&str]) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for arch in arches {
        let path = format!("{below}{arch}");
        for package in Stored::open(&folder.join(&path))?.primary()? {
            let evr = package.evr.to_string();
            let value = json!({
                "name": package.name,
                "summary": package.summary,
                "evr": evr,
                "arch": package.arch,
                "size": size(package.size.package),
                "sha256": package.sha256,
                "href": format!("{path}/{}", package.location.href),
            });
            rows.push((package.name, evr, (*arch).to_owned(), value));
        }
    }
    rows.sort_by(|one, other| {
        let newest = packager_resolve::Evr::parse(&other.1).ok().cmp(&packager_resolve::Evr::parse(&one.1).ok());
        one.0.cmp(&other.0).then(newest).then_with(|| one.2.cmp(&other.2))
    });
    Ok(rows.into_iter().map(|(.., value)| value).collect())
}

/// A fingerprint in groups of four, as people compare it.
fn spaced(fingerprint: &str) -> String {
    let letters: Vec<char> = fingerprint.to_uppercase().chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{release_path, spaced};

    #[test]
    fn places_and_fingerprints() {
        assert_eq!(release_path("openeuler-22.03"), "openeuler/22.03");
        assert_eq!(release_path("some-other-9"), "some-other/9");
        assert_eq!(spaced("0123abcd45"), "0123 ABCD 45");
    }
}
