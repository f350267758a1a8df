//! The three YAML files: those of the deployment guide, word for word, with names, sizes, ports and paths of a cluster.

use std::path::Path;

/// The guide's files, as printed there.
const GUIDE_SERVER: &str = include_str!("../fixtures/guide-server.yml");
const GUIDE_AGENT: &str = include_str!("../fixtures/guide-agent.yml");
const GUIDE_CONTROL: &str = include_str!("../fixtures/guide-control.yml");

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Targets of each engine.
    pub targets: u32,
    /// Engines of the server.
    pub engines: u32,
    /// `bdev_size` of each engine.
    pub bdev_gib: u32,
    /// Mutual TLS instead of `allow_insecure`.
    pub secure: bool,
    /// Whether a killed engine is started again by the server.
    pub restart: bool,
    /// A memory tier of class `dcpm`, on file systems in loop devices. Mounting them needs root.
    pub persistent: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { targets: 2, engines: 1, bdev_gib: 6, secure: false, restart: true, persistent: false }
    }
}

/// Where a cluster's files and ports are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) folder: String,
    pub(crate) control: u16,
    pub(crate) telemetry: u16,
    /// Of each engine.
    pub(crate) fabric: Vec<u16>,
    /// The namespace of each engine with a memory tier of class `dcpm`.
    pub(crate) namespaces: Vec<String>,
}

impl Places {
    fn path(&self, part: &str) -> String {
        Path::new(&self.folder).join(part).display().to_string()
    }

    /// `daos_server.yml`.
    pub(crate) fn server_yaml(&self, options: &Options) -> String {
        let (head, engine) = GUIDE_SERVER.split_once("engines:\n").expect("the guide lists engines");
        let metadata = self.path("metadata");
        let head = self.transport(head, options, "server");
        let head = substitute(
            &head,
            &[
                ("['node0','node1']", &format!("['127.0.0.1:{}']", self.control)),
                ("/var/log/daos/daos_server.log", &self.path("log/daos_server.log")),
                match options.persistent {
                    true => ("control_metadata:\n  path: /var/lib/daos\n", ""),
                    false => ("/var/lib/daos", &metadata),
                },
                ("telemetry_port: 9191", &format!("telemetry_port: {}", self.telemetry)),
            ],
        );
        // Places that the guide leaves at their defaults.
        let mut text = format!("{head}port: {}\nsocket_dir: {}\n", self.control, self.path("run/server"));
        if !options.restart {
            text.push_str("disable_engine_auto_restart: true\n");
        }
        text.push_str("engines:\n");
        for (index, port) in self.fabric.iter().enumerate() {
            let engine = match self.namespaces.get(index) {
                Some(namespace) => persistent(engine, namespace),
                None => engine.to_owned(),
            };
            text.push_str(&substitute(
                &engine,
                &[
                    ("targets: 1", &format!("targets: {}", options.targets)),
                    ("first_core: 0", &format!("first_core: {}", index * options.targets as usize)),
                    ("fabric_iface: enp0s8", "fabric_iface: lo"),
                    ("fabric_iface_port: 31416", &format!("fabric_iface_port: {port}")),
                    ("/var/log/daos/daos_engine.log", &self.path(&format!("log/daos_engine{index}.log"))),
                    ("/mnt/daos_scm", &self.path(&format!("scm{index}"))),
                    ("/var/tmp/daos-bdev", &self.path(&format!("bdev{index}"))),
                    ("bdev_size: 16", &format!("bdev_size: {}", options.bdev_gib)),
                ],
            ));
        }
        text
    }

    /// `daos_agent.yml`.
    pub(crate) fn agent_yaml(&self, options: &Options) -> String {
        let text = substitute(
            &self.transport(GUIDE_AGENT, options, "agent"),
            &[
                ("['node0','node1']", "['127.0.0.1']"),
                ("port: 10001", &format!("port: {}", self.control)),
                ("/var/log/daos/daos_agent.log", &self.path("log/daos_agent.log")),
                ("iface: enp94s0f1", "iface: lo"),
            ],
        );
        format!("{text}\nruntime_dir: {}\n", self.path("run/agent"))
    }

    /// `daos_control.yml`.
    pub(crate) fn control_yaml(&self, options: &Options) -> String {
        substitute(
            &self.transport(GUIDE_CONTROL, options, "admin"),
            &[("['node0']", "['127.0.0.1']"), ("port: 10001", &format!("port: {}", self.control))],
        )
    }

    /// Replaces the guide's `allow_insecure` by the certificates of `role` when the cluster is secure.
    fn transport(&self, text: &str, options: &Options, role: &str) -> String {
        if !options.secure {
            return text.to_owned();
        }
        let (head, rest) = text.split_once("allow_insecure: true").expect("the guide is insecure");
        let indent = &head[head.rfind('\n').map_or(0, |at| at + 1)..];
        let certificates = self.path("certs/daosCA/certs");
        let mut lines = vec![
            format!("ca_cert: {certificates}/daosCA.crt"),
            format!("cert: {certificates}/{role}.crt"),
            format!("key: {certificates}/{role}.key"),
        ];
        if role == "server" {
            lines.push(format!("client_cert_dir: {certificates}/clients"));
        }
        format!("{head}{}{rest}", lines.join(&format!("\n{indent}")))
    }
}

/// The guide's engine with its metadata on persistent memory instead of on its device.
fn persistent(engine: &str, namespace: &str) -> String {
    substitute(
        engine,
        &[
            ("class: ram", "class: dcpm"),
            ("scm_size: 4", &format!("scm_list: [{namespace}]")),
            ("    bdev_roles:\n      - meta\n      - wal\n      - data\n", ""),
        ],
    )
}

fn substitute(text: &str, table: &[(&str, &str)]) -> String {
    table.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the guide's file has no `{from}`");
        text.replace(from, to)
    })
}
