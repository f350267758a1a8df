//! The bill of materials of a whole repository: CycloneDX 1.6 as JSON. The same repository gives the same bytes: the serial number is made
//! from what is listed, the time is the sources'.

use packager_recipe::changelog::iso_time;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use spdx::Expression;
use uuid::Builder;

use crate::inspect::Inspected;
use crate::sbom::{Component, crate_purl, expression, purl};

/// A package of the repository.
#[derive(Debug)]
pub struct Part<'p> {
    /// As published.
    pub package: &'p Inspected,
    /// Of the file as published.
    pub sha256: String,
    /// What is compiled into it.
    pub components: &'p [Component],
}

/// The document for a repository of a target.
#[must_use]
pub fn document(repository: &str, target: &str, version: &str, time: i64, parts: &[Part<'_>]) -> Value {
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    let mut crates: Vec<&Component> = parts.iter().flat_map(|part| part.components).collect();
    crates.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    crates.dedup_by(|one, other| one.name == other.name && one.version == other.version);
    for part in parts {
        let package = part.package;
        let reference = purl(package, target);
        components.push(json!({
            "type": "application",
            "bom-ref": reference,
            "supplier": { "name": package.vendor },
            "name": package.name,
            "version": format!("{}-{}", package.version, package.release),
            "hashes": [{ "alg": "SHA-256", "content": part.sha256 }],
            "licenses": [licence(&package.license)],
            "purl": reference,
        }));
        let mut needs: Vec<String> = part.components.iter().map(crate_purl).collect();
        needs.sort();
        needs.dedup();
        dependencies.push(json!({ "ref": reference, "dependsOn": needs }));
    }
    for component in crates {
        let reference = crate_purl(component);
        components.push(json!({
            "type": "library",
            "bom-ref": reference,
            "name": component.name,
            "version": component.version,
            "hashes": [{ "alg": "SHA-256", "content": component.sha256 }],
            "licenses": [licence(&component.license)],
            "purl": reference,
        }));
        dependencies.push(json!({ "ref": reference, "dependsOn": [] }));
    }
    let root = format!("{repository}-{target}");
    let contains: Vec<String> = parts.iter().map(|part| purl(part.package, target)).collect();
    dependencies.push(json!({ "ref": root, "dependsOn": contains }));
    let listed = json!([components, dependencies]).to_string();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(listed.as_bytes()),
        "version": 1,
        "metadata": {
            "timestamp": iso_time(time),
            "tools": { "components": [{ "type": "application", "name": "packager", "version": version }] },
            "component": { "type": "data", "bom-ref": root, "name": root },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// An UUID made from a hash (version 8).
fn serial(listed: &[u8]) -> String {
    let sum = Sha256::digest(listed);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sum[..16]);
    format!("urn:uuid:{}", Builder::from_custom_bytes(bytes).into_uuid())
}

/// An expression where it is one; else what its authors wrote.
fn licence(text: &str) -> Value {
    let text = expression(text);
    if Expression::parse(&text).is_ok() {
        json!({ "expression": text })
    } else {
        json!({ "license": { "name": text } })
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, document};
    use crate::gates::made::{Made, inspected};
    use crate::sbom::Component;

    fn component(name: &str, license: &str) -> Component {
        Component {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.to_owned(),
            sha256: "ab".repeat(32),
        }
    }

    #[test]
    fn a_repository_is_listed_whole_and_the_same_every_time() {
        let package = inspected(Made::new("app"));
        let crates = [component("itoa", "MIT/Apache-2.0"), component("odd", "see LICENSE")];
        let part = || Part { package: &package, sha256: "cd".repeat(32), components: &crates };
        let bom = document("daos", "almalinux-8-x86_64", "0.1.0", 1_790_000_000, &[part(), part()]);
        assert_eq!(bom, document("daos", "almalinux-8-x86_64", "0.1.0", 1_790_000_000, &[part(), part()]));
        let components = bom["components"].as_array().expect("a list");
        assert_eq!(components.len(), 4, "crates once: {components:#?}");
        assert_eq!(components[0]["purl"], "pkg:rpm/app@1-1.el8?arch=x86_64&distro=almalinux-8-x86_64");
        assert_eq!(components[2]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[3]["licenses"][0]["license"]["name"], "see LICENSE");
        let serial = bom["serialNumber"].as_str().expect("text");
        assert_eq!((serial.len(), &serial[..9], &serial[23..24]), (45, "urn:uuid:", "8"));
        let other = document("daos", "almalinux-8-x86_64", "0.1.0", 1_790_000_000, &[part()]);
        assert_ne!(other["serialNumber"], bom["serialNumber"]);
    }
}
