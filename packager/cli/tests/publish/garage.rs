//! Garage 2.5, a server of buckets that people run themselves. It ignores the conditions of requests to write, so that there is no lock
//! on it, and it shows published buckets at an address of their own, where dnf reads.
//!
//! A program of its own that `scripts/garage` installs; nothing of it is linked here. Each test starts a server of one node on loopback,
//! with its own folder and ports.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bucket::BUCKET;
use crate::kills::{By, killed};
use crate::places::walk;
use crate::yard::{Yard, ends, packager, run};

/// Kills: each of them is followed by several of Garage's writes to the disk.
const KILLS: usize = 30;

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

struct Garage {
    folder: PathBuf,
    /// Of requests that are signed.
    port: u16,
    /// Where everybody reads.
    web: u16,
    key: String,
    secret: String,
    server: Child,
}

/// The program.
fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/garage/bin/garage");
    let program = std::env::var_os("GARAGE").map_or(installed, PathBuf::from);
    assert!(program.exists(), "there is no {}\nhint: scripts/garage installs it", program.display());
    program
}

/// Starts the server, with one bucket that everybody may read.
fn garage(folder: &Path) -> Garage {
    fs::create_dir_all(folder).expect("a folder");
    // All at once, so that they differ.
    let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [port, web, rpc] = free.map(|listener| listener.local_addr().expect("an address").port());
    let at = folder.display();
    let text = format!(
        "metadata_dir = '{at}/metadata'\ndata_dir = '{at}/data'\ndb_engine = 'lmdb'\nreplication_factor = 1\n\
         rpc_bind_addr = '127.0.0.1:{rpc}'\nrpc_public_addr = '127.0.0.1:{rpc}'\nrpc_secret = '{}'\n\
         [s3_api]\ns3_region = 'garage'\napi_bind_addr = '127.0.0.1:{port}'\n\
         [s3_web]\nbind_addr = '127.0.0.1:{web}'\nroot_domain = '.web.invalid'\n",
        "5e".repeat(32),
    );
    fs::write(folder.join("garage.toml"), text).expect("written");
    let log = fs::File::create(folder.join("log")).expect("a file");
    // It is the same process by the time it serves, and goes with the thread of the test also when the test cannot end it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program()).arg("-c").arg(folder.join("garage.toml")).arg("server");
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it runs");
    let (folder, none) = (folder.to_owned(), String::new);
    let mut garage = Garage { folder, port, web, key: none(), secret: none(), server };
    garage.begin();
    garage
}

impl Garage {
    /// Its own commands.
    fn tell(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("-c").arg(self.folder.join("garage.toml")).args(arguments);
        command.env("RUST_LOG", "error").stdin(Stdio::null());
        command
    }

    /// A layout of one node, a key, a bucket.
    fn begin(&mut self) {
        let begun = Instant::now();
        while !self.tell(&["status"]).output().is_ok_and(|output| output.status.success()) {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(self.server.try_wait().expect("looked at").is_none(), "{}", log());
            assert!(begun.elapsed() < PATIENCE, "{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let node = self.tell(&["node", "id", "-q"]).output().expect("it runs").stdout;
        let node = String::from_utf8(node).expect("text");
        let node = node.split('@').next().expect("a number");
        run(&mut self.tell(&["layout", "assign", "-z", "here", "-c", "1G", node]));
        run(&mut self.tell(&["layout", "apply", "--version", "1"]));
        let made = self.tell(&["json-api", "CreateKey", "{\"name\": \"publisher\"}"]).output().expect("it runs");
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("a key");
        let text = |name: &str| made[name].as_str().expect("text").to_owned();
        (self.key, self.secret) = (text("accessKeyId"), text("secretAccessKey"));
        run(&mut self.tell(&["bucket", "create", BUCKET]));
        run(&mut self.tell(&["bucket", "allow", "--read", "--write", "--key", &self.key, BUCKET]));
        run(&mut self.tell(&["bucket", "website", "--allow", BUCKET]));
        // Readers choose a bucket by the name of the host.
        run(&mut self.tell(&["bucket", "alias", BUCKET, "localhost"]));
    }

    /// Where hosts read what was published below a prefix.
    fn address(&self, prefix: &str) -> String {
        format!("http://localhost:{}/{prefix}", self.web)
    }

    /// Lets a packager write.
    fn allow<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.args(["--endpoint", &format!("http://127.0.0.1:{}", self.port)]);
        command.env("AWS_ACCESS_KEY_ID", &self.key).env("AWS_SECRET_ACCESS_KEY", &self.secret);
        command.env("AWS_REGION", "garage")
    }

    /// Names of all objects below a prefix, which has fewer than a listing shows at once.
    fn names(&self, prefix: &str) -> Vec<String> {
        // As it is signed: curl takes what it asks for as it stands.
        let prefix_written = prefix.replace('/', "%2F");
        let address = format!("http://127.0.0.1:{}/{BUCKET}?list-type=2&prefix={prefix_written}%2F", self.port);
        let mut curl = Command::new("curl");
        curl.args(["-sSf", "--aws-sigv4", "aws:amz:garage:s3", "--user", &format!("{}:{}", self.key, self.secret)]);
        let listed = run(curl.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]).arg(address));
        assert!(listed.contains("<IsTruncated>false<"), "{listed}");
        let keys = listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().expect("an end"));
        keys.map(|key| key[prefix.len() + 1..].to_owned()).collect()
    }
}

