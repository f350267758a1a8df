//! What dnf must refuse: packages and metadata that were changed, or signed by somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use install_suite::{Architecture, Container, Repository, Root, Source, Start, Web, other_key};
use packager_rpm::{SigningKey, sign};

use super::TARGET;

const INSTALL: [&str; 4] = ["install", "daos-server", "daos-client", "daos-admin"];

/// A bare container that sees a repository, and the parts to make bad ones.
struct Stage {
    container: Container,
    web: Web,
    repository: Repository,
}

impl Stage {
    fn set() -> Stage {
        let root = Root::of(Architecture::X86_64);
        let repository = Repository::produced(TARGET);
        let container = Container::start(&root, Start::Bare);
        let web = Web::serve(&container);
        let base = root.base_repository(TARGET, &container.folder().join("base"));
        web.publish("base", &base.folder);
        container.add_source(&Source::of(&base, &web, "base"));
        Stage { container, web, repository }
    }

    /// A copy to be spoilt, published as `daos`.
    fn spoilt(&self, name: &str, spoil: impl FnOnce(&Repository)) {
        let copy = self.repository.copy(&self.container.folder().join(name));
        spoil(&copy);
        self.web.publish("daos", &copy.folder);
        self.container.add_source(&Source::of(&copy, &self.web, "daos"));
    }
}

/// Changes a byte near the end: in the payload of a package, in the last element of metadata.
fn change(path: &Path) {
    let mut bytes = fs::read(path).expect("a file of the copy");
    let at = bytes.len() - bytes.len() / 8;
    bytes[at] ^= 0x20;
    fs::write(path, bytes).expect("a file of the copy");
}

fn server(repository: &Repository) -> PathBuf {
    let is_server =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("daos-server-"));
    repository.packages().into_iter().find(is_server).expect("the repository has a server")
}

fn sign_all(repository: &Repository, key: &SigningKey) {
    for package in repository.packages() {
        sign::sign(&package, &package, key, key.time_for(0)).expect("a key signs a package");
    }
}

#[test]
fn dnf_refuses_what_was_changed_or_signed_by_another() {
    let stage = Stage::set();
    // The package differs from what the signed metadata say.
    stage.spoilt("changed-package", |copy| change(&server(copy)));
    stage.container.dnf_refuses(&INSTALL, "hecksum");
    // The metadata were written for the changed package and signed with the trusted key: the package's own signature holds.
    stage.spoilt("changed-package-described", |copy| {
        change(&server(copy));
        copy.describe(&install_suite::signing_key());
    });
    stage.container.dnf_refuses(&INSTALL, "GPG check FAILED");
    stage.spoilt("changed-metadata", |copy| change(&copy.folder.join("repodata/repomd.xml")));
    stage.container.dnf_refuses(&INSTALL, "repomd.xml GPG signature verification error");
    // Everything is in order, but the signer is nobody who is trusted.
    stage.spoilt("other-signer", |copy| {
        sign_all(copy, &other_key());
        copy.describe(&other_key());
    });
    stage.container.dnf_refuses(&INSTALL, "repomd.xml GPG signature verification error");
    stage.spoilt("other-signer-of-packages", |copy| {
        sign_all(copy, &other_key());
        copy.describe(&install_suite::signing_key());
    });
    stage.container.dnf_refuses(&INSTALL, "GPG check FAILED");
    // And the same container takes what is good.
    stage.spoilt("good", |_| {});
    stage.container.shell("dnf -q clean all");
    stage.container.dnf(&INSTALL).ok();
}
