//! The management service: members of the system and its pools, in one durable database.

pub mod database;
pub mod member;
pub mod membership;
mod pools;
pub mod ranks;
mod service;

pub(crate) use service::{Identity, RankAction, System, check_name};
