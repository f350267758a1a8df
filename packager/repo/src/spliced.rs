//! Changing few packages of many: the texts of the others are copied as they stand, without being understood, and the result has the same bytes as
//! if all had been described anew. Memory holds one line per package, not the packages.
//!
//! This is for lists written as ours are, which are createrepo_c's byte for byte. [`scan`] and [`Change::write`] answer nothing where they meet
//! something else; then everything is read and written. What they do not look at stays as it is.

use std::io::{self, BufRead};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use packager_repodata::Compression;
use packager_repodata::model::{Data, Package};
use packager_repodata::write::Format;
use packager_source::stop::unless_interrupted;

use crate::listed::{ListedError, is_inside};
use crate::metadata::MetadataError;
use crate::stored::Stored;
use crate::written;

/// A package as far as its place in the lists depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where it lies.
    pub(crate) href: String,
    /// It lies elsewhere.
    pub(crate) is_based: bool,
    sha256: String,
    /// Of its file.
    time: i64,
}

impl Known {
    fn read(text: &str) -> Option<Known> {
        let location = between(text, "\n  <location ", "/>\n")?;
        let is_based = location.starts_with("xml:base=\"");
        if !is_based && !location.starts_with("href=\"") {
            return None;
        }
        let href = between(location, "href=\"", "\"")?;
        Some(Known {
            // An escaped one is somebody's who is not in a hurry.
            href: (!href.contains('&')).then(|| href.to_owned())?,
            is_based,
            sha256: between(text, "\n  <checksum type=\"sha256\" pkgid=\"YES\">", "</checksum>\n")?.to_owned(),
            time: between(text, "\n  <time file=\"", "\"")?.parse().ok()?,
        })
    }

    /// What lists are ordered by.
    fn rank(&self) -> (&str, &str) {
        written::rank(&self.href)
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

/// A list as a sequence of texts, each of a package.
struct Texts<'r> {
    from: &'r mut dyn BufRead,
    end: &'static str,
    over: bool,
}

/// What a list is when it is not as ours are.
#[derive(Debug)]
enum Fault {
    Foreign,
    /// A package outside of the repository.
    Outside(String),
    Reading(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Reading(error)
    }
}

impl<'r> Texts<'r> {
    /// Of `count` packages.
    fn new(format: Format, count: usize, from: &'r mut dyn BufRead) -> Result<Texts<'r>, Fault> {
        let beginning = format.beginning(count);
        let mut begins = vec![0; beginning.len()];
        match from.read_exact(&mut begins) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
            Ok(()) if begins == beginning.as_bytes() => {}
            _ => return Err(Fault::Foreign),
        }
        Ok(Texts { from, end: format.end(), over: false })
    }

    /// The next one; nothing behind the last.
    fn next(&mut self) -> Result<Option<String>, Fault> {
        let mut text = Vec::new();
        while !self.over {
            let begins = text.len();
            if self.from.read_until(b'\n', &mut text)? == 0 {
                return Err(Fault::Foreign);
            }
            let line = &text[begins..];
            if line == b"</package>\n" {
                let text = String::from_utf8(text).map_err(|_| Fault::Foreign)?;
                // In these, markup would be text.
                let hides = text.contains("<!");
                return if text.starts_with("<package ") && !hides { Ok(Some(text)) } else { Err(Fault::Foreign) };
            }
            if begins == 0 && line.trim_ascii_end() == self.end.as_bytes() {
                self.over = true;
            }
        }
        if self.from.fill_buf()?.is_empty() { Ok(None) } else { Err(Fault::Foreign) }
    }
}

/// The packages in the order of the lists; `each` sees the text of each. Nothing when the primary list is not as ours, or in another order.
pub(crate) fn scan(stored: &Stored, mut each: impl FnMut(&Known, &str)) -> Result<Option<Vec<Known>>, MetadataError> {
    let mut known: Vec<Known> = Vec::new();
    let scanned = stored.text(Format::Primary, |from| -> Result<(), Fault> {
        let Some(count) = count(from)? else { return Err(Fault::Foreign) };
        let mut texts = Texts::new(Format::Primary, count, from)?;
        while let Some(text) = texts.next()? {
            let one = Known::read(&text).ok_or(Fault::Foreign)?;
            if !one.is_based && !is_inside(&one.href) {
                return Err(Fault::Outside(one.href));
            }
            if known.last().is_some_and(|last| last.rank() > one.rank()) {
                return Err(Fault::Foreign);
            }
            each(&one, &text);
            known.push(one);
        }
        if known.len() == count { Ok(()) } else { Err(Fault::Foreign) }
    })?;
    Ok(understood(scanned, stored, Format::Primary)?.map(|()| known))
}

/// How many packages the beginning of the primary list counts.
fn count(from: &mut dyn BufRead) -> io::Result<Option<usize>> {
    let begins = from.fill_buf()?;
    let mut lines = begins.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    Ok(lines.nth(1).and_then(|line| between(line, " packages=\"", "\">")?.parse().ok()))
}

fn understood<T>(result: Result<T, Fault>, stored: &Stored, format: Format) -> Result<Option<T>, MetadataError> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(Fault::Foreign) => Ok(None),
        Err(Fault::Outside(location)) => Err(ListedError::Outside { by: stored.list_path(format)?, location }.into()),
        Err(Fault::Reading(error)) => Err(MetadataError::at(&stored.list_path(format)?)(error)),
    }
}

