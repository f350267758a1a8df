//! What must hold of a profile's values, and where they are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Arch, GlibcVersion, ThreeNumbers};
use crate::version::is_version;

/// A value with its place, whether it is right, what it is not otherwise, and what to write.
type Check<'p> = (&'p Spanned<String>, bool, &'static str, String);

fn line(place: &Spanned<String>) -> Check<'_> {
    (place, is_line(&place.value), "is no name", "write one line".to_owned())
}

fn payload(place: &Spanned<String>) -> Check<'_> {
    let hint = "write it as rpm does: `w` and a level, a dot, one of `gzdio`, `xzdio`, `zstdio`";
    (place, is_payload(&place.value), "is no payload", hint.to_owned())
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control)
}

/// What is checked of a profile, with its places.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Places {
    title: Spanned<String>,
    vendor: Spanned<String>,
    dist: Spanned<String>,
    glibc: Spanned<String>,
    glibcxx: Spanned<String>,
    cxxabi: Spanned<String>,
    rpm: Spanned<String>,
    binary_payload: Spanned<String>,
    source_payload: Spanned<String>,
    build_id_links: Spanned<String>,
    cpu: BTreeMap<Arch, Spanned<String>>,
    image: Spanned<String>,
}

impl Places {
    /// The first value that only rpm or a compiler would find wrong, after hours: what it is not, and what to write.
    pub(super) fn unsound(&self) -> Option<(&Spanned<String>, String, String)> {
        let quoted = |example: &str| format!("write it like `\"{example}\"`, in quotes");
        let one_of = |known: &[&str]| format!("one of `{}`", known.join("`, `"));
        let symbols = |place: &Spanned<String>| ThreeNumbers::parse(&place.value).is_some();
        let Places { title, vendor, dist, glibc, glibcxx, cxxabi, rpm, build_id_links, image, .. } = self;
        let an_image = is_line(&image.value) && !image.value.contains(' ');
        let links = BUILD_ID_LINKS.contains(&build_id_links.value.as_str());
        let mut checks: Vec<Check<'_>> = vec![
            (glibc, GlibcVersion::parse(&glibc.value).is_some(), "is no glibc version", quoted("2.34")),
            (glibcxx, symbols(glibcxx), "is no symbol version", quoted("3.4.25")),
            (cxxabi, symbols(cxxabi), "is no symbol version", quoted("3.4.25")),
            line(title),
            line(vendor),
            (dist, is_dist(&dist.value), "is no dist tag", "write it like `.el9`".to_owned()),
            (rpm, symbols(rpm), "is no version of rpm", quoted("4.16.1")),
            (build_id_links, links, "is no kind of build-id links", one_of(&BUILD_ID_LINKS)),
            (image, an_image, "is no image", "write an address like `docker.io/library/almalinux:9`".to_owned()),
            payload(&self.binary_payload),
            payload(&self.source_payload),
        ];
        for (arch, cpu) in &self.cpu {
            let known = arch.cpus().contains(&cpu.value.as_str());
            checks.push((cpu, known, "is no instruction set", one_of(arch.cpus())));
        }
        let (place, _, what, hint) = checks.into_iter().find(|(_, good, ..)| !good)?;
        Some((place, format!("`{}` {what}", place.value), hint))
    }
}

/// What rpm knows as `_build_id_links`.
const BUILD_ID_LINKS: [&str; 4] = ["none", "alldebug", "separate", "compat"];

/// Whether a text can end a release.
fn is_dist(text: &str) -> bool {
    text.strip_prefix('.').is_some_and(is_version)
}

/// Whether rpm takes a text as flags for a payload: `w2.xzdio`.
fn is_payload(text: &str) -> bool {
    let level = text.strip_prefix('w').and_then(|rest| rest.split_once('.'));
    level.is_some_and(|(level, how)| {
        level.parse::<u8>().is_ok_and(|level| level <= 22) && ["gzdio", "xzdio", "zstdio"].contains(&how)
    })
}
