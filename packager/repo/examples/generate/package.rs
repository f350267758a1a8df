//! One of many packages. They resemble those of a distribution in what metadata holds of them: dozens of files and dependencies, a
//! changelog. Two in a row are versions of one name. The same number gives the same package. The suite of the command line has this file too.

use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

pub(crate) fn package(number: u32) -> rpm::Package {
    let name = format!("bench-{}", number / 2);
    let version = format!("1.{}", number % 2);
    let mut package = PackageBuilder::new(&name, &version, "MIT", "x86_64", "A package that is measured with");
    package.using_config(BuildConfig::v4().source_date(1_790_000_000_u32).compression(CompressionType::None));
    package.description("Several lines\nof a description that says\nwhat the package is for.\n".repeat(4));
    // From a few files to a few hundred, as packages have them.
    for file in 0..5 + number * 7 % 180 {
        let path = match file % 10 {
            0 => format!("/usr/bin/{name}-{file}"),
            1 => format!("/etc/{name}/{file}.conf"),
            _ => format!("/usr/share/{name}/part-{}/some-file-with-a-name-{file}.dat", file % 7),
        };
        package.with_file_contents(number.to_le_bytes().repeat(64), FileOptions::new(path)).expect("a file");
    }
    for dependency in 0..10 + number % 20 {
        package.requires(Dependency::greater_eq(format!("lib-{}", (number + dependency) % 500), "2:1.0-3"));
        package.provides(Dependency::eq(format!("{name}(part-{dependency})"), version.clone()));
    }
    for change in 0..12 {
        let author = format!("Somebody <somebody@example.invalid> - 0.{}", 12 - change);
        let text = "- changed something that is worth a line\n- and another thing\n".repeat(3);
        package.add_changelog_entry(author, text, 1_780_000_000_u32 - change * 86_400);
    }
    package.build().expect("a package")
}
