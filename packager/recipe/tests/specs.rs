//! The spec of the storage stack for every target, as rendered: what changes for one distribution is seen in review.

#![allow(clippy::disallowed_methods)] // a suite: it reads the project's recipes

mod rendering;

use std::collections::BTreeMap;

use packager_recipe::spec::Templates;
use rendering::{TARGETS, rendered_of};

fn rendered(name: &str) -> String {
    rendered_of("daos", name)
}

#[test]
fn the_whole_spec_for_one_target() {
    insta::assert_snapshot!(rendered("openeuler-22.03-aarch64"));
}

#[test]
fn the_whole_spec_of_an_upstream_project() {
    insta::assert_snapshot!(rendered_of("isa-l", "openeuler-22.03-aarch64"));
}

#[test]
fn a_project_of_meson_is_rendered_as_a_distribution_would_write_it() {
    let spec = rendered_of("daos-dpdk", "openeuler-22.03-aarch64");
    let wanted = [
        "%global __provides_exclude_from ^/usr/lib64/daos_srv/.*$\n%global __requires_exclude ^(librte_).*$\n",
        "%meson --datadir=%{_datadir}/daos_srv --default-library=shared ",
        " '-Ddisable_apps=*' ",
        " -Denable_drivers=bus/pci,bus/vdev,mempool/ring,mempool/stack ",
        "--libdir=%{_libdir}/daos_srv -Dmax_lcores=1024 -Dplatform=generic -Dtests=false\n%meson_build\n",
        "rm -rf %{buildroot}/usr/lib64/daos_srv/*.a\n",
    ];
    for part in wanted {
        assert!(spec.contains(part), "`{part}` is not in:\n{spec}");
    }
    assert!(!spec.contains("gcc-c++") && !spec.contains("cross-file"), "{spec}");
}

#[test]
fn flags_and_other_languages_are_in_the_spec() {
    let spec = rendered_of("ucx", "almalinux-8-x86_64");
    assert!(spec.contains("BuildRequires:  gcc-c++\n"), "{spec}");
    assert!(spec.contains("export CXXFLAGS=\"${CXXFLAGS:-%{optflags}} -Wno-error\"\n"), "{spec}");
}

#[test]
fn options_without_their_libraries_are_off() {
    let spec = rendered_of("libfabric", "openeuler-22.03-aarch64");
    assert!(spec.contains("--disable-opx --disable-psm2 --disable-ucx --disable-verbs"), "{spec}");
}

/// Every other target, as the lines in which it differs from the first.
#[test]
fn what_targets_differ_in() {
    let first = rendered(TARGETS[0]);
    let mut text = String::new();
    for name in TARGETS {
        text.push_str(&format!("{name}\n"));
        let other = rendered(name);
        assert_eq!(first.lines().count(), other.lines().count());
        for (_, line) in first.lines().zip(other.lines()).filter(|(a, b)| a != b) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_percent_sign_in_the_changelog_is_no_macro() {
    assert!(rendered(TARGETS[0]).contains("- 100%% of it."));
}

#[test]
fn a_template_that_asks_for_something_unknown_is_an_error() {
    let error = Templates::new([])
        .expect("no parts")
        .render("t", "{{nothing}}", &BTreeMap::<String, String>::new())
        .expect_err("strict");
    assert!(error.to_string().contains("template `t`"));
}
