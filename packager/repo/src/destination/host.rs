//! A folder of another host as a place: `rsync` brings files, which it renames when they are whole; `ssh` does the rest.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use packager_source::shell::quoted;
use packager_source::stop::{self, unless_interrupted};

use super::place::{Held, Place, PlaceError, Reach, Source};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The most that a host may say about which files there are: 200 bytes for each of ten million.
const LIST_BYTES_MAX: u64 = 2 << 30;

/// What the host says when the lock is held.
const LOCKED: &str = "locked";

/// How long a host may take to let us in, with whatever `ssh` asks a person, and to answer.
const CONNECTING: Duration = Duration::from_secs(120);

/// Where files lie that are about to take their place.
const BESIDE: &str = ".packager-switch";

/// How long a session may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// The status with which `flock` ends when another has the lock, and one of no program here.
const BUSY: i32 = 75;

pub(super) struct Host {
    address: String,
    /// `[user@]host`.
    host: String,
    port: Option<u16>,
    /// Absolute, without `/` at its end.
    folder: String,
    ssh: String,
}

/// Names as `--from0` and `xargs -0` take them.
fn with_zeros<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<u8> {
    names.into_iter().flat_map(|name| name.bytes().chain([0])).collect()
}

impl Host {
    pub(super) fn new(address: &str, reach: &Reach) -> Result<Host, PlaceError> {
        let lacks = |lacks| PlaceError::Incomplete { address: address.to_owned(), lacks };
        let url = url::Url::parse(address).map_err(|_| PlaceError::Address(address.to_owned()))?;
        let name = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| lacks("it names no host"))?;
        if name.starts_with('-') || url.username().starts_with('-') {
            return Err(lacks("a name that begins with `-` is an option to `ssh`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(lacks("write `?` and `#` in its path as `%3F` and `%23`"));
        }
        if url.password().is_some() {
            return Err(lacks("it holds a password; `ssh` takes keys and asks for passwords itself"));
        }
        let folder = percent_encoding::percent_decode_str(url.path())
            .decode_utf8()
            .map_err(|_| lacks("its path is not UTF-8"))?;
        let folder = folder.trim_end_matches('/').to_owned();
        if folder.is_empty() {
            return Err(lacks("it names no folder"));
        }
        // Addresses of version 6 stand in brackets for `rsync`, without them for `ssh`.
        let host = if url.username().is_empty() { name.to_owned() } else { format!("{}@{name}", url.username()) };
        Ok(Host { address: address.to_owned(), host, port: url.port(), folder, ssh: reach.ssh.clone() })
    }

    /// `ssh` as `rsync` is to use it: one line, split at blanks.
    fn shell(&self) -> String {
        self.port.map_or_else(|| self.ssh.clone(), |port| format!("{} -p {port}", self.ssh))
    }

    /// A script on the host, in its folder as `$d`.
    fn command(&self, script: &str) -> Command {
        let line = self.shell();
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or("ssh"));
        command.args(words).arg(self.host.replace(['[', ']'], ""));
        command.arg(format!("d={}; {script}", quoted(&self.folder)));
        command
    }

