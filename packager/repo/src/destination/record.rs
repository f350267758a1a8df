//! The record of what was published at a place: which files belong to which generation, and which may be left of a killed publication.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::listed::is_inside;

/// Name of the record at its place.
pub(crate) const RECORD: &str = ".packager-publication.json";

/// The most bytes that a record has.
pub(super) const RECORD_BYTES_MAX: u64 = 256 << 20;

const FORMAT: u32 = 1;

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is none.
    #[error(
        "`{RECORD}` at `{place}` is damaged\nhint: remove it; what the metadata there lists is taken over, and what else was published stays as it is"
    )]
    Damaged {
        /// The place.
        place: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error(
        "`{RECORD}` at `{place}` has format {format}, this packager writes {FORMAT}\nhint: publish with the packager that wrote it, or a newer one"
    )]
    Format {
        /// The place.
        place: String,
        /// Its format.
        format: u32,
    },
    /// It names files elsewhere.
    #[error("`{RECORD}` at `{place}` names `{name}`, which lies outside\nhint: somebody changed it; remove it")]
    Outside {
        /// The place.
        place: String,
        /// The name.
        name: String,
    },
}

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Published files by name.
pub(super) type Files = BTreeMap<String, Published>;

/// What one `repomd.xml` leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    /// Of the metadata.
    pub(super) revision: String,
    /// SHA-256 of `repomd.xml`.
    pub(super) repomd: String,
    /// The folder that its mirror list leads to: the same metadata may be published under another address, or signed by another key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<String>,
    pub(super) files: Files,
}

impl Generation {
    /// Whether it leads to nothing that a newer one does not lead to.
    fn is_within(&self, newer: &Generation) -> bool {
        self.repomd == newer.repomd && (self.list.is_none() || self.list == newer.list)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// The newest first.
    pub(super) generations: Vec<Generation>,
    /// What a publication is about to put, or to remove.
    pub(super) pending: Files,
}

impl Default for Record {
    fn default() -> Self {
        Record { format: FORMAT, generations: Vec::new(), pending: Files::new() }
    }
}

impl Record {
    pub(super) fn parse(text: &[u8], place: &str) -> Result<Record, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |source| RecordError::Damaged { place: place.to_owned(), source };
        let Head { format } = serde_json::from_slice(text).map_err(damaged)?;
        if format != FORMAT {
            return Err(RecordError::Format { place: place.to_owned(), format });
        }
        let record: Record = serde_json::from_slice(text).map_err(damaged)?;
        let outside = record.all().flat_map(Files::keys).find(|name| !is_inside(name)).cloned();
        outside.map_or(Ok(record), |name| Err(RecordError::Outside { place: place.to_owned(), name }))
    }

    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("maps of texts");
        text.push(b'\n');
        text
    }

    fn all(&self) -> impl Iterator<Item = &Files> {
        self.generations.iter().map(|generation| &generation.files).chain([&self.pending])
    }

    /// What a file may have in it that was put under this name.
    pub(super) fn known<'r>(&'r self, name: &str) -> BTreeSet<&'r str> {
        self.all().filter_map(|files| files.get(name)).map(|entry| entry.sha256.as_str()).collect()
    }

    /// The file as readers of a kept generation have seen it.
    pub(super) fn seen(&self, name: &str) -> Option<&Published> {
        self.generations.iter().find_map(|generation| generation.files.get(name))
    }

    /// Makes a generation the newest, and keeps so many. What no other has any more is pending.
    pub(super) fn advance(&mut self, newest: Generation, keep: usize) {
        let mut left = std::mem::take(&mut self.pending);
        let mut kept = vec![newest];
        for generation in std::mem::take(&mut self.generations) {
            let again = generation.is_within(&kept[0]);
            if again || kept.len() >= keep {
                left.extend(generation.files);
            } else {
                kept.push(generation);
            }
        }
        let (newest, older) = kept.split_first_mut().expect("the newest");
        for generation in older {
            for (name, entry) in &mut generation.files {
                if let Some(now) = newest.files.get(name) {
                    entry.clone_from(now); // one name, one file: it was replaced
                }
            }
        }
        left.retain(|name, _| !kept.iter().any(|generation| generation.files.contains_key(name)));
        *self = Record { generations: kept, pending: left, format: FORMAT };
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, Generation, Published, Record, RecordError};

    fn files(files: &[(&str, &str)]) -> Files {
        let entry =
            |(name, sha256): &(&str, &str)| ((*name).to_owned(), Published { sha256: (*sha256).to_owned(), bytes: 1 });
        files.iter().map(entry).collect()
    }

    fn generation(repomd: &str, names: &[(&str, &str)]) -> Generation {
        let [revision, repomd] = ["1", repomd].map(str::to_owned);
        Generation { revision, repomd, list: None, files: files(names) }
    }

    #[test]
    fn what_no_kept_generation_has_is_pending() {
        let mut record = Record { pending: files(&[("killed", "k"), ("new", "n")]), ..Record::default() };
        record.advance(generation("1", &[("a", "a"), ("b", "b")]), 2);
        assert_eq!(record.pending, files(&[("killed", "k"), ("new", "n")]));
        record.pending.clear();
        record.advance(generation("2", &[("b", "b"), ("c", "c")]), 2);
        assert_eq!((record.generations.len(), &record.pending), (2, &files(&[])));
        record.advance(generation("3", &[("c", "c")]), 2);
        assert_eq!(record.pending, files(&[("a", "a")]));
        assert_eq!(record.known("b").into_iter().collect::<Vec<_>>(), ["b"]);
        // Back again: the one before stays, and nothing is twice.
        record.pending.clear();
        record.advance(generation("2", &[("b", "b"), ("c", "c")]), 2);
        let order: Vec<&str> = record.generations.iter().map(|generation| generation.repomd.as_str()).collect();
        assert_eq!((order, &record.pending), (vec!["2", "3"], &files(&[])));
        record.advance(generation("4", &[]), 1);
        assert_eq!(record.pending, files(&[("b", "b"), ("c", "c")]));
    }

    #[test]
    fn a_replaced_file_is_the_same_in_every_generation() {
        let mut record = Record::default();
        record.advance(generation("1", &[("page", "old")]), 2);
        record.advance(generation("2", &[("page", "new")]), 2);
        assert_eq!(record.known("page").into_iter().collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn a_record_is_read_as_it_was_written_or_refused() {
        let mut record = Record { pending: files(&[("p", "p")]), ..Record::default() };
        record.advance(generation("1", &[("a/b", "c")]), 2);
        assert_eq!(Record::parse(&record.text(), "here").expect("a record"), record);
        record.pending = files(&[("../../etc/passwd", "x")]);
        assert!(matches!(Record::parse(&record.text(), "here"), Err(RecordError::Outside { .. })));
        assert!(matches!(Record::parse(b"{\"format\":2}", "here"), Err(RecordError::Format { format: 2, .. })));
        assert!(matches!(Record::parse(b"{", "here"), Err(RecordError::Damaged { .. })));
    }
}
