//! The functions of a program with their code, and the symbols that it shows to others.

use std::collections::BTreeMap;

use object::read::elf::{ElfFile64, SectionHeader as _, Sym as _, SymbolTable};
use object::{Endianness, elf};

/// A stretch of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function<'d> {
    /// Its symbol; nothing for code that no symbol names.
    pub name: Option<String>,
    /// Where it is loaded, before the program is moved.
    pub address: u64,
    /// Its code.
    pub bytes: &'d [u8],
}

/// A symbol that begins a function.
struct Start {
    name: String,
    /// 0 when the assembler did not say.
    bytes: u64,
}

/// The symbols that a library has for others, with their versions.
#[must_use]
pub fn exported(bytes: &[u8]) -> Vec<String> {
    let Ok(file) = ElfFile64::<Endianness>::parse(bytes) else { return Vec::new() };
    let endian = file.endian();
    let sections = file.elf_section_table();
    let versions = sections.versions(endian, bytes).ok().flatten();
    let table = file.elf_dynamic_symbol_table();
    let mut names = Vec::new();
    for (index, symbol) in table.enumerate() {
        let weak_or_global = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
        let seen = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
        if symbol.is_undefined(endian) || !weak_or_global || !seen {
            continue;
        }
        let Ok(name) = table.symbol_name(endian, symbol) else { continue };
        let mut name = String::from_utf8_lossy(name).into_owned();
        if let Some(versions) = &versions {
            let version = versions.version_index(endian, index);
            if let Ok(Some(version)) = versions.version(version.index()) {
                name.push_str(&format!("@{}", String::from_utf8_lossy(version.name())));
            }
        }
        names.push(name);
    }
    names.sort();
    names.dedup();
    names
}

/// All code of a program. With the symbols of its debug information, or its own, exactly what functions cover: what lies between them is
/// padding, jump tables and constants. Where an assembler gave no size a function reaches to the next. Without symbols of functions whole
/// sections, without names.
#[must_use]
pub fn functions<'d>(program: &'d [u8], debug: Option<&[u8]>) -> Vec<Function<'d>> {
    let Ok(file) = ElfFile64::<Endianness>::parse(program) else { return Vec::new() };
    let separate = debug.and_then(|debug| ElfFile64::<Endianness>::parse(debug).ok());
    let mut starts = BTreeMap::new();
    let mut data = BTreeMap::new();
    let symbols = separate.iter().map(ElfFile64::elf_symbol_table).chain([file.elf_symbol_table()]);
    for table in symbols {
        gather(table, file.endian(), &mut starts, &mut data);
    }
    let complete = !starts.is_empty();
    gather(file.elf_dynamic_symbol_table(), file.endian(), &mut starts, &mut data);
    let mut functions = Vec::new();
    for section in file.elf_section_table().iter() {
        let flags = section.sh_flags(file.endian());
        let Ok(bytes) = section.data(file.endian(), program) else { continue };
        if !flags.contains(elf::SHF_EXECINSTR) {
            continue;
        }
        let address = section.sh_addr(file.endian());
        if complete {
            functions.extend(named(address, bytes, &starts, &data));
        } else if !bytes.is_empty() {
            functions.push(Function { name: None, address, bytes });
        }
    }
    functions
}

/// The functions in a section.
fn named<'d>(
    address: u64,
    bytes: &'d [u8],
    starts: &BTreeMap<u64, Start>,
    data: &BTreeMap<u64, bool>,
) -> Vec<Function<'d>> {
    let end = address + bytes.len() as u64;
    let mut functions = Vec::new();
    let mut inside = starts.range(address..end).peekable();
    while let Some((from, start)) = inside.next() {
        let next = inside.peek().map_or(end, |(next, _)| **next);
        let to = if start.bytes == 0 { next } else { (from + start.bytes).min(end) };
        // Pieces of it that are code: marks for data (aarch64) lie in between.
        let mut at = *from;
        let mut is_data = data.range(..=at).next_back().is_some_and(|(_, data)| *data);
        for (mark, next_is_data) in data.range(at..to).map(|(mark, data)| (*mark, *data)).chain([(to, false)]) {
            if mark > at && !is_data {
                let (low, high) = ((at - address) as usize, (mark - address) as usize);
                functions.push(Function { name: Some(start.name.clone()), address: at, bytes: &bytes[low..high] });
            }
            (at, is_data) = (mark, next_is_data);
        }
    }
    functions
}

/// Where functions begin, and where data in code begins and ends (`$d` and `$x`, the mapping symbols of the ELF for the Arm 64-bit
/// architecture).
fn gather(
    table: &SymbolTable<'_, elf::FileHeader64<Endianness>>,
    endian: Endianness,
    starts: &mut BTreeMap<u64, Start>,
    data: &mut BTreeMap<u64, bool>,
) {
    for symbol in table.iter() {
        let Ok(name) = table.symbol_name(endian, symbol) else { continue };
        let at = symbol.st_value(endian);
        match name.get(..2) {
            Some(b"$d") => drop(data.insert(at, true)),
            Some(b"$x") => drop(data.insert(at, false)),
            _ => {}
        }
        // Assemblers leave the type away; what is global is no label within a function.
        let function = match symbol.st_type() {
            elf::STT_FUNC | elf::STT_GNU_IFUNC => true,
            elf::STT_NOTYPE => symbol.st_bind() != elf::STB_LOCAL,
            _ => false,
        };
        if symbol.is_undefined(endian) || !function {
            continue;
        }
        let start = Start { name: String::from_utf8_lossy(name).into_owned(), bytes: symbol.st_size(endian) };
        match starts.get(&at) {
            Some(known) if known.bytes >= start.bytes => {}
            _ => drop(starts.insert(at, start)),
        }
    }
}