    /// Runs it to its end; its input is all there, its output has a bound.
    fn run(&self, what: &'static str, mut command: Command, input: &[u8], most: u64) -> Result<Vec<u8>, PlaceError> {
        unless_interrupted()?;
        let program = command.get_program().to_string_lossy().into_owned();
        let stream = |source| PlaceError::Program { program: program.clone(), remedy: "", source };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|source| {
                PlaceError::Program { program: program.clone(), remedy: stop::remedy(&source), source }
            })?;
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (output, said, status) = std::thread::scope(|scope| {
            scope.spawn(move || {
                // One that ends early does not read it all, and says why by its status.
                let _unread = stdin.take().map(|mut pipe| pipe.write_all(input));
            });
            let read = |pipe: Option<Box<dyn std::io::Read + Send>>, most: u64| {
                scope.spawn(move || {
                    let mut bytes = Vec::new();
                    let read = pipe.map_or(Ok(0), |pipe| pipe.take(most).read_to_end(&mut bytes));
                    read.map(|_| bytes)
                })
            };
            let output = read(stdout.map(|pipe| Box::new(pipe) as _), most + 1);
            let said = read(stderr.map(|pipe| Box::new(pipe) as _), 1 << 16);
            let status = stop::wait(&mut child);
            let joined = |thread: std::thread::ScopedJoinHandle<'_, std::io::Result<Vec<u8>>>| {
                thread.join().unwrap_or_else(|_| Ok(Vec::new()))
            };
            (joined(output), joined(said), status)
        });
        let status = status.map_err(stream)?.ok_or(stop::Interrupted)?;
        if !status.success() {
            return Err(self.failed(what, &program, &status.to_string(), &said.unwrap_or_default()));
        }
        output.map_err(stream)
    }

    fn failed(&self, what: &'static str, program: &str, status: &str, said: &[u8]) -> PlaceError {
        let said: String = String::from_utf8_lossy(said).trim_end().lines().map(|line| format!("\n  {line}")).collect();
        PlaceError::Failed {
            what,
            place: self.address.clone(),
            program: program.to_owned(),
            status: status.to_owned(),
            said,
        }
    }

    /// Brings files of one folder here to the same names there.
    fn rsync(&self, what: &'static str, from: &Path, names: &[&str]) -> Result<(), PlaceError> {
        let mut command = Command::new("rsync");
        command.args(["--archive", "--no-owner", "--no-group", "--copy-links", "--chmod=D755,F644", "--protect-args"]);
        // Whole files, and all that are named: what is there already was left out.
        command.args(["--whole-file", "--ignore-times", "--files-from=-", "--from0"]);
        command.arg("-e").arg(self.shell());
        command.arg(from).arg(format!("{}:{}/", self.host, self.folder));
        self.run(what, command, &with_zeros(names.iter().copied()), LIST_BYTES_MAX).map(drop)
    }

    /// Brings files with these contents, all by one connection.
    fn put_texts(&self, files: &[(String, &[u8])]) -> Result<(), PlaceError> {
        let io = |source| PlaceError::Io { path: std::env::temp_dir(), source };
        let room = tempfile::tempdir().map_err(io)?;
        for (name, bytes) in files {
            let path = room.path().join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
            std::fs::write(&path, bytes).map_err(io)?;
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        self.rsync("write to", room.path(), &names)
    }
}

impl Place for Host {
    fn address(&self) -> &str {
        &self.address
    }

    fn lock(&self, patience: Duration) -> Result<Box<dyn Held + '_>, PlaceError> {
        let begun = Instant::now();
        loop {
            // The lock is held as long as this runs, and it runs as long as we hold its input open. What it is given it gives back.
            let script = format!(r#"mkdir -p "$d" && exec flock -n -E {BUSY} "$d" sh -c 'echo locked; exec cat'"#);
            let mut command = self.command(&script);
            let program = command.get_program().to_string_lossy().into_owned();
            let failed = |source: std::io::Error| PlaceError::Program {
                remedy: stop::remedy(&source),
                program: program.clone(),
                source,
            };
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = piped.spawn().map_err(failed)?;
            let lines = lines(child.stdout.take());
            let mut locked = Locked { host: self, lines, child: Mutex::new(child) };
            if locked.hears(LOCKED, CONNECTING)? {
                return Ok(Box::new(locked));
            }
            let (status, said) = locked.end().map_err(failed)?;
            if status.code() != Some(BUSY) {
                return Err(self.failed("lock", &program, &status.to_string(), &said));
            }
            if begun.elapsed() >= patience {
                return Err(PlaceError::Held { place: self.address.clone(), waited: patience, by: String::new() });
            }
            std::thread::sleep(Duration::from_secs(1).min(patience));
        }
    }

