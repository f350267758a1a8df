//! For `scripts/bench plan`: `universe make FILE COUNT` writes the primary metadata of a generated distribution, `universe ask FILE CAP` asks
//! what installing CAP takes and prints a `figure=value` line per figure. The same count gives the same bytes.

#![allow(clippy::disallowed_methods)] // a program of its own

use std::fs;
use std::io::BufReader;
use std::time::Instant;

use packager_repodata::model::{Comparison, Constraint, Dependency, Evr, File, FileKind, Location, Package};
use packager_repodata::read::primary;
use packager_repodata::write::Format;
use packager_resolve::universe::PRIORITY_DEFAULT;
use packager_resolve::{Goal, Request, Universe, resolve};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", file, count] => make(file, count.parse().expect("a count")),
        ["ask", file, wanted] => ask(file, wanted),
        _ => {
            eprintln!("usage: universe make FILE COUNT | universe ask FILE CAP");
            std::process::exit(2);
        }
    }
}

fn make(file: &str, count: u64) {
    let mut numbers = Numbers(60_000);
    let mut text = Format::Primary.beginning(usize::try_from(count).expect("a count"));
    for number in 0..count {
        Format::Primary.package(&package(number, &mut numbers), &mut text);
    }
    text.push_str(Format::Primary.end());
    fs::write(file, text).expect("written");
}

/// Packages whose programs others ask for by path.
const PATHS: u64 = 500;

/// Six capabilities, nine requirements, three files: about the means of a distribution. Packages with low numbers are needed by many.
fn package(number: u64, numbers: &mut Numbers) -> Package {
    let name = format!("package-{number}");
    let version = || "1.2.3".to_owned();
    let at = |comparison| {
        Some(Constraint { comparison, epoch: "0".to_owned(), version: version(), release: "4".to_owned() })
    };
    let own = |name: String| Dependency { name, constraint: at(Comparison::Equal), ..Dependency::default() };
    let plain = |name: String| Dependency { name, ..Dependency::default() };
    let mut provides = vec![own(name.clone()), own(format!("{name}(x86-64)"))];
    provides.extend((0..4).map(|part| plain(format!("lib{number}-{part}.so.1()(64bit)"))));
    let mut requires = Vec::new();
    for _ in 0..9.min(number) {
        let other = numbers.low(number);
        requires.push(match numbers.below(10) {
            // Distributions ask for a few hundred different paths.
            0 => plain(format!("/usr/bin/tool-{}-0", other % number.min(PATHS))),
            1 | 2 => Dependency {
                name: format!("package-{other}"),
                constraint: at(Comparison::AtLeast),
                ..Dependency::default()
            },
            _ => plain(format!("lib{other}-{}.so.1()(64bit)", numbers.below(4))),
        });
    }
    let file = |part| File { path: format!("/usr/bin/tool-{number}-{part}"), kind: FileKind::File };
    Package {
        arch: if number.is_multiple_of(5) { "noarch" } else { "x86_64" }.to_owned(),
        evr: Evr { epoch: 0, version: version(), release: "4".to_owned() },
        sha256: format!("{number:064x}"),
        location: Location { href: format!("{name}.rpm"), ..Location::default() },
        summary: "A generated package".to_owned(),
        source_rpm: format!("{name}-1.2.3-4.src.rpm"),
        provides,
        requires,
        files: (0..3).map(file).collect(),
        name,
        ..Package::default()
    }
}

fn ask(file: &str, wanted: &str) {
    let mut begin = Instant::now();
    let mut lap = |name: &str| {
        println!("ours_{name}_ms={:.1}", begin.elapsed().as_secs_f64() * 1e3);
        begin = Instant::now();
    };
    let mut packages = Vec::new();
    primary(BufReader::new(fs::File::open(file).expect("the file")), |package| {
        packages.push(packager_resolve::Package::from(package));
        Ok(())
    })
    .expect("metadata");
    lap("read");
    let mut universe = Universe::new("x86_64");
    let base = universe.repository("base", PRIORITY_DEFAULT);
    for package in packages {
        universe.add(base, package).expect("a package");
    }
    lap("index");
    let transaction = resolve(&universe, &Request::new(vec![Goal::Install(wanted.to_owned())])).expect("an answer");
    lap("solve");
    println!("ours_installs={}", transaction.actions.len());
}

/// Numbers from a seed: Knuth's MMIX.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Below an end, the lower the likelier.
    fn low(&mut self, end: u64) -> u64 {
        let first = self.below(end);
        let second = self.below(first + 1);
        self.below(second + 1)
    }
}
