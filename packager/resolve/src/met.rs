//! Whether repositories can meet a dependency, a rich one included, and with what.
//!
//! This is not an installation: nobody knows yet what else will be on the system. So what may be needed must be there: of `(a if b)` both are
//! looked for, and `a` must be there when `b` is; of `(a unless b)` `a` must be there. packager/docs/plan.md has the table.

use crate::capability::Capability;
use crate::dependency::Dependency;
use crate::fault::ParseError;
use crate::repository::{Answer, Repository};

/// A part of a dependency and who answers it, the preferred package first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The part.
    pub part: Dependency,
    /// At least one.
    pub answers: Vec<Answer>,
}

/// Why a dependency cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnmetError {
    /// It is no dependency.
    #[error("it cannot be read: {0}")]
    Unreadable(ParseError),
    /// Nobody answers these; of alternatives all are named.
    #[error("nobody provides {}", list(.0))]
    Missing(Vec<Dependency>),
}

fn list(parts: &[Dependency]) -> String {
    parts.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join(", ")
}

/// Asks repositories, the preferred one first, for everything that a dependency needs.
pub fn met(text: &str, repositories: &[&dyn Repository]) -> Result<Vec<Met>, UnmetError> {
    let dependency = Dependency::parse(text).map_err(UnmetError::Unreadable)?;
    parts(&dependency, repositories).map_err(UnmetError::Missing)
}

/// [`met`] for a dependency that was read.
pub(crate) fn parts(dependency: &Dependency, repositories: &[&dyn Repository]) -> Result<Vec<Met>, Vec<Dependency>> {
    let parts = |dependency: &Dependency| parts(dependency, repositories);
    match dependency {
        // What rpm itself must be able to do.
        Dependency::Capability(capability) if capability.name.starts_with("rpmlib(") => Ok(Vec::new()),
        Dependency::And(all) => every(all.iter().map(parts)),
        Dependency::Or(all) => {
            let mut missing = Vec::new();
            for part in all {
                match parts(part) {
                    Ok(met) => return Ok(met),
                    Err(not_there) => missing.extend(not_there),
                }
            }
            Err(missing)
        }
        Dependency::If(then, condition, otherwise) => {
            let then = parts(condition).is_ok().then_some(then);
            every(then.into_iter().chain(otherwise).map(|part| parts(part)))
        }
        Dependency::Unless(then, condition, otherwise) => {
            let otherwise = otherwise.iter().filter(|_| parts(condition).is_ok());
            every([then].into_iter().chain(otherwise).map(|part| parts(part)))
        }
        Dependency::Capability(_) | Dependency::With(_) | Dependency::Without(..) => {
            let answers = packages(dependency, repositories);
            if answers.is_empty() {
                Err(vec![dependency.clone()])
            } else {
                Ok(vec![Met { part: dependency.clone(), answers }])
            }
        }
    }
}

fn every(all: impl Iterator<Item = Result<Vec<Met>, Vec<Dependency>>>) -> Result<Vec<Met>, Vec<Dependency>> {
    let (mut met, mut missing) = (Vec::new(), Vec::new());
    for part in all {
        match part {
            Ok(part) => met.extend(part),
            Err(part) => missing.extend(part),
        }
    }
    if missing.is_empty() { Ok(met) } else { Err(missing) }
}

/// Packages that each answer a dependency about one package.
fn packages(dependency: &Dependency, repositories: &[&dyn Repository]) -> Vec<Answer> {
    let packages = |dependency: &Dependency| packages(dependency, repositories);
    let holds = |answers: &[Answer], answer: &Answer| answers.iter().any(|other| other.same_package(answer));
    match dependency {
        Dependency::Capability(capability) => {
            repositories.iter().flat_map(|repository| repository.providers(capability)).collect()
        }
        Dependency::Or(all) => {
            let mut found: Vec<Answer> = Vec::new();
            for answer in all.iter().flat_map(packages) {
                if !holds(&found, &answer) {
                    found.push(answer);
                }
            }
            found
        }
        Dependency::With(all) => {
            let mut rest = all.iter().map(packages);
            let mut found = rest.next().unwrap_or_default();
            for others in rest {
                found.retain(|answer| holds(&others, answer));
            }
            found
        }
        Dependency::Without(left, right) => {
            let others = packages(right);
            let mut found = packages(left);
            found.retain(|answer| !holds(&others, answer));
            found
        }
        // The reader lets none of the others into a part about one package.
        _ => Vec::new(),
    }
}

