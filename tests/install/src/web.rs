//! An HTTP server for a repository: on loopback of a container's network namespace, on a thread of the test.
//!
//! Enough of HTTP/1.1 for dnf: GET and HEAD of files, one request per connection. It ends with the value, or with the test.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::Container;

/// How often the server looks whether it is to end.
const TICK: Duration = Duration::from_millis(20);

/// A client that says nothing for so long is left.
const SILENCE: Duration = Duration::from_secs(30);

/// A server.
pub struct Web {
    site: PathBuf,
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// Serves `site/` of the container's folder to the container.
    #[must_use]
    pub fn serve(container: &Container) -> Web {
        let site = container.folder().join("site");
        let namespace = format!("/proc/{}/ns/net", container.leader());
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let (site, stop) = (site.clone(), stop.clone());
            move || {
                // A namespace is entered by a thread alone; the rest of the test stays where it is.
                let namespace = fs::File::open(namespace).expect("the container runs");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a network namespace");
                let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of a fresh namespace");
                listener.set_nonblocking(true).expect("a listener");
                tell.send(listener.local_addr().expect("a bound listener").port()).expect("the test waits");
                accept(&listener, &site, &stop);
            }
        });
        let port = told.recv().expect("the server starts");
        Web { site, port, stop, thread: Some(thread) }
    }

    /// Publishes a folder under a name, in place of what had that name.
    pub fn publish(&self, name: &str, folder: &Path) {
        let link = self.site.join(name);
        let _ = fs::remove_file(&link); // none before
        std::os::unix::fs::symlink(folder, link).expect("a link in our folder");
    }

    /// Address of a published folder.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it says by itself why it panicked
        }
    }
}

fn accept(listener: &TcpListener, site: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let site = site.to_owned();
                std::thread::spawn(move || {
                    let _ = answer(stream, &site); // a client may leave at any moment
                });
            }
            Err(_) => std::thread::sleep(TICK),
        }
    }
}

fn answer(stream: TcpStream, site: &Path) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut stream = stream;
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let body = if plain { fs::read(site.join(relative)).ok() } else { None };
    let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
    let body = body.unwrap_or_default();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    if method == "GET" {
        stream.write_all(&body)?;
    }
    stream.flush()
}
