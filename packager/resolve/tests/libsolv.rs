//! The resolver against libsolv, over small universes in libsolv's own testcase format.
//!
//! Each file of `libsolv/` holds packages, a request and the transaction that libsolv 0.7.23 recorded for it. One test compares ours with
//! the recorded one; the other, where `testsolv` is installed (`scripts/test` installs it), has the real one solve the same files again.

#![allow(clippy::disallowed_methods)] // a suite: it reads its fixtures and runs testsolv

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use packager_resolve::solve::Change;
use packager_resolve::universe::INSTALLED;
use packager_resolve::{Dependency, Goal, Package, Request, RequestError, Transaction, Universe, resolve};

/// A fixture, read.
struct Case {
    name: String,
    universe: Universe,
    request: Request,
    /// As testsolv writes it; `None` for a problem.
    recorded: Option<BTreeSet<String>>,
}

fn fixtures() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libsolv");
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("a file").path()).collect();
    found.sort();
    found
}

fn read(path: &PathBuf) -> Case {
    let text = fs::read_to_string(path).expect("a fixture");
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let arch = text.lines().find_map(|line| line.strip_prefix("system ")).expect("a system line");
    let mut universe = Universe::new(arch.split(' ').next().expect("an architecture"));
    let mut goals = Vec::new();
    let (mut allow_erasing, mut weak) = (false, true);
    let mut repository = INSTALLED;
    let mut package: Option<Package> = None;
    let mut recorded = BTreeSet::new();
    let (mut problem, mut in_result, mut colours) = (false, false, false);
    let add = |universe: &mut Universe, repository, package: &mut Option<Package>| {
        if let Some(package) = package.take() {
            universe.add(repository, package).expect("a package");
        }
    };
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(line) = line.strip_prefix("#>") {
            if in_result {
                problem |= line.starts_with("problem");
                recorded.insert(line.to_owned());
            } else if let Some(words) = line.strip_prefix("=Pkg: ") {
                add(&mut universe, repository, &mut package);
                let words: Vec<&str> = words.split(' ').collect();
                let [name, version, release, arch] = words[..] else { panic!("{path:?}: `{line}`") };
                let evr = format!("{version}-{release}");
                package = Some(Package { name: name.into(), evr, arch: arch.into(), ..Package::default() });
            } else {
                let (tag, text) = line.split_once(": ").expect("a tag");
                let package = package.as_mut().expect("a package before its tags");
                let list = match tag {
                    "=Prv" => &mut package.provides,
                    "=Req" => &mut package.requires,
                    "=Con" => &mut package.conflicts,
                    "=Obs" => &mut package.obsoletes,
                    "=Rec" => &mut package.recommends,
                    "=Sug" => &mut package.suggests,
                    "=Sup" => &mut package.supplements,
                    "=Enh" => &mut package.enhances,
                    _ => panic!("{path:?}: `{tag}`"),
                };
                list.push(written_as_rpm(text));
            }
            continue;
        }
        add(&mut universe, repository, &mut package);
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["repo", "system", ..] | ["system", ..] => {}
            // libsolv prefers the higher number, dnf the lower.
            ["repo", name, priority, ..] => {
                repository = universe.repository(name, 99 - priority.parse::<i32>().expect("a number"));
            }
            ["poolflags", "implicitobsoleteusescolors"] => colours = true,
            ["solverflags", "allowuninstall"] => allow_erasing = true,
            ["solverflags", "ignorerecommended"] => weak = false,
            ["job", "update", "all", "packages"] => goals.push(Goal::UpdateAll),
            ["job", "install", "name" | "provides", ..] => goals.push(Goal::Install(words[3..].join(" "))),
            ["job", "erase", "name", ..] => goals.push(Goal::Erase(words[3..].join(" "))),
            ["job", "update", "name", ..] => goals.push(Goal::Update(words[3..].join(" "))),
            ["result", ..] => in_result = true,
            _ => panic!("{path:?}: `{line}`"),
        }
    }
    assert!(colours, "{name}: this resolver always looks at colours, so the fixture must say so");
    Case { name, universe, request: Request { goals, allow_erasing, weak }, recorded: (!problem).then_some(recorded) }
}

/// libsolv's operators, `a <IF> (b <ELSE> c)`, in rpm's words.
fn written_as_rpm(text: &str) -> String {
    let mut rest = text;
    let written = operation(&mut rest);
    assert!(rest.trim().is_empty(), "`{rest}` is left of `{text}`");
    Dependency::parse(&written).unwrap_or_else(|error| panic!("{error}"));
    written
}

