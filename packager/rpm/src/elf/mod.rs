//! What the gates want to know about a program: which glibc it needs, how it is hardened, where it looks for libraries, what it is called
//! and which code it has.

mod code;

pub use code::{Function, exported, functions};

use object::Endianness;
use object::elf::{
    DF_1_NOW, DF_1_PIE, DF_BIND_NOW, DF_TEXTREL, DT_FLAGS, DT_FLAGS_1, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_TEXTREL,
    EM_AARCH64, EM_X86_64, ET_DYN, ET_REL, GNU_PROPERTY_X86_ISA_1_NEEDED, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK,
    PT_INTERP, PT_LOAD,
};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _, SectionHeader as _};
use packager_recipe::Arch;
use packager_source::digest::hex;

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
    /// Code is changed when it is loaded.
    pub text_relocations: bool,
    /// A program or library, not a file that is still to be linked.
    pub linked: bool,
    /// What others link against it as.
    pub soname: Option<String>,
    /// Identity of the build, in hexadecimal.
    pub build_id: Option<String>,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED`: what the loader refuses to load it without.
    pub isa_needed: u32,
    /// Smallest alignment of its loadable segments.
    pub alignment_min: u64,
    /// Symbol versions it needs, like `GLIBC_2.34`.
    pub needs: Vec<String>,
}

impl Facts {
    /// It is for processors of this architecture.
    #[must_use]
    pub fn is_for(&self, arch: Arch) -> bool {
        let machine = match arch {
            Arch::X86_64 => EM_X86_64,
            Arch::Aarch64 => EM_AARCH64,
        };
        self.machine == machine.0
    }
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
        linked: header.e_type(endian) != ET_REL,
        alignment_min: u64::MAX,
        ..Facts::default()
    };
    let mut soname = None;
    for segment in file.elf_program_headers() {
        match segment.p_type(endian) {
            PT_LOAD => facts.alignment_min = facts.alignment_min.min(segment.p_align(endian)),
            PT_INTERP => facts.program = true,
            PT_GNU_RELRO => facts.relro = true,
            PT_GNU_STACK => facts.executable_stack = segment.p_flags(endian).contains(PF_X),
            PT_DYNAMIC => {
                // Debug information keeps the header of the segment, not always its contents.
                for entry in segment.dynamic(endian, bytes).ok().flatten().unwrap_or_default() {
                    let (tag, value) = (entry.tag(endian), entry.val(endian));
                    match tag {
                        DT_RPATH | DT_RUNPATH => facts.library_paths = true,
                        DT_TEXTREL => facts.text_relocations = true,
                        DT_SONAME => soname = Some(value),
                        DT_FLAGS => {
                            facts.bind_now |= value & DF_BIND_NOW.0 != 0;
                            facts.text_relocations |= value & DF_TEXTREL.0 != 0;
                        }
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
    facts.soname = soname.and_then(|offset| dynamic_string(&file, offset));
    notes(&file, &mut facts);
    Some(facts)
}

/// A string of the dynamic section.
fn dynamic_string(file: &ElfFile64<'_, Endianness>, offset: u64) -> Option<String> {
    let sections = file.elf_section_table();
    let (_, link) = sections.dynamic(file.endian(), file.data()).ok()??;
    let strings = sections.strings(file.endian(), file.data(), link).ok()?;
    let name = strings.get(u32::try_from(offset).ok()?).ok()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// Build id and properties. Debug information keeps the sections, not the segments.
fn notes(file: &ElfFile64<'_, Endianness>, facts: &mut Facts) {
    let endian = file.endian();
    for section in file.elf_section_table().iter() {
        let Ok(Some(mut notes)) = section.notes(endian, file.data()) else { continue };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == object::elf::ELF_NOTE_GNU && note.n_type(endian) == object::elf::NT_GNU_BUILD_ID {
                facts.build_id = Some(hex(note.desc()));
            }
            let Some(mut properties) = note.gnu_properties(endian) else { continue };
            while let Ok(Some(property)) = properties.next() {
                if property.pr_type() == GNU_PROPERTY_X86_ISA_1_NEEDED {
                    facts.isa_needed |= property.data_u32(endian).unwrap_or_default();
                }
            }
        }
    }
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
