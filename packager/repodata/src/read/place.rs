//! `primary.xml`, of which only where packages lie is read: enough to see whether anything changed.

use std::io::BufRead;

use super::{Attributes, Counted, ReadError, Sink, document, number};
use crate::model::Location;

/// What tells whether a package file is the one that was described.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it lies.
    pub location: Location,
    /// Its size.
    pub bytes: u64,
    /// Its modification time.
    pub time: i64,
}

/// Reads the place of every package.
pub fn places(from: impl BufRead) -> Result<Vec<Place>, ReadError> {
    let mut reading = Places { counted: Counted::default(), place: Place::default(), all: Vec::new() };
    document(from, &mut reading)?;
    Ok(reading.all)
}

struct Places {
    counted: Counted,
    place: Place,
    all: Vec<Place>,
}

impl Sink for Places {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.open(name, "metadata", "primary", element)?,
            (3, "time") => self.place.time = number(&element.get("file")?, "time")?,
            (3, "size") => self.place.bytes = number(&element.get("package")?, "size")?,
            (3, "location") => {
                self.place.location = Location { href: element.get("href")?, base: element.get("xml:base")? };
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, _: &mut String) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.close()?,
            (2, "package") => {
                self.counted.seen += 1;
                self.all.push(std::mem::take(&mut self.place));
            }
            _ => {}
        }
        Ok(())
    }
}
