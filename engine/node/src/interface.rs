//! The address of a network interface.

use std::net::IpAddr;

use anyhow::{Context, bail};
use nix::ifaddrs::getifaddrs;

/// The first IPv4 address of `interface`, else its first IPv6 address that is not link-local.
pub(crate) fn address_of(interface: &str) -> anyhow::Result<IpAddr> {
    let mut later = None;
    let mut names = Vec::new();
    for entry in getifaddrs().context("cannot list the network interfaces")? {
        if !names.contains(&entry.interface_name) {
            names.push(entry.interface_name.clone());
        }
        let Some(address) = entry.address.filter(|_| entry.interface_name == interface) else { continue };
        if let Some(v4) = address.as_sockaddr_in() {
            return Ok(IpAddr::V4(v4.ip()));
        }
        if let Some(v6) = address.as_sockaddr_in6().map(nix::sys::socket::SockaddrIn6::ip)
            && !v6.is_unicast_link_local()
        {
            later.get_or_insert(IpAddr::V6(v6));
        }
    }
    match later {
        Some(address) => Ok(address),
        None if names.iter().any(|name| name == interface) => {
            bail!(
                "the interface `{interface}` has no address\nhint: bring it up, or correct fabric_iface in daos_server.yml"
            )
        }
        None => bail!(
            "there is no interface `{interface}`, only {}\nhint: correct fabric_iface in daos_server.yml",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_address_and_an_unknown_name_lists_the_known_ones() {
        assert!(address_of("lo").unwrap().is_loopback());
        let error = address_of("nosuch0").unwrap_err().to_string();
        assert!(error.contains("nosuch0") && error.contains("lo"), "{error}");
    }
}
