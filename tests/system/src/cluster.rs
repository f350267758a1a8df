//! One server, its engines and one agent, in a temporary folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use client::{Settings, System};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::{Outcome, program, wait_for};

/// The guide's files, as printed.
const GUIDE_SERVER: &str = include_str!("../fixtures/guide-server.yml");
const GUIDE_AGENT: &str = include_str!("../fixtures/guide-agent.yml");
const GUIDE_CONTROL: &str = include_str!("../fixtures/guide-control.yml");

/// How long a start, join or stop may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Targets of each engine.
    pub targets: u32,
    /// Engines of the server.
    pub engines: u32,
    /// `bdev_size` of each engine.
    pub bdev_gib: u32,
    /// Mutual TLS instead of `allow_insecure`.
    pub secure: bool,
    /// Whether a killed engine is started again by the server.
    pub restart: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { targets: 2, engines: 1, bdev_gib: 6, secure: false, restart: true }
    }
}

/// A running cluster.
pub struct Cluster {
    folder: TempDir,
    options: Options,
    port: u16,
    server: Option<Child>,
    agent: Option<Child>,
}

impl Cluster {
    /// Starts everything and formats.
    pub fn start(options: Options) -> Cluster {
        let mut cluster = Cluster::configure(options);
        cluster.start_server();
        cluster.dmg(&["storage", "format"]).ok();
        cluster.wait_joined();
        cluster.start_agent();
        cluster
    }

    /// Writes configuration and certificates and starts nothing.
    pub fn configure(options: Options) -> Cluster {
        let folder = tempfile::Builder::new().prefix("daos-suite-").tempdir().expect("a temporary folder");
        let cluster = Cluster { folder, port: free_port(), options, server: None, agent: None };
        for part in ["etc", "log", "run/server", "run/agent", "metadata"] {
            fs::create_dir_all(cluster.path(part)).expect("folders in a fresh folder");
        }
        if cluster.options.secure {
            let certs = cluster.path("certs");
            let text = certs.to_str().expect("temporary folders are UTF-8");
            Outcome::of(Command::new(program("daos_server")).args(["certs", "generate", text])).ok();
        }
        cluster.write_configuration();
        cluster
    }

    fn write_configuration(&self) {
        fs::write(self.path("etc/daos_server.yml"), self.server_yaml()).expect("a file in a fresh folder");
        let agent = self.transport(GUIDE_AGENT, "agent");
        let agent = substitute(
            &agent,
            &[("['node0','node1']", "['127.0.0.1']"), ("port: 10001", &format!("port: {}", self.port))],
        );
        let agent = substitute(
            &agent,
            &[("/var/log/daos/daos_agent.log", &self.text("log/daos_agent.log")), ("enp94s0f1", "lo")],
        );
        let agent = format!("{agent}\nruntime_dir: {}\n", self.text("run/agent"));
        fs::write(self.path("etc/daos_agent.yml"), agent).expect("a file in a fresh folder");
        let control = self.transport(GUIDE_CONTROL, "admin");
        let control =
            substitute(&control, &[("['node0']", "['127.0.0.1']"), ("port: 10001", &format!("port: {}", self.port))]);
        fs::write(self.path("etc/daos_control.yml"), control).expect("a file in a fresh folder");
    }

    /// The guide's `daos_server.yml` with names, sizes and paths of this cluster.
    fn server_yaml(&self) -> String {
        let (head, engine) = GUIDE_SERVER.split_once("engines:\n").expect("the guide lists engines");
        let head = substitute(
            &self.transport(head, "server"),
            &[
                ("['node0','node1']", &format!("['127.0.0.1:{}']", self.port)),
                ("/var/log/daos/daos_server.log", &self.text("log/daos_server.log")),
                ("/var/lib/daos", &self.text("metadata")),
                ("telemetry_port: 9191", &format!("telemetry_port: {}", free_port())),
            ],
        );
        let mut text = format!("{head}port: {}\nsocket_dir: {}\n", self.port, self.text("run/server"));
        if !self.options.restart {
            text.push_str("disable_engine_auto_restart: true\n");
        }
        text.push_str("engines:\n");
        for index in 0..self.options.engines {
            fs::create_dir_all(self.path(&format!("scm{index}"))).expect("folders in a fresh folder");
            text.push_str(&substitute(
                engine,
                &[
                    ("targets: 1", &format!("targets: {}", self.options.targets)),
                    ("first_core: 0", &format!("first_core: {}", index * self.options.targets)),
                    ("enp0s8", "lo"),
                    ("31416", &free_port().to_string()),
                    ("/var/log/daos/daos_engine.log", &self.text(&format!("log/daos_engine{index}.log"))),
                    ("/mnt/daos_scm", &self.text(&format!("scm{index}"))),
                    ("/var/tmp/daos-bdev", &self.text(&format!("bdev{index}"))),
                    ("bdev_size: 16", &format!("bdev_size: {}", self.options.bdev_gib)),
                ],
            ));
        }
        text
    }

    /// Replaces the guide's `allow_insecure` by the certificates of `role` when this cluster is secure.
    fn transport(&self, text: &str, role: &str) -> String {
        if !self.options.secure {
            return text.to_owned();
        }
        let (head, rest) = text.split_once("allow_insecure: true").expect("the guide is insecure");
        let indent = &head[head.rfind('\n').map_or(0, |at| at + 1)..];
        let mut lines = vec![format!("ca_cert: {}", self.text("certs/daosCA/certs/daosCA.crt"))];
        lines.push(format!("cert: {}", self.text(&format!("certs/daosCA/certs/{role}.crt"))));
        lines.push(format!("key: {}", self.text(&format!("certs/daosCA/certs/{role}.key"))));
        if role == "server" {
            lines.push(format!("client_cert_dir: {}", self.text("certs/daosCA/certs/clients")));
        }
        format!("{head}{}{rest}", lines.join(&format!("\n{indent}")))
    }

