//! From text to tree, within limits.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::{Duplicate, Entry, Kind, Mapping, Mark, Node};
use crate::report::{Report, quote};

/// Largest file: a server with 100 engines of 100 devices each has some 300 KiB.
const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting: the schema needs 7 levels (`engines[].storage[].bdev_list[]` and the document).
const MAX_DEPTH: usize = 24;
/// Most nodes after aliases are followed; more than [`MAX_BYTES`] of ordinary text can hold, so that only aliases of
/// aliases reach it.
const MAX_NODES: usize = 1 << 20;

/// Parses `text`. What makes the text unreadable is one finding with its position, and the result is `None`. A text
/// without content is an empty section.
pub(crate) fn parse(text: &str, report: &mut Report) -> Option<Rc<Node>> {
    if text.len() > MAX_BYTES {
        let problem = format!("the file has {} bytes, more than the limit of {MAX_BYTES}", text.len());
        report.error_at(Mark::START, "", problem, "give a configuration file, or shorten it");
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match Builder::default().run(text) {
        Ok(Some(root)) if !root.is_null() => Some(root),
        Ok(_) => Some(Rc::new(Node { mark: Mark::START, kind: Kind::Mapping(Mapping::default()), weight: 1 })),
        Err(Refusal { mark, problem, remedy }) => {
            report.error_at(mark, "", problem, remedy);
            None
        }
    }
}

struct Refusal {
    mark: Mark,
    problem: String,
    remedy: String,
}

fn refuse<T>(mark: Mark, problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { mark, problem: problem.into(), remedy: remedy.into() })
}

/// A collection whose end has not been read.
enum Open {
    Sequence(Vec<Rc<Node>>),
    Mapping { mapping: Mapping, seen: HashMap<String, Mark>, merges: Vec<(Mark, Rc<Node>)>, key: Option<Key> },
}

/// A key whose value has not been read.
struct Key {
    text: String,
    mark: Mark,
    merge: bool,
}

struct Level {
    open: Open,
    mark: Mark,
    anchor: usize,
}

#[derive(Default)]
struct Builder {
    levels: Vec<Level>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
}

impl Builder {
    fn run(mut self, text: &str) -> Result<Option<Rc<Node>>, Refusal> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    return refuse(
                        mark_of(error.marker()),
                        format!("the file is not valid YAML: {}", error.info()),
                        "correct the syntax at this place; look at indentation, quotes and brackets first",
                    );
                }
            };
            let mark = mark_of(&span.start);
            match event {
                Event::DocumentStart(_) => {
                    self.documents += 1;
                    if self.documents > 1 {
                        return refuse(
                            mark,
                            "a second YAML document begins here, but only one is read",
                            "remove the `---` line, or keep each document in a file of its own",
                        );
                    }
                }
                Event::Scalar(value, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain && !forces_text(tag.as_deref(), mark)?;
                    let node = Node { mark, kind: Kind::Scalar { text: value.into_owned(), plain }, weight: 1 };
                    self.add(Rc::new(node), anchor)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    forces_text(tag.as_deref(), mark)?;
                    self.open(Open::Sequence(Vec::new()), mark, anchor)?;
                }
                Event::MappingStart(anchor, tag) => {
                    forces_text(tag.as_deref(), mark)?;
                    let (mapping, seen) = (Mapping::default(), HashMap::new());
                    self.open(Open::Mapping { mapping, seen, merges: Vec::new(), key: None }, mark, anchor)?;
                }
                Event::Alias(id) => match self.anchors.get(&id) {
                    Some(node) => {
                        let node = Rc::clone(node);
                        self.add(node, 0)?;
                    }
                    None => {
                        return refuse(mark, "an alias inside the node it stands for", "write the value out");
                    }
                },
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(self.root)
    }

    fn open(&mut self, open: Open, mark: Mark, anchor: usize) -> Result<(), Refusal> {
        if self.levels.len() >= MAX_DEPTH {
            let problem = format!("more than {MAX_DEPTH} levels of nesting");
            return refuse(mark, problem, "remove the brackets or the indentation that open so many levels");
        }
        self.levels.push(Level { open, mark, anchor });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let level = self.levels.pop().expect("the parser pairs start and end events");
        let node = match level.open {
            Open::Sequence(items) => {
                let weight = items.iter().fold(1usize, |sum, item| sum.saturating_add(item.weight));
                Node { mark: level.mark, kind: Kind::Sequence(items), weight }
            }
            Open::Mapping { mut mapping, mut seen, merges, .. } => {
                for (mark, source) in &merges {
                    merge(&mut mapping.entries, &mut seen, *mark, source)?;
                }
                let weight =
                    mapping.entries.iter().fold(1usize, |sum, entry| sum.saturating_add(1 + entry.value.weight));
                Node { mark: level.mark, kind: Kind::Mapping(mapping), weight }
            }
        };
        if node.weight > MAX_NODES {
            let problem = format!("aliases expand to more than {MAX_NODES} nodes");
            return refuse(level.mark, problem, "write the values out instead of nesting aliases");
        }
        self.add(Rc::new(node), level.anchor)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Refusal> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(level) = self.levels.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut level.open {
            Open::Sequence(items) => items.push(node),
            Open::Mapping { mapping, seen, merges, key } => match key.take() {
                None => {
                    let Kind::Scalar { text, plain } = &node.kind else {
                        return refuse(
                            node.mark,
                            "a key must be a single word",
                            "quote the key or correct the brackets",
                        );
                    };
                    *key = Some(Key { text: text.clone(), mark: node.mark, merge: *plain && text == "<<" });
                }
                Some(key) if key.merge => merges.push((key.mark, node)),
                Some(key) => match seen.get(&key.text) {
                    Some(&first) => mapping.duplicates.push(Duplicate { key: key.text, mark: key.mark, first }),
                    None => {
                        seen.insert(key.text.clone(), key.mark);
                        mapping.entries.push(Entry { key: key.text, key_mark: key.mark, value: node });
                    }
                },
            },
        }
        Ok(())
    }
}

/// `<<: *base` and `<<: [*one, *two]`: keys already there win.
fn merge(entries: &mut Vec<Entry>, seen: &mut HashMap<String, Mark>, mark: Mark, source: &Node) -> Result<(), Refusal> {
    match &source.kind {
        Kind::Mapping(base) => {
            for entry in &base.entries {
                if !seen.contains_key(&entry.key) {
                    seen.insert(entry.key.clone(), entry.key_mark);
                    entries.push(entry.clone());
                }
            }
            Ok(())
        }
        Kind::Sequence(sources) => {
            for source in sources {
                let Kind::Mapping(_) = source.kind else {
                    return refuse(
                        mark,
                        "a merge key needs sections",
                        "give `<<` aliases of sections, as in `<<: *base`",
                    );
                };
                merge(entries, seen, mark, source)?;
            }
            Ok(())
        }
        Kind::Scalar { .. } => {
            refuse(mark, "a merge key needs a section", "give `<<` the alias of a section, as in `<<: *base`")
        }
    }
}

/// True for `!!str`. The other tags of the core schema say what the value says anyway; unknown ones are refused.
fn forces_text(tag: Option<&Tag>, mark: Mark) -> Result<bool, Refusal> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.suffix == "str"),
        Some(tag) => {
            let written = quote(&format!("{}{}", tag.handle, tag.suffix));
            refuse(mark, format!("the tag {written} has no meaning here"), "remove the tag")
        }
    }
}

fn mark_of(marker: &Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}
