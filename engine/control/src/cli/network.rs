//! `network scan`.

use fabric::{PROVIDERS, Provider};
use serde_json::json;

use super::envelope::Outcome;
use crate::network::{Interface, interfaces};

/// Lists interfaces that are up and the providers that an engine could serve there.
pub(super) fn run(provider: Option<&str>) -> Outcome {
    let wanted = provider.filter(|provider| *provider != "all");
    let listed = |interface: Interface| {
        let providers: Vec<&str> = offered(&interface, wanted).collect();
        (!providers.is_empty()).then_some((interface, providers))
    };
    let usable: Vec<_> = interfaces().into_iter().filter(|interface| interface.up).filter_map(listed).collect();
    if let Some(wanted) = wanted
        && usable.is_empty()
    {
        return Outcome::failed(format!(
            "no interface serves the provider `{wanted}`\nhint: this build serves {}",
            PROVIDERS.join(" and ")
        ));
    }
    let mut text = String::from("interface  numa  providers                 addresses\n");
    for (interface, providers) in &usable {
        let numa = interface.numa_node.map_or_else(|| "-".to_owned(), |node| node.to_string());
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{:<10} {numa:<5} {:<25} {}\n",
            interface.name,
            providers.join(", "),
            addresses.join(", ")
        ));
    }
    let listed: Vec<_> = usable
        .iter()
        .map(|(interface, providers)| {
            json!({
                "device": interface.name,
                "numa_node": interface.numa_node,
                "loopback": interface.loopback,
                "addresses": interface.addresses,
                "providers": providers,
            })
        })
        .collect();
    Outcome::done(json!({ "interfaces": listed }), text)
}

/// Providers, all or the one that is wanted, that one of the interface's addresses can serve.
fn offered(interface: &Interface, wanted: Option<&str>) -> impl Iterator<Item = &'static str> {
    let serves = |name: &str| {
        let provider = Provider::serving(name);
        provider.is_some_and(|provider| interface.addresses.iter().any(|address| provider.is_offered_on(*address)))
    };
    let asked = PROVIDERS.iter().copied().filter(move |name| wanted.is_none_or(|wanted| wanted == *name));
    asked.filter(move |name| serves(name))
}
