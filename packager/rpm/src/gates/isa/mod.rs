//! Instruction sets: no code outside of functions chosen at run time uses what the target's baseline does not have.
//!
//! Two sources: the note that a linker leaves when it was told to demand more (the loader refuses such a file), and the code itself. Code is
//! read function by function; packager/docs/gates.md says what is seen and what is not.

mod aarch64;
mod dispatch;
mod x86_64;

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Arch;
use packager_recipe::target::Severity;

use super::abi::listed;
use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::elf::{self, Function};
use dispatch::Dispatched;

/// How many functions a finding names.
const NAMED: usize = 8;

const NOTE: Gate = Gate {
    id: "isa-note",
    looks_for: "a note in a program that demands more of the processor than the target's baseline",
    why: "the loader refuses to start the program on processors that the target supports",
    mend: "compile with `-march=` of the baseline, and link without `-z x86-64-v2` and the like",
    severity: Severity::Error,
};

const BASELINE: Gate = Gate {
    id: "isa-baseline",
    looks_for: "instructions beyond the target's baseline in functions that are not chosen at run time",
    why: "on a processor of the baseline the program dies of SIGILL, perhaps long after it started",
    mend: "compile for the baseline, without `-march=native`; name functions that are called only after asking the processor below `dispatched:` of the recipe; to judge a package by itself, name its debug package too: without symbols everything counts",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&NOTE, &BASELINE];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    if subject.programs.is_empty() {
        return;
    }
    let target = scene.target;
    let level = match target.arch {
        Arch::X86_64 => x86_64::level(target.cpu()),
        Arch::Aarch64 => (target.cpu() == aarch64::BASELINE).then_some(1),
    };
    let Some(level) = level else {
        report
            .add(&BASELINE, format!("the scan knows no processor `{}`, which the target profile names", target.cpu()));
        return;
    };
    let beyond = |function: &Function<'_>| match target.arch {
        Arch::X86_64 => x86_64::beyond(function, level),
        Arch::Aarch64 => aarch64::beyond(function),
    };
    let dispatched = Dispatched::of(subject.recipe, &subject.package.name);
    for (file, facts) in &subject.programs {
        if facts.isa_needed >> level != 0 {
            let bits = facts.isa_needed;
            report.add(&NOTE, format!("`{}` demands {bits:#x}; {} has {}", file.path, target.name, target.cpu()));
        }
        if !facts.linked || !facts.is_for(target.arch) {
            continue;
        }
        let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for function in elf::functions(&file.content, scene.symbols(facts)) {
            let name = function.name.as_deref().map(|name| format!("{:#}", rustc_demangle::demangle(name)));
            if name.as_deref().is_some_and(|name| dispatched.contains(name)) {
                continue;
            }
            for extension in beyond(&function) {
                let name = name.clone().unwrap_or_else(|| "code without symbols".to_owned());
                uses.entry(extension).or_default().insert(name);
            }
        }
        if !uses.is_empty() {
            let uses = uses.iter().map(|(extension, names)| {
                format!("{extension} in {}", listed(&names.iter().collect::<Vec<_>>(), NAMED))
            });
            let uses = uses.collect::<Vec<_>>().join("; ");
            report.add(&BASELINE, format!("`{}` uses {uses}; {} has {}", file.path, target.name, target.cpu()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gates::made::{Made, c_library, found, found_with};

    fn library(code: &str, flags: &[&str]) -> Made<'static> {
        Made::new("app").library("/usr/lib64/libapp.so.1", &c_library(code, flags))
    }

    const LOOP: &str = "void NAME(float *a, float *b) { for (int i = 0; i < 1024; i++) a[i] += b[i]; }";

    #[test]
    fn code_keeps_to_the_baseline() {
        let none: [&str; 0] = [];
        assert_eq!(found([library(LOOP, &["-O3", "-DNAME=sum"])]), none);
        assert_eq!(found([library(LOOP, &["-O3", "-DNAME=sum", "-mavx2"])]), ["isa-baseline"]);
        // Without symbols there is no telling whether it is chosen at run time.
        assert_eq!(found([library(LOOP, &["-O3", "-DNAME=sum_avx2", "-mavx2", "-s"])]), ["isa-baseline"]);
        // `popcnt` is in x86-64-v2, AlmaLinux 8 has x86-64.
        let count = "int count(unsigned long x) { return __builtin_popcountl(x); }";
        assert_eq!(found([library(count, &["-O2", "-mpopcnt"])]), ["isa-baseline"]);
    }

    #[test]
    fn functions_chosen_at_run_time_may_use_more() {
        let none: [&str; 0] = [];
        assert_eq!(found([library(LOOP, &["-O3", "-DNAME=sum_avx2", "-mavx2"])]), none, "its name says so");
        let numbered = || library(LOOP, &["-O3", "-DNAME=sum_04", "-mavx2"]);
        assert_eq!(found([numbered()]), ["isa-baseline"]);
        let declared = |pattern: &'static str, package: Option<&'static str>| {
            found_with([numbered()], move |recipe| {
                recipe.dispatched.push(packager_recipe::written::Dispatched {
                    functions: vec![pattern.to_owned()],
                    package: package.map(str::to_owned),
                    reason: "for the test".to_owned(),
                });
            })
        };
        assert_eq!(declared("sum_0*", None), none);
        assert_eq!(declared("sum_0*", Some("other")), ["isa-baseline"]);
        assert_eq!(declared("sum_06", None), ["isa-baseline"]);
    }

    #[test]
    fn the_loader_is_not_told_to_demand_more() {
        let code = "int app(void) { return 1; }";
        assert_eq!(found([library(code, &["-Wl,-z,x86-64-baseline"])]), [] as [&str; 0]);
        assert_eq!(found([library(code, &["-Wl,-z,x86-64-v3"])]), ["isa-note"]);
    }
}
