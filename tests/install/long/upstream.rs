//! The upstream projects that copies are at hand of, installed together from one repository: what each is for works. Many minutes of compiling for
//! each architecture, so `scripts/stack` runs it, not `scripts/test`.
#![allow(clippy::disallowed_methods)] // a suite: it runs programs and writes files

use install_suite::{Architecture, Container, Repository, Root, Source, Start, Web, libraries};

/// What is built, as its makers call it.
const BUILT: [&str; 5] = ["libfabric", "isa-l", "ucx", "pmdk", "dpdk"];

/// What is installed of it, beside what these require and `libraries` installs.
const INSTALLED: [&str; 4] = ["ucx", "pmempool", "libpmemobj", "daos-dpdk"];

/// DPDK without huge pages, devices and files in /run; it says its version when it is up. Its libraries are in a folder that only DAOS's programs
/// search.
const EAL: &str = "\
from ctypes import CDLL, c_char_p
eal = CDLL('/usr/lib64/daos_srv/librte_eal.so.23')
words = [b'eal', b'--no-huge', b'--no-pci', b'--no-shconf', b'-m', b'64', b'-l', b'0']
assert eal.rte_eal_init(len(words), (c_char_p * len(words))(*words)) >= 0
eal.rte_version.restype = c_char_p
print(eal.rte_version().decode())
";

#[test]
fn on_x86_64() {
    the_stack_installs_and_works("almalinux-8-x86_64", Architecture::X86_64);
}

#[test]
fn on_aarch64() {
    the_stack_installs_and_works("openeuler-22.03-aarch64", Architecture::Aarch64);
}

fn the_stack_installs_and_works(target: &str, architecture: Architecture) {
    let root = Root::of(architecture);
    let repository = Repository::of(&BUILT, target, env!("CARGO_TARGET_TMPDIR"));
    let container = Container::start(&root, Start::Bare);
    let web = Web::serve(&container);
    let base = root.base_repository(target, &container.folder().join("base"));
    for (name, repository) in [("base", &base), ("daos", &repository)] {
        web.publish(name, &repository.folder);
        container.add_source(&Source::of(repository, &web, name));
    }
    libraries(&container);
    container.dnf(&[&["install"][..], &INSTALLED].concat()).ok();
    assert_eq!(container.shell(&format!("rpm -V {}", INSTALLED.join(" "))), "", "rpm -V after the installation");

    let ucx = container.shell("ucx_info -v; ucx_info -d");
    assert!(ucx.contains("1.13.1") && ucx.contains("Transport: tcp"), "{ucx}");
    let pool = "pmempool create obj --layout stack --size 20M /root/pool; pmempool check -v /root/pool; pmempool info /root/pool";
    let said = container.shell(pool);
    assert!(said.contains("/root/pool: consistent") && said.contains("stack"), "{said}");
    // Where it looks for vfio: a container has a part of /sys only.
    container.shell("mount -o remount,rw /sys; mkdir -p /sys/module");
    container.write("/root/eal.py", EAL);
    let said = container.shell("LD_LIBRARY_PATH=/usr/lib64/daos_srv python3 /root/eal.py");
    assert!(said.contains("DPDK 22.11.11"), "{said}");
}
