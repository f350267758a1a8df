//! Findings for people, with the line they are about, and as JSON.

use crate::{Finding, Severity};

/// Longest part of a source line that is printed.
const MAX_LINE_CHARS: usize = 160;

/// Every finding as text:
///
/// ```text
/// error: ServerConfigBadConfig (701): unknown key `tragets` in `engines[]`
///   --> daos_server.yml:12:5 (engines[0].tragets)
///    |
/// 12 |     tragets: 4
///    |     ^
///    = hint: write `targets` if that is what you mean, or remove the key
/// ```
///
/// `file` is the name to print, `source` the text that was checked.
pub fn render(findings: &[Finding], file: &str, source: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut text = String::new();
    for finding in findings {
        one(&mut text, finding, file, &lines);
        text.push('\n');
    }
    text.push_str(&summary(findings, file));
    text.push('\n');
    text
}

fn one(text: &mut String, finding: &Finding, file: &str, lines: &[&str]) {
    let Finding { severity, name, line, column, path, description, resolution } = finding;
    // The name of a fault alarms where nothing failed; programs find it in the JSON.
    match severity {
        Severity::Error => text.push_str(&format!("error: {} ({}): {description}\n", name.as_str(), name.code())),
        Severity::Notice => text.push_str(&format!("notice: {description}\n")),
    }
    let path = if path.is_empty() { String::new() } else { format!(" ({path})") };
    let source = line.checked_sub(1).and_then(|index| lines.get(index));
    let (Some(source), true) = (source, *column > 0) else {
        let place = if *line == 0 { file.to_owned() } else { format!("{file}:{line}:{column}") };
        text.push_str(&format!("  --> {place}{path}\n  = hint: {resolution}\n"));
        return;
    };
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // Tabs stay tabs, so that the caret stands below its place in any terminal.
    let before: String =
        source.chars().take((*column - 1).min(MAX_LINE_CHARS)).map(|c| if c == '\t' { c } else { ' ' }).collect();
    let shown: String =
        source.chars().take(MAX_LINE_CHARS).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    text.push_str(&format!("{margin}--> {file}:{line}:{column}{path}\n"));
    text.push_str(&format!("{margin} |\n{number} | {shown}\n{margin} | {before}^\n"));
    text.push_str(&format!("{margin} = hint: {resolution}\n"));
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Notice => "notice",
    }
}

fn summary(findings: &[Finding], file: &str) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let notices = findings.len() - errors;
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    match (errors, notices) {
        (0, 0) => format!("{file}: nothing to correct"),
        (0, notices) => format!("{file}: usable, with {}", count(notices, "notice")),
        (errors, 0) => format!("{file}: {}", count(errors, "error")),
        (errors, notices) => format!("{file}: {} and {}", count(errors, "error"), count(notices, "notice")),
    }
}

/// Every finding as a JSON array of objects.
pub fn to_json(findings: &[Finding]) -> serde_json::Value {
    let object = |finding: &Finding| {
        serde_json::json!({
            "severity": word(finding.severity),
            "name": finding.name.as_str(),
            "code": finding.name.code(),
            "line": finding.line,
            "column": finding.column,
            "path": finding.path,
            "description": finding.description,
            "resolution": finding.resolution,
        })
    };
    findings.iter().map(object).collect()
}
