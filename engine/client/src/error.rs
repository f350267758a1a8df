//! Why a call of the library failed: what was tried on what, and what to do about it.

use fabric::ConnectionError;
use types::{KeyError, Status};
use wire::fault::Failure;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The agent could not be asked.
    #[error("cannot {what} through daos_agent: {}", failure.message)]
    Agent {
        /// What was asked of it.
        what: &'static str,
        /// What it or the system said.
        failure: Failure,
        /// True when nothing answered on its socket.
        away: bool,
    },
    /// The pool service refused or failed.
    #[error("{what}: {}", failure.message)]
    Service {
        /// What was tried.
        what: String,
        /// What the service said.
        failure: Failure,
    },
    /// A target refused an operation.
    #[error("{what}: {status}")]
    Refused {
        /// What was tried.
        what: String,
        /// Why not.
        status: Status,
    },
    /// An engine could not be reached.
    #[error("{what}: {source}")]
    Connection {
        /// What was tried.
        what: String,
        /// How it failed, after the last repeat.
        source: ConnectionError,
    },
    /// A conditional change may or may not have happened: the connection ended before its answer came.
    #[error("{what}: the connection ended before the answer came ({source}); whether it happened is not known")]
    Uncertain {
        /// What was tried.
        what: String,
        /// How the connection ended.
        source: ConnectionError,
    },
    /// Data arrived that does not match its checksums.
    #[error("{what}: the data received does not match its checksum at byte {offset}")]
    Checksum {
        /// What was read.
        what: String,
        /// Where the first bad chunk begins.
        offset: u64,
    },
    /// The engine answered something that is no answer to the question.
    #[error("{what}: the engine broke the protocol: {reason}")]
    Protocol {
        /// What was tried.
        what: String,
        /// How.
        reason: String,
    },
    /// Bytes that are no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Something that cannot be asked for.
    #[error("{what}: {reason}")]
    Invalid {
        /// What was tried.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// The DER status to report.
    pub fn status(&self) -> Status {
        match self {
            Error::Agent { failure, .. } | Error::Service { failure, .. } => failure.status,
            Error::Refused { status, .. } => *status,
            Error::Connection { source, .. } | Error::Uncertain { source, .. } => source.status(),
            Error::Checksum { .. } => Status::Checksum,
            Error::Protocol { .. } => Status::Protocol,
            Error::Key(KeyError::TooLong(_)) => Status::TooBig,
            Error::Key(KeyError::Empty) | Error::Invalid { .. } => Status::Invalid,
        }
    }

    /// What to do about it, when something is known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Agent { away: true, .. } => {
                "start daos_agent (`systemctl start daos_agent`), or set DAOS_AGENT_DRPC_DIR to the folder of its socket".to_owned()
            }
            Error::Agent { failure, .. } | Error::Service { failure, .. } => failure.resolution.clone(),
            Error::Refused { status, .. } => match status {
                Status::NoSpace => "remove something, or create a larger pool; `daos pool query` shows what is free",
                Status::Io => "a device of the engine failed; see the engine's log and `dmg storage scan`",
                Status::Checksum => "the stored value is damaged and was not served; write it again or restore it, and check the device",
                Status::NoHandle => "it or its pool was destroyed; `daos container list` shows the containers of a pool",
                Status::Restart => "read without an epoch, or at one from which on history is whole: `daos container query` shows it",
                Status::Nonexistent => "check the names; `daos container list` shows the containers of a pool",
                _ => "",
            }
            .to_owned(),
            Error::Connection { .. } | Error::Uncertain { .. } => {
                "check with `dmg system query` that the engines run, and that their fabric ports are open".to_owned()
            }
            Error::Checksum { .. } => "read again; if it stays, check the network and the client's memory".to_owned(),
            Error::Protocol { .. } => "use the same version of client and servers".to_owned(),
            Error::Key(_) => format!("use a key of 1 to {} bytes", types::MAX_KEY_BYTES),
            Error::Invalid { .. } => String::new(),
        };
        if text.is_empty() { None } else { Some(text) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let fault = match &error {
            Error::Agent { failure, .. } | Error::Service { failure, .. } => failure.fault,
            _ => None,
        };
        Failure {
            status: error.status(),
            fault,
            message: error.to_string(),
            resolution: error.hint().unwrap_or_default(),
        }
    }
}
