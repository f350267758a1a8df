//! Every file of `fixtures/wrong` gives exactly the findings that its first line names, at the places it names.
//!
//! `# expect: FaultName @line:column, ...` with `notice ` before the name of a notice. The file's name is
//! `<which file>.<fault>.<variation>.yml`.

#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the table is a directory of files")]

use std::fmt::Write;
use std::path::Path;

use daos_config::{Finding, Severity, agent, control, server};

/// Fewer would mean that the table was read from the wrong place.
const LEAST_FILES: usize = 70;

fn check(name: &str, text: &str) -> Vec<Finding> {
    match name.split('.').next() {
        Some("server") => server(text).map_or_else(|findings| findings, |checked| checked.notices),
        Some("agent") => agent(text).map_or_else(|findings| findings, |checked| checked.notices),
        Some("control") => control(text).map_or_else(|findings| findings, |checked| checked.notices),
        other => panic!("{name}: unknown kind {other:?}"),
    }
}

fn found(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let notice = if finding.severity == Severity::Notice { "notice " } else { "" };
        format!("{notice}{} @{}:{}", finding.name.as_str(), finding.line, finding.column)
    };
    findings.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_wrong_file_is_refused_for_its_own_reason() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wrong");
    let (mut files, mut differences) = (0, String::new());
    for entry in std::fs::read_dir(directory).expect("the fixtures are there") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let first = text.lines().next().unwrap_or_default();
        let expected = first.strip_prefix("# expect: ").unwrap_or_else(|| panic!("{name}: no expectation"));
        let fault = name.split('.').nth(1).unwrap_or_default();
        assert!(expected.contains(fault), "{name} does not expect its own fault");
        let findings = check(&name, &text);
        if found(&findings) != expected {
            let _ = writeln!(differences, "{name}\n  expected {expected}\n  found    {}", found(&findings));
            for finding in &findings {
                let _ = writeln!(differences, "    {} {}", finding.path, finding.description);
            }
        }
        for Finding { path, description, resolution, .. } in &findings {
            assert!(!description.is_empty() && !resolution.is_empty(), "{name}");
            assert!(!description.ends_with('.') && !resolution.ends_with('.'), "{name}: {description} / {resolution}");
            let lower = |text: &str| !text.starts_with(|c: char| c.is_uppercase());
            assert!(lower(description) && lower(resolution), "{name}: {path}: {description} / {resolution}");
        }
        files += 1;
    }
    assert!(files >= LEAST_FILES, "only {files} files");
    assert!(differences.is_empty(), "{differences}");
}
