//! Host lists in Slurm's syntax: `node[1-3,07-09]:10001,login0`.
//!
//! A list is hosts divided by commas outside brackets. A host may have bracketed sets of numbers and ranges; several
//! sets multiply. The width of a range's first number is kept: `07-09` gives `07`, `08`, `09`. A bracketed text that
//! is an IPv6 address stands for itself.

use crate::reader::Problem;
use crate::report::quote;
use crate::settings::HostPort;
use crate::value::host_port;

/// Most hosts of one list: ten times the largest DAOS system known, and no more memory than a list deserves.
pub const MAX_HOSTS: usize = 16_384;

/// Most digits of a number in a range.
const MAX_DIGITS: usize = 9;

/// Why a text is not a host list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostlistError {
    /// Nothing between two commas, or no host at all.
    #[error("the host list {0} has an empty entry")]
    Empty(String),
    /// Brackets that do not pair, or pair inside each other.
    #[error("the host list {0} has brackets that do not pair")]
    Brackets(String),
    /// Something in brackets that is neither a number nor a range.
    #[error("{item} in the host list {list} is neither a number nor a range")]
    Range {
        /// The item.
        item: String,
        /// The list.
        list: String,
    },
    /// Too many hosts.
    #[error("the host list {0} names more than {MAX_HOSTS} hosts")]
    TooMany(String),
    /// A host that is none.
    #[error("{0}")]
    Host(String),
}

impl HostlistError {
    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            HostlistError::Empty(_) => "write hosts divided by single commas, as in `node0,node1`",
            HostlistError::Brackets(_) => "close every `[` with a `]`, as in `node[1-3,7]`",
            HostlistError::Range { .. } => "write numbers and rising ranges in brackets, as in `node[1-3,07-09]`",
            HostlistError::TooMany(_) => "shorten the ranges",
            HostlistError::Host(_) => {
                "write a name or an address, with a port if it is not the usual one, as in `node0:10001`"
            }
        }
    }
}

/// As the reader wants it.
pub(crate) fn problem<T>(result: Result<T, HostlistError>) -> Result<T, Problem> {
    result.map_err(|error| Problem::new(error.to_string(), error.hint()))
}

/// The hosts of a list, in the order written, each once; those without a port get `default_port`.
pub fn expand(list: &str, default_port: u16) -> Result<Vec<HostPort>, HostlistError> {
    let mut hosts: Vec<HostPort> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in split(list)? {
        let entry = entry.trim();
        if entry.is_empty() {
            return Err(HostlistError::Empty(quote(list)));
        }
        for name in expand_entry(entry, list)? {
            let host = host_port(&name, default_port).map_err(|problem| HostlistError::Host(problem.description))?;
            if seen.insert(host.clone()) {
                hosts.push(host);
            }
        }
        if hosts.len() > MAX_HOSTS {
            return Err(HostlistError::TooMany(quote(list)));
        }
    }
    Ok(hosts)
}

/// Divides at commas outside brackets.
fn split(list: &str) -> Result<Vec<&str>, HostlistError> {
    let (mut entries, mut start, mut inside) = (Vec::new(), 0, false);
    for (index, c) in list.char_indices() {
        match c {
            '[' if inside => return Err(HostlistError::Brackets(quote(list))),
            ']' if !inside => return Err(HostlistError::Brackets(quote(list))),
            '[' => inside = true,
            ']' => inside = false,
            ',' if !inside => {
                entries.push(&list[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(HostlistError::Brackets(quote(list)));
    }
    entries.push(&list[start..]);
    Ok(entries)
}

/// Multiplies out the bracketed sets of one entry.
fn expand_entry(entry: &str, list: &str) -> Result<Vec<String>, HostlistError> {
    let mut names = vec![String::new()];
    let mut rest = entry;
    while let Some((before, tail)) = rest.split_once('[') {
        let (set, after) = tail.split_once(']').ok_or_else(|| HostlistError::Brackets(quote(list)))?;
        let items = if set.contains(':') { vec![format!("[{set}]")] } else { numbers(set, list)? };
        if names.len().saturating_mul(items.len()) > MAX_HOSTS {
            return Err(HostlistError::TooMany(quote(list)));
        }
        names = names.iter().flat_map(|name| items.iter().map(move |item| format!("{name}{before}{item}"))).collect();
        rest = after;
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// `1-3,07-09` as texts.
fn numbers(set: &str, list: &str) -> Result<Vec<String>, HostlistError> {
    let mut numbers = Vec::new();
    for item in set.split(',') {
        let item = item.trim();
        let bad = || HostlistError::Range { item: quote(item), list: quote(list) };
        let number = |digits: &str| {
            let plain = (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse::<u32>().map_err(|_| bad()) } else { Err(bad()) }
        };
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (low, high) = (number(first)?, number(last)?);
        if low > high {
            return Err(bad());
        }
        if (high - low) as usize >= MAX_HOSTS || numbers.len() >= MAX_HOSTS {
            return Err(HostlistError::TooMany(quote(list)));
        }
        let width = first.len();
        numbers.extend((low..=high).map(|value| format!("{value:0width$}")));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
