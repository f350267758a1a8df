//! One server, its engines and one agent, in a temporary folder.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use client::{Settings, System};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::configuration::Places;
use crate::disk::{Share, require};
use crate::namespace::{self, namespace};
use crate::{Guard, Options, Outcome, PATIENCE, free_port, program, wait_for};

/// Lines of each log that a failed test shows.
const LOG_LINES: usize = 20;

/// A running cluster.
pub struct Cluster {
    folder: PathBuf,
    options: Options,
    places: Places,
    server: Option<Child>,
    agent: Option<Child>,
    /// Dropped last, in this order: the files are removed before their room is given back.
    _guard: Guard,
    _share: Share,
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
        let namespace_gib = if options.persistent { namespace::GIB } else { 0 };
        let gib = options.engines * (options.bdev_gib + namespace_gib);
        let share = Share::take(gib);
        require(&std::env::temp_dir(), gib);
        let folder = tempfile::Builder::new().prefix("daos-suite-").tempdir().expect("a temporary folder").keep();
        let guard = Guard::start(&folder);
        let mut places = Places {
            folder: folder.to_str().expect("temporary folders are UTF-8").to_owned(),
            control: free_port(),
            telemetry: free_port(),
            fabric: (0..options.engines).map(|_| free_port()).collect(),
            namespaces: Vec::new(),
        };
        for index in 0..options.engines {
            let mount = folder.join(format!("scm{index}"));
            fs::create_dir_all(&mount).expect("folders in a fresh folder");
            if options.persistent {
                places.namespaces.push(namespace(&folder.join(format!("pmem{index}")), &mount));
            }
        }
        let cluster = Cluster { folder, options, places, server: None, agent: None, _guard: guard, _share: share };
        for part in ["etc", "log", "run/server", "run/agent", "metadata"] {
            fs::create_dir_all(cluster.path(part)).expect("folders in a fresh folder");
        }
        if cluster.options.secure {
            let certificates = cluster.path("certs");
            Outcome::of(Command::new(program("daos_server")).args(["certs", "generate"]).arg(certificates)).ok();
        }
        for (name, text) in [
            ("daos_server", cluster.places.server_yaml(&cluster.options)),
            ("daos_agent", cluster.places.agent_yaml(&cluster.options)),
            ("daos_control", cluster.places.control_yaml(&cluster.options)),
        ] {
            fs::write(cluster.yaml(name), text).expect("a file in a fresh folder");
        }
        cluster
    }

    /// A path in the cluster's folder.
    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }

    /// The configuration file of `daos_server`, `daos_agent` or `daos_control`.
    pub fn yaml(&self, name: &str) -> PathBuf {
        self.path(&format!("etc/{name}.yml"))
    }

    /// Changes a configuration file.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.yaml(name)).expect("it was written at the start");
        assert!(text.contains(from), "{name}.yml has no `{from}`");
        fs::write(self.yaml(name), text.replace(from, to)).expect("it was written at the start");
    }

    /// The control port.
    pub fn port(&self) -> u16 {
        self.places.control
    }

    /// The port for Prometheus.
    pub fn telemetry_port(&self) -> u16 {
        self.places.telemetry
    }

    /// The data port of an engine.
    pub fn data_port(&self, index: usize) -> u16 {
        self.places.fabric[index]
    }

    /// How many engines there are.
    pub fn engines(&self) -> usize {
        self.places.fabric.len()
    }

    /// The device file of an engine.
    pub fn device(&self, index: usize) -> PathBuf {
        self.path(&format!("bdev{index}"))
    }

    /// Starts `daos_server` and waits until it answers.
    pub fn start_server(&mut self) {
        let mut server = self.spawn("daos_server", &["start", "-o"]);
        wait_for("daos_server answers", PATIENCE, || {
            let gone = server.try_wait().expect("a child can be waited for");
            assert!(gone.is_none(), "daos_server ended: {gone:?}\n{}", self.logs());
            (self.dmg(&["storage", "scan"]).code == 0).then_some(())
        });
        self.server = Some(server);
    }

    /// Starts `daos_agent` and waits for its socket.
    pub fn start_agent(&mut self) {
        self.agent = Some(self.spawn("daos_agent", &["-o"]));
        let socket = self.path("run/agent/daos_agent.sock");
        wait_for("daos_agent listens", PATIENCE, || std::os::unix::net::UnixStream::connect(&socket).ok());
    }

    fn spawn(&self, name: &str, arguments: &[&str]) -> Child {
        let log = self.path(&format!("log/{name}.out"));
        let output = fs::File::options().create(true).append(true).open(log).expect("a log in our folder");
        Command::new(program(name))
            .args(arguments)
            .arg(self.yaml(name))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"))
    }

    /// Runs `daos_server` to its end, as for a start that is to be refused.
    pub fn run_server(&self) -> Outcome {
        Outcome::of(Command::new(program("daos_server")).args(["start", "-o"]).arg(self.yaml("daos_server")))
    }

    /// Runs dmg.
    pub fn dmg(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.dmg_command().args(arguments))
    }

    /// dmg, to be run with more than arguments.
    pub fn dmg_command(&self) -> Command {
        let mut command = Command::new(program("dmg"));
        command.arg("-o").arg(self.yaml("daos_control"));
        command
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
    pub fn engine_pid(&self, index: usize) -> Option<i32> {
        let records = if self.options.persistent { format!("scm{index}") } else { "metadata".to_owned() };
        let conf = self.path(&format!("{records}/daos_control/engine{index}"));
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let mut arguments = line.split(|byte| *byte == 0).filter_map(|part| std::str::from_utf8(part).ok());
            let ours = arguments.next()?.ends_with("daos_engine")
                && arguments.any(|argument| Path::new(argument).starts_with(&conf));
            ours.then_some(pid)
        })
    }

    /// `kill -9` of an engine, now; waits until its process is gone.
    pub fn kill_engine(&self, index: usize) {
        let pid = wait_for("the engine runs", PATIENCE, || self.engine_pid(index));
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs as our user");
        wait_for("the killed engine is gone", PATIENCE, || (self.engine_pid(index) != Some(pid)).then_some(()));
    }

    /// `kill -9` of the server; its engines go on.
    pub fn kill_server(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill().expect("it is our child");
        server.wait().expect("it is our child");
    }

    /// Ends the server, and with it its engines, in order.
    pub fn stop_server(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        let status = end(&mut server);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "daos_server ends in order\n{}", self.logs());
        for index in 0..self.engines() {
            wait_for("the engine ended", PATIENCE, || self.engine_pid(index).is_none().then_some(()));
        }
    }

    /// The offline check finds nothing wrong with the devices of a stopped engine, values included.
    #[track_caller]
    pub fn is_clean(&self, index: usize) {
        let conf = self.path(&format!("metadata/daos_control/engine{index}/daos_nvme.conf"));
        let check = Outcome::of(Command::new(program("daos_engine")).args(["fsck", "--data", "-n"]).arg(conf));
        assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    }

    /// Ends the agent.
    pub fn stop_agent(&mut self) {
        let mut agent = self.agent.take().expect("the agent runs");
        let status = end(&mut agent);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "daos_agent ends in order\n{}", self.logs());
    }

    /// The ends of all logs, for messages of failed tests.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.path("log")).into_iter().flatten().flatten() {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            text.push_str(&format!("== {}\n{}\n", entry.path().display(), last.join("\n")));
        }
        text
    }

    /// Contents of an engine's log.
    pub fn engine_log(&self, index: usize) -> String {
        fs::read_to_string(self.path(&format!("log/daos_engine{index}.log"))).unwrap_or_default()
    }

    /// Everything that a failed command must leave as it is: pools, containers of `tank`, keys of `things` in it.
    pub fn inventory(&self) -> String {
        let pools = self.dmg(&["--json", "pool", "list"]).ok().json();
        let names: Vec<_> = pools["response"]["pools"]
            .as_array()
            .expect("the response lists pools")
            .iter()
            .map(|pool| format!("{} {} {}", pool["uuid"], pool["label"], pool["state"]))
            .collect();
        let containers = self.daos(&["--json", "container", "list", "tank"]).ok().json();
        let containers: Vec<_> = containers["response"]
            .as_array()
            .expect("the response lists containers")
            .iter()
            .map(|container| format!("{} {}", container["container_uuid"], container["container_label"]))
            .collect();
        let keys = self.daos(&["kv", "list", "tank", "things"]).ok().stdout;
        format!("{names:?}\n{containers:?}\n{keys}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for mut child in [self.agent.take(), self.server.take()].into_iter().flatten() {
            end(&mut child);
        }
    }
}

/// Asks a child to end, and makes it. Gives how it ended when it did as asked.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("process ids are positive"));
    let _ = kill(pid, Signal::SIGTERM); // one that has ended already
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if std::time::Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
