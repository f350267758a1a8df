//! The decisions, in the order of libsolv (`solver_run_sat` of src/solver.c): what was asked for, updates, what is installed, what
//! the packages so far require, then what they recommend.
//!
//! Each decision is checked with the SAT solver before it becomes a fact, so no decision is ever taken back: the result is the first
//! in the lexicographic order of the preferences among all that satisfy the rules.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::logic::{Clauses, Literal, hold};
use super::preference::{Opinion, best};
use super::request::Aim;
use super::rules::{Rules, Why};
use super::sat::Sat;
use crate::universe::PackageId;

/// One of several equally good packages was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    among: Vec<PackageId>,
    taken: PackageId,
}

/// Why a package was decided for, when no requirement says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A goal.
    Asked { aim: usize },
    /// It replaces an older one.
    Update { of: PackageId },
    /// Another one recommends it.
    Recommended { by: PackageId, text: String },
    /// It supplements what is there.
    Supplements { text: String },
}

/// What is there in the end.
pub(crate) struct Decision {
    there: Vec<bool>,
    choices: Vec<Choice>,
    pub(crate) causes: HashMap<PackageId, Cause>,
}

impl Decision {
    /// Decides everything; `None` when the rules contradict each other. Choices in `better` are taken where they turn up.
    pub(crate) fn make(rules: &Rules<'_>, better: &[Choice]) -> Option<Decision> {
        let mut run = Run::new(rules, better)?;
        run.goals();
        run.replacements();
        run.installed();
        loop {
            run.requirements();
            if !rules.request.weak || !run.wishes() {
                break;
            }
        }
        let there: Vec<bool> = rules.universe.all().map(|package| run.sat.is_there(package)).collect();
        let all_hold = rules.all().all(|(literals, why)| {
            let gave_way = rules.request.allow_erasing && matches!(why, Why::Keep { .. });
            gave_way || literals.iter().any(|literal| there[literal.package.index()] == literal.there)
        });
        assert!(all_hold, "every rule is satisfied when nothing undecided is there");
        Some(Decision { there, choices: run.choices, causes: run.causes })
    }

    pub(crate) fn is_there(&self, package: PackageId) -> bool {
        self.there[package.index()]
    }

    /// The first choice of which another candidate came in anyway: that one would have done.
    pub(crate) fn improvement(&self, better: &[Choice]) -> Option<Choice> {
        self.choices.iter().find_map(|choice| {
            if better.iter().any(|other| other.among == choice.among) {
                return None;
            }
            let taken = choice.among.iter().copied().find(|other| *other != choice.taken && self.is_there(*other))?;
            Some(Choice { among: choice.among.clone(), taken })
        })
    }
}

/// What those that are there recommend and suggest.
#[derive(Default)]
struct Voices {
    recommended: HashSet<PackageId>,
    suggested: HashSet<PackageId>,
    /// Depend on more than the package that says so.
    conditional: Vec<(Clauses, bool)>,
}

struct Run<'r, 'u> {
    rules: &'r Rules<'u>,
    better: &'r [Choice],
    sat: Sat,
    /// Requirements of what is there, not satisfied yet: those of the packages that were added last come first, as in libsolv.
    open: BTreeSet<(Reverse<PackageId>, usize, u32)>,
    voices: RefCell<Voices>,
    choices: Vec<Choice>,
    causes: HashMap<PackageId, Cause>,
    /// In the order in which it was settled.
    there: Vec<PackageId>,
}

impl<'r, 'u> Run<'r, 'u> {
    fn new(rules: &'r Rules<'u>, better: &'r [Choice]) -> Option<Run<'r, 'u>> {
        let mut sat = Sat::new(rules.universe.len());
        for package in &rules.visited {
            sat.know(*package, rules.universe.is_installed(*package));
        }
        let gives_way = |why: &Why<'_>| rules.request.allow_erasing && matches!(why, Why::Keep { .. });
        for (literals, why) in rules.all() {
            if !gives_way(why) && !sat.add(literals) {
                return None;
            }
        }
        let soft: Vec<&[Literal]> =
            rules.all().filter(|(_, why)| gives_way(why)).map(|(literals, _)| literals).collect();
        if !sat.add_possible(&soft) || !sat.is_satisfiable() {
            return None;
        }
        let mut run = Run {
            rules,
            better,
            sat,
            open: BTreeSet::new(),
            voices: RefCell::new(Voices::default()),
            choices: Vec::new(),
            causes: HashMap::new(),
            there: Vec::new(),
        };
        run.listen();
        Some(run)
    }

