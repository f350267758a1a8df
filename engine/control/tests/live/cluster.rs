//! One server with one fake engine in a temporary directory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use config::ServerConfig;
use control::{Options, Server};
use tonic::transport::Channel;
use types::Fault;
use wire::fault::Failure;
use wire::proto::ctl::ctl_svc_client::CtlSvcClient;
use wire::proto::ctl::{FormatResult, StorageFormatReq};
use wire::proto::mgmt::mgmt_svc_client::MgmtSvcClient;
use wire::proto::mgmt::{PoolCreateReq, Property, SystemMember, SystemQueryReq};

use crate::guard;

/// Waiting longer than this for a state means that it does not come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The name of the system in these tests.
pub(crate) const SYSTEM: &str = "daos_server";

pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Option<Server>,
    pub(crate) port: u16,
    /// Control port of the server with the management service, when it is another one.
    pub(crate) leader: Option<u16>,
    /// Lines added to the engine's section.
    pub(crate) engine_lines: String,
    /// Keys added to the memory tier, each after a comma.
    pub(crate) memory_keys: String,
    /// Lines added to the global section.
    global_lines: String,
}

impl Cluster {
    pub(crate) fn new() -> Cluster {
        Cluster::with("", "")
    }

    /// `global` and `engine` are lines for the two sections; those of `engine` are indented by two spaces.
    pub(crate) fn with(global: &str, engine: &str) -> Cluster {
        guard::show_log();
        Cluster {
            folder: tempfile::Builder::new().prefix("daos").tempdir().expect("folder"),
            server: None,
            port: free_port(),
            leader: None,
            engine_lines: engine.to_owned(),
            memory_keys: String::new(),
            global_lines: global.to_owned(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn yaml(&self) -> String {
        let (root, port) = (self.folder.path().display(), self.port);
        let leader = self.leader.unwrap_or(port);
        let fabric_port = 20_000 + port % 10_000;
        let transport = if self.global_lines.contains("transport_config") {
            ""
        } else {
            "transport_config: {allow_insecure: true}\n"
        };
        format!(
            "name: {SYSTEM}\naccess_points: ['127.0.0.1:{leader}']\nport: {port}\nprovider: ofi+tcp\n\
             socket_dir: {root}/run\ncontrol_metadata: {{path: {root}/metadata}}\n\
             {transport}{}engines:\n- targets: 2\n  fabric_iface: lo\n  fabric_iface_port: {fabric_port}\n\
             \x20 log_file: {root}/engine.log\n{}\
             \x20 storage:\n  - {{class: ram, scm_mount: {root}/scm{}}}\n\
             \x20 - {{class: file, bdev_list: [{root}/bdev], bdev_size: 3}}\n",
            self.global_lines, self.engine_lines, self.memory_keys
        )
    }

    pub(crate) fn config(&self) -> ServerConfig {
        config::server(&self.yaml()).unwrap_or_else(|findings| panic!("{findings:?}")).config
    }

    pub(crate) fn options(&self) -> Options {
        Options { engine: Some(fake_engine()), ..Options::default() }
    }

    /// Starts the server with the present settings.
    pub(crate) async fn start(&mut self) -> Result<(), Fault> {
        self.server = Some(Server::start(self.config(), self.options()).await?);
        Ok(())
    }

    /// Starts, formats and waits until the engine has joined.
    pub(crate) async fn up(&mut self) {
        self.start().await.expect("the server starts");
        let results = self.format(false).await;
        assert!(results.iter().all(|result| result.ok), "{results:?}");
        self.until_state("joined").await;
    }

    /// Ends the server and its engine like a power cut.
    pub(crate) async fn kill_server(&mut self) {
        self.server.take().expect("runs").abandon().await;
        self.kill_engine();
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let uri = format!("http://127.0.0.1:{}", self.port);
        Channel::from_shared(uri).expect("uri").connect().await.expect("connects")
    }

    pub(crate) async fn mgmt(&self) -> MgmtSvcClient<Channel> {
        MgmtSvcClient::new(self.channel().await)
    }

    pub(crate) async fn ctl(&self) -> CtlSvcClient<Channel> {
        CtlSvcClient::new(self.channel().await)
    }

    pub(crate) async fn format(&self, force: bool) -> Vec<FormatResult> {
        let request = StorageFormatReq { sys: SYSTEM.to_owned(), force };
        self.ctl().await.storage_format(request).await.expect("formats").into_inner().results
    }

    pub(crate) async fn members(&self) -> Vec<SystemMember> {
        let request = SystemQueryReq { sys: SYSTEM.to_owned(), ranks: String::new() };
        self.mgmt().await.system_query(request).await.expect("answers").into_inner().members
    }

    /// The one member, once it is in `state`.
    pub(crate) async fn until_state(&self, state: &str) -> SystemMember {
        self.until(|member| member.state == state).await
    }

    /// The one member, once it satisfies `condition`.
    pub(crate) async fn until(&self, condition: impl Fn(&SystemMember) -> bool) -> SystemMember {
        let began = Instant::now();
        loop {
            let members = self.members().await;
            if let Some(member) = members.iter().find(|member| condition(member)) {
                return member.clone();
            }
            assert!(began.elapsed() < DEADLINE, "it never came to be: {members:?}\n{}", self.yaml());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Process of the engine, from its pid file.
    pub(crate) fn engine_pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.path("run/daos_engine0.pid")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    pub(crate) fn kill_engine(&self) {
        let pid = nix::unistd::Pid::from_raw(self.engine_pid().expect("the engine runs"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kills");
    }

    pub(crate) fn pool(&self, label: &str) -> PoolCreateReq {
        PoolCreateReq {
            sys: SYSTEM.to_owned(),
            uuid: uuid::Uuid::new_v4().to_string(),
            label: label.to_owned(),
            user: "root@".to_owned(),
            group: "root@".to_owned(),
            scm_bytes: 64 << 20,
            nvme_bytes: 2 << 30,
            ..PoolCreateReq::default()
        }
    }
}

impl Drop for Cluster {
    /// A failed test must show what happened and leave neither an engine nor a mount behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", guard::logs(self.folder.path()));
        }
        // Who would start a killed engine again goes first. Outside of a runtime its tasks have ended already.
        if let (Some(server), Ok(runtime)) = (self.server.take(), tokio::runtime::Handle::try_current()) {
            tokio::task::block_in_place(|| runtime.block_on(server.abandon()));
        }
        guard::end_processes(self.folder.path());
        guard::unmount(&self.path("scm"));
    }
}

pub(crate) fn property(name: &str, value: &str) -> Property {
    Property { name: name.to_owned(), value: value.to_owned() }
}

/// What a refused call says.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Failure {
    Failure::from(&answer.expect_err("a refusal"))
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("binds");
    listener.local_addr().expect("address").port()
}

/// `target/<profile>/examples/fake_engine`, built together with the tests.
pub(crate) fn fake_engine() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let profile = own.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = profile.join("examples/fake_engine");
    assert!(
        path.is_file(),
        "`{}` is missing; `cargo test` without `--test` makes it, or `cargo build --examples`",
        path.display()
    );
    path
}
