//! `<runtime_dir>/daos_agent.sock`: accepts local calls and writes the answers.
//!
//! One agent per runtime folder: the agent holds a lock on the folder itself, so a socket file found there by the holder
//! is a leftover and is replaced. Every user of the host may connect, as with DAOS; what the agent tells is no secret.
//! On the socket: length u32 little-endian and a `drpc.Call`; back: length and a `drpc.Answer`, one call at a time.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};
use types::{Fault, FaultName, Status};
use wire::drpc::{self, LENGTH_BYTES};
use wire::fault::Failure;
use wire::proto::drpc::{Answer, Call};

/// File name of the socket; clients find its folder in DAOS_AGENT_DRPC_DIR.
pub const SOCKET_NAME: &str = "daos_agent.sock";

/// Most connections at a time. A client asks once and leaves; a node starts at most some thousand processes at once.
const MAX_CONNECTIONS: usize = 4096;
/// How long a connection may be silent, so that clients which keep it do not use up the places.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest path of a Unix socket on Linux: `sun_path` with its terminating zero.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The listening socket; removed when this is dropped.
pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
    _folder: Flock<File>,
}

impl Socket {
    /// Takes `runtime_dir` for this agent and listens there.
    pub(crate) fn bind(runtime_dir: &Path) -> Result<Socket, Fault> {
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
        Ok(Socket { path, listener, _folder: folder })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves connections until it is dropped.
    pub(crate) async fn serve<F>(&self, answer: impl Fn(Call) -> F + Clone + Send + Sync + 'static)
    where
        F: Future<Output = Answer> + Send,
    {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let answer = answer.clone();
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = converse(stream, answer).await {
                            debug!("a client's connection ended: {error}");
                        }
                    });
                }
                Err(error) => {
                    // out of descriptors; those in use come back when clients leave
                    warn!("cannot accept a client: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
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

async fn converse<F>(mut stream: UnixStream, answer: impl Fn(Call) -> F) -> io::Result<()>
where
    F: Future<Output = Answer>,
{
    while let Some(call) = timeout(IDLE_TIMEOUT, read_call(&mut stream)).await?? {
        let sequence = call.sequence;
        let bytes = drpc::encode(&answer(call).await).or_else(|error| {
            let failure = Failure::new(Status::TooBig, error.to_string());
            drpc::encode(&failure.to_answer(sequence)).map_err(io::Error::other)
        })?;
        timeout(IDLE_TIMEOUT, stream.write_all(&bytes)).await??;
    }
    Ok(())
}

/// The next call, or nothing when the client has left between two of them.
async fn read_call(stream: &mut UnixStream) -> io::Result<Option<Call>> {
    let mut prefix = [0; LENGTH_BYTES];
    match stream.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let mut body = vec![0; drpc::decode_length(prefix).map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    drpc::decode(body.into()).map(Some).map_err(io::Error::other)
}
