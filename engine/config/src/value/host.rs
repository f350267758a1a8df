//! `host`, `host:port`, `[address]:port`.

use crate::reader::Problem;
use crate::report::quote;
use crate::settings::HostPort;

/// Longest host name (RFC 1035, section 2.3.4).
const MAX_HOST_CHARS: usize = 253;

/// One host; without a port it gets `default_port`.
pub(crate) fn host_port(text: &str, default_port: u16) -> Result<HostPort, Problem> {
    let problem = |why: String| {
        Problem::new(
            format!("{} is not a host: {why}", quote(text)),
            format!(
                "write a name or an address, with a port if it is not {default_port}, as in `node0:{default_port}`"
            ),
        )
    };
    if text.contains("://") {
        return Err(problem("it begins with a scheme".to_owned()));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or_else(|| problem("the bracket is not closed".to_owned()))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(problem("what the brackets hold is not an IPv6 address".to_owned()));
        }
        match tail.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if tail.is_empty() => (host, None),
            None => return Err(problem("something follows the closing bracket".to_owned())),
        }
    } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        None => default_port,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.chars().all(|c| c.is_ascii_digit()) => port,
            _ => return Err(problem(format!("the port {} is not a number from 1 to 65535", quote(digits)))),
        },
    };
    if host.is_empty() {
        return Err(problem("the name is empty".to_owned()));
    }
    if host.len() > MAX_HOST_CHARS {
        return Err(problem(format!("the name has more than {MAX_HOST_CHARS} characters")));
    }
    if !host.contains(':') {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if let Some(found) = host.chars().find(|c| !allowed(*c)) {
            return Err(problem(format!("the name has the character {found:?}")));
        }
        if host.starts_with('-') || host.split('.').any(str::is_empty) {
            return Err(problem("a part of the name is empty or begins with a hyphen".to_owned()));
        }
        if host.chars().all(|c| c.is_ascii_digit() || c == '.') && host.parse::<std::net::Ipv4Addr>().is_err() {
            return Err(problem("it looks like an address but is none".to_owned()));
        }
    }
    Ok(HostPort::new(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_port() {
        for (text, host, port) in [
            ("node0", "node0", 10001),
            ("node0:10002", "node0", 10002),
            ("192.168.3.11", "192.168.3.11", 10001),
            ("[fd00::1]:7", "fd00::1", 7),
            ("fd00::1", "fd00::1", 10001),
            ("a.b-c_d.example", "a.b-c_d.example", 10001),
        ] {
            assert_eq!(host_port(text, 10001), Ok(HostPort::new(host, port)), "{text}");
        }
        let long = "x".repeat(254);
        for text in [
            "",
            ":1",
            "node0:",
            "node0:0",
            "node0:70000",
            "node0:+1",
            "a b",
            "-a",
            "a..b",
            "[::1",
            "[x]:1",
            "[::1]x",
            "http://a",
            "1.2.3",
            long.as_str(),
        ] {
            assert!(host_port(text, 10001).is_err(), "{text}");
        }
    }
}