    /// Takes in what was settled since the last time.
    fn listen(&mut self) {
        for package in self.sat.news() {
            self.there.push(package);
            for (place, number) in self.rules.required(package).into_iter().enumerate() {
                self.open.insert((Reverse(package), place, number));
            }
            let package = self.rules.universe.package(package);
            let voices = self.voices.get_mut();
            for (texts, recommends) in [(&package.recommends, true), (&package.suggests, false)] {
                for text in texts {
                    let known = self.rules.clauses(text, true);
                    let Ok(clauses) = known.as_ref() else { continue };
                    if clauses.iter().flatten().any(|literal| !literal.there) {
                        voices.conditional.push((clauses.clone(), recommends));
                        continue;
                    }
                    let set = if recommends { &mut voices.recommended } else { &mut voices.suggested };
                    set.extend(clauses.iter().flatten().map(|literal| literal.package));
                }
            }
        }
    }

    /// Settles one of the candidates, the best that is possible; false when none is.
    fn choose(&mut self, candidates: &[PackageId], cause: Option<&Cause>) -> bool {
        let mut candidates = candidates.to_vec();
        loop {
            if candidates.iter().any(|candidate| self.sat.is_there(*candidate)) {
                return true;
            }
            candidates.retain(|candidate| self.sat.settled(*candidate).is_none());
            let good = best(self.rules.universe, &candidates, Some(self));
            let Some(first) = good.first().copied() else { return false };
            let better = self.better.iter().find(|choice| choice.among == good);
            let taken = better.map_or(first, |choice| choice.taken);
            if self.sat.decide(taken) {
                if good.len() > 1 {
                    self.choices.push(Choice { among: good, taken });
                }
                if let Some(cause) = cause {
                    self.causes.entry(taken).or_insert_with(|| cause.clone());
                }
                self.listen();
                return true;
            }
        }
    }

    fn goals(&mut self) {
        let universe = self.rules.universe;
        let updated = self.rules.updated();
        for (number, aim) in self.rules.aims.iter().enumerate() {
            let Aim::Install { clauses, .. } = aim else { continue };
            for clause in clauses {
                if clause.iter().any(|literal| self.sat.settled(literal.package) == Some(literal.there)) {
                    continue;
                }
                let mut candidates: Vec<PackageId> = clause
                    .iter()
                    .filter(|literal| literal.there && self.sat.settled(literal.package).is_none())
                    .map(|literal| literal.package)
                    .collect();
                // What is there already does, unless it is to be updated.
                let here = |package: &PackageId| universe.is_installed(*package);
                if candidates.iter().any(here) && !candidates.iter().any(|package| updated.contains(package)) {
                    candidates.retain(here);
                }
                self.choose(&candidates, Some(&Cause::Asked { aim: number }));
            }
        }
    }

    /// Where a new package needs one of several, the update of an installed one is better than one more package.
    fn replacements(&mut self) {
        let universe = self.rules.universe;
        let mut seen = HashSet::new();
        loop {
            let next = self.open.iter().map(|(_, _, number)| *number).find(|number| !seen.contains(number));
            let Some(number) = next else { return };
            seen.insert(number);
            let Some(candidates) = self.candidates(number) else { continue };
            let is_update = |package: &PackageId| {
                universe
                    .namesakes(*package)
                    .iter()
                    .any(|other| universe.is_installed(*other) && universe.same_colour(*other, *package))
            };
            if candidates.iter().any(|package| universe.is_installed(*package)) {
                continue;
            }
            let updates: Vec<PackageId> = candidates.iter().copied().filter(is_update).collect();
            if !updates.is_empty() && updates.len() < candidates.len() {
                self.choose(&updates, None);
            }
        }
    }