/// Every capability that a dependency names.
#[must_use]
pub fn capabilities(dependency: &Dependency) -> Vec<&Capability> {
    match dependency {
        Dependency::Capability(capability) => vec![capability],
        Dependency::And(parts) | Dependency::Or(parts) | Dependency::With(parts) => {
            parts.iter().flat_map(capabilities).collect()
        }
        Dependency::Without(left, right) => [left, right].into_iter().flat_map(|part| capabilities(part)).collect(),
        Dependency::If(left, right, last) | Dependency::Unless(left, right, last) => {
            [left, right].into_iter().chain(last).flat_map(|part| capabilities(part)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Met, UnmetError, met};
    use crate::repository::CapabilityList;

    fn told(text: &str) -> String {
        let (mut ours, mut theirs) = (CapabilityList::new("ours"), CapabilityList::new("theirs"));
        ours.add("mercury", ["mercury = 2.4-1", "na"].map(str::to_owned));
        ours.add("mercury-ucx", ["mercury-ucx = 2.4-1", "plugin"].map(str::to_owned));
        theirs.add("mercury-old", ["mercury = 1.0-1", "plugin = 1"].map(str::to_owned));
        theirs.add("systemd", ["systemd = 249", "/usr/bin/systemctl"].map(str::to_owned));
        let part = |met: Met| {
            let answers: Vec<String> = met.answers.iter().map(|answer| answer.package.clone()).collect();
            format!("{}: {}", met.part, answers.join(" "))
        };
        match met(text, &[&ours, &theirs]) {
            Ok(all) => all.into_iter().map(part).collect::<Vec<_>>().join("; "),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn every_operator_is_evaluated() {
        for (text, expected) in [
            ("mercury", "mercury: mercury mercury-old"),
            ("mercury >= 2", "mercury >= 2: mercury"),
            ("rpmlib(PayloadIsZstd) <= 5.4.18-1", ""),
            ("mercury >= 3", "nobody provides `mercury >= 3`"),
            ("(mercury and systemd)", "mercury: mercury mercury-old; systemd: systemd"),
            ("(mercury and x and y)", "nobody provides `x`, `y`"),
            ("(x or mercury-ucx or systemd)", "mercury-ucx: mercury-ucx"),
            ("(x or y >= 2)", "nobody provides `x`, `y >= 2`"),
            ("(mercury-ucx if x)", ""),
            ("(x if y)", ""),
            ("(x if systemd)", "nobody provides `x`"),
            ("(x if y else systemd)", "systemd: systemd"),
            ("(mercury-ucx if systemd else x)", "nobody provides `x`"),
            ("(systemd unless x)", "systemd: systemd"),
            ("(systemd unless mercury else x)", "nobody provides `x`"),
            ("(systemd unless x else y)", "systemd: systemd"),
            ("(mercury with plugin)", "(mercury with plugin): mercury-old"),
            ("(mercury >= 2 with plugin)", "nobody provides `(mercury >= 2 with plugin)`"),
            ("(mercury without na)", "(mercury without na): mercury-old"),
            (
                "((mercury or systemd) with /usr/bin/systemctl)",
                "((mercury or systemd) with /usr/bin/systemctl): systemd",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert!(matches!(met("(a or", &[]), Err(UnmetError::Unreadable(_))));
    }
}
