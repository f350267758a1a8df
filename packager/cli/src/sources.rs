//! Operations on sources: `fetch` and `lock`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use packager_recipe::Recipe;
use packager_source::archive::{Copy, Place};
use packager_source::mirror;
use packager_source::stop::unless_interrupted;
use serde_json::json;

use crate::arguments::{FetchOptions, LockOptions};
use crate::build::Yard;
use crate::given::Given;
use crate::mirror::Put;
use crate::places::Places;
use crate::planned;
use crate::progress::Line;
use crate::report::{Report, say, size, table};
use crate::world::{self, Sources, Written};

/// Fetches everything that builds of the packages would fetch.
pub(crate) fn fetch(places: &Places, options: &FetchOptions) -> Result<Report> {
    let targets = if options.target.is_empty() { world::target_names(places)? } else { options.target.clone() };
    let mut archives: BTreeSet<PathBuf> = BTreeSet::new();
    let mut crates: BTreeSet<PathBuf> = BTreeSet::new();
    for name in targets {
        let target = world::target(places, &name)?;
        let yard = Yard::new(places, &target, false, None)?;
        let (_, ready) = planned::fetched(places, &target, &options.packages, &Given::versions(&options.asked)?)?;
        for (ready, (inputs, _)) in ready.iter().zip(yard.keys(&ready)?) {
            unless_interrupted()?;
            if let Sources::Copies(_) = ready.sources {
                archives.insert(inputs.archive);
                continue;
            }
            let line = Line::begin(&ready.recipe.nvr());
            let progress = |what: &str| line.step(what);
            let job = yard.job(ready, &inputs, &progress);
            job.vendored()?;
            crates.extend(job.vendored_home()?);
        }
    }
    let mut text = format!("{} archives and {} sets of crates are at hand\n", archives.len(), crates.len());
    let mut put = Put::default();
    if let Some(mirror) = &options.mirror_to {
        for archive in &archives {
            put.put(archive, mirror, mirror::ARCHIVES)?;
        }
        for set in &crates {
            put.put(set, mirror, mirror::VENDORED)?;
        }
        text.push_str(&format!(
            "{}: {} put ({}), {} were there\nThere, build with `--mirror {}` or PACKAGER_MIRROR, and `--offline`.\n",
            mirror.display(),
            put.files,
            size(put.bytes),
            put.there,
            mirror.display()
        ));
    }
    let value = json!({
        "archives": archives, "crates": crates, "mirror": options.mirror_to,
        "put": put.files, "there": put.there, "bytes": put.bytes,
    });
    Ok(Report::new(text, value))
}

/// What to do about archives that changed.
const LOOK_FIRST: &str = "find out why it changed before you take it over with `packager lock --update`: upstream may have made it anew, or somebody changed it";

