//! `<socket_dir>/daos_engine<N>.pid` and `.ready`: how a new `daos_server` finds engines that outlived the old one.
//!
//! The pid file is written right after the process was started: pid and start time, so that a reused pid is not taken
//! for the engine. The ready file keeps the engine's NOTIFY_READY, which it need not send again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::proto::drpc::NotifyReadyReq;

/// A process and when it started, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    pub(crate) started: u64,
}

impl Identity {
    /// Of a running process; `None` when there is none, or only a zombie.
    pub(crate) fn of(pid: u32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command name in parentheses may contain anything; fields are counted behind the last one.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        Some(Identity { pid, started: fields.nth(18)?.parse().ok()? })
    }
}

/// What an engine said in NOTIFY_READY.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ready {
    pid: u32,
    instance: u32,
    uuid: String,
    incarnation: u64,
    uri: String,
    targets: u32,
    socket: String,
}

/// The two files of one engine.
#[derive(Debug, Clone)]
pub(crate) struct PidFile {
    pid: PathBuf,
    ready: PathBuf,
}

impl PidFile {
    pub(crate) fn new(socket_dir: &Path, index: u32) -> PidFile {
        let file = |ending: &str| socket_dir.join(format!("daos_engine{index}.{ending}"));
        PidFile { pid: file("pid"), ready: file("ready") }
    }

    /// Records a process that was just started.
    pub(crate) fn write(&self, identity: Identity) -> io::Result<()> {
        let _ = fs::remove_file(&self.ready);
        replace(&self.pid, format!("{} {}\n", identity.pid, identity.started).as_bytes())
    }

    /// The recorded process, when it still runs.
    pub(crate) fn running(&self) -> Option<Identity> {
        let text = fs::read_to_string(&self.pid).ok()?;
        let mut fields = text.split_whitespace();
        let recorded = Identity { pid: fields.next()?.parse().ok()?, started: fields.next()?.parse().ok()? };
        Identity::of(recorded.pid).filter(|running| *running == recorded)
    }

    pub(crate) fn write_ready(&self, pid: u32, ready: &NotifyReadyReq) -> io::Result<()> {
        let ready = Ready {
            pid,
            instance: ready.instance,
            uuid: ready.uuid.clone(),
            incarnation: ready.incarnation,
            uri: ready.uri.clone(),
            targets: ready.targets,
            socket: ready.socket.clone(),
        };
        replace(&self.ready, &serde_json::to_vec(&ready).expect("plain data"))
    }

    /// What process `pid` said when it became ready.
    pub(crate) fn ready(&self, pid: u32) -> Option<NotifyReadyReq> {
        let ready: Ready = serde_json::from_slice(&fs::read(&self.ready).ok()?).ok()?;
        (ready.pid == pid).then(|| NotifyReadyReq {
            instance: ready.instance,
            uuid: ready.uuid,
            incarnation: ready.incarnation,
            uri: ready.uri,
            targets: ready.targets,
            socket: ready.socket,
            ..NotifyReadyReq::default()
        })
    }

    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.pid);
        let _ = fs::remove_file(&self.ready);
    }
}

/// Replaces a file as a whole. Not flushed: after a power loss there is no engine to find.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_process_is_found_again() {
        let folder = tempfile::tempdir().expect("folder");
        let file = PidFile::new(folder.path(), 0);
        assert_eq!(file.running(), None);
        let own = Identity::of(std::process::id()).expect("this process runs");
        file.write(own).expect("writes");
        assert_eq!(file.running(), Some(own));
        file.write(Identity { started: own.started + 1, ..own }).expect("writes");
        assert_eq!(file.running(), None, "the pid was reused");
        file.remove();
        assert_eq!(file.running(), None);
    }

    #[test]
    fn readiness_belongs_to_one_process() {
        let folder = tempfile::tempdir().expect("folder");
        let file = PidFile::new(folder.path(), 1);
        let ready = NotifyReadyReq { instance: 1, uri: "ofi+tcp://h:1".to_owned(), ..NotifyReadyReq::default() };
        file.write_ready(77, &ready).expect("writes");
        assert_eq!(file.ready(77), Some(ready));
        assert_eq!(file.ready(78), None);
        file.write(Identity { pid: 79, started: 1 }).expect("writes");
        assert_eq!(file.ready(77), None, "a new start forgets");
    }
}
