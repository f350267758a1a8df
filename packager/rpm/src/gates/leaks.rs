//! Leaks: what the build knew and the package must not.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::elf;

/// The folder of the sandbox: a path below it in a package is a leak. Debug information keeps only rewritten paths.
const BUILD_FOLDER: &[u8] = b"/build/";

const BUILD_PATH: Gate = Gate {
    id: "build-path",
    looks_for: "a path into the folder of the build",
    why: "the path does not exist on a host, and says that the result depends on where it was built",
    mend: "remap the path with compiler flags",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&BUILD_PATH];

pub(super) fn look(_scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let package = subject.package;
    for file in &package.files {
        // Sources may speak of a folder of that name; programs must not.
        let counts = || !package.is_debug() || elf::facts(&file.content).is_some();
        let Some(at) = build_folder(&file.content).filter(|_| counts()) else { continue };
        let end = file.content.len().min(at + 100);
        let shown = String::from_utf8_lossy(&file.content[at..end]);
        let shown = shown.split(['\0', '\n', '"']).next().unwrap_or_default();
        report.add(&BUILD_PATH, format!("`{}` contains `{shown}`", file.path));
    }
}

/// Where an absolute path into the sandbox's folder begins. Other paths may have a folder of that name in their middle.
fn build_folder(content: &[u8]) -> Option<usize> {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let places = content.windows(BUILD_FOLDER.len()).enumerate().filter(|(_, window)| *window == BUILD_FOLDER);
    places.map(|(at, _)| at).find(|at| at.checked_sub(1).is_none_or(|before| !inside(&content[before])))
}

#[cfg(test)]
mod tests {
    use rpm::FileOptions;

    use crate::gates::made::{Made, found};

    #[test]
    fn the_folder_of_the_build_stays_in_the_build() {
        let with = |name: &str, text: &str| Made::new(name).with(text, FileOptions::new("/usr/share/app/text"));
        assert_eq!(found([with("app", "from=/build/app-1/src")]), ["build-path"]);
        assert_eq!(found([with("app", "https://example.invalid/build/app /usr/build/x")]), [] as [&str; 0]);
        assert_eq!(found([with("app-debugsource", "see /build/app-1")]), [] as [&str; 0]);
    }
}