/// Looks at every copy of every upstream archive, wherever it is, and compares it with what the recipe says.
pub(crate) fn lock(places: &Places, options: &LockOptions) -> Result<Report> {
    let mut recipes = world::written(places)?;
    for wanted in &options.recipes {
        if !recipes.iter().any(|written| written.is_called(wanted)) {
            return Err(world::no_recipe(wanted, &recipes));
        }
    }
    if !options.recipes.is_empty() {
        recipes.retain(|written| options.recipes.iter().any(|wanted| written.is_called(wanted)));
    }
    let mut rows = vec![["RECIPE", "COPY", "STATE"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    let (mut differs, mut missing, mut apart) = (false, false, Vec::new());
    for written in recipes.iter().filter(|written| !written.recipe.source.archives.is_empty()) {
        let name = &written.recipe.name.value;
        let line = Line::begin(name);
        line.step("looking at every copy of the archive");
        let mut text = written.text.clone();
        for version in written.recipe.versions().filter_map(|version| written.recipe.with(version)) {
            let looked = look(places, written, &version, options.update, &mut text)?;
            if looked.is_empty() {
                let state = "not locked: it is built with `--source` only".to_owned();
                let place = version.version.as_ref().map_or_else(String::new, |version| version.value.clone());
                values.push(json!({ "recipe": name, "copy": place, "sha256": null, "state": state }));
                rows.push(vec![name.clone(), place, state]);
            }
            missing |= !looked.is_empty() && looked.iter().all(|(_, state)| matches!(state, State::Missing(_)));
            if options.update && were_one(&looked) {
                apart.push(name.clone());
            }
            for (copy, state) in looked {
                differs |= !options.update && matches!(state, State::Differs(_));
                let (place, state) = (described(&copy.place), state.described(options.update));
                values.push(json!({ "recipe": name, "copy": place, "sha256": copy.sha256, "state": state }));
                rows.push(vec![name.clone(), place, state]);
            }
        }
        drop(line);
        if text != written.text {
            world::replace(&written.folder.join("recipe.yaml"), &text)?;
        }
    }
    if differs {
        say!("error: an archive is not what its recipe says\nhint: {LOOK_FIRST}");
    }
    if missing {
        say!(
            "error: of an archive no copy can be had\nhint: see whether the network reaches its host, and whether upstream moved it"
        );
    }
    for name in apart {
        say!(
            "packager: warning: copies of one archive of `{name}` had one hash and have several now: one of them was changed, or cut short on its way"
        );
    }
    let good = !differs && !missing;
    let mut report = Report::new(table(&rows), json!({ "good": good, "copies": values }));
    report.good = good;
    Ok(report)
}

/// Whether copies that were one and the same archive are not any more.
fn were_one(looked: &[(Copy, State)]) -> bool {
    let now = |(copy, state): &(Copy, State)| match state {
        State::AsLocked => Some((copy.sha256.clone(), copy.sha256.clone())),
        State::Differs(sum) => Some((copy.sha256.clone(), sum.clone())),
        State::Missing(_) => None,
    };
    let sums: Vec<(String, String)> = looked.iter().filter_map(now).collect();
    sums.iter().any(|(before, sum)| sums.iter().any(|(other_before, other)| before == other_before && sum != other))
}

/// Looks at every copy of one version. With `update`, hashes that differ are written into the recipe's text.
fn look(
    places: &Places,
    written: &Written,
    version: &Recipe,
    update: bool,
    text: &mut String,
) -> Result<Vec<(Copy, State)>> {
    let mut looked = Vec::new();
    for (copy, spanned) in world::copies(version).into_iter().zip(&version.source.archives) {
        unless_interrupted()?;
        let state = State::of(places, &copy)?;
        if let (State::Differs(sum), true) = (&state, update) {
            // All hashes have one length, so positions stay right.
            let at = written.offset(spanned);
            let rest = text[at..].replacen(&copy.sha256, sum, 1);
            text.replace_range(at.., &rest);
        }
        looked.push((copy, state));
    }
    Ok(looked)
}

/// What a copy is, against what the recipe says.
enum State {
    AsLocked,
    /// Its hash.
    Differs(String),
    /// Why it cannot be had.
    Missing(String),
}

impl State {
    fn of(places: &Places, copy: &Copy) -> Result<State> {
        Ok(match world::archives(places).look(&copy.place)? {
            Ok(sum) if sum == copy.sha256 => State::AsLocked,
            Ok(sum) => State::Differs(sum),
            Err(reason) => State::Missing(reason),
        })
    }

    fn described(&self, updated: bool) -> String {
        match self {
            State::AsLocked => "as locked".to_owned(),
            State::Differs(sum) if updated => format!("now locked as {sum}"),
            State::Differs(sum) => format!("differs: its SHA-256 is {sum}"),
            State::Missing(reason) => format!("cannot be had: {reason}"),
        }
    }
}

fn described(place: &Place) -> String {
    match place {
        Place::Url(url) => url.clone(),
        Place::Debian(path) => format!("debian: {path}"),
        Place::Git { url, commit, .. } => format!("{url} at {commit}"),
    }
}
