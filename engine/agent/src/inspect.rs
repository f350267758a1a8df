//! The commands that look instead of serving: `dump-attachinfo` and `net-scan`.

use std::path::Path;

use serde_json::{Value, json};
use types::Status;
use wire::fault::Failure;
use wire::proto::mgmt::GetAttachInfoResp;

use crate::attach::Attachment;
use crate::interface::Interface;
use crate::terminal::{Report, Table};

/// Attach info as the servers give it now, printed or written to `output`.
pub(crate) async fn dump_attach_info(attachment: &Attachment, output: Option<&Path>) -> Result<Report, Failure> {
    let answer = attachment.info("").await?;
    let text = attach_lines(&answer);
    let response = attach_json(&answer);
    let Some(path) = output else { return Ok(Report::new(text, response)) };
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Status::Io, format!("cannot write `{}`: {error}", path.display()))
            .with_resolution("name a file that can be written")
    })?;
    Ok(Report::new("", response))
}

fn attach_lines(answer: &GetAttachInfoResp) -> String {
    let hint = answer.client_net_hint.clone().unwrap_or_default();
    let mut text = format!(
        "name {}\nprovider {}\ninterface {}\ndomain {}\nsize {}\nall\n",
        answer.sys,
        hint.provider,
        hint.interface,
        hint.domain,
        answer.rank_uris.len()
    );
    for member in &answer.rank_uris {
        text.push_str(&format!("{} {}\n", member.rank, member.uri));
    }
    text
}

fn attach_json(answer: &GetAttachInfoResp) -> Value {
    let ranks: Vec<Value> = answer
        .rank_uris
        .iter()
        .map(|member| json!({"rank": member.rank, "uri": member.uri, "targets": member.targets}))
        .collect();
    let hint = answer.client_net_hint.clone().unwrap_or_default();
    json!({
        "sys": answer.sys,
        "rank_uris": ranks,
        "ms_ranks": answer.ms_ranks,
        "client_net_hint": {
            "provider": hint.provider,
            "interface": hint.interface,
            "domain": hint.domain,
            "crt_timeout": hint.crt_timeout,
            "env_vars": hint.env_vars,
        },
        "data_version": answer.data_version,
        "build": answer.build,
    })
}

/// The interfaces of a host for `provider`.
pub(crate) fn net_scan(interfaces: &[Interface], provider: &str) -> Report {
    let mut table = Table::new(["Interface", "Provider", "NUMA Node", "Addresses", "State"]);
    for interface in interfaces {
        let addresses: Vec<String> = interface.networks.iter().map(|network| network.address.to_string()).collect();
        table.row([
            interface.name.clone(),
            provider.to_owned(),
            interface.numa_node.map_or_else(|| "-".to_owned(), |node| node.to_string()),
            if addresses.is_empty() { "-".to_owned() } else { addresses.join(",") },
            state(interface).to_owned(),
        ]);
    }
    let response: Vec<Value> = interfaces
        .iter()
        .map(|interface| {
            let addresses: Vec<String> =
                interface.networks.iter().map(|network| format!("{}/{}", network.address, network.prefix)).collect();
            json!({
                "device": interface.name,
                "provider": provider,
                "numa_node": interface.numa_node,
                "addresses": addresses,
                "up": interface.up,
                "loopback": interface.loopback,
            })
        })
        .collect();
    Report::new(table.render(), json!({"interfaces": response}))
}

fn state(interface: &Interface) -> &'static str {
    match (interface.up, interface.networks.is_empty(), interface.loopback) {
        (false, ..) => "down",
        (true, true, _) => "no address",
        (true, false, true) => "this host only",
        (true, false, false) => "up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::Network;
    use wire::proto::mgmt::{ClientNetHint, GroupMember};

    fn text(report: &Report) -> String {
        String::from_utf8(report.text.clone()).unwrap()
    }

    #[test]
    fn attach_info_is_one_line_per_rank() {
        let answer = GetAttachInfoResp {
            sys: "daos_server".to_owned(),
            rank_uris: vec![GroupMember { rank: 0, uri: "ofi+tcp://127.0.0.1:31416".to_owned(), targets: 2 }],
            ms_ranks: vec![0],
            client_net_hint: Some(ClientNetHint {
                provider: "ofi+tcp".to_owned(),
                interface: "lo".to_owned(),
                domain: "lo".to_owned(),
                ..ClientNetHint::default()
            }),
            data_version: 3,
            build: "0.1.0".to_owned(),
        };
        insta::assert_snapshot!(attach_lines(&answer), @r"
        name daos_server
        provider ofi+tcp
        interface lo
        domain lo
        size 1
        all
        0 ofi+tcp://127.0.0.1:31416
        ");
        assert_eq!(attach_json(&answer)["client_net_hint"]["interface"], "lo");
    }

    #[test]
    fn every_interface_says_what_it_is_good_for() {
        let network = |address: &str| Network { address: address.parse().unwrap(), prefix: 8 };
        let interface = |name: &str, up, networks: Vec<Network>| Interface {
            name: name.to_owned(),
            up,
            loopback: name == "lo",
            networks,
            numa_node: None,
        };
        let found = [
            interface("eth0", true, vec![network("10.0.0.1")]),
            interface("eth1", false, vec![]),
            Interface { numa_node: Some(1), ..interface("ib0", true, vec![]) },
            interface("lo", true, vec![network("127.0.0.1")]),
        ];
        insta::assert_snapshot!(text(&net_scan(&found, "ofi+tcp")), @r"
        Interface Provider NUMA Node Addresses State
        --------- -------- --------- --------- -----
        eth0      ofi+tcp  -         10.0.0.1  up
        eth1      ofi+tcp  -         -         down
        ib0       ofi+tcp  1         -         no address
        lo        ofi+tcp  -         127.0.0.1 this host only
        ");
    }
}
