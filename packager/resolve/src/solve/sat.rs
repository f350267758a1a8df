//! The SAT solver, in terms of packages. Decisions are final: each one becomes a fact, and the solver is asked before that whether
//! everything can still be satisfied.

use std::collections::HashSet;

use batsat::{BasicSolver, Lit, SolverInterface, Var, lbool};

use super::logic::Literal;
use crate::universe::PackageId;

/// Clauses, facts and the last model.
pub(crate) struct Sat {
    solver: BasicSolver,
    variables: Vec<Option<Var>>,
    /// By variable; `None` for a switch of [`contradiction`].
    packages: Vec<Option<PackageId>>,
    facts_read: usize,
    modelled: bool,
}

impl Sat {
    /// For a universe of this size.
    pub(crate) fn new(universe_len: usize) -> Sat {
        Sat {
            solver: BasicSolver::default(),
            variables: vec![None; universe_len],
            packages: Vec::new(),
            facts_read: 0,
            modelled: false,
        }
    }

    /// Makes the package known. The solver tries what is installed as there and everything else as not there.
    pub(crate) fn know(&mut self, package: PackageId, installed: bool) -> Var {
        let slot = &mut self.variables[package.index()];
        if let Some(variable) = *slot {
            return variable;
        }
        // The solver's polarity is the sign: TRUE is "not".
        let variable = self.solver.new_var(lbool::new(!installed), true);
        *slot = Some(variable);
        self.packages.push(Some(package));
        variable
    }

    fn lit(&mut self, literal: Literal) -> Lit {
        let variable = self.know(literal.package, false);
        Lit::new(variable, literal.there)
    }

    /// Adds a clause; false when nothing satisfies all clauses any more.
    pub(crate) fn add(&mut self, clause: &[Literal]) -> bool {
        let mut lits: Vec<Lit> = clause.iter().map(|literal| self.lit(*literal)).collect();
        self.solver.add_clause_reuse(&mut lits)
    }

    /// Adds as many of the clauses as can be satisfied together; where some contradict each other, the last one gives way. False when
    /// the other clauses alone cannot be satisfied.
    pub(crate) fn add_possible(&mut self, clauses: &[&[Literal]]) -> bool {
        let mut left: Vec<(Lit, usize)> = Vec::new();
        for (number, clause) in clauses.iter().enumerate() {
            let mut lits: Vec<Lit> = clause.iter().map(|literal| self.lit(*literal)).collect();
            let switch = Lit::new(self.solver.new_var_default(), true);
            self.packages.push(None);
            lits.push(!switch);
            self.solver.add_clause_reuse(&mut lits);
            left.push((switch, number));
        }
        loop {
            let switches: Vec<Lit> = left.iter().map(|(switch, _)| *switch).collect();
            if self.solver.solve_limited(&switches) == lbool::TRUE {
                break;
            }
            let core: HashSet<Var> = self.solver.unsat_core().iter().map(|lit| lit.var()).collect();
            let Some(last) = left.iter().rposition(|(switch, _)| core.contains(&switch.var())) else { return false };
            left.remove(last);
        }
        left.iter().all(|(_, number)| self.add(clauses[*number]))
    }

    /// Whether everything can be satisfied.
    pub(crate) fn is_satisfiable(&mut self) -> bool {
        self.modelled = self.solver.solve_limited(&[]) == lbool::TRUE;
        self.modelled
    }

    /// What is settled about a package.
    pub(crate) fn settled(&self, package: PackageId) -> Option<bool> {
        let variable = self.variables[package.index()]?;
        let value = self.solver.value_lvl_0(Lit::new(variable, true));
        if value == lbool::UNDEF { None } else { Some(value == lbool::TRUE) }
    }

    pub(crate) fn is_there(&self, package: PackageId) -> bool {
        self.settled(package) == Some(true)
    }

    /// Settles that the package is there, or that it cannot be; the answer.
    pub(crate) fn decide(&mut self, package: PackageId) -> bool {
        if let Some(settled) = self.settled(package) {
            return settled;
        }
        let lit = self.lit(Literal { package, there: true });
        // The last model satisfies everything settled so far, so what it holds can be settled without asking.
        let possible = (self.modelled && self.solver.value_lit(lit) == lbool::TRUE) || {
            let possible = self.solver.solve_limited(&[lit]) == lbool::TRUE;
            self.modelled = possible;
            possible
        };
        self.solver.add_clause_reuse(&mut vec![if possible { lit } else { !lit }]);
        possible
    }

    /// Settles all of these as there when that is possible together; the answer.
    pub(crate) fn decide_all(&mut self, packages: &[PackageId]) -> bool {
        let lits: Vec<Lit> =
            packages.iter().map(|package| self.lit(Literal { package: *package, there: true })).collect();
        let possible = (self.modelled && lits.iter().all(|lit| self.solver.value_lit(*lit) == lbool::TRUE)) || {
            self.modelled = self.solver.solve_limited(&lits) == lbool::TRUE;
            self.modelled
        };
        if possible {
            for lit in lits {
                self.solver.add_clause_reuse(&mut vec![lit]);
            }
        }
        possible
    }

    /// Packages that were settled as there since the last call.
    pub(crate) fn news(&mut self) -> Vec<PackageId> {
        let facts = self.solver.proved_at_lvl_0();
        let news = facts[self.facts_read..]
            .iter()
            .filter(|lit| lit.sign())
            .filter_map(|lit| self.packages.get(lit.var().idx() as usize).copied().flatten())
            .collect();
        self.facts_read = facts.len();
        news
    }
}

/// A smallest set of groups of clauses that contradict each other (none can be left out), in order.
///
/// Only called for groups that do contradict each other. Beyond `trials` attempts at leaving one out, the rest is kept.
pub(crate) fn contradiction(universe_len: usize, groups: &[Vec<Vec<Literal>>], trials: usize) -> Vec<usize> {
    let mut sat = Sat::new(universe_len);
    let switches: Vec<Lit> = groups
        .iter()
        .map(|group| {
            let switch = Lit::new(sat.solver.new_var_default(), true);
            sat.packages.push(None);
            for clause in group {
                let mut lits: Vec<Lit> = clause.iter().map(|literal| sat.lit(*literal)).collect();
                lits.push(!switch);
                sat.solver.add_clause_reuse(&mut lits);
            }
            switch
        })
        .collect();
    let number = |lit: &Lit| switches.iter().position(|switch| switch.var() == lit.var());
    let core = |sat: &mut Sat, lits: &[Lit]| -> Option<Vec<Lit>> {
        (sat.solver.solve_limited(lits) == lbool::FALSE).then(|| {
            // The solver returns the negated assumptions.
            let core = sat.solver.unsat_core();
            lits.iter().copied().filter(|lit| core.iter().any(|other| other.var() == lit.var())).collect()
        })
    };
    let Some(mut needed) = core(&mut sat, &switches) else { return (0..groups.len()).collect() };
    let mut at = 0;
    let mut left = trials;
    while at < needed.len() && left > 0 {
        left -= 1;
        let mut without = needed.clone();
        without.remove(at);
        match core(&mut sat, &without) {
            Some(smaller) => {
                // Those before `at` cannot be left out, so they are in every smaller core and keep their places.
                needed = smaller;
                at = at.min(needed.len());
            }
            None => at += 1,
        }
    }
    let mut numbers: Vec<usize> = needed.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}
