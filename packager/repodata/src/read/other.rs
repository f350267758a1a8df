//! `other.xml`.

use std::io::BufRead;
use std::mem;

use super::{Attributes, Counted, ReadError, Sink, document, number, sha256};
use crate::model::Change;

/// Reads the changes of each package, with the SHA-256 of the package.
pub fn other(
    from: impl BufRead,
    each: impl FnMut(String, Vec<Change>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let package = String::new();
    document(from, &mut Other { counted: Counted::default(), package, changes: Vec::new(), each })
}

struct Other<F> {
    counted: Counted,
    package: String,
    changes: Vec<Change>,
    each: F,
}

impl<F: FnMut(String, Vec<Change>) -> Result<(), ReadError>> Sink for Other<F> {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.open(name, "otherdata", "other", element)?,
            (2, "package") => self.package = sha256(&element.get("pkgid")?)?,
            (3, "changelog") => self.changes.push(Change {
                author: element.get("author")?,
                time: number(&element.get("date")?, "time")?,
                text: String::new(),
            }),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.close()?,
            (2, "package") => {
                self.counted.seen += 1;
                (self.each)(mem::take(&mut self.package), mem::take(&mut self.changes))?;
            }
            (3, "changelog") => {
                if let Some(change) = self.changes.last_mut() {
                    change.text = mem::take(text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
