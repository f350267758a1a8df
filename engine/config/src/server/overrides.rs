//! Values of the command line, put into the tree before it is read, so that the same rules hold for them.

use std::rc::Rc;

use crate::Overrides;
use crate::document::{Entry, Kind, Mapping, Mark, Node};

/// The tree with `overrides` in place.
pub(super) fn apply(root: &Rc<Node>, overrides: &Overrides) -> Rc<Node> {
    let Overrides { port, scm_mount, modules, targets, nr_xs_helpers, first_core, name, socket_dir, insecure } =
        overrides;
    let path = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    let mut root = set(root, "port", port.map(|port| port.to_string()));
    root = set(&root, "name", name.clone());
    root = set(&root, "socket_dir", socket_dir.as_ref().map(path));
    if *insecure {
        root = within(&root, "transport_config", |transport| set(transport, "allow_insecure", Some("true".to_owned())));
    }
    within_each(&root, "engines", |engine| {
        let mut engine = set(engine, "modules", modules.clone());
        engine = set(&engine, "targets", targets.map(|count| count.to_string()));
        engine = set(&engine, "nr_xs_helpers", nr_xs_helpers.map(|count| count.to_string()));
        engine = set(&engine, "first_core", first_core.map(|core| core.to_string()));
        let mount = scm_mount.as_ref().map(path);
        within_each(&engine, "storage", |tier| {
            if is_scm(tier) { set(tier, "scm_mount", mount.clone()) } else { Rc::clone(tier) }
        })
    })
}

fn is_scm(tier: &Node) -> bool {
    let class = |entry: &Entry| {
        entry.key == "class"
            && matches!(&entry.value.kind, Kind::Scalar { text, .. } if text == "ram" || text == "dcpm")
    };
    matches!(&tier.kind, Kind::Mapping(mapping) if mapping.entries.iter().any(class))
}

/// `node` with `key` set to `value`, if there is one and `node` is a mapping.
fn set(node: &Rc<Node>, key: &str, value: Option<String>) -> Rc<Node> {
    let Some(text) = value else { return Rc::clone(node) };
    within_or(node, key, true, |_| {
        Rc::new(Node { mark: Mark::NOWHERE, kind: Kind::Scalar { text: text.clone(), plain: true }, weight: 1 })
    })
}

/// `node` with the section at `key`, made when absent, changed.
fn within(node: &Rc<Node>, key: &str, change: impl Fn(&Rc<Node>) -> Rc<Node>) -> Rc<Node> {
    within_or(node, key, true, change)
}

/// `node` with every item of the list at `key` changed.
fn within_each(node: &Rc<Node>, key: &str, change: impl Fn(&Rc<Node>) -> Rc<Node>) -> Rc<Node> {
    within_or(node, key, false, |list| match &list.kind {
        Kind::Sequence(items) => {
            let items = items.iter().map(&change).collect();
            Rc::new(Node { mark: list.mark, kind: Kind::Sequence(items), weight: list.weight })
        }
        _ => Rc::clone(list),
    })
}

fn within_or(node: &Rc<Node>, key: &str, make: bool, change: impl Fn(&Rc<Node>) -> Rc<Node>) -> Rc<Node> {
    let Kind::Mapping(mapping) = &node.kind else { return Rc::clone(node) };
    let mut mapping: Mapping = mapping.clone();
    match mapping.entries.iter_mut().find(|entry| entry.key == key) {
        Some(entry) if !entry.value.is_null() => entry.value = change(&entry.value),
        _ if make => {
            mapping.entries.retain(|entry| entry.key != key);
            let empty = Rc::new(Node { mark: Mark::NOWHERE, kind: Kind::Mapping(Mapping::default()), weight: 1 });
            let value = change(&empty);
            mapping.entries.push(Entry { key: key.to_owned(), key_mark: Mark::NOWHERE, value });
        }
        _ => {}
    }
    Rc::new(Node { mark: node.mark, kind: Kind::Mapping(mapping), weight: node.weight })
}
