//! Many names as one: `[0-3,7]` for ranks, `node[1-2]` for hosts.

use std::collections::{BTreeMap, BTreeSet};

use config::HostPort;

/// Ranks in ascending order: `2`, or `[0-3,7]`. Empty for none.
pub fn fold_ranks(ranks: &[u32]) -> String {
    let distinct: BTreeSet<u64> = ranks.iter().map(|rank| u64::from(*rank)).collect();
    match distinct.len() {
        0 => String::new(),
        1 => distinct.iter().map(u64::to_string).collect(),
        _ => format!("[{}]", ranges(&distinct, 0)),
    }
}

/// Hosts as a host list that can be typed again. Ports are left out when no host is there with two of them.
pub fn fold_hosts(hosts: &[HostPort]) -> String {
    let distinct: BTreeSet<&HostPort> = hosts.iter().collect();
    let names: BTreeSet<&str> = distinct.iter().map(|host| host.host.as_str()).collect();
    let texts: BTreeSet<String> = if names.len() == distinct.len() {
        names.iter().map(|name| (*name).to_owned()).collect()
    } else {
        distinct.iter().map(|host| host.to_string()).collect()
    };
    // prefix, suffix and count of digits when there are leading zeros -> numbers between
    let mut groups: BTreeMap<(String, String, usize), BTreeSet<u64>> = BTreeMap::new();
    let mut single: BTreeSet<String> = BTreeSet::new();
    for text in texts {
        match split(&text) {
            Some((key, number)) => drop(groups.entry(key).or_default().insert(number)),
            None => drop(single.insert(text)),
        }
    }
    let folded = groups.iter().map(|((prefix, suffix, zeros), numbers)| match numbers.len() {
        1 => format!("{prefix}{}{suffix}", ranges(numbers, *zeros)),
        _ => format!("{prefix}[{}]{suffix}", ranges(numbers, *zeros)),
    });
    let mut all: Vec<String> = folded.chain(single).collect();
    all.sort();
    all.join(",")
}

/// Splits a host at the last number of its first label. Addresses are left whole: their ranges would read as names.
fn split(text: &str) -> Option<((String, String, usize), u64)> {
    let (name, _) = text.split_once(':').unwrap_or((text, ""));
    if text.starts_with('[') || text.matches(':').count() > 1 || name.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let label = &text[..text.find(['.', ':']).unwrap_or(text.len())];
    let end = label.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = label[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let digits = &label[start..end];
    if start == 0 {
        return None;
    }
    let zeros = if digits.starts_with('0') { digits.len() } else { 0 };
    Some(((text[..start].to_owned(), text[end..].to_owned(), zeros), digits.parse().ok()?))
}

fn ranges(numbers: &BTreeSet<u64>, zeros: usize) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let texts = runs.iter().map(|(first, last)| match first == last {
        true => format!("{first:0zeros$}"),
        false => format!("{first:0zeros$}-{last:0zeros$}"),
    });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> String {
        let parse = |text: &&str| {
            let (host, port) = text.rsplit_once(':').unwrap_or((text, "10001"));
            HostPort::new(host, port.parse().unwrap())
        };
        fold_hosts(&texts.iter().map(parse).collect::<Vec<_>>())
    }

    #[test]
    fn ranks_fold_into_ranges() {
        for (ranks, text) in
            [(vec![], ""), (vec![5], "5"), (vec![1, 0], "[0-1]"), (vec![7, 0, 1, 2, 2, u32::MAX], "[0-2,7,4294967295]")]
        {
            assert_eq!(fold_ranks(&ranks), text);
        }
    }

    #[test]
    fn hosts_fold_by_their_number() {
        for (given, text) in [
            (&["node1", "node2", "node3", "node7"][..], "node[1-3,7]"),
            (&["node08", "node09", "node10"][..], "node10,node[08-09]"),
            (&["a1.site", "a2.site", "b1"][..], "a[1-2].site,b1"),
            (&["localhost"][..], "localhost"),
            (&["10.0.0.1", "10.0.0.2"][..], "10.0.0.1,10.0.0.2"),
            (&["node1:10001", "node1:10011"][..], "node1:10001,node1:10011"),
            (&["7", "8"][..], "7,8"),
        ] {
            assert_eq!(hosts(given), text);
        }
    }
}
