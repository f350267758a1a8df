//! The harness of the install suite: a booted root into which the produced packages are installed as a user would.
//!
//! ```text
//! apt's mirror -> root.rs: debootstrap, once, cached -> container.rs: overlay + systemd-nspawn, no network but loopback
//! scripts/packager build -> repository.rs: dist/<target> -+-> web.rs: HTTP on loopback inside the container -> dnf
//!                           base.rs: what the root has   -+
//!                           higher.rs: release 2         -+
//! ```
//!
//! - **The base system** is a Debian root, so nothing tells dnf what it has. One package, `install-suite-base`, does: generated from
//!   the root itself, its sonames and symbol versions by rpm's own `elfdeps`, its programs by path. No dependency is switched off.
//! - **Release 2** costs no compiler: the real spec and sources of release 1's source package with `Release` raised and one default of
//!   `daos_server.yml` changed, built by rpmbuild in the packager's sandbox with the packager's macros, where `packager_cargo` is a script that
//!   puts the programs of release 1's packages where cargo would have put them. No debug packages: these programs are stripped.
//! - **The load** comes from the suite's own `install-load`, which the suite builds with libfabric: the guide's provider is `ofi+tcp;ofi_rxm`.
//! - **Nothing stays**: a container, its mounts, cgroups and files go when the test ends, fails, or is killed
//!   (`install-guard`). The cached root is the lower layer of an overlay and never changed. What stays is the cache,
//!   `${XDG_CACHE_HOME:-~/.cache}/packager/roots`.
//!
//! Settings, from the environment:
//! - `INSTALL_SUITE_DIST`: a folder with `<target>/` repositories to test, instead of running `scripts/packager build`;
//! - `INSTALL_SUITE_LOAD`: an `install-load` to use with these, instead of building one: a client of another version may not be understood;
//! - `INSTALL_SUITE_KILLS`: rounds of kills that `scripts/kills` makes (200);
//! - `DAOS_SUITE_KEEP`: leave each container's folder behind, to be looked at.
#![allow(clippy::disallowed_methods)] // a suite: it starts processes and writes files

mod base;
mod cgroup;
mod container;
mod dnf;
mod emulation;
mod guide;
mod higher;
mod host;
mod libraries;
mod load;
mod mirror;
mod repository;
mod root;
mod sweep;
mod web;

pub use container::{Container, Start};
pub use dnf::Source;
pub use guide::Guide;
pub use libraries::libraries;
pub use repository::{Repository, other_key, signing_key};
pub use root::{Architecture, Root};
pub use sweep::sweep;
pub use web::Web;
