//! Everything that must hold, as clauses, each with the reason that a person is told.
//!
//! Only packages that the request can reach are looked at: what is installed and what could replace it, what is asked for, what those
//! require, and what they recommend. For what is already installed, requirements and conflicts that are broken now are nobody's business.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::logic::{self, Clauses, Literal};
use super::request::{Aim, Request};
use crate::dependency::Dependency;
use crate::universe::{PackageId, Universe};

/// Why a clause must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// A requirement.
    Requires { package: PackageId, text: Rc<str> },
    /// A conflict; `other` when it is with one package.
    Conflicts { package: PackageId, other: Option<PackageId>, text: Rc<str> },
    /// One place for two packages of a name.
    SameName { left: PackageId, right: PackageId },
    /// One takes the place of the other.
    Obsoletes { package: PackageId, other: PackageId, text: Rc<str> },
    /// The machine does not run it.
    Foreign { package: PackageId },
    /// A dependency that cannot be read.
    Unreadable { package: PackageId, fault: Rc<str> },
    /// It was asked for.
    Install { aim: usize },
    /// It was asked to go.
    Erase { aim: usize },
    /// Nobody asked for it to go.
    Keep { package: PackageId },
}

/// A clause and its reason.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) literals: Vec<Literal>,
    pub(crate) why: Why,
}

type Known = Rc<Result<Clauses, Rc<str>>>;

