//! The file as written: a tree of YAML nodes, each with its line and column.
//!
//! Built from the parser's events instead of its ready-made tree, because that tree keeps one of two duplicate keys
//! and copies every alias: here duplicates are findings, an alias costs one reference, and depth and size are
//! bounded before anything looks at the content. Merge keys (`<<`) are resolved here, as yaml.v2 does for DAOS.

mod build;
mod node;

pub(crate) use build::parse;
pub(crate) use node::{Duplicate, Entry, Kind, Mapping, Mark, Node};

#[cfg(test)]
mod tests;
