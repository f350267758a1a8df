//! Interface choice over made-up hosts, and the one fact every Linux host shares: `lo`.

use config::{AgentConfig, CredentialConfig, FabricDevice, FabricInterfaces, HostPort, LogLevel, TransportConfig};

use super::*;

fn config() -> AgentConfig {
    AgentConfig {
        name: "daos_server".to_owned(),
        access_points: vec![HostPort::new("localhost", 10001)],
        port: 10001,
        runtime_dir: "/var/run/daos_agent".into(),
        log_file: None,
        control_log_mask: LogLevel::Info,
        transport: TransportConfig {
            allow_insecure: true,
            client_cert_dir: None,
            ca_cert: "ca".into(),
            cert: "cert".into(),
            key: "key".into(),
        },
        credentials: CredentialConfig::default(),
        disable_caching: false,
        cache_expiration_min: 0,
        disable_auto_evict: false,
        enable_evict_on_start: false,
        exclude_fabric_ifaces: vec![],
        include_fabric_ifaces: vec![],
        fabric_ifaces: vec![],
        telemetry_port: None,
        telemetry_enabled: false,
        telemetry_retain: None,
        telemetry_enabled_procs: None,
        telemetry_disabled_procs: None,
    }
}

fn interface(name: &str, address: &str, prefix: u32) -> Interface {
    Interface {
        name: name.to_owned(),
        up: true,
        loopback: name == "lo",
        networks: vec![Network { address: address.parse().unwrap(), prefix }],
        numa_node: None,
    }
}

fn host() -> Vec<Interface> {
    let down = Interface { up: false, ..interface("down0", "10.0.0.9", 24) };
    let bare = Interface { networks: vec![], ..interface("bare0", "0.0.0.0", 0) };
    vec![
        down,
        bare,
        interface("eth0", "192.168.1.5", 24),
        interface("ib0", "10.0.0.5", 16),
        interface("lo", "127.0.0.1", 8),
    ]
}

fn chosen(config: &AgentConfig, engines: &[&str]) -> Result<String, Fault> {
    let engines: Vec<IpAddr> = engines.iter().map(|engine| engine.parse().unwrap()).collect();
    choose(config, &host(), &engines).map(|choice| choice.interface)
}

#[test]
fn the_network_of_an_engine_decides() {
    assert_eq!(chosen(&config(), &["10.0.7.7"]).unwrap(), "ib0");
    assert_eq!(chosen(&config(), &["192.168.1.77"]).unwrap(), "eth0");
}

#[test]
fn without_a_shared_network_the_first_that_is_up_serves() {
    assert_eq!(chosen(&config(), &["172.16.0.1"]).unwrap(), "eth0");
    assert_eq!(chosen(&config(), &[]).unwrap(), "eth0");
}

#[test]
fn loopback_serves_loopback_engines_only() {
    assert_eq!(chosen(&config(), &["127.0.0.1"]).unwrap(), "lo");
    assert_eq!(chosen(&config(), &["127.0.0.1", "10.0.0.1"]).unwrap(), "ib0");
}

#[test]
fn include_and_exclude_narrow_the_choice() {
    let include = AgentConfig { include_fabric_ifaces: vec!["ib0".to_owned()], ..config() };
    assert_eq!(chosen(&include, &["192.168.1.77"]).unwrap(), "ib0");
    let exclude = AgentConfig { exclude_fabric_ifaces: vec!["eth0".to_owned(), "ib0".to_owned()], ..config() };
    let fault = chosen(&exclude, &["192.168.1.77"]).unwrap_err();
    assert!(fault.description.contains("`eth0`"), "{fault}");
    assert!(fault.resolution.contains("exclude_fabric_ifaces"), "{fault}");
}

#[test]
fn an_interface_set_by_hand_wins_when_it_is_up() {
    let device =
        |iface: &str, domain: Option<&str>| FabricDevice { iface: iface.to_owned(), domain: domain.map(str::to_owned) };
    let by_hand = |devices| AgentConfig { fabric_ifaces: vec![FabricInterfaces { numa_node: 0, devices }], ..config() };
    let both = by_hand(vec![device("down0", None), device("ib0", Some("mlx5_0"))]);
    let choice = choose(&both, &host(), &["192.168.1.77".parse().unwrap()]).unwrap();
    assert_eq!(choice, Choice { interface: "ib0".to_owned(), domain: "mlx5_0".to_owned() });
    let neither = by_hand(vec![device("down0", None)]);
    assert!(chosen(&neither, &[]).unwrap_err().description.contains("`down0`"));
}

#[test]
fn prefixes_cut_where_they_say() {
    let network = Network { address: "10.0.0.5".parse().unwrap(), prefix: 25 };
    assert!(network.contains("10.0.0.127".parse().unwrap()));
    assert!(!network.contains("10.0.0.128".parse().unwrap()));
    assert!(!network.contains("::1".parse().unwrap()));
    let everything = Network { address: "::".parse().unwrap(), prefix: 0 };
    assert!(everything.contains("fd00::1".parse().unwrap()));
}

#[test]
fn addresses_are_read_from_fabric_uris() {
    assert_eq!(address_of_uri("ofi+tcp://10.1.2.3:31416"), Some("10.1.2.3".parse().unwrap()));
    assert_eq!(address_of_uri("ofi+tcp;ofi_rxm://[fd00::1]:31416"), Some("fd00::1".parse().unwrap()));
    assert_eq!(address_of_uri("10.1.2.3:31416"), None);
}

#[test]
fn this_host_has_a_loopback_interface() {
    let found = scan().unwrap();
    let lo = found.iter().find(|interface| interface.loopback).expect("every Linux host has one");
    assert!(lo.numa_node.is_none());
    assert!(lo.networks.iter().all(|network| network.address.is_loopback()), "{lo:?}");
}
