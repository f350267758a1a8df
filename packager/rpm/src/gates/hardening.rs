//! Hardening: how programs are linked, and for which processor and page size.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

const MACHINE: Gate = Gate {
    id: "machine",
    looks_for: "a program for another processor than the target's",
    why: "it cannot run there",
    mend: "build it for the target",
    severity: Severity::Error,
};

const PAGE_SIZE: Gate = Gate {
    id: "page-size",
    looks_for: "segments aligned to less than the largest page of the architecture's kernels",
    why: "aarch64 kernels with pages of 64 KiB cannot load the program",
    mend: "link with -z max-page-size=65536",
    severity: Severity::Error,
};

const RPATH: Gate = Gate {
    id: "rpath",
    looks_for: "an RPATH or RUNPATH",
    why: "the loader searches a folder before the system's that may not exist, or that somebody else may fill",
    mend: "link without it",
    severity: Severity::Error,
};

const TEXT_RELOCATIONS: Gate = Gate {
    id: "text-relocations",
    looks_for: "relocations in code",
    why: "the loader must make code writable; SELinux forbids that, and no two processes share the pages",
    mend: "compile everything with -fPIC, also assembly",
    severity: Severity::Error,
};

const EXECUTABLE_STACK: Gate = Gate {
    id: "executable-stack",
    looks_for: "a stack that may be executed",
    why: "what an attacker writes into a buffer on it can be run; SELinux forbids it",
    mend: "mark its assembly with .note.GNU-stack",
    severity: Severity::Error,
};

const NO_PIE: Gate = Gate {
    id: "no-pie",
    looks_for: "a program that is not position independent",
    why: "its addresses are the same in every process and known to an attacker",
    mend: "compile with -C relocation-model=pic, or -fPIE and -pie",
    severity: Severity::Error,
};

const NO_RELRO: Gate = Gate {
    id: "no-relro",
    looks_for: "a program or library without a RELRO segment",
    why: "tables of addresses stay writable after loading",
    mend: "link with -z relro",
    severity: Severity::Error,
};

const NO_BIND_NOW: Gate = Gate {
    id: "no-bind-now",
    looks_for: "a program that binds symbols lazily",
    why: "the table of functions must stay writable for that",
    mend: "link with -z now",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] =
    &[&MACHINE, &PAGE_SIZE, &RPATH, &TEXT_RELOCATIONS, &EXECUTABLE_STACK, &NO_PIE, &NO_RELRO, &NO_BIND_NOW];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    for (file, facts) in &subject.programs {
        let path = &file.path;
        if !facts.is_for(scene.target.arch) {
            report.add(&MACHINE, format!("`{path}` is a program for another processor"));
        }
        // Object files and kernel modules are linked later, by somebody else.
        if !facts.linked {
            continue;
        }
        if facts.alignment_min < scene.target.arch.page_bytes_max() {
            let alignment = facts.alignment_min;
            let message = format!("`{path}` is aligned to {alignment:#x}; kernels with larger pages cannot load it");
            report.add(&PAGE_SIZE, message);
        }
        let checks = [
            (&RPATH, facts.library_paths, "has an RPATH or RUNPATH"),
            (&TEXT_RELOCATIONS, facts.text_relocations, "has relocations in its code"),
            (&EXECUTABLE_STACK, facts.executable_stack, "asks for an executable stack"),
            (&NO_PIE, !facts.position_independent, "is not position independent"),
            (&NO_RELRO, !facts.relro, "has no RELRO segment"),
            (&NO_BIND_NOW, facts.program && !facts.bind_now, "binds symbols lazily"),
        ];
        for (gate, _, what) in checks.into_iter().filter(|(_, found, _)| *found) {
            report.add(gate, format!("`{path}` {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gates::made::{Made, c_library, c_program, found};

    const CODE: &str = "int app(void) { return 1; }";

    #[test]
    fn libraries_are_hardened() {
        let with =
            |flags: &[&str]| found([Made::new("app").library("/usr/lib64/libapp.so.1", &c_library(CODE, flags))]);
        assert_eq!(with(&[]), [] as [&str; 0]);
        assert_eq!(with(&["-Wl,-rpath,/opt/app"]), ["rpath"]);
        assert_eq!(with(&["-Wl,-z,execstack"]), ["executable-stack"]);
        assert_eq!(with(&["-Wl,-z,norelro"]), ["no-relro"]);
    }

    #[test]
    fn code_is_not_relocated() {
        // An absolute address in code, as assembly without -fPIC has it.
        let code = r#"__asm__(".globl where\nwhere: movabs $where, %rax\nret\n");"#;
        let bytes = c_library(code, &["-Wl,-z,notext"]);
        assert_eq!(found([Made::new("app").library("/usr/lib64/libapp.so.1", &bytes)]), ["text-relocations"]);
    }

    #[test]
    fn programs_are_hardened() {
        let with = |flags: &[&str]| {
            found([Made::new("app").library("/usr/bin/app", &c_program("void _start(void) {}", flags))])
        };
        assert_eq!(with(&["-pie", "-fPIE", "-Wl,-z,now"]), [] as [&str; 0]);
        assert_eq!(with(&["-pie", "-fPIE", "-Wl,-z,lazy"]), ["no-bind-now"]);
        assert_eq!(with(&["-no-pie", "-Wl,-z,now"]), ["no-pie", "no-relro"]);
        // A program for a processor that is not the target's.
        let mut other = c_program("void _start(void) {}", &["-pie", "-fPIE", "-Wl,-z,now"]);
        other[18] = 0xb7; // EM_AARCH64
        assert_eq!(found([Made::new("app").library("/usr/bin/app", &other)]), ["machine"]);
    }
}
