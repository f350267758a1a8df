//! Metadata as other programs see it: byte for byte what `createrepo_c` writes, read by dnf, changed without the packages.
//!
//! Needs `createrepo_c` 0.17, dnf and rpmbuild; `scripts/test` installs them. Packages are made once for all tests.

#![allow(clippy::disallowed_methods)] // a suite: it runs other programs

mod attached;
mod changes;
mod equal;
mod solver;
mod yard;
