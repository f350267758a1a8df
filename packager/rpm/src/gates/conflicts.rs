//! Conflicts: no path belongs to two packages in two ways.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::inspect::File;

const FILE_CONFLICT: Gate = Gate {
    id: "file-conflict",
    looks_for: "a path that two of our packages have with other contents, mode, owner or link",
    why: "rpm refuses to install both, or the later one changes what the earlier one installed",
    mend: "leave the path in one package and let the other require it, or give both the same file",
    severity: Severity::Error,
};

const FILE_OF_DISTRIBUTION: Gate = Gate {
    id: "file-of-distribution",
    looks_for: "a file at a path that the target lists as its own",
    why: "rpm refuses to replace a file of another package",
    mend: "put the file elsewhere, or require the distribution's",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&FILE_CONFLICT, &FILE_OF_DISTRIBUTION];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let package = subject.package;
    // Each pair of packages is looked at once, from the one whose name is later.
    for other in scene.all.iter().filter(|other| other.name < package.name) {
        for file in &package.files {
            let Some(rival) = other.files.iter().find(|rival| rival.path == file.path) else { continue };
            if let Some(how) = difference(file, rival) {
                report.add(&FILE_CONFLICT, format!("`{}` is in `{}` too, with {how}", file.path, other.name));
            }
        }
    }
    for file in package.files.iter().filter(|file| !file.folder) {
        // A package of the same name is replaced, and its files with it.
        let mut theirs = scene.target.lock.packages(scene.target.arch).map(|(_, locked)| locked);
        if let Some(owner) = theirs.find(|locked| locked.name != package.name && locked.files.contains(&file.path)) {
            let (path, name) = (&file.path, &scene.target.name);
            report.add(&FILE_OF_DISTRIBUTION, format!("`{path}` is a file of `{}` on {name}", owner.name));
        }
    }
}

fn difference(one: &File, other: &File) -> Option<&'static str> {
    if one.link != other.link || one.folder != other.folder {
        return Some("another kind or link");
    }
    if one.content != other.content {
        return Some("other contents");
    }
    if one.link.is_none() && one.mode != other.mode {
        return Some("another mode");
    }
    (one.user != other.user || one.group != other.group).then_some("another owner")
}

#[cfg(test)]
mod tests {
    use rpm::FileOptions;

    use crate::gates::made::{Made, found};

    #[test]
    fn a_path_belongs_to_one_package() {
        let file = || FileOptions::new("/usr/share/app/x");
        let first = || Made::new("app").with("x", file());
        let conflict = |second: Made| found([first(), second]);
        assert_eq!(conflict(Made::new("app-libs").with("y", file())), ["file-conflict"]);
        assert_eq!(conflict(Made::new("app-libs").with("x", file().permissions(0o640))), ["file-conflict"]);
        let link = FileOptions::symlink("/usr/share/app/x", "/usr/share/app/y");
        assert_eq!(conflict(Made::new("app-libs").link(link)), ["file-conflict"]);
        assert_eq!(conflict(Made::new("app-libs").with("x", file())), [] as [&str; 0], "the same file may be shared");
        let elsewhere = FileOptions::new("/usr/share/app/z");
        assert_eq!(conflict(Made::new("app-libs").with("y", elsewhere)), [] as [&str; 0]);
    }

    #[test]
    fn the_distribution_keeps_its_files() {
        let taken = FileOptions::new("/usr/bin/getent").permissions(0o755);
        assert_eq!(found([Made::new("app").with("x", taken)]), ["file-of-distribution"]);
    }
}
