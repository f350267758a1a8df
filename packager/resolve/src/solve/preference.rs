//! Which of several packages is better, as libsolv sees it (src/policy.c): the repository's priority, then the architecture, then
//! the version; then what replaces others, what is installed already, and what others recommend or suggest.

use std::cmp::Ordering;

use crate::universe::{PackageId, Universe};

/// What packages that are there think of others.
pub(crate) trait Opinion {
    /// Recommended by one, or supplementing one.
    fn is_recommended(&self, package: PackageId) -> bool;
    /// Suggested by one, or enhancing one.
    fn is_suggested(&self, package: PackageId) -> bool;
}

/// The best of them, the very best first; never empty unless it was.
pub(crate) fn best(universe: &Universe, packages: &[PackageId], opinion: Option<&dyn Opinion>) -> Vec<PackageId> {
    let mut list = packages.to_vec();
    if list.len() > 1 {
        best_priority(universe, &mut list);
    }
    if list.len() > 1 {
        best_arch(universe, &mut list);
    }
    if list.len() > 1 {
        best_version(universe, &mut list);
    }
    if let (true, Some(opinion)) = (list.len() > 1, opinion) {
        welcome(universe, &mut list, |package| opinion.is_recommended(package));
        welcome(universe, &mut list, |package| opinion.is_suggested(package));
    }
    list
}

fn best_priority(universe: &Universe, list: &mut Vec<PackageId>) {
    let offered = list.iter().filter(|id| !universe.is_installed(**id)).map(|id| universe.priority(*id));
    if let Some(best) = offered.min() {
        list.retain(|id| universe.is_installed(*id) || universe.priority(*id) == best);
    }
}

/// `noarch` stands beside the best architecture.
fn best_arch(universe: &Universe, list: &mut Vec<PackageId>) {
    let best = list.iter().filter_map(|id| universe.arch_rank(*id)).filter(|rank| *rank > 0).min();
    if let Some(best) = best {
        let kept: Vec<PackageId> = list
            .iter()
            .copied()
            .filter(|id| matches!(universe.arch_rank(*id), Some(rank) if rank == 0 || rank == best))
            .collect();
        if !kept.is_empty() {
            *list = kept;
        }
    }
}

/// The newest of each name, in the order of names; without those that another one of the list obsoletes.
fn best_version(universe: &Universe, list: &mut Vec<PackageId>) {
    list.sort_by(|left, right| by_name(universe, *left, *right));
    let mut newest: Vec<PackageId> = Vec::new();
    for id in list.iter().copied() {
        match newest.last_mut() {
            Some(last) if universe.entry(*last).name == universe.entry(id).name => {
                if universe.entry(id).evr > universe.entry(*last).evr {
                    *last = id;
                }
            }
            _ => newest.push(id),
        }
    }
    let is_obsoleted = |id: &PackageId| {
        newest
            .iter()
            .any(|other| universe.obsoletes(*other, *id).is_some() && universe.obsoletes(*id, *other).is_none())
    };
    let mut kept: Vec<PackageId> = newest.iter().copied().filter(|id| !is_obsoleted(id)).collect();
    if kept.is_empty() {
        kept = newest;
    }
    // A stable sort: those with an installed package of their name come first, in their order.
    kept.sort_by_key(|id| !universe.namesakes(*id).iter().any(|other| universe.is_installed(*other)));
    *list = kept;
}

/// Architectures need no comparison: only one beside `noarch` is left.
fn by_name(universe: &Universe, left: PackageId, right: PackageId) -> Ordering {
    let name = |id| universe.package(id).name.as_str();
    name(left)
        .cmp(name(right))
        .then_with(|| universe.is_installed(right).cmp(&universe.is_installed(left)))
        .then_with(|| left.cmp(&right))
}

/// Only the welcome ones and those that are installed, when anybody is welcome.
fn welcome(universe: &Universe, list: &mut Vec<PackageId>, is_welcome: impl Fn(PackageId) -> bool) {
    let new: Vec<PackageId> = list.iter().copied().filter(|id| !universe.is_installed(*id)).collect();
    if new.len() < 2 {
        return;
    }
    let liked: Vec<PackageId> = new.into_iter().filter(|id| is_welcome(*id)).collect();
    if !liked.is_empty() {
        list.retain(|id| universe.is_installed(*id) || liked.contains(id));
    }
}
