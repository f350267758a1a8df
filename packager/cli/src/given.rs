//! `--source RECIPE=PATH|URL` and `--use RECIPE=VERSION`: sources and versions that the user wants in place of a recipe's own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use packager_recipe::Recipe;
use packager_source::given;

use crate::arguments::{AskedVersions, GivenSources};

/// Sources and versions that the user wants, by recipe.
#[derive(Debug, Default)]
pub(crate) struct Given {
    places: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    offline: bool,
    /// What was made of them: recipes are read more than once in a run, and must see the same sources each time.
    taken: RefCell<BTreeMap<String, given::Given>>,
    /// Which copy of an upstream release was looked at and is right.
    verified: RefCell<BTreeMap<String, usize>>,
}

impl Given {
    /// From the arguments.
    pub(crate) fn parse(sources: &GivenSources, offline: bool) -> Result<Given> {
        let places = pairs(&sources.source, "--source", "RECIPE=PATH")?;
        Ok(Given { places, offline, ..Given::versions(&sources.asked)? })
    }

    /// Versions only.
    pub(crate) fn versions(asked: &AskedVersions) -> Result<Given> {
        Ok(Given { versions: pairs(&asked.versions, "--use", "RECIPE=VERSION")?, ..Given::default() })
    }

    /// A recipe in the version that is wanted.
    pub(crate) fn version_of(&self, recipe: Recipe) -> Result<Recipe> {
        let Some(wanted) = of(&self.versions, &recipe) else { return Ok(recipe) };
        let name = &recipe.name.value;
        recipe.with(wanted).with_context(|| {
            let hint = match recipe.versions().next() {
                Some(_) => format!("one of {}", recipe.versions().collect::<Vec<_>>().join(", ")),
                None => "a workspace has one version; `--source` gives another tree".to_owned(),
            };
            format!("the recipe `{name}` has no version `{wanted}`\nhint: {hint}")
        })
    }

    /// Recipes that something was asked for.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.places.keys().chain(self.versions.keys())
    }

    /// Where the sources of a recipe are.
    pub(crate) fn place(&self, recipe: &Recipe) -> Option<&str> {
        of(&self.places, recipe).map(String::as_str)
    }

    /// The sources of an upstream recipe as an archive in the store, when they were given.
    pub(crate) fn archive(
        &self,
        recipe: &Recipe,
        time: i64,
        store: &Path,
    ) -> Result<Option<given::Given>, given::GivenError> {
        let Some(place) = self.place(recipe) else { return Ok(None) };
        let name = &recipe.name.value;
        if let Some(taken) = self.taken.borrow().get(name) {
            return Ok(Some(taken.clone()));
        }
        let taken = given::take(place, &recipe.folder(), time, store, self.offline)?;
        self.taken.borrow_mut().insert(name.clone(), taken.clone());
        Ok(Some(taken))
    }

    /// Which copy of a recipe's release is right, once somebody looked.
    pub(crate) fn verified(&self, recipe: &str) -> Option<usize> {
        self.verified.borrow().get(recipe).copied()
    }

    /// Says which copy is right.
    pub(crate) fn remember(&self, recipe: &str, copy: usize) {
        self.verified.borrow_mut().insert(recipe.to_owned(), copy);
    }

    /// What was asked for, as it was written, without places of this machine.
    pub(crate) fn described(&self) -> Vec<String> {
        let versions = self.versions.iter().map(|(recipe, version)| format!("{recipe}={version}"));
        versions.chain(self.places.keys().map(|recipe| format!("{recipe}=given"))).collect()
    }

    /// Whether the network is not to be used.
    pub(crate) fn offline(&self) -> bool {
        self.offline
    }
}

/// What was asked for a recipe, by its name or by what its makers call it.
fn of<'m, T>(asked: &'m BTreeMap<String, T>, recipe: &Recipe) -> Option<&'m T> {
    let project = recipe.project.as_ref().and_then(|project| asked.get(&project.value));
    asked.get(&recipe.name.value).or(project)
}

/// `NAME=VALUE`, neither empty.
fn pairs(texts: &[String], option: &str, form: &str) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for text in texts {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                if pairs.insert(name.to_owned(), value.to_owned()).is_some() {
                    bail!("`{option}` names `{name}` twice\nhint: leave one of them out");
                }
            }
            _ => bail!("`{option} {text}` has not the form that it needs\nhint: write `{option} {form}`"),
        }
    }
    Ok(pairs)
}
