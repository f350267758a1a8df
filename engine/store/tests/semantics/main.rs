//! What the operations mean beyond values and lists: kinds of keys, record sizes, conditions, queries; snapshots, merging and discarding of
//! history; prepared transactions.

#[path = "../target/mod.rs"]
mod target;

mod history;
mod keys;
mod transactions;
