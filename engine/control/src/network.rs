//! Network interfaces of this host and its names.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use config::HostPort;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use types::{Fault, FaultName};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) up: bool,
    pub(crate) loopback: bool,
    /// Where it is attached; absent for virtual interfaces.
    pub(crate) numa_node: Option<u32>,
}

/// All interfaces by name.
pub(crate) fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs().into_iter().flatten() {
        let name = entry.interface_name.clone();
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            numa_node: numa_node(&name),
            name,
            addresses: Vec::new(),
            up: entry.flags.contains(InterfaceFlags::IFF_UP),
            loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        });
        let Some(address) = entry.address else { continue };
        if let Some(v4) = address.as_sockaddr_in() {
            interface.addresses.push(IpAddr::V4(v4.ip()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            interface.addresses.push(IpAddr::V6(v6.ip()));
        }
    }
    found.into_values().collect()
}

fn numa_node(name: &str) -> Option<u32> {
    // -1 stands for "no affinity".
    fs::read_to_string(format!("/sys/class/net/{name}/device/numa_node")).ok()?.trim().parse().ok()
}

/// The first IPv4 address of an interface.
fn first_ipv4(interface: &Interface) -> Option<Ipv4Addr> {
    interface.addresses.iter().find_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    })
}

/// The address to bind for `control_iface`; all addresses without one.
pub(crate) fn bind_address(control_iface: Option<&str>) -> Result<Ipv4Addr, Fault> {
    let Some(name) = control_iface else { return Ok(Ipv4Addr::UNSPECIFIED) };
    let all = interfaces();
    all.iter().find(|interface| interface.name == name).and_then(first_ipv4).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
        Fault::new(
            FaultName::ServerConfigBadControlInterface,
            format!("`control_iface` `{name}` is no interface with an IPv4 address"),
            format!("set `control_iface` to one of {} and restart the control server", known.join(", ")),
        )
    })
}

/// The resolved address of `host`, when it is this host and `port` is its own.
pub(crate) fn is_here(host: &HostPort, port: u16) -> Option<SocketAddr> {
    if host.port != port {
        return None;
    }
    let own: Vec<IpAddr> = interfaces().into_iter().flat_map(|interface| interface.addresses).collect();
    let resolved = (host.host.as_str(), host.port).to_socket_addrs().ok()?;
    resolved.into_iter().find(|address| address.ip().is_loopback() || own.contains(&address.ip()))
}

/// An address that other hosts may reach this one by.
pub(crate) fn reachable_address(control_iface: Option<&str>) -> Option<Ipv4Addr> {
    let all = interfaces();
    let chosen = all.iter().filter(|interface| control_iface.is_none_or(|name| interface.name == name));
    chosen.filter(|interface| interface.up && (control_iface.is_some() || !interface.loopback)).find_map(first_ipv4)
}

/// The host's name.
pub(crate) fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found_and_is_here() {
        assert!(interfaces().iter().any(|interface| interface.loopback && first_ipv4(interface).is_some()));
        assert_eq!(is_here(&HostPort::new("127.0.0.1", 7), 7), Some(([127, 0, 0, 1], 7).into()));
        assert_eq!(is_here(&HostPort::new("127.0.0.1", 7), 8), None, "another server of this host");
        assert_eq!(is_here(&HostPort::new("192.0.2.1", 7), 7), None, "TEST-NET-1 belongs to nobody");
        assert_eq!(bind_address(None), Ok(Ipv4Addr::UNSPECIFIED));
        let fault = bind_address(Some("no-such-interface")).expect_err("unknown");
        assert_eq!(fault.name, FaultName::ServerConfigBadControlInterface);
    }
}
