//! A host that is reached by `ssh`: a server on loopback with a key of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::yard::run;

pub(crate) struct Host {
    folder: PathBuf,
    port: u16,
    server: Child,
}

/// Starts the server.
pub(crate) fn host(folder: &Path) -> Host {
    fs::create_dir_all(folder).expect("a folder");
    for key in ["host", "user"] {
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)));
    }
    // Where its unprivileged half lives when root starts it.
    let _exists = fs::create_dir_all("/run/sshd");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nStrictModes no\nUsePAM no\nPidFile none\n",
        folder.display()
    );
    let config = folder.join("sshd_config");
    fs::write(&config, text).expect("written");
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(&config);
    let log = fs::File::create(folder.join("log")).expect("a file");
    let server = command.stdin(Stdio::null()).stderr(log).spawn().expect("sshd runs");
    let host = Host { folder: folder.to_owned(), port, server };
    let begun = Instant::now();
    loop {
        let mut words = host.ssh().split(' ').map(str::to_owned).collect::<Vec<_>>();
        words.extend(["-p".to_owned(), port.to_string(), "127.0.0.1".to_owned(), "true".to_owned()]);
        let reached = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        if reached.is_ok_and(|status| status.success()) {
            return host;
        }
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Host {
    /// How it is reached.
    pub(crate) fn ssh(&self) -> String {
        let folder = self.folder.display();
        format!(
            "ssh -F none -i {folder}/user -o UserKnownHostsFile={folder}/known -o StrictHostKeyChecking=accept-new -o BatchMode=yes"
        )
    }

    /// The address of a folder of it.
    pub(crate) fn address(&self, folder: &Path) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, folder.display())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _ended = self.server.wait();
    }
}
