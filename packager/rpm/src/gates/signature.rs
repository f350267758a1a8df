//! Signatures: every rpm from the target's on reads and accepts them. Whether a signature fits the package and the key is `verify`'s.
//!
//! Sources: rpm's branches 4.14 to 4.19 (lib/rpmvs.c, rpmio/rpmpgp.c). rpm before 4.17 reads the issuer of a signature with a switch over the
//! subpacket's type that does not mask the critical bit, and knows no Ed25519. Crypto policies of Enterprise Linux 9 and later refuse SHA-1.
//! Packages are signed after the gates of a build, so an unsigned package is nothing to complain about here.

use packager_recipe::Target;
use packager_recipe::target::{Severity, ThreeNumbers};

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::inspect::{Inspected, SignatureForm};

const SIGNATURE: Gate = Gate {
    id: "signature",
    looks_for: "a signature of a form that the target's rpm does not read or accept",
    why: "dnf refuses the package, or says that nobody signed it",
    mend: "sign with an RSA-4096 key from `packager keys new`, by `packager sign`",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&SIGNATURE];

/// The first rpm that reads critical subpackets and Ed25519.
const READS_MORE: &str = "4.17";

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    look_at(subject.package, scene.target, report);
}

pub(super) fn look_at(package: &Inspected, target: &Target, report: &mut Report<'_>) {
    let rpm = &target.profile.rpm;
    let old = ThreeNumbers::parse(rpm) < ThreeNumbers::parse(READS_MORE);
    for signature in &package.signatures {
        for what in faults(signature, old) {
            report.add(&SIGNATURE, format!("{what}; {} has rpm {rpm}", target.name));
        }
    }
    if !package.signatures.is_empty() && !package.payload_hashed {
        report.add(&SIGNATURE, "is signed over its header, which has no hash of its payload");
    }
}

fn faults(signature: &SignatureForm, old: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if !signature.legacy {
        faults.push("is signed in the tag of rpm 6 only".to_owned());
    }
    if signature.version != 4 {
        faults.push(format!("has a signature of version {} instead of 4", signature.version));
    }
    if old && signature.algorithm != "RSA" {
        faults.push(format!("is signed with {} instead of RSA", signature.algorithm));
    }
    if !["SHA256", "SHA384", "SHA512"].contains(&signature.hash.as_str()) {
        faults.push(format!("is signed over {} instead of SHA256", signature.hash));
    }
    if !signature.issuer {
        faults.push("has a signature that does not name its issuer's key id".to_owned());
    } else if old && signature.issuer_critical {
        faults.push("has a signature whose issuer's key id is critical".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::faults;
    use crate::gates::made::{Made, found};
    use crate::inspect::SignatureForm;
    use crate::keys::tests::key;

    #[test]
    fn our_own_signatures_are_accepted() {
        assert_eq!(found([Made::new("app").signed(key())]), [] as [&str; 0]);
        assert_eq!(found([Made::new("app")]), [] as [&str; 0], "not signed yet");
    }

    #[test]
    fn old_rpm_reads_less() {
        let good = SignatureForm {
            legacy: true,
            version: 4,
            algorithm: "RSA".to_owned(),
            hash: "SHA256".to_owned(),
            issuer: true,
            issuer_critical: false,
        };
        assert_eq!(faults(&good, true), [] as [&str; 0]);
        let count = |change: fn(&mut SignatureForm), old: bool| {
            let mut form = good.clone();
            change(&mut form);
            faults(&form, old).len()
        };
        let ed25519: fn(&mut SignatureForm) = |form| form.algorithm = "EdDSALegacy".to_owned();
        assert_eq!((count(ed25519, true), count(ed25519, false)), (1, 0));
        let critical: fn(&mut SignatureForm) = |form| form.issuer_critical = true;
        assert_eq!((count(critical, true), count(critical, false)), (1, 0));
        let everywhere: [fn(&mut SignatureForm); 4] = [
            |form| form.legacy = false,
            |form| form.version = 6,
            |form| form.hash = "SHA1".to_owned(),
            |form| form.issuer = false,
        ];
        for change in everywhere {
            assert_eq!((count(change, true), count(change, false)), (1, 1));
        }
    }
}
