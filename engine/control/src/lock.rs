//! One server per directory: a lock file held for the life of the process.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use types::{Fault, FaultName};

/// A held lock; released when dropped, or by the kernel when the process ends in any way.
pub(crate) struct Lock {
    _file: Flock<fs::File>,
}

impl Lock {
    /// Locks `folder` for this process. `setting` names it in messages.
    pub(crate) fn take(folder: &Path, setting: &str) -> Result<Lock, Fault> {
        let denied = |error: std::io::Error| {
            Fault::new(
                FaultName::StoragePathAccessDenied,
                format!("cannot use `{setting}` `{}`: {error}", folder.display()),
                format!(
                    "make the directory, owned by daos_server's user, or change `{setting}`, and restart daos_server"
                ),
            )
        };
        fs::create_dir_all(folder).map_err(denied)?;
        let path = folder.join("daos_server.lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(denied)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                let record = || -> std::io::Result<()> {
                    file.set_len(0)?;
                    file.rewind()?;
                    writeln!(file, "{}", std::process::id())
                };
                let mut record = record;
                record().map_err(denied)?;
                Ok(Lock { _file: file })
            }
            Err((mut file, _)) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                Err(Fault::new(
                    FaultName::SocketFileInUse,
                    format!("`{setting}` `{}` is used by another daos_server (process {pid})", folder.display()),
                    format!("stop that process, or give this server a `{setting}` of its own"),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_holder() {
        let folder = tempfile::tempdir().expect("folder");
        let held = Lock::take(folder.path(), "socket_dir").expect("free");
        let fault = Lock::take(folder.path(), "socket_dir").err().expect("held");
        assert_eq!(fault.name, FaultName::SocketFileInUse);
        assert!(fault.description.contains(&format!("process {}", std::process::id())), "{}", fault.description);
        drop(held);
        assert!(Lock::take(folder.path(), "socket_dir").is_ok());
    }
}
