//! Form: tags and payload as the target wants them.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

const PAYLOAD: Gate = Gate {
    id: "payload",
    looks_for: "a payload of another compression than the target's",
    why: "an rpm without that compression cannot unpack it",
    mend: "correct `binary-payload:` of the target profile",
    severity: Severity::Error,
};

const DIGEST: Gate = Gate {
    id: "digest",
    looks_for: "files hashed with anything but SHA-256",
    why: "rpm's default of old, MD5, is refused by machines in FIPS mode",
    mend: "this is a mistake in the packager's macros",
    severity: Severity::Error,
};

const ARCH: Gate = Gate {
    id: "arch",
    looks_for: "a package for another architecture",
    why: "dnf does not offer it to the target's machines",
    mend: "this is a mistake in the packager",
    severity: Severity::Error,
};

const DIST: Gate = Gate {
    id: "dist",
    looks_for: "a release without the target's dist tag",
    why: "packages of two distributions would have the same name and other contents",
    mend: "let the template end `Release:` in %{?dist}",
    severity: Severity::Error,
};

const SOURCE_RPM: Gate = Gate {
    id: "source-rpm",
    looks_for: "a package that names no source package",
    why: "`dnf download --source`, debuginfo and bills of materials cannot be traced back",
    mend: "this is a mistake in the packager",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&PAYLOAD, &DIGEST, &ARCH, &DIST, &SOURCE_RPM];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let (package, target) = (subject.package, scene.target);
    let wanted = target.profile.binary_payload.split('.').nth(1).unwrap_or_default();
    if !wanted.starts_with(&package.payload) {
        report.add(&PAYLOAD, format!("has a payload of kind `{}` instead of `{wanted}`", package.payload));
    }
    if !package.sha256_files {
        report.add(&DIGEST, "does not hash its files with SHA-256");
    }
    if package.arch != target.arch.name() && package.arch != "noarch" {
        report.add(&ARCH, format!("is for `{}`", package.arch));
    }
    if !package.release.ends_with(&target.profile.dist) {
        report.add(&DIST, format!("has the release `{}` without `{}`", package.release, target.profile.dist));
    }
    if !package.source_rpm.ends_with(".src.rpm") {
        report.add(&SOURCE_RPM, "names no source package");
    }
}

#[cfg(test)]
mod tests {
    use rpm::CompressionType;

    use crate::gates::made::{Made, found, found_as_is};

    #[test]
    fn form_follows_the_target() {
        assert_eq!(found([Made::new("app")]), [] as [&str; 0]);
        let bad = Made::new("app").release("1.el9").arch("aarch64").compression(CompressionType::Gzip);
        assert_eq!(found([bad]), ["arch", "dist", "payload"]);
        // The builder of tests cannot name a source package.
        assert_eq!(found_as_is([Made::new("app")]), ["source-rpm"]);
    }
}