impl Drop for Garage {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _ended = self.server.wait();
    }
}

#[test]
fn publishes_without_a_lock() {
    let yard = Yard::new();
    let server = garage(&yard.path("garage"));
    let reached = |command: &mut Command| {
        server.allow(command).arg("--unlocked");
    };
    walk(&yard, &format!("s3://{BUCKET}/a/b"), &server.address("a/b"), &reached);
    // One generation is kept: everything else that was put is gone.
    let folder = yard.text("second");
    let publish = |folder: &str, destination: &str| {
        let mut command = packager(&["repo", "publish", folder, destination, "--keep-generations", "1"]);
        reached(&mut command);
        command
    };
    assert!(ends(&mut publish(&folder, &format!("s3://{BUCKET}/a/b")), 0).contains("nothing to do"));
    let there = server.names("a/b");
    assert_eq!(there.iter().filter(|name| name.starts_with("repodata/")).count(), 5, "{there:?}");
    assert_eq!(there.iter().filter(|name| name.starts_with("Packages/")).count(), 4, "{there:?}");

    // Larger than one request, and names that addresses write in other ways.
    let folder = yard.repository("large", &[1]);
    fs::write(yard.path("large/odd~1^2+3 4%20.txt"), "odd").expect("written");
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(yard.path("large/large.bin"), &bytes).expect("written");
    ends(&mut publish(&folder, &format!("s3://{BUCKET}")), 0);
    let read = Command::new("curl").args(["-sSf", &server.address("large.bin")]).output().expect("it runs");
    assert!(read.stdout == bytes);
    assert_eq!(run(Command::new("curl").args(["-sSf", &server.address("odd~1%5E2%2B3%204%2520.txt")])), "odd");

    let text = ends(&mut publish(&folder, "s3://missing/x"), 1);
    assert!(text.contains("s3://missing/x") && text.contains("hint: make the bucket first"), "{text}");
    let mut command = publish(&folder, "s3://published/x");
    let text = ends(command.env("AWS_SECRET_ACCESS_KEY", "0".repeat(64)), 1);
    assert!(text.contains("hint: see that AWS_ACCESS_KEY_ID"), "{text}");
}

#[test]
fn nobody_believes_that_they_hold_a_lock() {
    let yard = Yard::new();
    let server = garage(&yard.path("garage"));
    let folders = [yard.repository("first", &[1, 2]), yard.repository("second", &[2, 3])];
    let destination = format!("s3://{BUCKET}/r");
    let publish = |folder: &str| {
        let mut command = packager(&["repo", "publish", folder, &destination]);
        server.allow(&mut command);
        command
    };
    ends(publish(&folders[0]).arg("--unlocked"), 0);
    let before = server.names("r");
    for _ in 0..5 {
        let both = folders.each_ref().map(|folder| publish(folder).stderr(Stdio::piped()).spawn().expect("it runs"));
        for one in both {
            let output = one.wait_with_output().expect("it ends");
            let text = String::from_utf8(output.stderr).expect("text");
            assert_eq!(output.status.code(), Some(1), "{text}");
            // The second of two may have found the lock of the first, and waited for it.
            assert!(text.contains("its server ignores `If-None-Match`") && text.contains("`--unlocked`"), "{text}");
        }
    }
    assert_eq!(server.names("r"), before, "nothing was put, and no lock is left");
    assert_eq!(yard.client("one", &server.address("r")).versions(), ["1", "2"]);
}

#[test]
fn one_publisher_alone_puts_right_what_two_at_once_left() {
    let yard = Yard::new();
    let server = garage(&yard.path("garage"));
    let folders = [yard.repository("first", &[1, 2]), yard.repository("second", &[2, 3])];
    let destination = format!("s3://{BUCKET}/r");
    let publish = |folder: &str| {
        let mut command = packager(&["repo", "publish", folder, &destination, "--unlocked", "--keep-generations", "1"]);
        server.allow(command.stdout(Stdio::null()).stderr(Stdio::null()));
        command
    };
    let (client, key) = (yard.client("one", &server.address("r")), yard.public_key().display().to_string());
    for round in 0..10 {
        let both = folders.each_ref().map(|folder| publish(folder).spawn().expect("it runs"));
        for mut one in both {
            one.wait().expect("it ends"); // well or not
        }
        let (folder, versions) = [(&folders[0], ["1", "2"]), (&folders[1], ["2", "3"])][round % 2];
        ends(&mut publish(folder), 0);
        assert_eq!(client.versions(), versions);
        // Its signature, and every package.
        run(&mut packager(&["repo", "verify", &server.address("r"), "--key", &key]));
    }
}

#[test]
fn killed_publishers_leave_a_whole_repository() {
    let yard = Yard::new();
    let server = garage(&yard.path("garage"));
    let reached = |command: &mut Command| {
        server.allow(command).arg("--unlocked");
    };
    killed(&yard, &format!("s3://{BUCKET}/r"), &server.address("r"), (By::MirrorList, KILLS), &reached);
    let mut there = server.names("r");
    there.retain(|name| name.starts_with("Packages/") || name.starts_with("repodata/"));
    there.sort();
    assert_eq!(there, crate::kills::files(&yard.path("a")));
}
