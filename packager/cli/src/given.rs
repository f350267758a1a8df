//! `--source RECIPE=PATH|URL`: sources that the user gives in place of those that recipes lock.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::arguments::GivenSources;
use crate::world::among;

/// Sources that the user gave, by recipe.
#[derive(Debug, Default)]
pub(crate) struct Given {
    places: BTreeMap<String, String>,
    offline: bool,
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
        Ok(Given { places, offline })
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

    /// Whether the network is not to be used.
    pub(crate) fn offline(&self) -> bool {
        self.offline
    }
}
