//! Fault domains: `/rack1/node0` or `/rack=1/host=node0`.

use types::FaultName;

use crate::reader::Problem;
use crate::report::quote;

/// Layers below the root, as in DAOS: one level of shared failure above the host.
const MAX_LAYERS: usize = 2;

/// Checks a fault path and gives it in canonical form, without a closing slash.
pub(crate) fn fault_path(text: &str) -> Result<String, (FaultName, Problem)> {
    let invalid = |why: &str| {
        let problem = Problem::new(
            format!("{} is not a fault domain: {why}", quote(text)),
            "write it as `/rack1/hostname` or leave it out",
        );
        (FaultName::ServerConfigFaultDomainInvalid, problem)
    };
    let Some(below) = text.strip_prefix('/') else {
        return Err(invalid("it does not begin with `/`"));
    };
    let below = below.strip_suffix('/').unwrap_or(below);
    let layers: Vec<&str> = below.split('/').collect();
    if layers.iter().any(|layer| layer.is_empty()) {
        return Err(invalid("a layer is empty"));
    }
    if layers.iter().any(|layer| layer.chars().any(char::is_whitespace)) {
        return Err(invalid("a layer contains a space"));
    }
    let labelled = layers.iter().filter(|layer| layer.contains('=')).count();
    if labelled != 0 && labelled != layers.len() {
        return Err(invalid("some layers have the form `label=value` and some do not"));
    }
    if layers.iter().any(|layer| layer.starts_with('=') || layer.ends_with('=') || layer.matches('=').count() > 1) {
        return Err(invalid("a layer of the form `label=value` lacks one of the two"));
    }
    if layers.len() > MAX_LAYERS {
        return Err((
            FaultName::ServerConfigFaultDomainTooManyLayers,
            Problem::new(
                format!("the fault domain {} has {} layers, more than {MAX_LAYERS}", quote(text), layers.len()),
                format!("name at most {MAX_LAYERS} layers below the root, as in `/rack1/hostname`"),
            ),
        ));
    }
    Ok(format!("/{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_two_layers() {
        assert_eq!(fault_path("/rack1/node0/").ok().as_deref(), Some("/rack1/node0"));
        assert!(fault_path("/rack=1/host=node0").is_ok());
        for text in ["", "/", "rack1", "//a", "/a b", "/rack=1/node0", "/=1", "/a=", "/a/b/c"] {
            assert!(fault_path(text).is_err(), "{text}");
        }
    }
}
