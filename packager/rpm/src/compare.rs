//! Two builds of the same thing: byte for byte the same, or what differs first.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::inspect::Inspected;

/// The comparison of one package.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// File name.
    pub name: String,
    /// Every byte is the same.
    pub identical: bool,
    /// What differs, for people.
    pub differences: Vec<String>,
}

/// Compares packages of the same file name.
pub fn compare(left: &[PathBuf], right: &[PathBuf]) -> io::Result<Vec<Compared>> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let others: BTreeMap<String, &PathBuf> = right.iter().map(|path| (name(path), path)).collect();
    let mut results = Vec::new();
    for path in left {
        let file = name(path);
        let Some(other) = others.get(&file) else {
            results.push(Compared {
                name: file,
                identical: false,
                differences: vec!["only one build has it".to_owned()],
            });
            continue;
        };
        let identical = fs::read(path)? == fs::read(other)?;
        let differences = if identical { Vec::new() } else { explain(path, other) };
        results.push(Compared { name: file, identical, differences });
    }
    Ok(results)
}

fn explain(left: &Path, right: &Path) -> Vec<String> {
    let (Ok(left), Ok(right)) = (Inspected::open(left), Inspected::open(right)) else {
        return vec!["one of them cannot be read".to_owned()];
    };
    let mut differences = Vec::new();
    if left.requires != right.requires {
        differences.push("requirements differ".to_owned());
    }
    if left.provides != right.provides {
        differences.push("provided capabilities differ".to_owned());
    }
    let files: BTreeMap<&str, &[u8]> =
        right.files.iter().map(|file| (file.path.as_str(), file.content.as_slice())).collect();
    for file in &left.files {
        match files.get(file.path.as_str()) {
            Some(content) if *content == file.content.as_slice() => {}
            Some(_) => differences.push(format!("`{}` has other contents", file.path)),
            None => differences.push(format!("`{}` is in one of them only", file.path)),
        }
    }
    if differences.is_empty() {
        differences.push("only tags or file times differ".to_owned());
    }
    differences
}
