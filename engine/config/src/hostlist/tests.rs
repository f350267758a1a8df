//! Slurm's examples, what is no list, and properties of expansion.

use proptest::prelude::*;

use super::*;

fn names(list: &str) -> Vec<String> {
    expand(list, 10001).unwrap_or_else(|error| panic!("{list}: {error}")).iter().map(ToString::to_string).collect()
}

#[test]
fn slurm_examples() {
    assert_eq!(names("node0"), ["node0:10001"]);
    assert_eq!(names("node[1-3]:10002"), ["node1:10002", "node2:10002", "node3:10002"]);
    assert_eq!(names("node[07-09,11]"), ["node07:10001", "node08:10001", "node09:10001", "node11:10001"]);
    assert_eq!(names("node[8-11]"), ["node8:10001", "node9:10001", "node10:10001", "node11:10001"]);
    assert_eq!(names("r[0-1]n[0-1]"), ["r0n0:10001", "r0n1:10001", "r1n0:10001", "r1n1:10001"]);
    assert_eq!(names("a, b ,c[1]"), ["a:10001", "b:10001", "c1:10001"]);
    assert_eq!(names("10.0.0.[1-2]"), ["10.0.0.1:10001", "10.0.0.2:10001"]);
    assert_eq!(names("[fd00::1]:7,[fd00::2]"), ["[fd00::1]:7", "[fd00::2]:10001"]);
    assert_eq!(names("n[1-2],n[2-3]"), ["n1:10001", "n2:10001", "n3:10001"], "each once");
}

#[test]
fn what_is_no_list() {
    let refused = |list: &str| expand(list, 10001).expect_err(list);
    for list in ["", ",", "a,,b", "a,"] {
        assert!(matches!(refused(list), HostlistError::Empty(_)), "{list}");
    }
    for list in ["n[1", "n1]", "n[1-[2]]", "n[1,2", "]["] {
        assert!(matches!(refused(list), HostlistError::Brackets(_)), "{list}");
    }
    for list in ["n[]", "n[a]", "n[3-1]", "n[1-]", "n[-1]", "n[1-2-3]", "n[1,,2]", "n[+1]", "n[1234567890]"] {
        assert!(matches!(refused(list), HostlistError::Range { .. }), "{list}");
    }
    for list in ["n[0-16384]", "n[0-999]m[0-999]", "n[0-9999],m[0-9999]", "a[0-999999999]"] {
        assert!(matches!(refused(list), HostlistError::TooMany(_)), "{list}");
    }
    for list in ["n[1-2]:0", "n[1-2]:99999", "a b", "[zz::1]"] {
        assert!(matches!(refused(list), HostlistError::Host(_)), "{list}");
    }
}

/// A range with its own expansion, made without the code under test.
fn range() -> impl Strategy<Value = (String, Vec<String>)> {
    (0u32..200, 0u32..20, 1usize..5).prop_map(|(low, more, width)| {
        let first = format!("{low:0width$}");
        let width = first.len();
        let values = (low..=low + more).map(|value| format!("{value:0width$}")).collect();
        (format!("{first}-{}", low + more), values)
    })
}

proptest! {
    #[test]
    fn a_range_is_its_numbers(stem in "[a-z]{1,8}", (text, values) in range(), port in 1u16..) {
        let expected: Vec<HostPort> = values.iter().map(|value| HostPort::new(format!("{stem}{value}"), port)).collect();
        prop_assert_eq!(expand(&format!("{stem}[{text}]:{port}"), 10001), Ok(expected));
    }

    #[test]
    fn expanding_the_expansion_changes_nothing(stem in "[a-z]{1,8}", (text, _) in range(), (other, _) in range()) {
        let hosts = expand(&format!("{stem}[{text},{other}],last"), 10001).expect("a right list");
        let written: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        prop_assert_eq!(expand(&written.join(","), 1), Ok(hosts));
    }

    #[test]
    fn no_text_is_expanded_without_bound(list in "[a-c0-9\\[\\],:.-]{0,60}") {
        if let Ok(hosts) = expand(&list, 10001) {
            prop_assert!(!hosts.is_empty() && hosts.len() <= MAX_HOSTS);
            prop_assert!(hosts.iter().all(|host| host.port > 0 && !host.host.is_empty()));
        }
    }
}
