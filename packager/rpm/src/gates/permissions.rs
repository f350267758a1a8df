//! Permissions: modes, owners and privileges only as the recipe declares them.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

/// setuid and setgid.
const PRIVILEGE_BITS: u16 = 0o6000;

const UNDECLARED_MODE: Gate = Gate {
    id: "undeclared-mode",
    looks_for: "a file of another owner than root, or with setuid or setgid, that the recipe does not declare so",
    why: "who may do what on a host is decided in review, not by a build",
    mend: "declare mode, user and group in the recipe",
    severity: Severity::Error,
};

const PRIVILEGED: Gate = Gate {
    id: "privileged-file",
    looks_for: "a program with setuid, setgid or file capabilities",
    why: "whoever may run it has its privileges, and every mistake in it",
    mend: "give the unit the capabilities instead, or declare why it must be so by a waiver",
    severity: Severity::Error,
};

const WORLD_WRITABLE: Gate = Gate {
    id: "world-writable",
    looks_for: "a file or folder that everybody may write, without the sticky bit",
    why: "any user of the host can change or replace what others read",
    mend: "remove the bit",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&UNDECLARED_MODE, &PRIVILEGED, &WORLD_WRITABLE];

pub(super) fn look(_scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let declared: Vec<&str> =
        subject.recipe.packages.iter().flat_map(|package| &package.special_modes).map(String::as_str).collect();
    for file in subject.package.files.iter().filter(|file| file.link.is_none()) {
        let line = format!("{} {:04o} {} {}", file.path, file.mode & 0o7777, file.user, file.group);
        let plain = file.mode & PRIVILEGE_BITS == 0 && file.user == "root" && file.group == "root";
        if !plain && !declared.contains(&line.as_str()) {
            report.add(&UNDECLARED_MODE, format!("`{line}` is not declared"));
        }
        // The group of a folder goes to what is made in it; nobody gains a privilege.
        let privileged = file.mode & PRIVILEGE_BITS != 0 && !file.folder;
        if let Some(capabilities) = &file.capabilities {
            report.add(&PRIVILEGED, format!("`{line}` has the capabilities `{capabilities}`"));
        } else if privileged {
            report.add(&PRIVILEGED, format!("`{line}` runs with privileges of its own"));
        }
        if file.mode & 0o002 != 0 && file.mode & 0o1000 == 0 {
            report.add(&WORLD_WRITABLE, format!("`{line}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use rpm::FileOptions;

    use crate::gates::made::{Made, found, found_with};

    #[test]
    fn privileges_are_declared() {
        let setuid = || Made::new("app").with("tool", FileOptions::new("/usr/bin/tool").permissions(0o4755));
        assert_eq!(found([setuid()]), ["privileged-file", "undeclared-mode"]);
        let declared = |recipe: &mut packager_recipe::Concrete| {
            recipe.packages[0].special_modes.push("/usr/bin/tool 4755 root root".to_owned());
        };
        assert_eq!(found_with([setuid()], declared), ["privileged-file"]);
        let capable =
            FileOptions::new("/usr/bin/tool").permissions(0o755).caps("cap_net_raw=ep").expect("capabilities");
        assert_eq!(found([Made::new("app").with("tool", capable)]), ["privileged-file"]);
        let owned = FileOptions::new("/var/lib/app").user("app");
        assert_eq!(found([Made::new("app").with("state", owned)]), ["undeclared-mode"]);
        let open = FileOptions::new("/usr/share/app").permissions(0o666);
        assert_eq!(found([Made::new("app").with("open", open)]), ["world-writable"]);
        let plain = FileOptions::new("/usr/bin/tool").permissions(0o755);
        assert_eq!(found([Made::new("app").with("tool", plain)]), [] as [&str; 0]);
    }
}
