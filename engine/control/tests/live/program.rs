//! The program itself: signals, kill -9, `config validate`, exit codes.

use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{Cluster, DEADLINE, fake_engine};

const PROGRAM: &str = env!("CARGO_BIN_EXE_daos_server");

/// A running `daos_server`, killed when the test fails.
struct Running(Child);

impl Running {
    /// Starts it with the fake engine as `daos_engine` on its PATH, and waits until it answers.
    async fn start(cluster: &Cluster) -> Running {
        let folder = cluster.path("bin");
        std::fs::create_dir_all(&folder).expect("folder");
        let engine = folder.join("daos_engine");
        if !engine.exists() {
            std::os::unix::fs::symlink(fake_engine(), engine).expect("links");
        }
        std::fs::write(cluster.path("server.yml"), cluster.yaml()).expect("writes");
        let log = std::fs::File::create(cluster.path("server.log")).expect("log");
        let child = Command::new(PROGRAM)
            .args(["start", "--auto-format", "-o"])
            .arg(cluster.path("server.yml"))
            .env("PATH", &folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts");
        let running = Running(child);
        let began = std::time::Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", cluster.port)).await.is_err() {
            let log = std::fs::read_to_string(cluster.path("server.log")).unwrap_or_default();
            assert!(began.elapsed() < DEADLINE, "it does not answer:\n{log}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        running
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("signals");
    }

    fn wait(mut self) -> std::process::ExitStatus {
        self.0.wait().expect("waits")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_leaves_the_engine_and_a_new_server_takes_it_over() {
    let cluster = Cluster::new();
    let first = Running::start(&cluster).await;
    let before = cluster.until_state("joined").await;
    let pid = cluster.engine_pid();
    first.signal(Signal::SIGKILL);
    assert!(!first.wait().success());
    assert!(std::path::Path::new(&format!("/proc/{}", pid.expect("runs"))).exists());

    let second = Running::start(&cluster).await;
    let after = cluster.until_state("joined").await;
    assert_eq!((cluster.engine_pid(), after.incarnation), (pid, before.incarnation));
    second.signal(Signal::SIGTERM);
    assert_eq!(second.wait().code(), Some(0));
    assert_eq!(cluster.engine_pid(), None, "the engine was stopped and its pid file removed");
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("runs")
}

#[test]
fn config_validate_prints_every_finding_and_fails() {
    let cluster = Cluster::new();
    let path = cluster.path("server.yml");
    let path = path.to_str().expect("a plain path");
    std::fs::write(path, cluster.yaml()).expect("writes");
    let good = run(&["config", "validate", "-o", path]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");

    let broken =
        cluster.yaml().replace("targets: 2", "tragets: 2").replace("provider: ofi+tcp\n", "provider: ofi+psm9\n");
    std::fs::write(path, broken).expect("writes");
    let bad = run(&["config", "validate", "-o", path]);
    assert_eq!(bad.status.code(), Some(1));
    let text = String::from_utf8(bad.stdout).expect("text");
    assert!(text.contains("tragets") && text.contains("psm9") && text.contains("hint:"), "{text}");

    let json = run(&["--json", "config", "validate", "-o", path]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["status"], -1025);
    assert!(json["error"].as_str().expect("text").contains("not valid"));
    assert!(json["response"]["findings"].as_array().expect("a list").len() >= 2, "{json}");
}

/// Which interfaces a host has decides at its start; a file for another host is still valid.
#[test]
fn an_interface_that_is_not_here_is_a_notice_to_validate_and_a_fault_to_start() {
    let cluster = Cluster::new();
    let path = cluster.path("server.yml");
    let path = path.to_str().expect("a plain path");
    std::fs::write(path, cluster.yaml().replace("fabric_iface: lo", "fabric_iface: nosuch0")).expect("writes");
    let valid = run(&["config", "validate", "-o", path]);
    let text = String::from_utf8(valid.stdout).expect("text");
    assert_eq!(valid.status.code(), Some(0), "{text}");
    assert!(text.contains("notice: this host has no interface `nosuch0`; it has ") && text.contains("`lo`"), "{text}");
    let refused = run(&["start", "-o", path]);
    let text = String::from_utf8(refused.stderr).expect("text");
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("ServerConfigBadConfig") && text.contains("`nosuch0`"), "{text}");
    assert!(text.contains("(engines[0].fabric_iface)") && text.contains("server.yml:10:3"), "{text}");
}

#[test]
fn files_that_are_not_utf_8_or_run_nothing_are_told() {
    let cluster = Cluster::new();
    let path = cluster.path("server.yml");
    std::fs::write(&path, b"name: daos_server\n# caf\xe9\n").expect("writes");
    let path = path.to_str().expect("a plain path");
    let latin = run(&["config", "validate", "-o", path]);
    let text = String::from_utf8(latin.stderr).expect("text");
    assert!(
        text.contains("ServerConfigBadConfig") && text.contains("server.yml:2:6") && text.contains("UTF-8"),
        "{text}"
    );
    std::fs::write(path, "").expect("writes");
    let empty = run(&["config", "validate", "-o", path]);
    assert_eq!(empty.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&empty.stdout).contains("no engines are configured"), "{empty:?}");
}

#[test]
fn exit_codes_and_small_commands() {
    let missing = run(&["start", "-o", "/nonexistent/daos_server.yml"]);
    assert_eq!(missing.status.code(), Some(1));
    let text = String::from_utf8(missing.stderr).expect("text");
    assert!(text.contains("ServerConfigNoConfigPath") && text.contains("resolution"), "{text}");
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(2));
    assert_eq!(run(&["version"]).stdout, format!("DAOS Server v{}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let version: serde_json::Value = serde_json::from_slice(&run(&["version", "--json"]).stdout).expect("JSON");
    assert_eq!((&version["status"], &version["error"]), (&0.into(), &serde_json::Value::Null));
    assert!(String::from_utf8_lossy(&run(&["completion", "bash"]).stdout).contains("daos_server"));
    assert!(String::from_utf8_lossy(&run(&["manpage"]).stdout).contains(".TH"));
    let usage = run(&["--json", "--no-such-flag"]);
    let envelope: serde_json::Value = serde_json::from_slice(&usage.stdout).expect("an envelope");
    assert_eq!((&envelope["status"], usage.status.code()), (&(-1003).into(), Some(2)), "{usage:?}");
    assert!(text.lines().all(|line| line.starts_with("ERROR: daos_server: ")), "{text}");
    let folder = tempfile::tempdir().expect("folder");
    let pages = folder.path().join("new/pages");
    assert!(run(&["manpage", pages.to_str().expect("plain")]).status.success() && pages.join("daos_server.8").exists());
    let refused = run(&["manpage", "/proc/nowhere"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`/proc/nowhere`"), "{refused:?}");
    let certs = folder.path().to_str().expect("plain");
    assert!(run(&["certs", "generate", certs]).status.success());
    let again: serde_json::Value =
        serde_json::from_slice(&run(&["certs", "generate", certs, "--json"]).stdout).expect("an envelope");
    let error = again["error"].as_str().expect("text");
    assert!(error.contains("--renew") && error.contains("--force") && !error.contains('\n'), "{error}");
    let scan = run(&["network", "scan", "--json"]);
    assert!(String::from_utf8_lossy(&scan.stdout).contains("\"device\": \"lo\""), "{scan:?}");
    assert_eq!(run(&["network", "scan", "-p", "ucx+dc_x"]).status.code(), Some(1));
}
