//! Bills of materials: SPDX 2.3 as JSON, one beside each package.

use packager_recipe::changelog::iso_time;
use serde::Serialize;
use serde_json::{Value, json};

use crate::inspect::Inspected;

/// A component that is compiled into the programs.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    /// Name on crates.io.
    pub name: String,
    /// Version.
    pub version: String,
    /// SPDX expression, or what its authors wrote.
    pub license: String,
    /// SHA-256 of what was fetched.
    pub sha256: String,
}

/// The document for a package. `sha256` is of the package file as published, `time` of its sources.
#[must_use]
pub fn document(package: &Inspected, sha256: &str, components: &[Component], time: i64, arch_target: &str) -> Value {
    let id = spdx_id(&package.name);
    let mut packages = vec![json!({
        "SPDXID": id,
        "name": package.name,
        "versionInfo": format!("{}-{}", package.version, package.release),
        "packageFileName": package.path.file_name().map(|name| name.to_string_lossy()),
        "supplier": format!("Organization: {}", package.vendor),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": package.license,
        "copyrightText": "NOASSERTION",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": sha256 }],
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(package, arch_target),
        }],
    })];
    let mut relationships = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": id,
    })];
    for component in components {
        let part = spdx_id(&format!("crate-{}-{}", component.name, component.version));
        packages.push(json!({
            "SPDXID": part,
            "name": component.name,
            "versionInfo": component.version,
            "downloadLocation": format!("https://crates.io/api/v1/crates/{}/{}/download", component.name, component.version),
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": expression(&component.license),
            "copyrightText": "NOASSERTION",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": component.sha256 }],
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": crate_purl(component),
            }],
        }));
        relationships.push(json!({
            "spdxElementId": id, "relationshipType": "STATIC_LINK", "relatedSpdxElement": part,
        }));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": package.nevra(),
        "documentNamespace": format!("https://spdx.org/spdxdocs/{}-{sha256}", package.nevra()),
        "creationInfo": { "created": iso_time(time), "creators": ["Tool: packager"] },
        "packages": packages,
        "relationships": relationships,
    })
}

/// The package URL of a crate.
#[must_use]
pub fn crate_purl(component: &Component) -> String {
    format!("pkg:cargo/{}@{}", component.name, component.version)
}

/// The package URL of a package for a target.
pub(crate) fn purl(package: &Inspected, target: &str) -> String {
    let Inspected { name, version, release, arch, .. } = package;
    format!("pkg:rpm/{name}@{version}-{release}?arch={arch}&distro={target}")
}

/// A licence as SPDX writes it: old manifests separate alternatives by a slash.
pub(crate) fn expression(licence: &str) -> String {
    licence.replace('/', " OR ")
}

/// Letters, digits, dots and hyphens are allowed.
fn spdx_id(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' });
    format!("SPDXRef-{}", plain.collect::<String>())
}
