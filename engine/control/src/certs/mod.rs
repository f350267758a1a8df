//! Certificates of one system: making them, and loading them for the control plane.
//!
//! Files, names and modes are DAOS's (utils/certs/gen_certificates.sh); the keys are ECDSA P-256 for the reason in
//! docs/adr, "Certificates are ECDSA P-256". What a certificate must look like is checked in `config::certificate`.

mod generate;
mod load;

pub use generate::{DEFAULT_DAYS, GenerateError, Generated, Options, Scope, generate};
pub use load::{Loaded, load};

#[cfg(test)]
mod tests;