/// What changes.
pub(crate) struct Change<'c> {
    /// All packages of [`scan`].
    pub(crate) known: &'c [Known],
    /// Which of them stay.
    pub(crate) stays: &'c [bool],
    /// What comes, in any order.
    pub(crate) new: &'c [Package],
}

/// What is next in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Copy,
    Leave,
    Insert(usize),
}

impl Change<'_> {
    /// How many packages there are then.
    pub(crate) fn packages(&self) -> usize {
        self.stays.iter().filter(|stays| **stays).count() + self.new.len()
    }

    /// The newest file's time.
    fn newest(&self) -> i64 {
        let stay = self.known.iter().zip(self.stays).filter(|(_, stays)| **stays).map(|(known, _)| known.time);
        stay.chain(self.new.iter().map(|package| package.time.file)).max().unwrap_or(0).max(0)
    }

    fn steps(&self) -> Vec<Step> {
        let mut new: Vec<usize> = (0..self.new.len()).collect();
        new.sort_by_key(|one| written::rank(&self.new[*one].location.href));
        let mut new = new.into_iter().peekable();
        let mut steps = Vec::new();
        for (known, stays) in self.known.iter().zip(self.stays) {
            let before = |one: &usize| written::rank(&self.new[*one].location.href) < known.rank();
            while let Some(one) = new.next_if(before) {
                steps.push(Step::Insert(one));
            }
            steps.push(if *stays { Step::Copy } else { Step::Leave });
        }
        steps.extend(new.map(Step::Insert));
        steps
    }

    /// Writes the three lists into a folder, and says what the newest time is. Nothing when a list is not as ours are; what was written then is worth nothing.
    pub(crate) fn write(
        &self,
        stored: &Stored,
        compression: Compression,
        folder: &Path,
    ) -> Result<Option<(Vec<Data>, i64)>, MetadataError> {
        let steps = self.steps();
        let lists = std::thread::scope(|scope| {
            let one = |format| {
                scope.spawn({
                    let steps = &steps;
                    move || self.list(format, steps, stored, compression, folder)
                })
            };
            Format::ALL.map(one).map(|thread| thread.join().expect("a list does not panic"))
        });
        let mut data = Vec::new();
        for list in lists {
            match list? {
                Some(list) => data.push(list),
                None => return Ok(None),
            }
        }
        Ok(Some((data, self.newest())))
    }

    fn list(
        &self,
        format: Format,
        steps: &[Step],
        stored: &Stored,
        compression: Compression,
        folder: &Path,
    ) -> Result<Option<Data>, MetadataError> {
        let failed: Mutex<Option<Fault>> = Mutex::new(None);
        let data = stored.text(format, |from| {
            let pieces = Pieces {
                change: self,
                format,
                steps,
                at: 0,
                texts: Texts::new(format, self.known.len(), from),
                place: 0,
                failed: &failed,
            };
            written::list(format, self.packages(), pieces, compression, folder)
        })??;
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => understood(Err(fault), stored, format),
            None => Ok(Some(data)),
        }
    }
}

/// The texts of a new list. It ends early when something is wrong, and says what in `failed`.
struct Pieces<'p, 'r> {
    change: &'p Change<'p>,
    format: Format,
    steps: &'p [Step],
    at: usize,
    texts: Result<Texts<'r>, Fault>,
    place: usize,
    failed: &'p Mutex<Option<Fault>>,
}

impl Pieces<'_, '_> {
    fn step(&mut self) -> Result<Option<String>, Fault> {
        let texts = match &mut self.texts {
            Ok(texts) => texts,
            Err(fault) => return Err(std::mem::replace(fault, Fault::Foreign)),
        };
        loop {
            let Some(step) = self.steps.get(self.at) else {
                return if texts.next()?.is_none() { Ok(None) } else { Err(Fault::Foreign) };
            };
            self.at += 1;
            if let Step::Insert(one) = step {
                let mut text = String::new();
                self.format.package(&self.change.new[*one], &mut text);
                return Ok(Some(text));
            }
            let text = texts.next()?.ok_or(Fault::Foreign)?;
            // The three lists have one order.
            let sha256 = &self.change.known[self.place].sha256;
            self.place += 1;
            let begins = format!("<package pkgid=\"{sha256}\" ");
            if self.format != Format::Primary && !text.starts_with(&begins) {
                return Err(Fault::Foreign);
            }
            if *step == Step::Copy {
                return Ok(Some(text));
            }
        }
    }
}

impl Iterator for Pieces<'_, '_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let step = unless_interrupted().map_err(|_| Fault::Reading(io::ErrorKind::Interrupted.into()));
        match step.and_then(|()| self.step()) {
            Ok(text) => text,
            Err(fault) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                None
            }
        }
    }
}
