//! Trees and their limits, and damaged files.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::report::Report;
use crate::{agent, control, server};

/// The only finding of a text that cannot be read.
fn refused(text: &str) -> String {
    let mut report = Report::default();
    assert!(parse(text, &mut report).is_none());
    let findings = report.finish();
    assert_eq!(findings.len(), 1);
    findings[0].description.clone()
}

#[test]
fn nodes_know_their_places() {
    let mut report = Report::default();
    let root = parse("a:\n  - b\n  - {c: d}\n", &mut report).expect("right YAML");
    let Kind::Mapping(mapping) = &root.kind else { panic!("a mapping") };
    let Kind::Sequence(items) = &mapping.entries[0].value.kind else { panic!("a list") };
    assert_eq!((items[0].mark, items[1].mark), (Mark { line: 2, column: 5 }, Mark { line: 3, column: 5 }));
    assert_eq!(root.weight, 7, "three sections, two scalars, two keys");
}

#[test]
fn no_content_is_an_empty_section() {
    for text in ["", "\n\n", "# comment\n", "---\n", "\u{feff}# with a mark\n", "~\n"] {
        let mut report = Report::default();
        let root = parse(text, &mut report).unwrap_or_else(|| panic!("{text:?}"));
        assert!(root.is_empty_section(), "{text:?}");
        assert!(report.finish().is_empty(), "{text:?}");
    }
}

#[test]
fn merge_keys_fill_in_what_is_absent() {
    let text =
        "engines: []\nbase: &base {x: 1, y: 2}\nsecond: &second {y: 3, z: 4}\nall: {<<: [*base, *second], x: 0}\n";
    let mut report = Report::default();
    let root = parse(text, &mut report).expect("right YAML");
    let Kind::Mapping(mapping) = &root.kind else { panic!("a mapping") };
    let Kind::Mapping(all) = &mapping.entries[3].value.kind else { panic!("a mapping") };
    let pairs: Vec<(&str, String)> = all.entries.iter().map(|e| (e.key.as_str(), e.value.describe())).collect();
    assert_eq!(pairs, [("x", "`0`".into()), ("y", "`2`".into()), ("z", "`4`".into())]);
    assert!(refused("a: {<<: 1}\n").contains("merge key"));
}

#[test]
fn input_is_bounded() {
    assert!(refused(&"x".repeat((1 << 20) + 1)).contains("more than the limit"));
    assert!(refused(&"[".repeat(100_000)).contains("recursion"), "{}", refused(&"[".repeat(100_000)));
    assert!(refused(&"[".repeat(100)).contains("levels of nesting"));
    assert!(refused(&"- ".repeat(100_000)).contains("levels of nesting"));
    assert!(refused(&"{a: ".repeat(200)).contains("levels of nesting"));
    // Each list has the one before it ten times: ten billion nodes in a few hundred bytes.
    let mut laughs = "a0: &a0 [x]\n".to_owned();
    for level in 1..=10 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(laughs, "a{level}: &a{level} [{alias}]");
    }
    assert!(refused(&laughs).contains("aliases expand"));
}

#[test]
fn a_long_list_of_mistakes_is_cut() {
    let mut text = String::new();
    for number in 0..5000 {
        let _ = writeln!(text, "mistake_{number}: 1");
    }
    let findings = server(&text).expect_err("5000 unknown keys");
    assert_eq!(findings.len(), 201);
    assert_eq!(findings[200].description, "4800 more findings are not listed");
}

#[test]
fn many_keys_in_one_section_take_no_long_time() {
    let mut text = "credential_config:\n  client_user_map:\n".to_owned();
    for uid in 0..20_000 {
        let _ = writeln!(text, "    {uid}: {{user: u}}");
    }
    let config = agent(&text).expect("a right file").config;
    assert_eq!(config.credentials.client_user_map.len(), 20_000);
}

proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in "[\\PC\n\t]{0,200}") {
        let _ = (server(&text), agent(&text), control(&text));
    }

    #[test]
    fn no_damage_to_a_right_file_brings_it_down(
        place in any::<prop::sample::Index>(), length in 0usize..30, patch in "[ \\[\\]{}:,&*!|>%@`\"'\n\ta0-]{0,8}",
    ) {
        let text = include_str!("../../tests/fixtures/right/server-maximal-2.8.yml");
        let start = place.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{patch}{}", &text[..start], &text[end..]);
        match server(&damaged) {
            // What is still accepted must survive being written.
            Ok(checked) => prop_assert_eq!(server(&checked.config.to_yaml()).map(|again| again.config), Ok(checked.config)),
            Err(findings) => {
                prop_assert!(!findings.is_empty());
                let lines = damaged.lines().count() + 1;
                prop_assert!(findings.iter().all(|finding| finding.line <= lines));
                let sorted = findings.windows(2).all(|pair| (pair[0].line, pair[0].column) <= (pair[1].line, pair[1].column));
                prop_assert!(sorted || findings.len() > 200);
            }
        }
    }
}
