//! Which network interface a client should use towards the engines.
//!
//! `scan` looks at this host (getifaddrs and sysfs); `choose` is pure: configuration, interfaces and the engines'
//! addresses give one choice. In this order: an interface set by hand in `fabric_ifaces`; the loopback interface when,
//! and only when, every engine is on a loopback address; an interface whose network contains an engine; the first that
//! is up and has an address. `include_fabric_ifaces` and `exclude_fabric_ifaces` narrow all but the first.
//!
//! The TCP provider follows the host's routes, so for it the choice is advice; other providers bind to it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use config::AgentConfig;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use types::{Fault, FaultName};

/// An address and the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Of the interface.
    pub address: IpAddr,
    /// Bits that name the network.
    pub prefix: u32,
}

impl Network {
    fn contains(self, other: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let host_bits = width - self.prefix.min(width);
            a.checked_shr(host_bits).unwrap_or(0) == b.checked_shr(host_bits).unwrap_or(0)
        };
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

/// A network interface of this host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// As the kernel names it.
    pub name: String,
    /// Administratively up and running.
    pub up: bool,
    /// Leads nowhere but here.
    pub loopback: bool,
    /// IPv4 first.
    pub networks: Vec<Network>,
    /// NUMA node of its device; virtual interfaces have none.
    pub numa_node: Option<u32>,
}

impl Interface {
    fn usable(&self) -> bool {
        self.up && !self.networks.is_empty()
    }
}

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Network interface.
    pub interface: String,
    /// Fabric domain.
    pub domain: String,
}

/// The interfaces of this host, by name.
pub fn scan() -> io::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs()? {
        let interface = found.entry(entry.interface_name.clone()).or_insert_with(|| Interface {
            numa_node: numa_node(&entry.interface_name),
            name: entry.interface_name.clone(),
            ..Interface::default()
        });
        interface.up |= entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        interface.loopback |= entry.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let Some(address) = entry.address.as_ref().and_then(ip_of) else { continue };
        let mask = entry.netmask.as_ref().and_then(ip_of);
        interface.networks.push(Network { address, prefix: mask.map_or_else(|| width(address), prefix_of) });
    }
    for interface in found.values_mut() {
        interface.networks.sort_by_key(|network| (network.address.is_ipv6(), network.address));
    }
    Ok(found.into_values().collect())
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn prefix_of(mask: IpAddr) -> u32 {
    match mask {
        IpAddr::V4(v4) => u32::from(v4).leading_ones(),
        IpAddr::V6(v6) => u128::from(v6).leading_ones(),
    }
}

fn numa_node(interface: &str) -> Option<u32> {
    // -1 means that the machine does not say; that is no node
    std::fs::read_to_string(format!("/sys/class/net/{interface}/device/numa_node")).ok()?.trim().parse().ok()
}

/// The interface for engines at `engines`.
pub fn choose(config: &AgentConfig, interfaces: &[Interface], engines: &[IpAddr]) -> Result<Choice, Fault> {
    if !config.fabric_ifaces.is_empty() {
        return by_hand(config, interfaces);
    }
    let local = !engines.is_empty() && engines.iter().all(IpAddr::is_loopback);
    let candidates: Vec<_> = interfaces
        .iter()
        .filter(|candidate| candidate.usable() && candidate.loopback == local && admitted(config, &candidate.name))
        .collect();
    let near = |candidate: &&&Interface| {
        candidate.networks.iter().any(|network| engines.iter().any(|engine| network.contains(*engine)))
    };
    candidates
        .iter()
        .find(near)
        .or_else(|| candidates.first())
        .map(|chosen| Choice { interface: chosen.name.clone(), domain: chosen.name.clone() })
        .ok_or_else(|| {
            let seen: Vec<_> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
            Fault::new(
                FaultName::ServerConfigInvalidNetDevClass,
                format!("no network interface of this host is fit for clients (found `{}`)", seen.join("`, `")),
                "bring an interface up with an address, or correct include_fabric_ifaces, exclude_fabric_ifaces or \
                 fabric_ifaces in daos_agent.yml and restart daos_agent",
            )
        })
}

fn admitted(config: &AgentConfig, name: &str) -> bool {
    let listed = |list: &[String]| list.iter().any(|entry| entry == name);
    (config.include_fabric_ifaces.is_empty() || listed(&config.include_fabric_ifaces))
        && !listed(&config.exclude_fabric_ifaces)
}

fn by_hand(config: &AgentConfig, interfaces: &[Interface]) -> Result<Choice, Fault> {
    let devices: Vec<_> = config.fabric_ifaces.iter().flat_map(|node| &node.devices).collect();
    let usable = |name: &str| interfaces.iter().any(|interface| interface.name == name && interface.usable());
    devices
        .iter()
        .find(|device| usable(&device.iface))
        .map(|device| Choice {
            interface: device.iface.clone(),
            domain: device.domain.clone().unwrap_or_else(|| device.iface.clone()),
        })
        .ok_or_else(|| {
            let named: Vec<_> = devices.iter().map(|device| device.iface.as_str()).collect();
            Fault::new(
                FaultName::ServerConfigInvalidNetDevClass,
                format!("none of the fabric_ifaces `{}` is up with an address on this host", named.join("`, `")),
                "correct fabric_ifaces in daos_agent.yml and restart daos_agent",
            )
        })
}

/// The address in a fabric URI such as `ofi+tcp://10.0.0.1:31416`.
pub fn address_of_uri(uri: &str) -> Option<IpAddr> {
    let (_, address) = uri.split_once("://")?;
    address.parse::<std::net::SocketAddr>().map(|socket| socket.ip()).ok()
}

#[cfg(test)]
#[path = "interface_tests.rs"]
mod tests;
