//! What a request does to a system: the transaction, or why there is none.
//!
//! The rules of rpm become clauses over packages (`logic`, `rules`), a SAT solver says which decisions can be kept (`sat`), and
//! the decisions are made in the order and with the preferences of libsolv (`decide`, `preference`). What was decided becomes a
//! [`Transaction`]; clauses that contradict each other become a [`Conflict`] in sentences.
//! packager/docs/resolver.md describes model, encoding and order.

mod conflict;
mod decide;
mod logic;
mod preference;
mod request;
mod rules;
mod sat;
mod transaction;

pub use conflict::Conflict;
pub use request::{Goal, Request, RequestError, resolve};
pub use transaction::{Action, Change, Transaction};
