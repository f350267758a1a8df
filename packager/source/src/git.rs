//! A commit of a git repository as an archive. What is read: `packager/docs/upstream-projects.md`.
//!
//! A repository in the file system is opened where it is. From one behind `http:` or `https:` just the commit is asked for, by git's smart
//! protocol in version 0 without side bands:
//!
//! ```text
//! GET  URL/info/refs?service=git-upload-pack   where it leads: hosts redirect
//! POST URL/git-upload-pack                     want <commit> <capabilities>, deepen 1, flush, done
//! answer                                       shallow <commit>, flush, NAK, then a pack until the end
//! ```
//!
//! A line is four hexadecimal digits, its length with them, and the rest; `0000` is a flush. Source: git's `gitprotocol-pack` and
//! `gitprotocol-http`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};
use ureq::ResponseExt as _;

use crate::archive::CopyError;
use crate::room::Room;
use crate::stop::unless_interrupted;
use crate::tarball::Contents;

/// Bytes of a pack that is asked for with depth 1, and of all files of a commit.
const BYTES_MAX: u64 = 1 << 30;

/// What a server of the smart protocol answers with.
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";

/// The longest line of the protocol.
const LINE_BYTES_MAX: usize = 65_520;

/// Lines before the pack: one for each shallow commit, and there is one.
const LINES_MAX: usize = 64;

/// Writes the tree of a commit below `folder` as an uncompressed tarball: its bytes depend on the commit alone.
pub(crate) fn export(agent: &ureq::Agent, url: &str, commit: &str, folder: &str, to: &Path) -> Result<(), CopyError> {
    let id = Oid::from_str(commit)?;
    if url.starts_with("http://") || url.starts_with("https://") {
        let beside = to.parent().unwrap_or(Path::new("."));
        let room = Room::make(beside, ".git-")?;
        let repository = Repository::init_bare(room.path())?;
        fetch(agent, url, id, &repository)?;
        return pack(&repository, id, folder, to);
    }
    pack(&Repository::open(url.strip_prefix("file://").unwrap_or(url))?, id, folder, to)
}

fn pack(repository: &Repository, id: Oid, folder: &str, to: &Path) -> Result<(), CopyError> {
    let commit = repository.find_commit(id)?;
    let mut contents = Contents::new();
    let mut failure = None;
    let mut left = BYTES_MAX;
    let walked = commit.tree()?.walk(TreeWalkMode::PreOrder, |below, entry| {
        let mut add = || -> Result<(), CopyError> {
            unless_interrupted()?;
            if entry.kind() != Some(ObjectType::Blob) {
                return Ok(()); // a folder, or a submodule: as `git archive` does
            }
            let name = std::str::from_utf8(entry.name_bytes()).map_err(|_| CopyError::Name(below.to_owned()))?;
            let path = format!("{folder}/{below}{name}");
            let blob = repository.find_blob(entry.id())?;
            left = left.checked_sub(blob.size() as u64).ok_or(CopyError::TooLong(BYTES_MAX))?;
            match entry.filemode() {
                0o120_000 => contents.link(path, OsStr::from_bytes(blob.content()).into()),
                mode => contents.bytes(path, blob.content(), mode & 0o100 != 0),
            }
            Ok(())
        };
        match add() {
            Ok(()) => TreeWalkResult::Ok,
            Err(error) => {
                failure = Some(error);
                TreeWalkResult::Abort
            }
        }
    });
    // Stopping the walk is an error of its own, which says nothing.
    if let Some(error) = failure {
        return Err(error);
    }
    walked?;
    let mut file = BufWriter::new(File::create(to)?);
    contents.write_plain(&mut file, commit.time().seconds())?;
    Ok(file.flush()?)
}

/// The repository's address after redirections.
fn settled(agent: &ureq::Agent, url: &str) -> Result<String, CopyError> {
    let asked = "/info/refs?service=git-upload-pack";
    let answer = agent.get(format!("{}{asked}", url.trim_end_matches('/'))).call().map_err(Box::new)?;
    let kind = answer.headers().get("Content-Type").and_then(|kind| kind.to_str().ok());
    let uri = answer.get_uri().to_string();
    match uri.strip_suffix(asked) {
        Some(base) if kind == Some(ADVERTISEMENT) => Ok(base.to_owned()),
        _ => Err(CopyError::NoGit),
    }
}

/// Puts a commit with its tree into a repository.
fn fetch(agent: &ureq::Agent, url: &str, id: Oid, repository: &Repository) -> Result<(), CopyError> {
    let mut ask = Vec::new();
    ask.extend(line(&format!("want {id} ofs-delta shallow no-progress agent=packager\n")));
    ask.extend(line("deepen 1\n"));
    ask.extend(b"0000");
    ask.extend(line("done\n"));
    let answer = agent
        .post(format!("{}/git-upload-pack", settled(agent, url)?))
        .header("Content-Type", "application/x-git-upload-pack-request")
        .header("Accept", "application/x-git-upload-pack-result")
        .send(&ask[..])
        .map_err(Box::new)?;
    let mut answer = answer.into_body().into_reader();
    for _ in 0..LINES_MAX {
        let text = read_line(&mut answer)?;
        if let Some(reason) = text.strip_prefix("ERR ") {
            return Err(CopyError::Refused(reason.trim().to_owned()));
        }
        if text.trim_end() == "NAK" {
            let odb = repository.odb()?;
            let mut writer = odb.packwriter()?;
            let mut left = BYTES_MAX;
            let mut block = vec![0; 1 << 16];
            loop {
                unless_interrupted()?;
                let read = answer.read(&mut block)?;
                if read == 0 {
                    break;
                }
                left = left.checked_sub(read as u64).ok_or(CopyError::TooLong(BYTES_MAX))?;
                writer.write_all(&block[..read])?;
            }
            writer.commit()?;
            return Ok(());
        }
    }
    Err(CopyError::NoGit)
}

