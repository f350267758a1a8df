//! How a client finds its agent, and how patient it is.

use std::path::PathBuf;
use std::time::Duration;

/// Where DAOS's agents listen when nothing else is said.
const DEFAULT_AGENT_DIR: &str = "/var/run/daos_agent";

/// Settings of a [`crate::System`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the agent's socket, `daos_agent.sock`.
    pub agent_dir: PathBuf,
    /// Name of the system, 1 to 15 bytes.
    pub system: String,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For one answer.
    pub call_timeout: Duration,
    /// How long an engine may be away before a call gives up. Zero: no repeats.
    pub retry_for: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            agent_dir: PathBuf::from(DEFAULT_AGENT_DIR),
            system: "daos_server".to_owned(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            retry_for: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// The defaults, with the agent's folder from `DAOS_AGENT_DRPC_DIR` when that is set and not empty.
    pub fn from_env() -> Settings {
        let mut settings = Settings::default();
        if let Some(folder) = std::env::var_os("DAOS_AGENT_DRPC_DIR").filter(|folder| !folder.is_empty()) {
            settings.agent_dir = folder.into();
        }
        settings
    }
}