    fn installed(&mut self) {
        let universe = self.rules.universe;
        let updated = self.rules.updated();
        let everything = updated.len() == universe.installed().len();
        let updates: Vec<PackageId> =
            universe.installed().iter().copied().filter(|package| updated.contains(package)).collect();
        self.update_together(&updates);
        if !everything {
            let kept: Vec<PackageId> = universe
                .installed()
                .iter()
                .copied()
                .filter(|package| self.sat.settled(*package).is_none() && !self.rules.erased.contains(package))
                .collect();
            // Mostly all of them can stay, and that is one question.
            if self.sat.decide_all(&kept) {
                self.listen();
            }
        }
        for package in universe.installed() {
            if self.sat.is_there(*package) || self.rules.erased.contains(package) {
                continue;
            }
            if updated.contains(package) || !self.sat.decide(*package) {
                self.update(*package);
            }
            self.listen();
        }
    }

    /// All updates in one question while that is possible, halves of them where it is not: the same answers as one after the other,
    /// with far fewer questions.
    fn update_together(&mut self, packages: &[PackageId]) {
        match packages {
            [] => return,
            [package] => return self.update(*package),
            _ => {}
        }
        let mut taken = Vec::new();
        let clear = packages.iter().all(|package| {
            let candidates = self.updates(*package);
            if candidates.iter().any(|candidate| self.sat.is_there(*candidate)) {
                return true;
            }
            let possible: Vec<PackageId> =
                candidates.into_iter().filter(|candidate| self.sat.settled(*candidate).is_none()).collect();
            let good = best(self.rules.universe, &possible, Some(&*self));
            if good.len() == 1 {
                taken.push((*package, good[0]));
            }
            good.len() == 1
        });
        let wanted: Vec<PackageId> = taken.iter().map(|(_, update)| *update).collect();
        if clear && self.sat.decide_all(&wanted) {
            for (of, update) in taken {
                self.causes.entry(update).or_insert(Cause::Update { of });
            }
            self.listen();
            return;
        }
        let (first, second) = packages.split_at(packages.len() / 2);
        self.update_together(first);
        self.update_together(second);
    }

    fn updates(&self, package: PackageId) -> Vec<PackageId> {
        let mut candidates = vec![package];
        candidates.extend(self.rules.updates.get(&package).into_iter().flatten());
        candidates.sort_unstable();
        candidates
    }

    /// The package, or what replaces it.
    fn update(&mut self, package: PackageId) {
        let candidates = self.updates(package);
        self.choose(&candidates, Some(&Cause::Update { of: package }));
        self.listen();
    }

    /// Who can still satisfy the requirement; `None` when nobody needs to.
    fn candidates(&self, number: u32) -> Option<Vec<PackageId>> {
        let literals = self.rules.literals(number);
        let mut candidates = Vec::new();
        for literal in literals {
            match self.sat.settled(literal.package) {
                Some(there) if there == literal.there => return None,
                Some(_) => {}
                // What is not there in the end satisfies it.
                None if !literal.there => return None,
                None => candidates.push(literal.package),
            }
        }
        Some(candidates)
    }

    fn is_satisfied(&self, number: u32) -> bool {
        let literals = self.rules.literals(number);
        literals.iter().any(|literal| self.sat.settled(literal.package) == Some(literal.there))
    }

    /// Those with one best candidate first, then the others.
    fn requirements(&mut self) {
        let mut postpone = true;
        loop {
            self.listen();
            let mut progress = false;
            for open in self.open.clone() {
                let number = open.2;
                if self.is_satisfied(number) {
                    self.open.remove(&open);
                    continue;
                }
                let Some(candidates) = self.candidates(number) else { continue };
                if postpone && best(self.rules.universe, &candidates, Some(&*self)).len() > 1 {
                    continue;
                }
                progress |= self.choose(&candidates, None);
                self.open.remove(&open);
            }
            if !progress && !postpone {
                return;
            }
            postpone = progress && postpone;
        }
    }

