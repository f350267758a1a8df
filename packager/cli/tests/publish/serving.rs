//! `repo serve`: what dnf and curl get.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::yard::{Yard, ends, packager, run};

/// A running server; it is asked to end, and must.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(folder: &str, more: &[&str]) -> Server {
        let mut command = packager(&["--json", "repo", "serve", folder, "--listen", "127.0.0.1:0"]);
        let mut child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says where");
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Server { child, address: said["address"].as_str().expect("an address").to_owned() }
    }

    /// It ends well when it is asked to.
    pub(crate) fn end(mut self) {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill(); // it may have ended
        let _ended = self.child.wait();
    }
}

fn curl(arguments: &[&str]) -> String {
    run(Command::new("curl").args(["-sS"]).args(arguments))
}

#[test]
fn files_are_served_whole_in_parts_and_not_again() {
    let yard = Yard::new();
    let folder = yard.repository("served", &[1, 2]);
    fs::write(yard.path("served/.hidden"), "secret").expect("written");
    std::os::unix::fs::symlink("/etc", yard.path("served/etc")).expect("a link");
    let server = Server::start(&folder, &[]);
    let client = yard.client("served", &server.address);
    assert_eq!(client.versions(), ["1", "2"]);
    let url = format!("{}/RPM-GPG-KEY-test", server.address);
    let whole = fs::read_to_string(yard.path("served/RPM-GPG-KEY-test")).expect("readable");
    assert_eq!(curl(&[&url]), whole);
    assert_eq!(curl(&["-r", "5-9", &url]), whole[5..=9]);
    let head = curl(&["-I", &url]);
    let modified = head.lines().find_map(|line| line.strip_prefix("last-modified: ")).expect("its time").trim();
    let again = format!("If-Modified-Since: {modified}");
    assert!(curl(&["-I", "-H", &again, &url]).contains(" 304 "));
    for none in [".hidden", "etc/passwd", "%2e%2e/key.asc", "missing"] {
        let status = curl(&["-o", "/dev/null", "-w", "%{http_code}", &format!("{}/{none}", server.address)]);
        assert_eq!(status, "404", "{none}");
    }
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    let text = ends(&mut packager(&["repo", "serve", &folder, "--listen", &format!("127.0.0.1:{port}")]), 1);
    assert!(text.contains("cannot listen on") && text.contains("hint: "), "{text}");
    server.end();
}

#[test]
fn over_tls_with_the_certificate_that_was_given() {
    let yard = Yard::new();
    let folder = yard.repository("served", &[1]);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("a key");
    let [certificate, key] = [yard.text("certificate.pem"), yard.text("key.pem")];
    fs::write(&certificate, made.cert.pem()).expect("written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let server = Server::start(&folder, &["--tls-certificate", &certificate, "--tls-key", &key]);
    let url = format!("{}/repodata/repomd.xml", server.address);
    assert!(url.starts_with("https://"));
    assert!(curl(&["--cacert", &certificate, &url]).contains("<repomd"));
    let untrusting = Command::new("curl").args(["-sS", &url]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(!untrusting.expect("it runs").success());
    server.end();
    let text = ends(&mut packager(&["repo", "serve", &folder, "--tls-certificate", &key, "--tls-key", &key]), 1);
    assert!(text.contains("key.pem") && text.contains("certificate"), "{text}");
    ends(&mut packager(&["repo", "serve", &folder, "--tls-key", &key]), 2);
    let text = ends(&mut packager(&["repo", "serve", &yard.text("nowhere")]), 1);
    assert!(text.contains("nowhere"), "{text}");
}