const WORDS: [(&str, &str); 8] = [
    ("&", "and"),
    ("|", "or"),
    ("+", "with"),
    ("-", "without"),
    ("<IF>", "if"),
    ("<UNLESS>", "unless"),
    ("<ELSE>", "else"),
    ("", ""),
];

fn operation(rest: &mut &str) -> String {
    let left = operand(rest);
    let trimmed = rest.trim_start();
    let Some((sign, word)) =
        WORDS.iter().find(|(sign, _)| !sign.is_empty() && trimmed.starts_with(&format!("{sign} ")))
    else {
        return left;
    };
    *rest = &trimmed[sign.len()..];
    let right = operand(rest);
    match *word {
        // Not an operation of its own in rpm: it stands inside the one around it.
        "else" => format!("{left} else {right}"),
        "if" | "unless" if right.contains(" else ") && !right.starts_with('(') => format!("({left} {word} {right})"),
        _ => format!("({left} {word} {right})"),
    }
}

fn operand(rest: &mut &str) -> String {
    let trimmed = rest.trim_start();
    if let Some(inside) = trimmed.strip_prefix('(') {
        *rest = inside;
        let inner = operation(rest);
        *rest = rest.trim_start().strip_prefix(')').expect("a closing parenthesis");
        return inner;
    }
    let mut words = Vec::new();
    let mut left = trimmed;
    loop {
        let word_end = {
            let mut depth = 0_i32;
            left.char_indices()
                .find(|(_, c)| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth < 0 || *c == ' '
                })
                .map_or(left.len(), |(at, _)| at)
        };
        let word = &left[..word_end];
        let is_relation = matches!(word, "<" | "<=" | "=" | ">=" | ">");
        if word.is_empty() || (!words.is_empty() && !is_relation && words.len() != 2) {
            break;
        }
        words.push(word);
        left = left[word_end..].trim_start();
        if words.len() == 3 {
            break;
        }
    }
    *rest = left;
    words.join(" ")
}

/// As testsolv writes a transaction.
fn lines(transaction: &Transaction) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for action in &transaction.actions {
        let new = format!("{}@{}", action.package, action.repository);
        match action.change {
            Change::Remove => drop(lines.insert(format!("erase {}@system", action.package))),
            Change::Install => {
                lines.insert(format!("install {new}"));
                for old in &action.replaces {
                    lines.insert(format!("erase {old}@system {new}"));
                }
            }
            change => {
                let (first, others) = action.replaces.split_first().expect("it replaces one of its name");
                lines.insert(format!("{} {first}@system {new}", change.word()));
                for old in others {
                    lines.insert(format!("erase {old}@system {new}"));
                }
            }
        }
    }
    lines
}

