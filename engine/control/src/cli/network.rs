//! `network scan`.

use serde_json::json;

use super::envelope::Outcome;
use crate::network::interfaces;

/// Providers that engines of this build serve on an interface with an address.
const PROVIDERS: [&str; 2] = ["ofi+tcp", "ofi+tcp;ofi_rxm"];

/// Lists interfaces that are up.
pub(super) fn run(provider: Option<&str>) -> Outcome {
    let wanted = provider.filter(|provider| *provider != "all");
    if let Some(wanted) = wanted.filter(|wanted| !PROVIDERS.contains(wanted)) {
        return Outcome::failed(format!(
            "no interface serves the provider `{wanted}`\nhint: this build serves {}",
            PROVIDERS.join(" and ")
        ));
    }
    let usable: Vec<_> =
        interfaces().into_iter().filter(|interface| interface.up && !interface.addresses.is_empty()).collect();
    let mut text = String::from("interface  numa  providers                 addresses\n");
    for interface in &usable {
        let numa = interface.numa_node.map_or_else(|| "-".to_owned(), |node| node.to_string());
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let providers = wanted.map_or_else(|| PROVIDERS.join(", "), str::to_owned);
        text.push_str(&format!("{:<10} {numa:<5} {providers:<25} {}\n", interface.name, addresses.join(", ")));
    }
    let listed: Vec<_> = usable
        .iter()
        .map(|interface| {
            json!({
                "device": interface.name,
                "numa_node": interface.numa_node,
                "loopback": interface.loopback,
                "addresses": interface.addresses,
                "providers": wanted.map_or_else(|| PROVIDERS.to_vec(), |wanted| vec![wanted]),
            })
        })
        .collect();
    Outcome::done(json!({ "interfaces": listed }), text)
}
