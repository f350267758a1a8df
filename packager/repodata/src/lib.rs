//! Repository metadata: what a package's header says, as the XML that dnf reads, and back.
//!
//! Pure: bytes in, bytes out. Files, clocks and threads are the caller's; readers and writers come as arguments. Every decoder is
//! total and states what it may allocate: [`header`] for packages, [`read`] for metadata. The formats, and how they compare with
//! `createrepo_c`, are drawn in `packager/docs/repodata.md`; groups and advisories in `packager/docs/groups-and-advisories.md`.

pub mod advisory;
pub mod compression;
pub mod comps;
pub mod header;
pub mod model;
pub mod package;
pub mod read;
pub mod text;
pub mod write;

pub use compression::Compression;
pub use model::Package;
