//! `<runtime_dir>/daos_agent.sock`: who may have it, and who may connect; `fabric::local` speaks on it.
//!
//! One agent per runtime folder: the agent holds a lock on the folder itself, so a socket file found there by the holder
//! is a leftover and is replaced. Every user of the host may connect, as with DAOS; what the agent tells is no secret.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fabric::local::Limits;
use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixListener;
use tracing::debug;
use types::{Fault, FaultName};

/// File name of the socket; clients find its folder in DAOS_AGENT_DRPC_DIR.
pub const SOCKET_NAME: &str = "daos_agent.sock";

/// A client asks once and leaves; a node starts at most some thousand processes at once.
pub(crate) const LIMITS: Limits = Limits { connections: 4096, idle: Some(Duration::from_secs(30)) };
/// Longest path of a Unix socket on Linux: `sun_path` with its terminating zero.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The socket's place, held for this agent; the file is removed when this is dropped.
pub(crate) struct Socket {
    path: PathBuf,
    _folder: Flock<File>,
}

impl Socket {
    /// Takes `runtime_dir` for this agent and listens there.
    pub(crate) fn bind(runtime_dir: &Path) -> Result<(Socket, UnixListener), Fault> {
        let path = runtime_dir.join(SOCKET_NAME);
        if path.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
            return Err(Fault::new(
                FaultName::ServerConfigBadConfig,
                format!("the socket path `{}` is longer than {MAX_SOCKET_PATH_BYTES} bytes", path.display()),
                "set runtime_dir in daos_agent.yml (or -s) to a shorter path",
            ));
        }
        let denied = |what: &str, error: &dyn std::fmt::Display| {
            Fault::new(
                FaultName::StoragePathAccessDenied,
                format!("cannot {what} `{}`: {error}", runtime_dir.display()),
                "start the agent with systemd, which makes the folder, or name another with -s or runtime_dir",
            )
        };
        std::fs::create_dir_all(runtime_dir).map_err(|error| denied("make the folder", &error))?;
        let folder = File::open(runtime_dir).map_err(|error| denied("open the folder", &error))?;
        let folder = match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(folder) => folder,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Err(in_use(&path)),
            Err((_, error)) => return Err(denied("lock the folder", &error)),
        };
        match std::fs::remove_file(&path) {
            Ok(()) => debug!(path = %path.display(), "removed the socket of an agent that is gone"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(denied("remove the old socket in", &error)),
        }
        let listener = UnixListener::bind(&path).map_err(|error| denied("make a socket in", &error))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o777))
            .map_err(|error| denied("open to all users the socket in", &error))?;
        Ok((Socket { path, _folder: folder }, listener))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // gone already is as good
    }
}

fn in_use(path: &Path) -> Fault {
    Fault::new(
        FaultName::SocketFileInUse,
        format!("another daos_agent serves `{}`", path.display()),
        "stop it (`systemctl stop daos_agent`), or give this one its own folder with -s or runtime_dir",
    )
}
