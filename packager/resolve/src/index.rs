//! The index of a universe: from names of capabilities and paths of files to who provides them.
//!
//! A distribution has ten names per package, and nearly every one has one provider. So nothing is allocated per name: the texts lie one after
//! the other in one buffer, providers in one list in which those of a name are linked in their order, and only names that packages have, or
//! that somebody obsoletes, have lists of their own.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::universe::PackageId;

/// No place in a list.
const NONE: u32 = u32::MAX;

/// An interned name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NameId(u32);

/// Which text of a package provides a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Its own name at its own version.
    Itself,
    /// This one of its `provides`.
    Provide(u32),
    /// A file.
    File,
}

/// A name: the text from the end of the one before up to `end`, and places in the lists.
#[derive(Debug)]
struct Name {
    end: usize,
    first: u32,
    last: u32,
    members: u32,
}

/// A provider of a name, and the place of the next one.
#[derive(Debug)]
struct Link {
    package: PackageId,
    offer: Offer,
    next: u32,
}

/// Packages of a name, and those that obsolete it.
#[derive(Debug, Default)]
struct Members {
    packages: Vec<PackageId>,
    obsoleters: Vec<PackageId>,
}

/// See the header.
#[derive(Debug, Default)]
pub(crate) struct Index {
    hasher: DefaultHashBuilder,
    table: HashTable<NameId>,
    texts: String,
    names: Vec<Name>,
    links: Vec<Link>,
    members: Vec<Members>,
}

impl Index {
    /// The id of a name, which is new when nobody named it before.
    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        let hash = self.hasher.hash_one(name);
        if let Some(id) = self.table.find(hash, |id| text(&self.texts, &self.names, *id) == name) {
            return *id;
        }
        // Each name takes some twenty bytes of memory that the program does not have.
        let id = NameId(place(self.names.len()));
        self.texts.push_str(name);
        self.names.push(Name { end: self.texts.len(), first: NONE, last: NONE, members: NONE });
        let Index { hasher, table, texts, names, .. } = self;
        table.insert_unique(hash, id, |id| hasher.hash_one(text(texts, names, *id)));
        id
    }

    /// The id of a name that somebody named.
    pub(crate) fn known(&self, name: &str) -> Option<NameId> {
        let hash = self.hasher.hash_one(name);
        self.table.find(hash, |id| text(&self.texts, &self.names, *id) == name).copied()
    }

    /// Adds a provider, after those that were added before.
    pub(crate) fn provide(&mut self, name: &str, package: PackageId, offer: Offer) -> NameId {
        let id = self.intern(name);
        let at = place(self.links.len());
        self.links.push(Link { package, offer, next: NONE });
        let name = &mut self.names[id.0 as usize];
        match name.last {
            NONE => name.first = at,
            last => self.links[last as usize].next = at,
        }
        name.last = at;
        id
    }

    /// Who provides a name, in the order of addition.
    pub(crate) fn providers(&self, id: NameId) -> impl Iterator<Item = (PackageId, Offer)> + '_ {
        let mut at = self.names[id.0 as usize].first;
        std::iter::from_fn(move || {
            let link = self.links.get(at as usize)?;
            at = link.next;
            Some((link.package, link.offer))
        })
    }

    /// Adds a package that has the name.
    pub(crate) fn name_package(&mut self, id: NameId, package: PackageId) {
        self.members_mut(id).packages.push(package);
    }

    /// Packages that have the name.
    pub(crate) fn packages(&self, id: NameId) -> &[PackageId] {
        self.members(id).map_or(&[], |members| &members.packages)
    }

    /// Adds a package that obsoletes the name.
    pub(crate) fn obsolete(&mut self, name: &str, package: PackageId) {
        let id = self.intern(name);
        self.members_mut(id).obsoleters.push(package);
    }

    /// Packages that obsolete the name, at some version.
    pub(crate) fn obsoleters(&self, id: NameId) -> &[PackageId] {
        self.members(id).map_or(&[], |members| &members.obsoleters)
    }

    fn members(&self, id: NameId) -> Option<&Members> {
        self.members.get(self.names[id.0 as usize].members as usize)
    }

    fn members_mut(&mut self, id: NameId) -> &mut Members {
        let name = &mut self.names[id.0 as usize];
        if name.members == NONE {
            name.members = place(self.members.len());
            self.members.push(Members::default());
        }
        &mut self.members[name.members as usize]
    }
}

/// A place in a list.
fn place(length: usize) -> u32 {
    u32::try_from(length)
        .ok()
        .filter(|place| *place != NONE)
        .expect("fewer than 2^32 - 1 names and providers: more do not fit into memory")
}

fn text<'t>(texts: &'t str, names: &[Name], id: NameId) -> &'t str {
    let at = id.0 as usize;
    let start = at.checked_sub(1).map_or(0, |before| names[before].end);
    &texts[start..names[at].end]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Index, Offer};
    use crate::universe::Universe;
    use crate::{Package, universe::INSTALLED};

    proptest! {
        #[test]
        fn it_answers_as_a_map_of_lists(names in vec("[a-c]{0,2}|é", 0..60)) {
            // Ids come from a universe alone.
            let mut universe = Universe::new("x86_64");
            let (mut index, mut model) = (Index::default(), BTreeMap::<&str, Vec<_>>::new());
            for (at, name) in (0..).zip(&names) {
                let package = Package { name: format!("p{at}"), evr: "1-1".into(), arch: "noarch".into(), ..Package::default() };
                let id = universe.add(INSTALLED, package).expect("a package");
                let named = index.provide(name, id, Offer::Provide(at));
                prop_assert_eq!(index.intern(name), named);
                if at % 2 == 0 {
                    index.name_package(named, id);
                    index.obsolete(name, id);
                }
                model.entry(name).or_default().push((id, Offer::Provide(at)));
            }
            for (name, expected) in &model {
                let id = index.known(name).expect("interned");
                prop_assert_eq!(&index.providers(id).collect::<Vec<_>>(), expected);
                let even: Vec<_> = expected.iter().filter(|(_, offer)| matches!(offer, Offer::Provide(at) if at % 2 == 0)).collect();
                let even: Vec<_> = even.into_iter().map(|(id, _)| *id).collect();
                prop_assert_eq!(index.packages(id), &even[..]);
                prop_assert_eq!(index.obsoleters(id), &even[..]);
            }
            prop_assert_eq!(index.known("d"), None);
        }
    }
}
