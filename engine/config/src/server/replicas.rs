//! `mgmt_svc_replicas`, and `access_points` of 2.6.
//!
//! Why an even list is an error under one name and a notice under the other: docs/adr, "Even access points".

use types::FaultName;

use crate::HostPort;
use crate::reader::{Given, Section, parsed};
use crate::report::{Report, quote};
use crate::value::host_port;

/// The replicas of the management service.
pub(super) fn read(report: &mut Report, section: &Section, port: u16) -> Vec<HostPort> {
    let local = vec![HostPort::new("localhost", port)];
    let bad = FaultName::ServerConfigBadMgmtSvcReplicas;
    let (new, old) = ("mgmt_svc_replicas", "access_points");
    if section.has(new) && section.has(old) {
        report.fault(
            bad,
            section.mark_of(old),
            &section.at(old),
            "both `mgmt_svc_replicas` and its 2.6 name `access_points` are given",
            "remove `access_points`",
        );
    }
    let key = if section.has(new) { new } else { old };
    let Some(given) = hosts(report, section, key, port, bad) else { return local };
    if !report.clean(&given.path) {
        return local;
    }
    if given.value.is_empty() {
        let remedy = format!("list an odd number of hosts, or remove `{key}` to use this host alone");
        report.fault(bad, given.mark, &given.path, format!("`{key}` lists no host"), remedy);
        return local;
    }
    let hosts: Vec<HostPort> = given.value.into_iter().map(|host| host.value).collect();
    let even = hosts.len().is_multiple_of(2);
    if key == new {
        if even {
            report.fault(
                FaultName::ServerConfigEvenMgmtSvcReplicas,
                given.mark,
                &given.path,
                format!("`mgmt_svc_replicas` lists {} hosts, an even number", hosts.len()),
                "list an odd number of hosts, because half of an even number is no majority",
            );
        }
        return hosts;
    }
    if even {
        let first = hosts.into_iter().take(1).collect::<Vec<_>>();
        report.notice(
            FaultName::ServerConfigEvenMgmtSvcReplicas,
            given.mark,
            &given.path,
            format!(
                "`access_points` lists an even number of hosts, so only the first, `{}`, runs the management service",
                first[0]
            ),
            "write `mgmt_svc_replicas` with an odd number of hosts",
        );
        return first;
    }
    report.notice(
        FaultName::ServerConfigBadMgmtSvcReplicas,
        section.mark_of(old),
        &given.path,
        "`access_points` is the 2.6 name of `mgmt_svc_replicas`",
        "rename the key when no server of this system runs 2.6 any more",
    );
    hosts
}

/// A list of hosts without duplicates; hosts that are none are reported as `fault` and left out.
pub(crate) fn hosts(
    report: &mut Report,
    section: &Section,
    key: &str,
    port: u16,
    fault: FaultName,
) -> Option<Given<Vec<Given<HostPort>>>> {
    let given = section.texts(report, key)?;
    let mut hosts: Vec<Given<HostPort>> = Vec::new();
    for item in given.value {
        let Some(host) = parsed(report, item, fault, |text| host_port(text, port)) else { continue };
        let same = |other: &&Given<HostPort>| {
            other.value.port == host.value.port && other.value.host.eq_ignore_ascii_case(&host.value.host)
        };
        match hosts.iter().find(same) {
            None => hosts.push(host),
            Some(first) => {
                let problem = format!(
                    "{} is listed twice in `{key}`, first on line {}",
                    quote(&host.value.to_string()),
                    first.mark.line
                );
                report.fault(fault, host.mark, &host.path, problem, "remove one of the two");
            }
        }
    }
    Some(Given { value: hosts, mark: given.mark, path: given.path })
}