fn line(text: &str) -> Vec<u8> {
    format!("{:04x}{text}", text.len() + 4).into_bytes()
}

/// The text of a line; empty for a flush.
fn read_line(from: &mut impl Read) -> Result<String, CopyError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = std::str::from_utf8(&length).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    match length {
        Some(0) => Ok(String::new()),
        Some(length) if (4..=LINE_BYTES_MAX).contains(&length) => {
            let mut text = vec![0; length - 4];
            from.read_exact(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        _ => Err(CopyError::NoGit),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use git2::{Oid, Repository, Signature};

    use super::export;
    use crate::digest;

    /// A repository with two commits; gives the first one.
    fn repository(folder: &Path) -> Oid {
        let repository = Repository::init(folder).expect("a repository");
        let who = Signature::new("name", "name@packager.invalid", &git2::Time::new(1_700_000_000, 0)).expect("a name");
        let mut first = None;
        for (number, text) in ["one", "two"].into_iter().enumerate() {
            std::fs::create_dir_all(folder.join("src")).expect("a folder");
            std::fs::write(folder.join("src/file"), text).expect("a file");
            if number == 0 {
                std::os::unix::fs::symlink("src/file", folder.join("link")).expect("a link");
            }
            let mut index = repository.index().expect("an index");
            index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("added");
            let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
            let parent = first.map(|id| repository.find_commit(id).expect("a commit"));
            let parents: Vec<_> = parent.iter().collect();
            let id = repository.commit(Some("HEAD"), &who, &who, text, &tree, &parents).expect("a commit");
            first.get_or_insert(id);
        }
        let mut config = repository.config().expect("a configuration");
        config.set_bool("uploadpack.allowAnySHA1InWant", true).expect("as the big hosts have it");
        first.expect("two commits")
    }

    /// Answers one request as a git server does, by git itself.
    fn answer(stream: TcpStream, folder: &Path) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        let mut length = 0;
        let mut request = String::new();
        reader.read_line(&mut request).expect("a request");
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).expect("a header");
            if header.trim().is_empty() {
                break;
            }
            if let Some((_, value)) =
                header.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut stream = stream;
        if let Some(path) = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) {
            // Under its old name it sends its clients to the new one.
            let head = match path.strip_prefix("/old/") {
                Some(rest) => format!("301 Moved\r\nLocation: /{rest}"),
                None => format!("200 OK\r\nContent-Type: {}", super::ADVERTISEMENT),
            };
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return stream.write_all(head.as_bytes()).expect("a client reads");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let mut git = Command::new("git");
        git.args(["upload-pack", "--stateless-rpc"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut git = git.stderr(Stdio::null()).spawn().expect("git runs");
        git.stdin.take().expect("piped").write_all(&body).expect("it reads");
        let output = git.wait_with_output().expect("it ends").stdout;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", output.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&output)).expect("a client reads");
    }

    #[test]
    fn a_commit_is_the_same_archive_from_here_and_from_a_server() {
        let room = tempfile::tempdir().expect("a folder");
        let source = room.path().join("source");
        let first = repository(&source).to_string();
        let agent = ureq::Agent::new_with_defaults();
        let get = |url: &str, commit: &str| {
            let to = room.path().join("out.tar");
            export(&agent, url, commit, "demo-1.0", &to).map(|()| (digest::file(&to).expect("a hash"), to))
        };
        let (here, tar) = get(source.to_str().expect("text"), &first).expect("it is here");
        let mut archive = tar::Archive::new(std::fs::File::open(&tar).expect("it is there"));
        let members: Vec<String> = archive
            .entries()
            .expect("a tarball")
            .map(|entry| {
                let mut entry = entry.expect("a member");
                let mut text = String::new();
                entry.read_to_string(&mut text).expect("text");
                format!(
                    "{} {} {text}",
                    entry.path().expect("a path").display(),
                    entry.header().mtime().expect("a time")
                )
            })
            .collect();
        assert_eq!(members, ["demo-1.0/link 1700000000 ", "demo-1.0/src/file 1700000000 one"]);

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/old/demo.git", listener.local_addr().expect("an address"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Twice: the old name, the new name, the pack.
                for _ in 0..6 {
                    answer(listener.accept().expect("a client").0, &source);
                }
            });
            let (far, _) = get(&url, &first).expect("the server has it");
            assert_eq!(far, here, "the bytes depend on the commit alone");
            let refused = get(&url, &"1".repeat(40)).expect_err("nobody has it").to_string();
            assert!(refused.contains("not our ref"), "{refused}");
        });
        assert!(get(source.to_str().expect("text"), &"1".repeat(40)).is_err());
    }
}
