//! Publishing as its users see it: to a folder, to a host by `ssh`, to a bucket of a real server, read by dnf meanwhile. `garage` is run by
//! `scripts/garage`.
//!
//! Needs dnf, rpmbuild, rsync and sshd; `scripts/test` installs them. Servers listen on loopback and end with their test.

#![allow(clippy::disallowed_methods)] // a suite: it runs other programs

mod bucket;
mod further;
#[cfg(feature = "long")]
mod garage;
mod host;
mod kills;
mod places;
mod serving;
mod sites;
mod verifying;
mod yard;
