//! `--source RECIPE=PATH|URL`: sources that the user gives in place of those that recipes lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use packager_source::given;

use crate::arguments::GivenSources;
use crate::world::among;

/// Sources that the user gave, by recipe.
#[derive(Debug, Default)]
pub(crate) struct Given {
    places: BTreeMap<String, String>,
    offline: bool,
    /// What was made of them: recipes are read more than once in a run, and must see the same sources each time.
    taken: RefCell<BTreeMap<String, given::Given>>,
}

impl Given {
    /// From `RECIPE=PATH|URL`.
    pub(crate) fn parse(sources: &GivenSources, offline: bool) -> Result<Given> {
        let mut places = BTreeMap::new();
        for text in &sources.source {
            match text.split_once('=') {
                Some((recipe, place)) if !recipe.is_empty() && !place.is_empty() => {
                    places.insert(recipe.to_owned(), place.to_owned());
                }
                _ => {
                    bail!("`--source {text}` does not say whose sources are where\nhint: write `--source RECIPE=PATH`")
                }
            }
        }
        Ok(Given { places, offline, taken: RefCell::default() })
    }

    /// Refuses names that no recipe has.
    pub(crate) fn known<'r>(&self, recipes: impl Iterator<Item = &'r str> + Clone) -> Result<()> {
        for name in self.places.keys() {
            if recipes.clone().any(|known| known == name) {
                continue;
            }
            bail!("no recipe `{name}` to give sources to\nhint: {}", among(name, recipes));
        }
        Ok(())
    }

    /// Where the sources of a recipe are.
    pub(crate) fn place(&self, recipe: &str) -> Option<&str> {
        self.places.get(recipe).map(String::as_str)
    }

    /// The sources of an upstream recipe as an archive in the store, when they were given.
    pub(crate) fn archive(
        &self,
        recipe: &str,
        folder: &str,
        time: i64,
        store: &Path,
    ) -> Result<Option<given::Given>, given::GivenError> {
        let Some(place) = self.place(recipe) else { return Ok(None) };
        if let Some(taken) = self.taken.borrow().get(recipe) {
            return Ok(Some(taken.clone()));
        }
        let taken = given::take(place, folder, time, store, self.offline)?;
        self.taken.borrow_mut().insert(recipe.to_owned(), taken.clone());
        Ok(Some(taken))
    }

    /// Whether the network is not to be used.
    pub(crate) fn offline(&self) -> bool {
        self.offline
    }
}
