//! Where each setting stands in the file, for findings that come after the reading.

use std::collections::BTreeMap;

use crate::Finding;
use crate::document::{Kind, Node};

/// Lines and columns by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places(BTreeMap<String, (usize, usize)>);

/// Most places kept: a file has this many settings only if it repeats aliases.
const MAX_PLACES: usize = 1 << 16;

impl Places {
    pub(crate) fn of(root: &Node) -> Places {
        let mut places = Places::default();
        places.add(root, "");
        places
    }

    fn add(&mut self, node: &Node, path: &str) {
        let mut child = |name: String, mark: crate::document::Mark, value: &Node| {
            if self.0.len() < MAX_PLACES {
                self.0.insert(name.clone(), (mark.line, mark.column));
                self.add(value, &name);
            }
        };
        match &node.kind {
            Kind::Scalar { .. } => {}
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    child(format!("{path}[{index}]"), item.mark, item);
                }
            }
            Kind::Mapping(mapping) => {
                for entry in &mapping.entries {
                    let name = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                    child(name, entry.key_mark, &entry.value);
                }
            }
        }
    }

    /// The line and column of a setting, or of the nearest section around it that the file has.
    pub fn find(&self, path: &str) -> Option<(usize, usize)> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return Some(*place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Gives findings without a line the place of their path.
    pub fn locate(&self, findings: &mut [Finding]) {
        for finding in findings.iter_mut().filter(|finding| finding.line == 0) {
            if let Some((line, column)) = self.find(&finding.path) {
                (finding.line, finding.column) = (line, column);
            }
        }
    }
}
