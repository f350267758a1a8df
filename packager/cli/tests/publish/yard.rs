//! Signed repositories of small packages, the packager, and dnf as a client with signature checks on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The key that signs everything here.
pub(crate) fn secret_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpm/tests/keys/test.secret.asc")
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    said(&output)
}

/// The packager, with what a test sets in its environment.
pub(crate) fn packager(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    command.args(arguments).env_remove("SOURCE_DATE_EPOCH").stdin(Stdio::null());
    command
}

/// Runs it and expects an exit status.
pub(crate) fn ends(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{}", said(&output));
    said(&output)
}

/// A folder in which packages are made, and repositories of them.
pub(crate) struct Yard {
    pub(crate) room: TempDir,
}

impl Yard {
    /// With packages `tool` and `plug` of versions 1 to 3, signed.
    pub(crate) fn new() -> Yard {
        let room = tempfile::tempdir().expect("a folder");
        let topdir = format!("--define=_topdir {}", room.path().display());
        for name in ["tool", "plug"] {
            for version in 1..=3 {
                let spec = room.path().join("a.spec");
                let head = format!(
                    "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n"
                );
                let requires = if name == "tool" { format!("Requires: plug = {version}\n") } else { String::new() };
                let files = format!(
                    "%install\nmkdir -p %buildroot/opt\nhead -c 20000 /dev/urandom > %buildroot/opt/{name}\n%files\n/opt/{name}\n"
                );
                fs::write(&spec, format!("{head}{requires}%description\nd\n{files}")).expect("written");
                run(Command::new("rpmbuild").args(["-bb", "--quiet", &topdir]).arg(&spec));
            }
        }
        let packages = room.path().join("RPMS/noarch");
        let files: Vec<String> = fs::read_dir(&packages)
            .expect("packages")
            .map(|entry| entry.expect("an entry").path().display().to_string())
            .collect();
        let mut command = packager(&["sign", "--sign-key", &secret_key().display().to_string()]);
        run(command.args(files));
        Yard { room }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A signed repository of these versions, with the key.
    pub(crate) fn repository(&self, name: &str, versions: &[u32]) -> String {
        self.repository_with(name, versions, &[])
    }

    /// The same, made with further options.
    pub(crate) fn repository_with(&self, name: &str, versions: &[u32], options: &[&str]) -> String {
        let folder = self.path(name);
        fs::create_dir_all(folder.join("Packages")).expect("a folder");
        for version in versions {
            for package in ["tool", "plug"] {
                let file = format!("{package}-{version}-1.noarch.rpm");
                let to = folder.join("Packages").join(&file);
                fs::copy(self.path("RPMS/noarch").join(&file), to).expect("copied");
            }
        }
        fs::copy(self.public_key(), folder.join("RPM-GPG-KEY-test")).expect("copied");
        let folder = folder.display().to_string();
        let create = ["repo", "create", &folder, "--sign-key", &secret_key().display().to_string()];
        run(packager(&create).args(options));
        folder
    }

    /// The public half of the key.
    pub(crate) fn public_key(&self) -> PathBuf {
        let path = self.path("key.asc");
        if !path.exists() {
            self.gpg(&["--armor", "--output", &path.display().to_string(), "--export"]);
        }
        path
    }

    /// Signs the metadata of a folder as somebody does who has the key and no packager.
    pub(crate) fn sign_by_hand(&self, folder: &str) {
        let repomd = format!("{folder}/repodata/repomd.xml");
        self.gpg(&["--yes", "--armor", "--detach-sign", &repomd]);
    }

    fn gpg(&self, arguments: &[&str]) {
        let home = self.path("gnupg");
        fs::create_dir_all(&home).expect("a folder");
        let gpg = || {
            let mut command = Command::new("gpg");
            command.args(["--batch", "--quiet", "--no-permission-warning", "--homedir"]).arg(&home);
            command
        };
        run(gpg().arg("--import").arg(secret_key()));
        run(gpg().args(arguments));
        // Its agent would stay.
        run(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]));
    }

    /// A client of a repository at an address.
    pub(crate) fn client(&self, name: &str, address: &str) -> Client {
        self.client_of(name, &format!("baseurl={address}"))
    }

    /// A client of a repository of which the `.repo` file says in this line where it is.
    pub(crate) fn client_of(&self, name: &str, line: &str) -> Client {
        let root = self.path(&format!("client-{name}"));
        for folder in ["repos", "root", "cache", "log", "persist"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let text = format!(
            "[published]\nname=published\n{line}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://{}\nmetadata_expire=0\n",
            self.public_key().display()
        );
        fs::write(root.join("repos/published.repo"), text).expect("written");
        Client { root }
    }
}

/// dnf with its own root, cache and one repository.
pub(crate) struct Client {
    root: PathBuf,
}

impl Client {
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let root = self.root.display();
        let mut command = Command::new("dnf");
        command.args(["-y", "-q", "--releasever=1", "--forcearch=x86_64", "--noplugins", "--disableplugin=*"]);
        command.arg(format!("--installroot={root}/root")).arg(format!("--setopt=cachedir={root}/cache"));
        command.arg(format!("--setopt=reposdir={root}/repos")).arg(format!("--setopt=logdir={root}/log"));
        command.arg(format!("--setopt=persistdir={root}/persist")).args([
            "--setopt=retries=1",
            "--setopt=timeout=20",
            "--setopt=skip_if_unavailable=0",
        ]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// What dnf answers, which must be no error.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    /// Takes the metadata anew, checks its signature, and says which versions of `tool` there are.
    pub(crate) fn versions(&self) -> Vec<String> {
        self.look().unwrap_or_else(|said| panic!("{said}"))
    }

    /// As [`Client::versions`], or what dnf says is wrong.
    pub(crate) fn look(&self) -> Result<Vec<String>, String> {
        let query = ["repoquery", "--refresh", "--qf=version:%{version}", "tool"];
        let output = self.command(&query).output().expect("it runs");
        let text = said(&output);
        let mut versions: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("version:")).map(str::to_owned).collect();
        versions.sort();
        if output.status.success() && !versions.is_empty() { Ok(versions) } else { Err(text) }
    }

    /// What it has installed, but for keys.
    pub(crate) fn installed(&self) -> Vec<String> {
        let text = run(Command::new("rpm").arg("--root").arg(self.root.join("root")).arg("-qa"));
        let mut packages: Vec<String> =
            text.lines().filter(|line| !line.starts_with("gpg-pubkey")).map(str::to_owned).collect();
        packages.sort();
        packages
    }

    /// Reads what another `.repo` file says, instead of its own.
    pub(crate) fn take(&self, file: &Path) {
        fs::remove_file(self.root.join("repos/published.repo")).expect("it is there");
        fs::copy(file, self.root.join("repos/taken.repo")).expect("copied");
    }
}
