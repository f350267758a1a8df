//! The management service: members of the system and its pools, in one durable database.

pub mod database;
pub mod member;
pub mod membership;
pub mod ranks;
