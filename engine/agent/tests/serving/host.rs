//! A host: a folder with a configuration, and the agent that runs there.

use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wire::drpc::{LENGTH_BYTES, call, decode, decode_length, encode};
use wire::fault::Failure;
use wire::proto::drpc::{Answer, Method};

/// Long enough for a loaded machine; a state is waited for, not this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a state is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Waits for a state.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(GLANCE).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {PATIENCE:?}: {what}");
}

pub(crate) struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new(access_points: &str, more: &str) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "access_points: ['{access_points}']\nruntime_dir: {0}/run\nlog_file: {0}/log\n\
             transport_config: {{allow_insecure: true}}\n{more}",
            folder.path().display()
        );
        std::fs::write(folder.path().join("daos_agent.yml"), config).unwrap();
        Host { folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("run/daos_agent.sock")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daos_agent"));
        command.arg("-o").arg(self.folder.path().join("daos_agent.yml")).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Runs the agent to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        timeout(PATIENCE, self.command().args(arguments).output()).await.expect("it ends").unwrap()
    }

    /// Writes bytes to the socket and waits until the agent hangs up.
    pub(crate) async fn speak(&self, bytes: &[u8]) {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        // a reset is a hang-up too: the agent did not read all that was sent
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the agent hangs up");
    }
}

pub(crate) struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts it and waits until it accepts clients.
    pub(crate) async fn start(host: &Host) -> Agent {
        let child = host.command().spawn().unwrap();
        let agent = Agent { child, socket: host.socket() };
        let accepts = || std::os::unix::net::UnixStream::connect(&agent.socket).is_ok();
        until("the agent accepts clients", accepts).await;
        agent
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it was not waited for");
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// One call on a connection of its own.
    pub(crate) async fn call<R: Message + Default>(
        &self,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(&encode(&call(method, 7, request)).unwrap()).await.unwrap();
        let mut length = [0; LENGTH_BYTES];
        timeout(PATIENCE, stream.read_exact(&mut length)).await.expect("an answer").unwrap();
        let mut body = vec![0; decode_length(length).unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let answer: Answer = decode(body.into()).unwrap();
        assert_eq!(answer.sequence, 7);
        Ok(decode(Failure::check_answer(answer)?).unwrap())
    }
}
