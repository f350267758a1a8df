//! `filelists.xml`.

use std::io::BufRead;
use std::mem;

use super::{Attributes, Counted, ReadError, Sink, document, sha256};
use crate::model::{File, FileKind};

/// Reads the files of each package, with the SHA-256 of the package.
pub fn filelists(
    from: impl BufRead,
    each: impl FnMut(String, Vec<File>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let (package, kind) = (String::new(), FileKind::File);
    document(from, &mut Filelists { counted: Counted::default(), package, kind, files: Vec::new(), each })
}

struct Filelists<F> {
    counted: Counted,
    package: String,
    kind: FileKind,
    files: Vec<File>,
    each: F,
}

impl<F: FnMut(String, Vec<File>) -> Result<(), ReadError>> Sink for Filelists<F> {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.open(name, "filelists", "filelists", element)?,
            (2, "package") => self.package = sha256(&element.get("pkgid")?)?,
            (3, "file") => self.kind = kind(element)?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        match (depth, name) {
            (1, _) => self.counted.close()?,
            (2, "package") => {
                self.counted.seen += 1;
                (self.each)(mem::take(&mut self.package), mem::take(&mut self.files))?;
            }
            (3, "file") => self.files.push(File { path: text.clone(), kind: self.kind }),
            _ => {}
        }
        Ok(())
    }
}

/// The `type` of a file; what is not known is a file.
pub(super) fn kind(element: &Attributes<'_>) -> Result<FileKind, ReadError> {
    Ok(match element.get("type")?.as_str() {
        "dir" => FileKind::Folder,
        "ghost" => FileKind::Ghost,
        _ => FileKind::File,
    })
}
