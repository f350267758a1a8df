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
pub(crate) enum Why<'a> {
    /// A requirement.
    Requires { package: PackageId, text: &'a str },
    /// A conflict; `other` when it is with one package.
    Conflicts { package: PackageId, other: Option<PackageId>, text: &'a str },
    /// One place for two packages of a name.
    SameName { left: PackageId, right: PackageId },
    /// One takes the place of the other.
    Obsoletes { package: PackageId, other: PackageId, text: &'a str },
    /// Of a name that is there for a better architecture, others must have the same version as that one.
    LockStep { package: PackageId },
    /// The machine does not run it.
    Foreign { package: PackageId },
    /// A dependency that cannot be read.
    Unreadable { package: PackageId, fault: Rc<str> },
    /// It was asked for.
    Install { aim: usize },
    /// It was asked to go.
    Erase { aim: usize },
    /// Nobody asked for it to go. The only kind of rule that gives way, where that is allowed.
    Keep { package: PackageId },
}

/// A clause and its reason. There are half a million of them, so the literals of all lie in one place.
#[derive(Debug, Clone)]
struct Rule<'a> {
    start: usize,
    end: usize,
    why: Why<'a>,
}

type Known = Rc<Result<Clauses, Rc<str>>>;

/// All rules of a request.
pub(crate) struct Rules<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) request: &'a Request,
    pub(crate) aims: &'a [Aim],
    rules: Vec<Rule<'a>>,
    literals: Vec<Literal>,
    /// Numbers of the rules that a package brings when it is there: its requirements.
    required: Vec<Vec<u32>>,
    /// Installed packages and what may replace each.
    pub(crate) updates: HashMap<PackageId, Vec<PackageId>>,
    /// What was looked at, in order.
    pub(crate) visited: Vec<PackageId>,
    /// Installed packages that are to go.
    pub(crate) erased: HashSet<PackageId>,
    is_visited: Vec<bool>,
    known: RefCell<HashMap<(&'a str, bool), Known>>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(universe: &'a Universe, request: &'a Request, aims: &'a [Aim]) -> Rules<'a> {
        let mut rules = Rules {
            universe,
            request,
            aims,
            rules: Vec::new(),
            literals: Vec::new(),
            required: vec![Vec::new(); universe.len()],
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
        rules.lock_step();
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
                        self.push(clause.iter().copied(), Why::Install { aim: number });
                    }
                }
                Aim::Erase { packages, .. } => {
                    for package in packages {
                        if self.universe.is_installed(*package) {
                            self.erased.insert(*package);
                        }
                        self.push([Literal { package: *package, there: false }], Why::Erase { aim: number });
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
            if !self.is_replaced(*package) {
                let there = |package| Literal { package, there: true };
                let literals = std::iter::once(*package).chain(updates.iter().copied()).map(there);
                self.push(literals, Why::Keep { package: *package });
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
            .filter(|other| {
                !universe.is_installed(*other) && fits(*other) && universe.obsoletes(*other, package).is_some()
            })
            .collect();
        let successors: Vec<PackageId> = obsoleters
            .iter()
            .copied()
            .filter(|other| {
                universe
                    .package(*other)
                    .provides
                    .iter()
                    .any(|text| crate::capability::split(text).0 == entry.package.name)
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
                Ok(clauses) => clauses.iter().all(|clause| {
                    clause.iter().any(|literal| !literal.there || self.is_visited[literal.package.index()])
                }),
                Err(_) => false,
            }
        })
    }

    fn rules_of(&mut self, package: PackageId) {
        let universe = self.universe;
        let here = universe.is_installed(package);
        let not_it = Literal { package, there: false };
        if !here && universe.arch_rank(package).is_none() {
            self.push([not_it], Why::Foreign { package });
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
                    for clause in clauses {
                        self.require(package, text, clause);
                    }
                }
                Err(_) if here => {}
                Err(fault) => {
                    let why = Why::Unreadable { package, fault: Rc::clone(fault) };
                    self.push([not_it], why);
                }
            }
        }
        for text in &entry.package.conflicts {
            if let Ok(clauses) = self.clauses(text, false).as_ref() {
                for clause in clauses {
                    // Nobody conflicts with itself, and what is broken now stays so.
                    let itself = clause.iter().all(|literal| literal.package == package);
                    if itself
                        || (here
                            && clause.iter().all(|literal| universe.is_installed(literal.package) != literal.there))
                    {
                        continue;
                    }
                    let other = if clause.len() == 1 { Some(clause[0].package) } else { None };
                    let why = Why::Conflicts { package, other, text };
                    // `(b if c)` is not so only when `c` is there, so a conflict may require something.
                    for literal in clause.iter().filter(|literal| literal.there) {
                        self.visit(literal.package);
                    }
                    let number = self.push(std::iter::once(not_it).chain(clause.iter().copied()), why);
                    if clause.iter().any(|literal| literal.there) {
                        self.required[package.index()].push(number);
                    }
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
                let why = Why::Obsoletes { package, other: *other, text };
                self.push([not_it, Literal { package: *other, there: false }], why);
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

    fn require(&mut self, package: PackageId, text: &'a str, clause: &[Literal]) {
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
        let number = self.push(std::iter::once(not_it).chain(clause.iter().copied()), Why::Requires { package, text });
        self.required[package.index()].push(number);
    }

    /// Of packages of one name and colour one is there.
    fn one_per_name(&mut self) {
        for left in self.visited.clone() {
            for right in self.universe.namesakes(left) {
                let both_here = self.universe.is_installed(left) && self.universe.is_installed(*right);
                if *right <= left
                    || both_here
                    || !self.is_visited[right.index()]
                    || !self.universe.same_colour(left, *right)
                {
                    continue;
                }
                let not = |package| Literal { package, there: false };
                self.push([not(left), not(*right)], Why::SameName { left, right: *right });
            }
        }
    }

    /// A name that repositories have for the machine's best architecture is not installed for another one alone: only beside the best
    /// one, at its version (`solver_addinfarchrules`). Installed packages that stand alone may stay and be updated so.
    fn lock_step(&mut self) {
        let universe = self.universe;
        let mut seen = HashSet::new();
        for first in self.visited.clone() {
            if !seen.insert(universe.entry(first).name) {
                continue;
            }
            let rank = |id: PackageId| universe.arch_rank(id);
            let members: Vec<PackageId> =
                universe.namesakes(first).iter().copied().filter(|id| self.is_visited[id.index()]).collect();
            let offered = members.iter().filter(|id| !universe.is_installed(**id)).filter_map(|id| rank(*id));
            let Some(best) = offered.filter(|rank| *rank > 0).min() else { continue };
            if members.iter().all(|id| matches!(rank(*id), Some(rank) if rank == 0 || rank == best)) {
                continue;
            }
            let beside = |id: PackageId| -> Vec<PackageId> {
                let package = universe.package(id);
                let fits = |other: &PackageId| {
                    let sibling = universe.package(*other);
                    sibling.evr == package.evr
                        && sibling.arch != package.arch
                        && matches!(rank(*other), Some(rank) if rank == 0 || rank == best)
                };
                universe.namesakes(id).iter().copied().filter(fits).collect()
            };
            let alone: Vec<&str> = members
                .iter()
                .filter(|id| universe.is_installed(**id) && rank(**id) != Some(0) && rank(**id) != Some(best))
                .filter(|id| rank(**id).is_none() || beside(**id).is_empty())
                .map(|id| universe.package(*id).arch.as_str())
                .collect();
            for package in
                members.iter().copied().filter(|id| !matches!(rank(*id), Some(rank) if rank == 0 || rank == best))
            {
                let siblings = beside(package);
                let free = if universe.is_installed(package) {
                    !siblings.iter().any(|id| universe.is_installed(*id))
                } else {
                    alone.contains(&universe.package(package).arch.as_str())
                };
                if free || self.is_asked_with_arch(package) {
                    continue;
                }
                let there = |package| Literal { package, there: true };
                let mut literals = vec![Literal { package, there: false }];
                literals.extend(siblings.into_iter().filter(|id| self.is_visited[id.index()]).map(there));
                let number = self.push(literals, Why::LockStep { package });
                self.required[package.index()].push(number);
            }
        }
    }

    fn is_asked_with_arch(&self, package: PackageId) -> bool {
        self.aims.iter().any(|aim| match aim {
            Aim::Install { text, clauses } => {
                text.ends_with(&format!(".{}", self.universe.package(package).arch))
                    && clauses.iter().flatten().any(|literal| literal.package == package)
            }
            _ => false,
        })
    }

    fn push(&mut self, literals: impl IntoIterator<Item = Literal>, why: Why<'a>) -> u32 {
        // Fewer than 2^32: a rule takes more than one byte of a program that has that much memory.
        let number = u32::try_from(self.rules.len()).expect("less than 2^32 rules");
        let start = self.literals.len();
        self.literals.extend(literals);
        self.rules.push(Rule { start, end: self.literals.len(), why });
        number
    }

    /// The clause of a rule.
    pub(crate) fn literals(&self, number: u32) -> &[Literal] {
        let rule = &self.rules[number as usize];
        &self.literals[rule.start..rule.end]
    }

    /// All rules: clause and reason.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&[Literal], &Why<'a>)> {
        self.rules.iter().map(|rule| (&self.literals[rule.start..rule.end], &rule.why))
    }

    /// The requirements of a package, as libsolv orders them; where two choices influence each other, the order decides.
    pub(crate) fn required(&self, package: PackageId) -> Vec<u32> {
        let mut numbers = self.required[package.index()].clone();
        numbers.sort_by(|left, right| self.literals(*left).cmp(self.literals(*right)));
        numbers
    }

    /// The dependency's clauses; read once.
    pub(crate) fn clauses(&self, text: &'a str, holds: bool) -> Known {
        let key = (text, holds);
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