    /// A path in the cluster's folder.
    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    fn text(&self, part: &str) -> String {
        self.path(part).to_str().expect("temporary folders are UTF-8").to_owned()
    }

    /// The control port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts `daos_server` and waits until it answers.
    pub fn start_server(&mut self) {
        self.server = Some(self.spawn("daos_server", &["start", "-o", &self.text("etc/daos_server.yml")]));
        wait_for("daos_server answers", PATIENCE, || {
            let gone = self.server.as_mut().and_then(|server| server.try_wait().expect("a child can be waited for"));
            assert!(gone.is_none(), "daos_server ended: {gone:?}\n{}", self.logs());
            (self.dmg(&["storage", "scan"]).code == 0).then_some(())
        });
    }

    /// Starts `daos_agent` and waits for its socket.
    pub fn start_agent(&mut self) {
        self.agent = Some(self.spawn("daos_agent", &["-o", &self.text("etc/daos_agent.yml")]));
        let socket = self.path("run/agent/daos_agent.sock");
        wait_for("daos_agent listens", PATIENCE, || std::os::unix::net::UnixStream::connect(&socket).ok());
    }

    fn spawn(&self, name: &str, arguments: &[&str]) -> Child {
        let output =
            fs::File::options().create(true).append(true).open(self.path(&format!("log/{name}.out"))).expect("a log");
        Command::new(program(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"))
    }

    /// Waits until every rank is joined.
    pub fn wait_joined(&self) {
        let ranks = self.options.engines as usize;
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let query = self.dmg(&["--json", "system", "query"]);
            let joined = query.stdout.matches("\"joined\"").count();
            if query.code == 0 && joined == ranks {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "not joined: {query:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs dmg.
    pub fn dmg(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(Command::new(program("dmg")).arg("-o").arg(self.path("etc/daos_control.yml")).args(arguments))
    }

    /// Runs daos.
    pub fn daos(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.daos_command().args(arguments))
    }

    /// daos, to be run with more than arguments.
    pub fn daos_command(&self) -> Command {
        let mut command = Command::new(program("daos"));
        command.env("DAOS_AGENT_DRPC_DIR", self.path("run/agent"));
        command
    }

    /// Settings of the client library for this cluster.
    pub fn settings(&self) -> Settings {
        Settings { agent_dir: self.path("run/agent"), ..Settings::default() }
    }

    /// The client library, connected.
    pub async fn system(&self) -> System {
        System::connect(self.settings()).await.expect("the agent answers")
    }

    /// Process id of a running engine.
    pub fn engine_pid(&self, index: u32) -> Option<i32> {
        let folder = self.text("metadata");
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let arguments: Vec<&str> =
                line.split(|byte| *byte == 0).filter_map(|part| std::str::from_utf8(part).ok()).collect();
            let ours = arguments.first()?.ends_with("daos_engine")
                && arguments.iter().any(|argument| argument.starts_with(&folder))
                && arguments.windows(2).any(|pair| pair == ["-I", &index.to_string()]);
            ours.then_some(pid)
        })
    }

    /// `kill -9` of an engine; waits until it is gone.
    pub fn kill_engine(&self, index: u32) {
        let pid = wait_for("the engine runs", PATIENCE, || self.engine_pid(index));
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs as our user");
        wait_for("the killed engine is gone", PATIENCE, || (self.engine_pid(index) != Some(pid)).then_some(()));
    }

    /// `kill -9` of the server; its engines go on.
    pub fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it is our child");
            server.wait().expect("it is our child");
        }
    }

    /// Ends the server, and with it its engines, in order.
    pub fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            end(&mut server, Signal::SIGTERM);
        }
        for index in 0..self.options.engines {
            wait_for("the engine ended", PATIENCE, || self.engine_pid(index).is_none().then_some(()));
        }
    }

    /// Ends the agent.
    pub fn stop_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            end(&mut agent, Signal::SIGTERM);
        }
    }

    /// The ends of all logs, for messages of failed tests.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.path("log")).into_iter().flatten().flatten() {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(15).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            text.push_str(&format!("== {}\n{}\n", entry.path().display(), lines.join("\n")));
        }
        text
    }

    /// Contents of an engine's log.
    pub fn engine_log(&self, index: u32) -> String {
        fs::read_to_string(self.path(&format!("log/daos_engine{index}.log"))).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for child in [self.agent.take(), self.server.take()].into_iter().flatten() {
            let mut child = child;
            end(&mut child, Signal::SIGTERM);
        }
        for index in 0..self.options.engines {
            if let Some(pid) = self.engine_pid(index) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // it outlived a killed server
            }
            unmount(&self.path(&format!("scm{index}")));
        }
    }
}

/// Asks a child to end, and makes it.
fn end(child: &mut Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("process ids are positive"));
    let _ = kill(pid, signal); // one that has ended already
    let until = std::time::Instant::now() + PATIENCE;
    while child.try_wait().ok().flatten().is_none() {
        if std::time::Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn unmount(path: &Path) {
    // Fails where nothing was mounted, as for an unprivileged user.
    let _ = nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH);
}

/// A port nobody uses now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has free ports").port()
}

fn substitute(text: &str, table: &[(&str, &str)]) -> String {
    table.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the guide's file has no `{from}`");
        text.replace(from, to)
    })
}