    fn list(&self) -> Result<BTreeMap<String, u64>, PlaceError> {
        let script = r#"[ ! -e "$d" ] || find "$d/" -type f -printf '%s %P\0'"#;
        let output = self.run("list", self.command(script), b"", LIST_BYTES_MAX)?;
        let mut files = BTreeMap::new();
        for line in output.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let file = line.split_once(' ').and_then(|(size, name)| Some((name.to_owned(), size.parse().ok()?)));
            let (name, size) =
                file.ok_or_else(|| PlaceError::Name { place: self.address.clone(), name: line.to_string() })?;
            files.insert(name, size);
        }
        Ok(files)
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, PlaceError> {
        // A byte first, which tells an empty file from none.
        let script = format!(r#"f="$d"/{}; [ ! -e "$f" ] || {{ printf +; head -c {} "$f"; }}"#, quoted(name), most + 1);
        let mut output = self.run("read from", self.command(&script), b"", most + 2)?;
        if output.is_empty() {
            return Ok(None);
        }
        output.remove(0);
        if output.len() as u64 > most {
            return Err(PlaceError::Large { place: self.address.clone(), name: name.to_owned(), most });
        }
        Ok(Some(output))
    }

    fn put_all(&self, files: &[Source], put: &mut dyn FnMut(&Source)) -> Result<(), PlaceError> {
        // One `rsync` for all that lie below one folder by their names, as files of a repository do.
        let root = |file: &Source| {
            let depth = Path::new(&file.name).components().count();
            file.path.ancestors().nth(depth).map(Path::to_owned)
        };
        for together in files.chunk_by(|one, other| root(one) == root(other)) {
            let from = root(&together[0]).unwrap_or_default();
            let from = if from.as_os_str().is_empty() { Path::new(".") } else { &from };
            let names: Vec<&str> = together.iter().map(|file| file.name.as_str()).collect();
            self.rsync("write to", from, &names)?;
            together.iter().for_each(&mut *put);
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PlaceError> {
        self.put_texts(&[(name.to_owned(), bytes)])
    }

    /// They are brought beside and renamed by one program on the host, which goes on when we are gone.
    fn switch(&self, files: &[(&str, Option<&[u8]>)]) -> Result<(), PlaceError> {
        let mut script = String::from("trap '' HUP; cd \"$d\"");
        let Some(folder) = files.first().and_then(|(name, _)| Path::new(name).parent()) else { return Ok(()) };
        let (mut beside, mut moved, mut removed) = (Vec::new(), String::new(), String::new());
        for (name, bytes) in files {
            let Some(bytes) = bytes else {
                removed.push_str(&format!(" {}", quoted(name)));
                continue;
            };
            let file = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
            let place = format!("{BESIDE}/{file}");
            moved.push_str(&format!(" {}", quoted(&place)));
            beside.push((place, *bytes));
        }
        if !beside.is_empty() {
            self.put_texts(&beside)?;
            script
                .push_str(&format!(" && mv -f --{moved} {}/ && rm -rf -- {BESIDE}", quoted(&folder.to_string_lossy())));
        }
        if !removed.is_empty() {
            script.push_str(&format!(" && rm -f --{removed}"));
        }
        self.run("write to", self.command(&script), b"", LIST_BYTES_MAX).map(drop)
    }

    fn remove(&self, names: &[String]) -> Result<(), PlaceError> {
        // Then the folders that nothing is in any more; others refuse.
        let script = r#"cd "$d" && xargs -0 -r sh -c 'rm -f -- "$@" || exit 1
            for f; do rmdir -p --ignore-fail-on-non-empty -- "$(dirname -- "$f")" 2>/dev/null; done; :' sh"#;
        let input = with_zeros(names.iter().map(String::as_str));
        self.run("remove from", self.command(script), &input, LIST_BYTES_MAX).map(drop)
    }

    fn settle(&self) -> Result<(), PlaceError> {
        self.run("settle", self.command(r#"sync -f "$d""#), b"", LIST_BYTES_MAX).map(drop)
    }
}

/// What a program writes, line by line, until it ends.
fn lines(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        let lines = stdout.map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        // Nobody listens any more: it may end.
        lines.map(|line| to.send(line)).take_while(Result::is_ok).count()
    });
    from
}

struct Locked<'h> {
    host: &'h Host,
    lines: Receiver<String>,
    child: Mutex<Child>,
}

impl Locked<'_> {
    /// Whether the host says this in time.
    fn hears(&self, line: &str, patience: Duration) -> Result<bool, PlaceError> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            unless_interrupted()?;
            match self.lines.recv_timeout(POLL) {
                Ok(heard) => return Ok(heard == line),
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(false)
    }

    /// Without its input it ends; a connection that is gone does not keep us. How it ended, and what it complained of.
    fn end(&mut self) -> std::io::Result<(ExitStatus, Vec<u8>)> {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(child.stdin.take());
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > ENDING {
                child.kill()?;
            }
            std::thread::sleep(POLL);
        }
        let mut said = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            stderr.take(1 << 16).read_to_end(&mut said)?;
        }
        Ok((child.wait()?, said))
    }
}

impl Held for Locked<'_> {
    /// The host answers, so that our session there is alive and with it the lock.
    fn check(&self) -> Result<(), PlaceError> {
        let sent = {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            child.stdin.as_mut().is_some_and(|pipe| pipe.write_all(b"held\n").and_then(|()| pipe.flush()).is_ok())
        };
        if sent && self.hears("held", CONNECTING)? {
            return Ok(());
        }
        Err(PlaceError::Lost { place: self.host.address.clone() })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ended = self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::{PlaceError, Reach};
    use super::Host;

    #[test]
    fn addresses_of_hosts() {
        let reach = Reach::default();
        let host = Host::new("ssh://me@host:2222/srv/a%20b/", &reach).expect("an address");
        assert_eq!((host.host.as_str(), host.folder.as_str()), ("me@host", "/srv/a b"));
        assert_eq!(host.shell(), "ssh -p 2222");
        for bad in ["ssh://host", "ssh://host/", "ssh:///srv", "ssh://-oProxyCommand=x/srv", "ssh://me:secret@host/srv"]
        {
            let error = Host::new(bad, &reach).err();
            assert!(matches!(error, Some(PlaceError::Incomplete { .. } | PlaceError::Address(_))), "{bad}");
        }
    }
}
