//! `repomd.xml`.

use std::io::BufRead;
use std::mem;

use super::{Attributes, ReadError, Sink, document, number, sha256};
use crate::model::{Data, Repomd};

/// Reads it.
pub fn repomd(from: impl BufRead) -> Result<Repomd, ReadError> {
    let mut reading = Reading::default();
    document(from, &mut reading)?;
    Ok(reading.repomd)
}

#[derive(Default)]
struct Reading {
    repomd: Repomd,
    data: Option<Data>,
}

impl Sink for Reading {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name, &mut self.data) {
            (1, "repomd", _) => {}
            (1, ..) => return Err(ReadError::Kind("repomd")),
            (2, "data", _) => self.data = Some(Data { kind: element.get("type")?, ..Data::default() }),
            (3, "location", Some(data)) => data.location = element.get("href")?,
            (3, "checksum" | "open-checksum", Some(_)) => match element.get("type")? {
                kind if kind == "sha256" => {}
                kind => return Err(ReadError::Hash(kind)),
            },
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        match (depth, name, &mut self.data) {
            (2, "revision", _) => self.repomd.revision = mem::take(text),
            (2, "data", _) => {
                let data = self.data.take().unwrap_or_default();
                for (value, what) in [(&data.kind, "type"), (&data.location, "location"), (&data.sha256, "checksum")] {
                    if value.is_empty() {
                        return Err(ReadError::Missing(what));
                    }
                }
                self.repomd.data.push(data);
            }
            (3, "checksum", Some(data)) => data.sha256 = sha256(text)?,
            (3, "open-checksum", Some(data)) => data.open_sha256 = sha256(text)?,
            (3, "size", Some(data)) => data.bytes = number(text, "size")?,
            (3, "open-size", Some(data)) => data.open_bytes = Some(number(text, "size")?),
            // Some tools write fractions of seconds.
            (3, "timestamp", Some(data)) => {
                data.timestamp = number(text.split('.').next().unwrap_or_default(), "time")?;
            }
            _ => {}
        }
        Ok(())
    }
}
