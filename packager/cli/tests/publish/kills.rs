//! Publishers that are killed at any moment, while dnf reads all the time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::bucket::{BUCKET, server};
use crate::yard::{Client, Yard, ends, packager};

/// Kills per place; `--features long` makes it many.
const KILLS: usize = if cfg!(feature = "long") { 200 } else { 15 };

/// How often a reader asks again: the next publisher runs within a second.
const TRIES: usize = 20;

/// How the reader finds the repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Address,
    MirrorList,
}

/// Publishes one repository after the other and kills each publisher after another while; dnf never meets anything but a whole
/// repository. The run after each kill completes.
pub(crate) fn killed(
    yard: &Yard,
    destination: &str,
    address: &str,
    (by, kills): (By, usize),
    reached: &dyn Fn(&mut Command),
) {
    let (line, options) = match by {
        By::Address => (format!("baseurl={address}"), vec![]),
        By::MirrorList => (format!("mirrorlist={address}/repodata/mirrorlist"), vec!["--mirror-list", address]),
    };
    let folders = [("a", [1, 2]), ("b", [2, 3]), ("c", [1, 3])]
        .map(|(name, versions)| yard.repository_with(name, &versions, &options));
    let publish = |folder: &str| {
        // As many as a slow reader may be behind.
        let mut command = packager(&["repo", "publish", folder, destination, "--keep-generations", "5"]);
        reached(&mut command);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begun = std::time::Instant::now();
    ends(&mut publish(&folders[0]), 0);
    // The time in which a publication is killed: as long as the first one took, and a little more.
    let longest = begun.elapsed() + Duration::from_millis(20);
    let (done, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = yard.client_of("killed", &line);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let versions = patient(&client, by, &done);
                let whole = [["1", "2"], ["2", "3"], ["1", "3"]].iter().any(|whole| versions == *whole);
                if !whole {
                    done.store(true, Ordering::Relaxed);
                    panic!("{versions:?}");
                }
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        let stop = Stopped(&done);
        let mut ended = 0;
        for number in 0..kills {
            let folder = &folders[(number + 1) % folders.len()];
            let mut publisher = publish(folder).spawn().expect("it runs");
            // Spread over the whole of it, in no order that repeats with the repositories.
            let part = u32::try_from((number * 7919) % kills).expect("small");
            std::thread::sleep(longest * part / u32::try_from(kills).expect("small"));
            ended += usize::from(publisher.try_wait().expect("looked at").is_some());
            let _gone = publisher.kill(); // it may have ended
            publisher.wait().expect("it ends");
            if number % 2 == 1 {
                ends(&mut publish(folder), 0);
            }
        }
        assert!(ended < kills, "most were killed while they worked");
        let last = &folders[0];
        ends(&mut publish(last), 0);
        ends(&mut publish(last), 0);
        drop(stop);
    });
    assert!(looks.load(Ordering::Relaxed) > 0);
    // What the killed ones had put is gone.
    let mut command = packager(&["--json", "repo", "publish", &folders[0], destination, "--keep-generations", "1"]);
    reached(&mut command);
    ends(&mut command, 0);
    assert_eq!(client.versions(), ["1", "2"]);
}

/// What a reader finds. By the mirror list it never fails. By the address it asks again when it met `repomd.xml` and the signature of two
/// generations: between its two requests, or where a publisher was killed between the two files of a bucket, until the next one ran.
fn patient(client: &Client, by: By, done: &AtomicBool) -> Vec<String> {
    for _ in 0..TRIES {
        match client.look() {
            Ok(versions) => return versions,
            Err(said) if by == By::Address && said.contains("GPG signature verification error: Bad GPG signature") => {}
            Err(said) => {
                done.store(true, Ordering::Relaxed);
                panic!("{said}");
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    panic!("the signature never fits");
}

/// Ends the reader also when the publishers' side panics.
struct Stopped<'d>(&'d AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Package files and metadata below a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = ["Packages", "repodata"].map(|part| folder.join(part)).to_vec();
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            // The server of buckets keeps folders in which nothing is any more.
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn in_a_folder(by: By) {
    let yard = Yard::new();
    let place = yard.text("place");
    killed(&yard, &place, &format!("file://{place}"), (by, KILLS), &|_| {});
    assert_eq!(files(&yard.path("place")), files(&yard.path("a")));
}

#[test]
fn in_a_folder_read_by_its_address() {
    in_a_folder(By::Address);
}

#[test]
fn in_a_folder_read_by_the_mirror_list() {
    in_a_folder(By::MirrorList);
}

fn in_a_bucket(by: By) {
    let yard = Yard::new();
    let server = server(&yard.path("buckets"));
    let reached = |command: &mut Command| {
        server.allow(command);
    };
    killed(&yard, &format!("s3://{BUCKET}/r"), &server.address("r"), (by, KILLS), &reached);
    assert_eq!(files(&yard.path("buckets").join(BUCKET).join("r")), files(&yard.path("a")));
}

#[test]
fn in_a_bucket_read_by_its_address() {
    in_a_bucket(By::Address);
}

#[test]
fn in_a_bucket_read_by_the_mirror_list() {
    in_a_bucket(By::MirrorList);
}
