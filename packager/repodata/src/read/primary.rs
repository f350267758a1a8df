//! `primary.xml`.

use std::io::BufRead;
use std::mem;

use super::{Attributes, Counted, ReadError, Sink, document, evr, number, sha256};
use crate::Package;
use crate::model::{Comparison, Constraint, Dependency, File};

/// Reads the packages, one after the other; of their files it has those that [`File::is_primary`] says, of their changes none.
pub fn primary(from: impl BufRead, each: impl FnMut(Package) -> Result<(), ReadError>) -> Result<(), ReadError> {
    document(from, &mut Primary { counted: Counted::default(), package: None, list: None, file: None, each })
}

/// The lists of dependencies.
#[derive(Clone, Copy)]
enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Suggests,
    Supplements,
    Enhances,
}

struct Primary<F> {
    counted: Counted,
    package: Option<Package>,
    list: Option<List>,
    file: Option<File>,
    each: F,
}

impl<F: FnMut(Package) -> Result<(), ReadError>> Sink for Primary<F> {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.open(name, "metadata", "primary", element)?,
            (2, "package") => self.package = Some(Package::default()),
            (3, _) => {
                if let Some(package) = &mut self.package {
                    attributes(package, name, element)?;
                }
            }
            (4, "header-range") => {
                if let Some(package) = &mut self.package {
                    let range = (element.get("start")?, element.get("end")?);
                    package.header = (number(&range.0, "header range")?, number(&range.1, "header range")?);
                }
            }
            (4, "file") => {
                self.file = Some(File { path: String::new(), kind: super::filelists::kind(element)? });
            }
            (4, _) => self.list = list(name),
            (5, "entry") => {
                if let (Some(package), Some(list)) = (&mut self.package, self.list) {
                    of(package, list).push(entry(element)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        match (depth, name, &mut self.package) {
            (1, ..) => self.counted.close()?,
            (2, "package", _) => {
                let package = self.package.take().unwrap_or_default();
                for (value, what) in [
                    (&package.name, "name"),
                    (&package.arch, "arch"),
                    (&package.sha256, "checksum"),
                    (&package.location.href, "location"),
                ] {
                    if value.is_empty() {
                        return Err(ReadError::Missing(what));
                    }
                }
                self.counted.seen += 1;
                (self.each)(package)?;
            }
            (3, "name", Some(package)) => package.name = mem::take(text),
            (3, "arch", Some(package)) => package.arch = mem::take(text),
            (3, "checksum", Some(package)) => package.sha256 = sha256(text)?,
            (3, "summary", Some(package)) => package.summary = mem::take(text),
            (3, "description", Some(package)) => package.description = mem::take(text),
            (3, "packager", Some(package)) => package.packager = mem::take(text),
            (3, "url", Some(package)) => package.url = mem::take(text),
            (4, "license", Some(package)) => package.license = mem::take(text),
            (4, "vendor", Some(package)) => package.vendor = mem::take(text),
            (4, "group", Some(package)) => package.group = mem::take(text),
            (4, "buildhost", Some(package)) => package.build_host = mem::take(text),
            (4, "sourcerpm", Some(package)) => package.source_rpm = mem::take(text),
            (4, "file", Some(package)) => {
                if let Some(mut file) = self.file.take() {
                    file.path = mem::take(text);
                    package.files.push(file);
                }
            }
            (4, ..) => self.list = None,
            _ => {}
        }
        Ok(())
    }
}

/// What the attributes of an element of the package say.
fn attributes(package: &mut Package, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
    match name {
        "version" => package.evr = evr(element)?,
        "checksum" => match element.get("type")? {
            kind if kind == "sha256" => {}
            kind => return Err(ReadError::Hash(kind)),
        },
        "time" => element.each(|name, value| {
            match name {
                "file" => package.time.file = number(&value, "time")?,
                "build" => package.time.build = number(&value, "time")?,
                _ => {}
            }
            Ok(())
        })?,
        "size" => element.each(|name, value| {
            match name {
                "package" => package.size.package = number(&value, "size")?,
                "installed" => package.size.installed = number(&value, "size")?,
                "archive" => package.size.archive = number(&value, "size")?,
                _ => {}
            }
            Ok(())
        })?,
        "location" => element.each(|name, value| {
            match name {
                "href" => package.location.href = value,
                "xml:base" => package.location.base = value,
                _ => {}
            }
            Ok(())
        })?,
        _ => {}
    }
    Ok(())
}

fn list(name: &str) -> Option<List> {
    Some(match name {
        "provides" => List::Provides,
        "requires" => List::Requires,
        "conflicts" => List::Conflicts,
        "obsoletes" => List::Obsoletes,
        "recommends" => List::Recommends,
        "suggests" => List::Suggests,
        "supplements" => List::Supplements,
        "enhances" => List::Enhances,
        _ => return None,
    })
}

fn of(package: &mut Package, list: List) -> &mut Vec<Dependency> {
    match list {
        List::Provides => &mut package.provides,
        List::Requires => &mut package.requires,
        List::Conflicts => &mut package.conflicts,
        List::Obsoletes => &mut package.obsoletes,
        List::Recommends => &mut package.weak.recommends,
        List::Suggests => &mut package.weak.suggests,
        List::Supplements => &mut package.weak.supplements,
        List::Enhances => &mut package.weak.enhances,
    }
}

fn entry(element: &Attributes<'_>) -> Result<Dependency, ReadError> {
    let mut dependency = Dependency::default();
    let [mut flags, mut epoch, mut version, mut release] = [const { String::new() }; 4];
    element.each(|name, value| {
        match name {
            "name" => dependency.name = value,
            "flags" => flags = value,
            "epoch" => epoch = value,
            "ver" => version = value,
            "rel" => release = value,
            "pre" => dependency.pre = value == "1",
            _ => {}
        }
        Ok(())
    })?;
    if dependency.name.is_empty() {
        return Err(ReadError::Missing("name"));
    }
    if !flags.is_empty() {
        let comparison = Comparison::from_name(&flags).ok_or(ReadError::Comparison(flags))?;
        dependency.constraint = Some(Constraint { comparison, epoch, version, release });
    }
    Ok(dependency)
}
