//! Provenance: an in-toto statement with SLSA's predicate `provenance/v1`, which says what a repository holds, from what it was built and how.
//! packager/docs/provenance.md describes its fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Media type of a statement in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What the parameters below mean: packager/docs/provenance.md of this project. Raised when that changes.
const BUILD_TYPE: &str = "https://packager.invalid/build/v1";
const BUILDER: &str = "https://packager.invalid/builder/v1";

/// A statement about the files of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The files.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// How they were built.
    pub predicate: Predicate,
}

/// A file, by its path in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The path.
    pub name: String,
    /// Hashes by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// How the files were built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// What went in.
    pub build_definition: BuildDefinition,
    /// Who built.
    pub run_details: RunDetails,
}

/// What went in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    build_type: String,
    /// What a person asked for.
    pub external_parameters: Value,
    /// What the packager decided.
    pub internal_parameters: Value,
    /// Sources and crates.
    pub resolved_dependencies: Vec<Dependency>,
}

/// Something that went in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Where it is from, or what it is.
    pub uri: String,
    /// Hashes by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// Who built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The packager.
    pub builder: BuilderFacts,
    metadata: Metadata,
}

/// The packager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderFacts {
    id: String,
    /// Versions by program.
    pub version: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    invocation_id: String,
}

/// What a statement is made from.
#[derive(Debug)]
pub struct Build {
    /// Version of the packager.
    pub version: String,
    /// Files with their SHA-256.
    pub files: Vec<(String, String)>,
    /// What a person asked for.
    pub external: Value,
    /// What the packager decided.
    pub internal: Value,
    /// Sources and crates.
    pub dependencies: Vec<Dependency>,
    /// Names this build among others: a hash over its inputs, so that building again gives the same statement.
    pub invocation: String,
}

impl Statement {
    /// About a build.
    #[must_use]
    pub fn new(build: Build) -> Statement {
        let Build { version, mut files, external, internal, dependencies, invocation } = build;
        files.sort();
        let subject = files.into_iter().map(|(name, sum)| Subject { name, digest: sha256(sum) }).collect();
        Statement {
            kind: STATEMENT.to_owned(),
            subject,
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE.to_owned(),
                    external_parameters: external,
                    internal_parameters: internal,
                    resolved_dependencies: dependencies,
                },
                run_details: RunDetails {
                    builder: BuilderFacts {
                        id: BUILDER.to_owned(),
                        version: BTreeMap::from([("packager".to_owned(), version)]),
                    },
                    metadata: Metadata { invocation_id: invocation },
                },
            },
        }
    }

    /// Whether it is of the kind that this module writes.
    #[must_use]
    pub fn is_provenance(&self) -> bool {
        self.kind == STATEMENT && self.predicate_type == PREDICATE
    }
}

/// A set of hashes with one.
#[must_use]
pub fn sha256(sum: String) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), sum)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Build, Dependency, Statement, sha256};

    #[test]
    fn a_statement_has_the_shape_of_in_toto_and_slsa() {
        let statement = Statement::new(Build {
            version: "0.1.0".to_owned(),
            files: vec![("b.rpm".to_owned(), "02".to_owned()), ("a.rpm".to_owned(), "01".to_owned())],
            external: json!({ "target": "almalinux-8-x86_64" }),
            internal: json!({}),
            dependencies: vec![Dependency { uri: "pkg:cargo/itoa@1.0.0".to_owned(), digest: sha256("03".to_owned()) }],
            invocation: "04".to_owned(),
        });
        let expected = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                { "name": "a.rpm", "digest": { "sha256": "01" } },
                { "name": "b.rpm", "digest": { "sha256": "02" } },
            ],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://packager.invalid/build/v1",
                    "externalParameters": { "target": "almalinux-8-x86_64" },
                    "internalParameters": {},
                    "resolvedDependencies": [{ "uri": "pkg:cargo/itoa@1.0.0", "digest": { "sha256": "03" } }],
                },
                "runDetails": {
                    "builder": { "id": "https://packager.invalid/builder/v1", "version": { "packager": "0.1.0" } },
                    "metadata": { "invocationId": "04" },
                },
            },
        });
        assert_eq!(serde_json::to_value(&statement).expect("JSON"), expected);
        let read: Statement = serde_json::from_value(expected).expect("a statement");
        assert!(read.is_provenance() && read == statement);
    }
}
