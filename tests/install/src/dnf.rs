//! dnf inside a container.

use system_suite::Outcome;

use crate::{Container, Repository, Web};

/// A repository as dnf is told of it: the `.repo` file that lies in the repository, with the address it is served under.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name of the file and id in it.
    pub id: String,
    /// The file.
    pub text: String,
}

impl Source {
    /// The file of a repository that is served as `name`. It must demand both kinds of signatures.
    #[must_use]
    pub fn of(repository: &Repository, web: &Web, name: &str) -> Source {
        let text = repository.repo_file();
        let old = text.lines().find_map(|line| line.strip_prefix("baseurl=")).expect("a .repo file has an address");
        let text = text.replace(old, &web.url(name)).replace(&format!("[{}]", repository.id()), &format!("[{name}]"));
        for line in ["gpgcheck=1", "repo_gpgcheck=1"] {
            assert!(text.lines().any(|found| found == line), "the .repo file does not say {line}:\n{text}");
        }
        Source { id: name.to_owned(), text }
    }
}

impl Container {
    /// Puts a `.repo` file where an administrator puts it.
    pub fn add_source(&self, source: &Source) {
        std::fs::create_dir_all(self.path("/etc/yum.repos.d")).expect("a folder in the container");
        self.write(&format!("/etc/yum.repos.d/{}.repo", source.id), &source.text);
    }

    /// Runs dnf; it answers its own questions with yes.
    pub fn dnf(&self, arguments: &[&str]) -> Outcome {
        let outcome = Outcome::of(self.command("dnf").arg("-y").args(arguments));
        // The root is Debian's: its loader has to be told of the folder in which every rpm distribution has its libraries, and that
        // something came into it, as glibc's file triggers do there.
        self.shell("echo /usr/lib64 >/etc/ld.so.conf.d/rpm.conf; ldconfig");
        outcome
    }

    /// Runs dnf, which must refuse and say one of `texts`; nothing of ours may be installed afterwards.
    #[track_caller]
    pub fn dnf_refuses(&self, arguments: &[&str], text: &str) {
        self.shell("dnf -q clean all; rm -rf /var/cache/dnf");
        let outcome = self.dnf(arguments);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_ne!(outcome.code, 0, "dnf accepted it: {said}");
        assert!(said.contains(text), "dnf does not say `{text}`:\n{said}");
        let installed = self.run("rpm", &["-qa", "daos*"]).stdout;
        assert_eq!(installed, "", "packages were installed nevertheless");
    }
}