/// All rules of a request.
pub(crate) struct Rules<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) request: &'a Request,
    pub(crate) aims: &'a [Aim],
    pub(crate) rules: Vec<Rule>,
    /// Requirements by package.
    pub(crate) required: HashMap<PackageId, Vec<usize>>,
    /// The place of each requirement in the order of resolution.
    pub(crate) place: Vec<usize>,
    /// Installed packages and what may replace each.
    pub(crate) updates: HashMap<PackageId, Vec<PackageId>>,
    /// What was looked at, in order.
    pub(crate) visited: Vec<PackageId>,
    /// Installed packages that are to go.
    pub(crate) erased: HashSet<PackageId>,
    is_visited: Vec<bool>,
    known: RefCell<HashMap<(Rc<str>, bool), Known>>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(universe: &'a Universe, request: &'a Request, aims: &'a [Aim]) -> Rules<'a> {
        let mut rules = Rules {
            universe,
            request,
            aims,
            rules: Vec::new(),
            required: HashMap::new(),
            place: Vec::new(),
            updates: HashMap::new(),
            visited: Vec::new(),
            erased: HashSet::new(),
            is_visited: vec![false; universe.len()],
            known: RefCell::new(HashMap::new()),
        };
        rules.aim();
        rules.keep();
        rules.reach();
        rules.one_per_name();
        rules.order();
        rules
    }

    /// What is asked for.
    fn aim(&mut self) {
        for (number, aim) in self.aims.iter().enumerate() {
            match aim {
                Aim::Install { clauses, .. } => {
                    for clause in clauses {
                        for literal in clause.iter().filter(|literal| literal.there) {
                            self.visit(literal.package);
                        }
                        self.rules.push(Rule { literals: clause.clone(), why: Why::Install { aim: number } });
                    }
                }
                Aim::Erase { packages, .. } => {
                    for package in packages {
                        if self.universe.is_installed(*package) {
                            self.erased.insert(*package);
                        }
                        let literals = vec![Literal { package: *package, there: false }];
                        self.rules.push(Rule { literals, why: Why::Erase { aim: number } });
                    }
                }
                Aim::Update { .. } => {}
            }
        }
    }

    /// What is installed stays, or gives way to an update of itself.
    fn keep(&mut self) {
        for package in self.universe.installed() {
            self.visit(*package);
            if self.erased.contains(package) {
                continue;
            }
            let updates = self.updates_of(*package);
            for update in &updates {
                self.visit(*update);
            }
            if !self.request.allow_erasing && !self.is_replaced(*package) {
                let there = |package| Literal { package, there: true };
                let literals = std::iter::once(*package).chain(updates.iter().copied()).map(there).collect();
                self.rules.push(Rule { literals, why: Why::Keep { package: *package } });
            }
            self.updates.insert(*package, updates);
        }
    }

    /// Someone asked for another version by name.
    fn is_replaced(&self, package: PackageId) -> bool {
        self.aims.iter().any(|aim| match aim {
            Aim::Install { clauses, .. } if clauses.len() == 1 => {
                let is_other = |literal: &Literal| {
                    self.universe.namesakes(package).contains(&literal.package)
                        && self.universe.same_colour(package, literal.package)
                };
                clauses[0].iter().all(|literal| literal.package != package) && clauses[0].iter().any(is_other)
            }
            _ => false,
        })
    }

    /// Newer packages of the same name and colour, and those that provide the name and obsolete it; when there are none of the latter,
    /// all that obsolete it (`policy_findupdatepackages` of libsolv).
    fn updates_of(&self, package: PackageId) -> Vec<PackageId> {
        let universe = self.universe;
        let entry = universe.entry(package);
        let rank = universe.arch_rank(package);
        let fits = |other: PackageId| {
            let same = universe.arch_rank(other) == rank || universe.arch_rank(other) == Some(0) || rank == Some(0);
            same && universe.same_colour(package, other) && universe.arch_rank(other).is_some()
        };
        let mut found: Vec<PackageId> = universe
            .namesakes(package)
            .iter()
            .copied()
            .filter(|other| !universe.is_installed(*other) && fits(*other) && universe.entry(*other).evr >= entry.evr)
            .collect();
        let obsoleters: Vec<PackageId> = universe
            .obsoleters(package)
            .iter()
            .copied()
            .filter(|other| !universe.is_installed(*other) && fits(*other) && universe.obsoletes(*other, package).is_some())
            .collect();
        let successors: Vec<PackageId> = obsoleters
            .iter()
            .copied()
            .filter(|other| {
                universe.package(*other).provides.iter().any(|text| crate::capability::split(text).0 == entry.package.name)
            })
            .collect();
        found.extend(if successors.is_empty() { obsoleters } else { successors });
        found.sort_unstable();
        found.dedup();
        found
    }

    fn visit(&mut self, package: PackageId) {
        if !std::mem::replace(&mut self.is_visited[package.index()], true) {
            self.visited.push(package);
        }
    }

    pub(crate) fn is_visited(&self, package: PackageId) -> bool {
        self.is_visited[package.index()]
    }

    /// Follows dependencies until nothing new turns up.
    fn reach(&mut self) {
        let mut next = 0;
        loop {
            while let Some(package) = self.visited.get(next).copied() {
                next += 1;
                self.rules_of(package);
            }
            if !self.request.weak {
                return;
            }
            for package in self.universe.supplementing() {
                if !self.is_visited[package.index()] && self.may_be_supplementing(*package) {
                    self.visit(*package);
                }
            }
            if next == self.visited.len() {
                return;
            }
        }
    }

    fn may_be_supplementing(&self, package: PackageId) -> bool {
        self.universe.package(package).supplements.iter().any(|text| {
            // Whether something that it speaks of may be there: what is not required to be there may be absent.
            match self.clauses(text, true).as_ref() {
                Ok(clauses) => clauses
                    .iter()
                    .all(|clause| clause.iter().any(|literal| !literal.there || self.is_visited[literal.package.index()])),
                Err(_) => false,
            }
        })
    }

    fn rules_of(&mut self, package: PackageId) {
        let universe = self.universe;
        let here = universe.is_installed(package);
        let not_it = Literal { package, there: false };
        if !here && universe.arch_rank(package).is_none() {
            self.rules.push(Rule { literals: vec![not_it], why: Why::Foreign { package } });
            return;
        }
        let entry = universe.entry(package);
        for text in &entry.package.requires {
            // What rpm itself must be able to do is no package's business.
            if text.starts_with("rpmlib(") {
                continue;
            }
            let known = self.clauses(text, true);
            match known.as_ref() {
                Ok(clauses) => {
                    let text: Rc<str> = text.as_str().into();
                    for clause in clauses {
                        self.require(package, &text, clause);
                    }
                }
                Err(_) if here => {}
                Err(fault) => {
                    let why = Why::Unreadable { package, fault: Rc::clone(fault) };
                    self.rules.push(Rule { literals: vec![not_it], why });
                }
            }
        }
        for text in &entry.package.conflicts {
            if let Ok(clauses) = self.clauses(text, false).as_ref() {
                for clause in clauses {
                    // Nobody conflicts with itself, and what is broken now stays so.
                    let itself = clause.iter().all(|literal| literal.package == package);
                    if itself || (here && clause.iter().all(|literal| universe.is_installed(literal.package) != literal.there)) {
                        continue;
                    }
                    let other = if clause.len() == 1 { Some(clause[0].package) } else { None };
                    let literals = std::iter::once(not_it).chain(clause.iter().copied()).collect();
                    let why = Why::Conflicts { package, other, text: text.as_str().into() };
                    self.rules.push(Rule { literals, why });
                }
            }
        }
        for text in &entry.package.obsoletes {
            for other in universe.named(crate::capability::split(text).0) {
                if universe.entry(*other).name == entry.name
                    || !universe.is_meant(*other, text)
                    || (here && universe.is_installed(*other))
                {
                    continue;
                }
                let literals = vec![not_it, Literal { package: *other, there: false }];
                let why = Why::Obsoletes { package, other: *other, text: text.as_str().into() };
                self.rules.push(Rule { literals, why });
            }
        }
        if self.request.weak {
            for text in &entry.package.recommends {
                if let Ok(clauses) = self.clauses(text, true).as_ref() {
                    for literal in clauses.iter().flatten().filter(|literal| literal.there) {
                        self.visit(literal.package);
                    }
                }
            }
        }
    }

    fn require(&mut self, package: PackageId, text: &Rc<str>, clause: &[Literal]) {
        let universe = self.universe;
        if clause.iter().any(|literal| literal.package == package && literal.there) {
            return;
        }
        let here = universe.is_installed(package);
        if here && !clause.iter().any(|literal| universe.is_installed(literal.package) == literal.there) {
            return;
        }
        for literal in clause.iter().filter(|literal| literal.there) {
            self.visit(literal.package);
        }
        let not_it = Literal { package, there: false };
        let literals = std::iter::once(not_it).chain(clause.iter().copied()).collect();
        self.required.entry(package).or_default().push(self.rules.len());
        self.rules.push(Rule { literals, why: Why::Requires { package, text: Rc::clone(text) } });
    }

    /// Of packages of one name and colour one is there.
    fn one_per_name(&mut self) {
        for left in self.visited.clone() {
            for right in self.universe.namesakes(left) {
                let both_here = self.universe.is_installed(left) && self.universe.is_installed(*right);
                if *right <= left || both_here || !self.is_visited[right.index()] || !self.universe.same_colour(left, *right) {
                    continue;
                }
                let not = |package| Literal { package, there: false };
                let why = Why::SameName { left, right: *right };
                self.rules.push(Rule { literals: vec![not(left), not(*right)], why });
            }
        }
    }

    /// libsolv sorts its rules, those of the packages that were added last first; where two choices influence each other, the order
    /// decides.
    fn order(&mut self) {
        let owner = |number: &usize| self.rules[*number].literals.iter().find(|literal| !literal.there);
        let mut numbers: Vec<usize> = self.required.values().flatten().copied().collect();
        numbers.sort_by(|left, right| {
            owner(right).cmp(&owner(left)).then_with(|| self.rules[*left].literals.cmp(&self.rules[*right].literals))
        });
        self.place = vec![usize::MAX; self.rules.len()];
        for (place, number) in numbers.into_iter().enumerate() {
            self.place[number] = place;
        }
    }

    /// The dependency's clauses; read once.
    pub(crate) fn clauses(&self, text: &str, holds: bool) -> Known {
        let key: (Rc<str>, bool) = (text.into(), holds);
        if let Some(known) = self.known.borrow().get(&key) {
            return Rc::clone(known);
        }
        let read = match Dependency::parse(text) {
            Ok(dependency) => logic::clauses(self.universe, &dependency, holds)
                .map_err(|_| format!("`{text}` has more combinations than anybody can resolve").into()),
            Err(fault) => Err(fault.to_string().into()),
        };
        let known = Rc::new(read);
        self.known.borrow_mut().insert(key, Rc::clone(&known));
        known
    }

    /// Installed packages that are to be as new as possible.
    pub(crate) fn updated(&self) -> HashSet<PackageId> {
        let mut found = HashSet::new();
        for aim in self.aims {
            if let Aim::Update { packages } = aim {
                found.extend(packages.iter().copied().filter(|package| !self.erased.contains(package)));
            }
        }
        found
    }
}
