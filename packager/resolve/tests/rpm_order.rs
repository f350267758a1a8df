//! The order of versions, against rpm itself.
//!
//! Needs `rpm`, which `scripts/packager` installs. The corpus is made from a seed, so a difference can be found again.

#![allow(clippy::disallowed_methods)] // a suite: it runs rpm

use std::cmp::Ordering;
use std::fmt::Write;
use std::process::Command;

use packager_resolve::Evr;

/// Pairs in one call: the script is one argument, and the system takes 128 KiB.
const PAIRS_PER_CALL: usize = 1500;

/// Numbers from a seed: Knuth's MMIX.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn part(&mut self) -> String {
        const PIECES: [&str; 22] = [
            "0",
            "1",
            "2",
            "9",
            "10",
            "010",
            "20240101",
            "a",
            "b",
            "rc",
            "git",
            "A",
            ".",
            ".",
            ".",
            "_",
            "+",
            "~",
            "~",
            "^",
            "^",
            "99999999999999999999",
        ];
        let mut part = String::new();
        for _ in 0..=self.below(5) {
            part.push_str(PIECES[self.below(PIECES.len())]);
        }
        part
    }

    fn evr(&mut self) -> String {
        let mut evr = String::new();
        if self.below(4) == 0 {
            evr.push_str(["0:", "1:", "2:", "10:", "01:"][self.below(5)]);
        }
        evr.push_str(&self.part());
        if self.below(2) == 0 {
            evr.push('-');
            evr.push_str(&self.part());
        }
        evr
    }

    /// The same with one piece more, or less, so that long prefixes are equal.
    fn neighbour(&mut self, evr: &str) -> String {
        let cut = self.below(evr.len()) + 1;
        let tail = self.part();
        match self.below(3) {
            0 => format!("{evr}{tail}"),
            1 => format!("{}{tail}", &evr[..cut]),
            _ => evr[..cut].to_owned(),
        }
    }
}

fn answers_of_rpm(pairs: &[(String, String)]) -> Vec<Ordering> {
    let mut script = String::from("%{lua:for _, p in ipairs({");
    for (left, right) in pairs {
        write!(script, "{{\"{left}\",\"{right}\"}},").expect("a string takes everything");
    }
    script.push_str("}) do print(rpm.vercmp(p[1], p[2]) .. \"\\n\") end}");
    let output =
        Command::new("rpm").args(["--eval", &script]).output().expect("`rpm`, which scripts/packager installs");
    let said = String::from_utf8(output.stdout).expect("numbers");
    let answers: Vec<Ordering> = said
        .split_whitespace()
        .map(|number| number.parse::<i32>().unwrap_or_else(|_| panic!("rpm said `{number}`")).cmp(&0))
        .collect();
    assert_eq!(answers.len(), pairs.len(), "{}", String::from_utf8_lossy(&output.stderr));
    answers
}

#[test]
fn versions_are_ordered_as_rpm_orders_them() {
    let mut numbers = Numbers(20_041_019);
    let mut pairs: Vec<(String, String)> = [
        ("1.0", "1.0-1"),
        ("1.0-1", "1.0-~1"),
        ("1.0", "1.0-~1"),
        ("1.0", "1.0-^1"),
        ("0:1.0-1", "1.0-1"),
        ("00:1.0-1", "1.0-1"),
        ("1:1-1", "2-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0~~", "1.0~"),
        ("1.0^", "1.0"),
        ("1.0^^", "1.0^"),
        ("1.0^~", "1.0^"),
        ("1.0~^", "1.0~"),
        ("1.0^20240101-1", "1.0.1-1"),
        ("1.0.", "1.0"),
        ("1.0_", "1.0+"),
        ("a", "1"),
    ]
    .map(|(left, right)| (left.to_owned(), right.to_owned()))
    .to_vec();
    while pairs.len() < 4 * PAIRS_PER_CALL {
        let left = numbers.evr();
        let right = if numbers.below(3) == 0 { numbers.evr() } else { numbers.neighbour(&left) };
        // Versions that no package can have are left out: rpm takes them apart in its own way only when it must.
        if Evr::parse(&left).is_ok() && Evr::parse(&right).is_ok() {
            pairs.push((left, right));
        }
    }
    let mut seen = [0_usize; 3];
    for chunk in pairs.chunks(PAIRS_PER_CALL) {
        for ((left, right), expected) in chunk.iter().zip(answers_of_rpm(chunk)) {
            let ours = Evr::split(left).cmp(&Evr::split(right));
            assert_eq!(ours, expected, "`{left}` against `{right}`");
            assert_eq!(Evr::split(right).cmp(&Evr::split(left)), expected.reverse(), "`{right}` against `{left}`");
            seen[usize::from(expected != Ordering::Less) + usize::from(expected == Ordering::Greater)] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "a corpus of one kind proves little: {seen:?}");
}
