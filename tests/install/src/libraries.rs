//! The libraries around the store.

use crate::container::Container;

/// Parity by the installed isa-l, of vectors whose sums are known.
const SYNDROMES: &str = include_str!("syndromes.py");

/// `dnf install` of them from the repository: they load, find a provider, compute parity, and give back what they took.
pub fn libraries(container: &Container) {
    container.dnf(&["install", "libfabric", "isa-l"]).ok();
    let listed = container.shell("fi_info -p tcp");
    assert!(listed.contains("provider: tcp"), "{listed}");
    let there_and_back = "head -c 1000000 /usr/bin/python3 > /root/plain; igzip -k /root/plain; gzip -dc /root/plain.gz | cmp - /root/plain";
    container.shell(there_and_back);
    container.write("/root/syndromes.py", SYNDROMES);
    assert_eq!(container.shell("python3 /root/syndromes.py"), "81ff01ff\n52ff08e3\n");
}
