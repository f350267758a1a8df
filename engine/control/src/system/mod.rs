//! The management service: members of the system and its pools, in one durable database.

pub mod database;
mod liveness;
pub mod member;
pub mod membership;
mod pool_plan;
mod pool_requests;
mod pools;
mod rank_action;
pub mod ranks;
mod service;

pub(crate) use rank_action::RankAction;
pub(crate) use service::{Identity, System, check_name};