#[test]
fn the_recorded_transactions_come_out() {
    let cases: Vec<Case> = fixtures().iter().map(read).collect();
    assert!(cases.len() >= 90, "{} fixtures", cases.len());
    let mut different = Vec::new();
    for case in &cases {
        let ours = match resolve(&case.universe, &case.request) {
            Ok(transaction) => Some(lines(&transaction)),
            Err(RequestError::Conflict(_)) => None,
            Err(error) => panic!("{}: {error}", case.name),
        };
        if ours != case.recorded {
            different.push(format!("{}\n  ours     {ours:?}\n  recorded {:?}", case.name, case.recorded));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_refusal_names_packages() {
    let said: Vec<String> = fixtures()
        .iter()
        .map(read)
        .filter(|case| case.recorded.is_none())
        .map(|case| {
            let error = resolve(&case.universe, &case.request).expect_err("refused");
            format!("{}: {error}", case.name)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn testsolv_agrees_with_what_is_recorded() {
    if Command::new("testsolv").arg("-h").output().is_err() {
        eprintln!("testsolv is not installed; scripts/test installs it (libsolv-tools)");
        return;
    }
    for path in fixtures() {
        let output = Command::new("testsolv").args(["-r", path.to_str().expect("UTF-8")]).output().expect("testsolv");
        let said = String::from_utf8_lossy(&output.stdout);
        let case = read(&path);
        // Numbers of problems depend on the version of libsolv; that there is one does not.
        let problem = said.lines().any(|line| line.starts_with("problem"));
        let now = (!problem).then(|| said.lines().map(str::to_owned).collect::<BTreeSet<_>>());
        assert_eq!(now, case.recorded, "{}", case.name);
    }
}

/// Numbers from a seed: Knuth's MMIX.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn simple(&mut self) -> String {
        let name = self.pick(&["a", "b", "c", "d", "e", "f", "x", "y", "z"]);
        if self.percent(60) {
            return name.to_owned();
        }
        let relation = self.pick(&["<", "<=", "=", ">=", ">"]);
        format!("{name} {relation} {}", self.below(3) + 1)
    }

    fn dependency(&mut self) -> String {
        if self.percent(20) {
            let sign = self.pick(&["&", "|", "<IF>", "<UNLESS>", "+", "-"]);
            format!("{} {sign} {}", self.simple(), self.simple())
        } else {
            self.simple()
        }
    }

    fn package(&mut self, text: &mut String, name: &str, version: usize) {
        let arch = self.pick(&["noarch", "noarch", "noarch", "x86_64", "x86_64", "x86_64", "i686"]);
        text.push_str(&format!("#>=Pkg: {name} {version} 1 {arch}\n"));
        if self.percent(40) {
            let name = self.pick(&["x", "y", "z"]);
            text.push_str(&format!("#>=Prv: {name} = {}\n", self.below(3) + 1));
        }
        for (tag, chance) in [("Req", 60), ("Req", 30), ("Con", 12), ("Rec", 15), ("Sug", 10), ("Sup", 8), ("Enh", 8)] {
            if self.percent(chance) {
                text.push_str(&format!("#>={tag}: {}\n", self.dependency()));
            }
        }
        if self.percent(10) {
            text.push_str(&format!("#>=Obs: {}\n", self.simple()));
        }
    }

    fn universe(&mut self) -> String {
        let names = &["a", "b", "c", "d", "e", "f"][..self.below(4) + 3];
        let mut text = String::from("repo system 0 testtags <inline>\n");
        let installed: Vec<&str> = names.iter().copied().filter(|_| self.percent(35)).collect();
        for name in &installed {
            self.package(&mut text, name, 1);
        }
        text.push_str("repo available 0 testtags <inline>\n");
        for name in names {
            for version in 1..=3 {
                if version == 2 || self.percent(40) {
                    self.package(&mut text, name, version);
                }
            }
        }
        text.push_str("system x86_64 rpm system\npoolflags implicitobsoleteusescolors\n");
        if self.percent(30) {
            text.push_str("solverflags allowuninstall\n");
        }
        let job = match self.below(10) {
            0 | 1 if !installed.is_empty() => "update all packages".to_owned(),
            2 if !installed.is_empty() => format!("update name {}", self.pick(&installed)),
            3 if !installed.is_empty() => format!("erase name {}", self.pick(&installed)),
            _ => format!("install name {}", self.pick(names)),
        };
        text.push_str(&format!("job {job}\nresult transaction,problems <inline>\n"));
        text
    }
}

#[test]
fn testsolv_agrees_on_random_universes() {
    /// Of a hundred: where choices depend on each other in circles, both answers are valid and may differ
    /// (packager/docs/resolver.md).
    const DIFFERENT_MAX: usize = 4;
    const UNIVERSES: usize = 300;
    if Command::new("testsolv").arg("-h").output().is_err() {
        eprintln!("testsolv is not installed; scripts/test installs it (libsolv-tools)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("universe.t");
    let mut numbers = Numbers(20_080_301);
    let mut different = Vec::new();
    for _ in 0..UNIVERSES {
        let text = numbers.universe();
        fs::write(&path, &text).expect("written");
        let output = Command::new("testsolv").args(["-r", path.to_str().expect("UTF-8")]).output().expect("testsolv");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let problem = said.lines().any(|line| line.starts_with("problem"));
        let theirs = (!problem).then(|| said.lines().map(str::to_owned).collect::<BTreeSet<_>>());
        let case = read(&path);
        let answer = resolve(&case.universe, &case.request);
        assert_eq!(answer.is_err(), problem, "one of the two refuses\n{text}\n{said}\n{answer:?}");
        let ours = answer.ok().map(|transaction| lines(&transaction));
        if ours != theirs {
            different.push(format!("{text}\nours   {ours:?}\ntheirs {theirs:?}"));
        }
    }
    assert!(different.len() * 100 <= DIFFERENT_MAX * UNIVERSES, "{}:\n{}", different.len(), different.join("\n\n"));
}
