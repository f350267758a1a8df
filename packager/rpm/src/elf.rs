//! What the gates want to know about a program: which glibc it needs, how it is hardened, where it looks for libraries.

use object::Endianness;
use object::elf::{
    DF_1_NOW, DF_1_PIE, DF_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_RPATH, DT_RUNPATH, ET_DYN, PF_X, PT_DYNAMIC,
    PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD,
};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};

/// The facts of one ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `EM_*` of the header.
    pub machine: u16,
    /// It can be loaded anywhere.
    pub position_independent: bool,
    /// It has a program loader: a program, not a library.
    pub program: bool,
    /// Relocations become read-only.
    pub relro: bool,
    /// All symbols are bound at start.
    pub bind_now: bool,
    /// The stack may be executed.
    pub executable_stack: bool,
    /// RPATH or RUNPATH entries.
    pub library_paths: bool,
    /// Smallest alignment of its loadable segments.
    pub alignment_min: u64,
    /// Symbol versions it needs, like `GLIBC_2.34`.
    pub needs: Vec<String>,
}

/// Reads a file; `None` when it is no 64-bit ELF.
#[must_use]
pub fn facts(bytes: &[u8]) -> Option<Facts> {
    let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
    let endian = file.endian();
    let header = file.elf_header();
    let mut facts = Facts {
        machine: header.e_machine(endian).0,
        position_independent: header.e_type(endian) == ET_DYN,
        alignment_min: u64::MAX,
        ..Facts::default()
    };
    for segment in file.elf_program_headers() {
        match segment.p_type(endian) {
            PT_LOAD => facts.alignment_min = facts.alignment_min.min(segment.p_align(endian)),
            PT_INTERP => facts.program = true,
            PT_GNU_RELRO => facts.relro = true,
            PT_GNU_STACK => facts.executable_stack = segment.p_flags(endian).contains(PF_X),
            PT_DYNAMIC => {
                for entry in segment.dynamic(endian, bytes).ok()?.unwrap_or_default() {
                    let (tag, value) = (entry.tag(endian), entry.val(endian));
                    match tag {
                        DT_RPATH | DT_RUNPATH => facts.library_paths = true,
                        DT_FLAGS => facts.bind_now |= value & DF_BIND_NOW.0 != 0,
                        DT_FLAGS_1 => {
                            facts.bind_now |= value & DF_1_NOW.0 != 0;
                            facts.program |= value & DF_1_PIE.0 != 0;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    facts.needs = needed_versions(&file);
    Some(facts)
}

fn needed_versions(file: &ElfFile64<'_, Endianness>) -> Vec<String> {
    let endian = file.endian();
    let sections = file.elf_section_table();
    let Ok(Some((mut needed, link))) = sections.gnu_verneed(endian, file.data()) else { return Vec::new() };
    let Ok(strings) = sections.strings(endian, file.data(), link) else { return Vec::new() };
    let mut names = Vec::new();
    while let Ok(Some((_, mut versions))) = needed.next() {
        while let Ok(Some(version)) = versions.next() {
            if let Ok(name) = version.name(endian, strings) {
                names.push(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}
