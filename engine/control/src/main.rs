//! `daos_server`.

fn main() {}
