//! Each kind of destination: published, published again, read by dnf, used by two at once, refused.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bucket::{BUCKET, ignoring, server};
use crate::host::host;
use crate::yard::{Yard, ends, packager, run};

/// What is the same at every place. `reached` adds what it takes to get there; `address` is where dnf reads.
pub(crate) fn walk(yard: &Yard, destination: &str, address: &str, reached: &dyn Fn(&mut Command)) {
    let publish = |folder: &str, more: &[&str]| {
        let mut command = packager(&["--json", "repo", "publish", folder, destination]);
        command.args(more);
        reached(&mut command);
        command
    };
    let value = |text: String| -> serde_json::Value {
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let [first, second] = [yard.repository("first", &[1, 2]), yard.repository("second", &[2, 3])];
    let said = value(ends(&mut publish(&first, &["--dry-run"]), 0));
    assert_eq!((said["put"].as_array().map(Vec::len), &said["written"]), (Some(8), &false.into()), "{said}");
    let said = value(ends(&mut publish(&first, &[]), 0));
    assert_eq!((said["put"].as_array().map(Vec::len), &said["packages"]), (Some(8), &4.into()), "{said}");
    let client = yard.client("walk", address);
    assert_eq!(client.versions(), ["1", "2"]);
    assert_eq!(value(ends(&mut publish(&first, &[]), 0))["written"], false);

    let said = value(ends(&mut publish(&second, &[]), 0));
    assert_eq!((&said["there"], &said["repositories"][0]["generations"]), (&3.into(), &2.into()), "{said}");
    assert_eq!(client.versions(), ["2", "3"]);
    client.good(&["install", "tool-2"]);
    client.good(&["upgrade"]);
    assert_eq!(client.installed(), ["plug-3-1.noarch", "tool-3-1.noarch"]);
    client.good(&["downgrade", "tool-2", "plug-2"]);
    assert_eq!(client.installed(), ["plug-2-1.noarch", "tool-2-1.noarch"]);
    let said = value(ends(&mut publish(&second, &["--keep-generations", "1"]), 0));
    assert_eq!(said["removed"].as_array().map(Vec::len), Some(5), "two packages and three lists: {said}");
    assert_eq!(client.versions(), ["2", "3"]);

    // A package with other contents under the same name.
    let changed = yard.repository("changed", &[2, 3]);
    fs::copy(yard.path("RPMS/noarch/tool-3-1.noarch.rpm"), yard.path("changed/Packages/tool-2-1.noarch.rpm"))
        .expect("copied");
    run(&mut packager(&["repo", "create", &changed, "--sign-key", &crate::yard::secret_key().display().to_string()]));
    let mut plain = packager(&["repo", "publish", &changed, destination]);
    reached(&mut plain);
    let text = ends(&mut plain, 1);
    assert!(
        text.contains("`Packages/tool-2-1.noarch.rpm` is at") && text.contains("hint: raise its release"),
        "{text}"
    );
    assert_eq!(client.versions(), ["2", "3"]);
}

/// Two at once, after [`walk`]: both end well, one of them had nothing to do or published last.
fn at_once(yard: &Yard, destination: &str, address: &str, reached: &dyn Fn(&mut Command)) {
    let both = ["first", "second"].map(|folder| {
        let mut command = packager(&["repo", "publish", &yard.text(folder), destination]);
        reached(&mut command);
        command.stdout(Stdio::null()).spawn().expect("it runs")
    });
    for mut one in both {
        assert!(one.wait().expect("it ends").success());
    }
    let versions = yard.client("at-once", address).versions();
    assert!([["1", "2"], ["2", "3"]].iter().any(|good| versions == *good), "{versions:?}");
}

#[test]
fn a_folder() {
    let yard = Yard::new();
    let place = yard.text("place");
    let address = format!("file://{place}");
    walk(&yard, &place, &address, &|_| {});
    at_once(&yard, &place, &address, &|_| {});
    for itself in [&yard.text("first"), &yard.text("first/below"), &yard.room.path().display().to_string()] {
        let said = ends(&mut packager(&["repo", "publish", &yard.text("first"), itself]), 1);
        assert!(said.contains("is published in itself") && said.contains("hint: "), "{said}");
    }
    // Nothing of the work is left.
    let hidden = fs::read_dir(&place).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let hidden: Vec<_> = hidden.filter(|name| name.as_encoded_bytes().starts_with(b".")).collect();
    assert_eq!(hidden, [".packager-publication.json"]);
}

#[test]
fn a_bucket() {
    let yard = Yard::new();
    let server = server(&yard.path("buckets"));
    let reached = |command: &mut Command| {
        server.allow(command);
    };
    walk(&yard, &format!("s3://{BUCKET}/a/b"), &server.address("a/b"), &reached);
    at_once(&yard, &format!("s3://{BUCKET}/a/b"), &server.address("a/b"), &reached);
    assert!(!yard.path("buckets").join(BUCKET).join("a/b/.packager-lock").exists(), "the lock is given back");

    // Larger than one request, and names that addresses write in other ways.
    let folder = yard.repository("large", &[1]);
    fs::write(yard.path("large/odd~1^2+3 4%20.txt"), "odd").expect("written");
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(yard.path("large/large.bin"), &bytes).expect("written");
    ends(server.allow(&mut packager(&["repo", "publish", &folder, &format!("s3://{BUCKET}")])), 0);
    assert_eq!(fs::read(yard.path("buckets").join(BUCKET).join("large.bin")).expect("it is there"), bytes);
    assert_eq!(run(Command::new("curl").args(["-sSf", &server.address("odd~1%5E2%2B3%204%2520.txt")])), "odd");

    // Without rights, without a bucket, and without a server.
    for more in [&[][..], &["--unlocked"]] {
        let mut command = packager(&["repo", "publish", &folder, "s3://missing/x"]);
        let text = ends(server.allow(command.args(more)), 1);
        assert!(text.contains("s3://missing/x") && text.contains("hint: make the bucket first"), "{text}");
    }
    let mut command = packager(&["repo", "publish", &folder, "s3://published/x"]);
    let text = ends(server.allow(&mut command).env("AWS_SECRET_ACCESS_KEY", "wrong"), 1);
    assert!(text.contains("hint: see that AWS_ACCESS_KEY_ID"), "{text}");
    drop(server);
    let mut command = packager(&["repo", "publish", &folder, "s3://published/x", "--endpoint", "http://127.0.0.1:1"]);
    command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let text = ends(&mut command, 1);
    assert!(text.contains("s3://published/x") && text.contains("`--endpoint`"), "{text}");
}

#[test]
fn a_lock_in_a_bucket_is_waited_for_and_outlives_nobody() {
    let yard = Yard::new();
    let server = server(&yard.path("buckets"));
    let folder = yard.repository("first", &[1]);
    let lock = yard.path("buckets").join(BUCKET).join("r/.packager-lock");
    let destination = format!("s3://{BUCKET}/r");
    let publish = |more: &[&str]| {
        let mut command = packager(&["repo", "publish", &folder, &destination]);
        command.args(more);
        server.allow(&mut command);
        command
    };
    fs::create_dir_all(lock.parent().expect("a folder")).expect("made");
    // Of another machine: nothing is known of it but that it is not renewed.
    let holder = r#"{"id":"00000000-0000-4000-8000-000000000000","host":"other","boot":"x","process":1,"begun":"1","lease_seconds":3}"#;
    fs::write(&lock, holder).expect("written");
    let text = ends(&mut publish(&["--wait", "1"]), 1);
    assert!(text.contains("process 1 of `other`") && text.contains("`--wait`"), "{text}");
    assert!(ends(&mut publish(&[]), 0).contains("2 packages"));
    assert!(!lock.exists());
    // Of a process of this machine that is gone: at once, whatever its lease.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("it is there");
    let space = fs::read_link("/proc/self/ns/pid").expect("it is there");
    let here = format!("\"{} {}\"", boot.trim(), space.display());
    let gone = holder.replace("\"x\"", &here).replace(":3}", ":100000}");
    fs::write(&lock, gone).expect("written");
    assert!(ends(&mut publish(&["--wait", "5"]), 0).contains("nothing to do"));
}

#[test]
fn a_bucket_whose_server_ignores_a_condition_has_no_lock() {
    for condition in ["If-None-Match", "If-Match"] {
        let yard = Yard::new();
        let server = ignoring(&yard.path("buckets"), Some(condition));
        let folder = yard.repository("first", &[1]);
        let destination = format!("s3://{BUCKET}/r");
        let publish = |more: &[&str]| {
            let mut command = packager(&["repo", "publish", &folder, &destination]);
            command.args(more);
            server.allow(&mut command);
            command
        };
        let text = ends(&mut publish(&[]), 1);
        assert!(text.contains(&format!("two publishers work at once: its server ignores `{condition}`")), "{text}");
        assert!(text.contains("hint: see that nobody else publishes there, and give `--unlocked`"), "{text}");
        let left = fs::read_dir(yard.path("buckets").join(BUCKET).join("r")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing was put, and the lock is not left");
        assert!(ends(&mut publish(&["--unlocked"]), 0).contains("2 packages"));
        assert!(ends(&mut publish(&["--unlocked"]), 0).contains("nothing to do"));
    }
}

#[test]
fn a_host() {
    let yard = Yard::new();
    let host = host(&yard.path("sshd"));
    let place = yard.path("on the host's disk");
    let reached = |command: &mut Command| {
        command.arg("--ssh").arg(host.ssh());
    };
    let destination = host.address(&yard.path("on%20the%20host's%20disk"));
    let address = format!("file://{}", yard.text("on%20the%20host's%20disk"));
    walk(&yard, &destination, &address, &reached);
    at_once(&yard, &destination, &address, &reached);

    // Held by another, and then not any more.
    let folder = yard.text("second");
    let mut holding = Command::new("flock").arg(&place).args(["sleep", "100"]).spawn().expect("it runs");
    let free = || Command::new("flock").arg("-n").arg(&place).arg("true").status().expect("it runs").success();
    while free() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut command = packager(&["repo", "publish", &folder, &destination, "--wait", "0"]);
    reached(&mut command);
    let text = ends(&mut command, 1);
    assert!(text.contains("another publisher uses"), "{text}");
    // `sleep` is what holds it: it is flock itself by now, or its child.
    run(Command::new("pkill").args(["-P", &holding.id().to_string()]));
    holding.wait().expect("it ends");
    ends(&mut command, 0);

    // A host that cannot be reached, and one without `rsync`.
    let mut command = packager(&["repo", "publish", &folder, "ssh://127.0.0.1:1/x", "--ssh", "ssh -o BatchMode=yes"]);
    let text = ends(&mut command, 1);
    assert!(text.contains("refused") && text.contains("hint: "), "{text}");
    let mut command = packager(&["repo", "publish", &yard.text("first"), &destination]);
    reached(&mut command);
    let bin = yard.path("bin");
    fs::create_dir_all(&bin).expect("a folder");
    std::os::unix::fs::symlink("/usr/bin/ssh", bin.join("ssh")).expect("a link");
    let text = ends(command.env("PATH", &bin), 1);
    assert!(text.contains("cannot run `rsync`") && text.contains("hint: install it"), "{text}");
}
