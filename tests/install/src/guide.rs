//! The deployment guide's steps and files, with another host name list, interface and size.

use crate::Container;

const SERVER: &str = include_str!("../../system/fixtures/guide-server.yml");
const AGENT: &str = include_str!("../../system/fixtures/guide-agent.yml");
const CONTROL: &str = include_str!("../../system/fixtures/guide-control.yml");

/// What differs from the guide's machines.
#[derive(Debug, Clone, Copy)]
pub struct Guide {
    /// `bdev_size`, 16 in the guide.
    pub bdev_gib: u32,
}

impl Guide {
    /// The folders of 4.2.2 and 4.3.2 and the files of 4.1.2, 4.2.5 and 4.3.4.
    pub fn follow(self, container: &Container) {
        container.shell(
            "mkdir -p /var/log/daos
             chown -R daos_server:daos_server /var/log/daos
             mkdir -p /var/lib/daos
             chown -R daos_server:daos_server /var/lib/daos
             mkdir -p /var/run/daos_server
             chown -R daos_server:daos_server /var/run/daos_server
             mkdir -p /mnt/daos_scm",
        );
        let server = [
            ("['node0','node1']", "['node0']".to_owned()),
            ("fabric_iface: enp0s8", "fabric_iface: lo".to_owned()),
            ("bdev_size: 16", format!("bdev_size: {}", self.bdev_gib)),
        ];
        container.write("/etc/daos/daos_server.yml", &substitute(SERVER, &server));
        let agent = [("['node0','node1']", "['node0']".to_owned()), ("iface: enp94s0f1", "iface: lo".to_owned())];
        container.write("/etc/daos/daos_agent.yml", &substitute(AGENT, &agent));
        container.write("/etc/daos/daos_control.yml", CONTROL);
        container.shell(
            "mkdir -p /var/log/daos
             chown -R daos_agent:daos_agent /var/log/daos
             mkdir -p /var/run/daos_agent
             chown -R daos_agent:daos_agent /var/run/daos_agent",
        );
    }
}

fn substitute(text: &str, table: &[(&str, String)]) -> String {
    table.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the guide's file has no `{from}`");
        text.replace(from, to)
    })
}