    /// What is recommended or supplements (`resolve_weak`); false when there is nothing more.
    fn wishes(&mut self) -> bool {
        let universe = self.rules.universe;
        let mut recommended = Vec::new();
        for by in self.there.iter().copied().filter(|package| !universe.is_installed(*package)) {
            for text in &universe.package(by).recommends {
                for candidates in self.wanted(text) {
                    recommended.push((by, text.as_str(), candidates));
                }
            }
        }
        let mut supplementing: Vec<PackageId> = universe
            .supplementing()
            .iter()
            .copied()
            .filter(|package| self.sat.settled(*package).is_none() && universe.arch_rank(*package).is_some())
            .filter(|package| self.rules.is_visited(*package) && self.supplements(*package).is_some())
            .collect();
        // Where another architecture of it was decided for, it is not what is missing.
        supplementing.retain(|package| {
            let arch = &universe.package(*package).arch;
            !universe
                .namesakes(*package)
                .iter()
                .any(|other| self.sat.is_there(*other) && universe.package(*other).arch != *arch)
        });
        let mut all: Vec<PackageId> =
            recommended.iter().flat_map(|(_, _, candidates)| candidates.iter().copied()).collect();
        all.extend(&supplementing);
        all.sort_unstable();
        all.dedup();
        if all.is_empty() {
            return false;
        }
        let good = best(universe, &all, None);
        supplementing.retain(|package| good.contains(package));
        for package in supplementing {
            if self.sat.settled(package).is_none()
                && let Some(text) = self.supplements(package)
            {
                self.choose(&[package], Some(&Cause::Supplements { text }));
            }
        }
        for (by, text, _) in recommended {
            for mut candidates in self.wanted(text) {
                candidates.retain(|package| good.contains(package));
                if !candidates.is_empty() {
                    let cause = Cause::Recommended { by, text: text.to_owned() };
                    // One attempt: when the best cannot be there, the next round sees what is left.
                    let first = best(universe, &candidates, Some(&*self));
                    if first.len() == 1 {
                        self.choose(&first, Some(&cause));
                    } else {
                        self.choose(&candidates, Some(&cause));
                    }
                }
            }
        }
        true
    }

    /// For each part of a recommendation that nothing answers yet, who could.
    fn wanted(&self, text: &'u str) -> Vec<Vec<PackageId>> {
        let known = self.rules.clauses(text, true);
        let Ok(clauses) = known.as_ref() else { return Vec::new() };
        let mut found = Vec::new();
        for clause in clauses {
            let is_open = clause.iter().all(|literal| {
                if literal.there { !self.sat.is_there(literal.package) } else { self.sat.is_there(literal.package) }
            });
            let candidates: Vec<PackageId> = clause
                .iter()
                .filter(|literal| literal.there && self.sat.settled(literal.package).is_none())
                .map(|literal| literal.package)
                .collect();
            if is_open && !candidates.is_empty() {
                found.push(candidates);
            }
        }
        found
    }

    /// The dependency with which a package supplements what is new.
    fn supplements(&self, package: PackageId) -> Option<String> {
        let universe = self.rules.universe;
        universe
            .package(package)
            .supplements
            .iter()
            .find(|text| {
                let known = self.rules.clauses(text, true);
                known.as_ref().as_ref().is_ok_and(|clauses| {
                    hold(clauses, |other| self.sat.is_there(other))
                        && !hold(clauses, |other| self.sat.is_there(other) && universe.is_installed(other))
                })
            })
            .cloned()
    }

    fn any_holds(&self, texts: &'u [String]) -> bool {
        texts.iter().any(|text| {
            let known = self.rules.clauses(text, true);
            known.as_ref().as_ref().is_ok_and(|clauses| hold(clauses, |other| self.sat.is_there(other)))
        })
    }

    fn is_voiced(&self, package: PackageId, recommends: bool) -> bool {
        let voices = self.voices.borrow();
        let set = if recommends { &voices.recommended } else { &voices.suggested };
        set.contains(&package)
            || voices.conditional.iter().filter(|(_, kind)| *kind == recommends).any(|(clauses, _)| {
                clauses.iter().any(|clause| {
                    clause.iter().any(|literal| literal.there && literal.package == package)
                        && clause.iter().all(|literal| literal.there || self.sat.is_there(literal.package))
                })
            })
    }
}

impl Opinion for Run<'_, '_> {
    fn is_recommended(&self, package: PackageId) -> bool {
        self.is_voiced(package, true) || self.any_holds(&self.rules.universe.package(package).supplements)
    }

    fn is_suggested(&self, package: PackageId) -> bool {
        self.is_voiced(package, false) || self.any_holds(&self.rules.universe.package(package).enhances)
    }
}
