//! Which cores the targets' threads get.

use std::fs;

use anyhow::{Context, bail};

use crate::cli::Arguments;

/// The core of each target, or `None` where it stays unpinned.
pub(crate) fn choose(arguments: &Arguments, targets: u32) -> anyhow::Result<Vec<Option<usize>>> {
    let count = targets as usize;
    if let Some(node) = arguments.numa_node {
        let path = format!("/sys/devices/system/node/node{node}/cpulist");
        let list = fs::read_to_string(&path)
            .with_context(|| format!("there is no NUMA node {node}; correct pinned_numa_node in daos_server.yml"))?;
        let cores = parse_list(&list)?;
        if cores.is_empty() {
            bail!("NUMA node {node} has no cores; correct pinned_numa_node in daos_server.yml");
        }
        return Ok((0..count).map(|target| cores.get(target).copied()).collect());
    }
    Ok((0..count).map(|target| arguments.first_core.map(|first| first + target)).collect())
}

/// A list in the kernel's form: `0-3,8`.
fn parse_list(text: &str) -> anyhow::Result<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = || anyhow::Ok(first.parse::<usize>()?..=last.parse::<usize>()?);
        cores.extend(range().with_context(|| format!("`{part}` is not a range of cores"))?);
    }
    Ok(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_lists_are_read() {
        assert_eq!(parse_list("0-2,5\n").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse_list("\n").unwrap(), [0usize; 0]);
        assert!(parse_list("a-b").is_err());
    }
}
