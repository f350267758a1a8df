//! `daos_server.yml`, `daos_agent.yml` and `daos_control.yml`: schema, rules and faults. Pure: text in, settings or
//! findings out.

mod bdev_conf;

pub use bdev_conf::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, ScmConf};
