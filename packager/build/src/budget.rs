//! The job budget that all builds of a run share: a jobserver as make knows it.
//!
//! A build takes one job for itself and gives it back at its end. The cargo and make inside take more from the same pool whenever they
//! could use another processor and one is free, and give them back. So one long build has all jobs when it is alone.

use std::io;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

pub use jobserver::Acquired;
use jobserver::Client;
use packager_source::stop::unless_interrupted;

/// How often a build that waits for its job looks whether it is to stop.
const POLL: Duration = Duration::from_millis(50);

/// Jobs that several builds share.
#[derive(Debug)]
pub struct Budget {
    client: Client,
    jobs: usize,
}

impl Budget {
    /// With this many jobs.
    pub fn new(jobs: usize) -> io::Result<Budget> {
        Ok(Budget { client: Client::new(jobs)?, jobs })
    }

    /// All jobs together.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// The job of one build, for as long as the value lives. Waits until one is free or the user asks to stop.
    pub fn begin(&self) -> io::Result<Acquired> {
        // Reading a pipe cannot be interrupted: a thread does it, and a job that comes when nobody waits any more goes back.
        let (client, (sender, receiver)) = (self.client.clone(), mpsc::channel());
        std::thread::spawn(move || sender.send(client.acquire()));
        loop {
            unless_interrupted().map_err(io::Error::other)?;
            match receiver.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(job) => return job,
            }
        }
    }

    /// Lets a command and everything it starts use the pool: its descriptors stay open, and the variables are returned that say
    /// which they are.
    pub fn lend(&self, command: &mut Command) -> Vec<(String, String)> {
        self.client.configure_make(command);
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use std::process::Command;

    #[test]
    fn make_takes_its_jobs_from_the_pool() {
        let folder = tempfile::tempdir().expect("a folder");
        let makefile = "all: a b c d\n%:\n\t@echo + >>log; sleep 0.05; echo - >>log\n";
        std::fs::write(folder.path().join("Makefile"), makefile).expect("a makefile");
        // How many recipes run at the same time at most, when one job of `jobs` belongs to make itself.
        let most = |jobs: usize| {
            let budget = Budget::new(jobs).expect("a pool");
            let own = budget.begin().expect("a job");
            let mut make = Command::new("make");
            budget.lend(&mut make);
            let status = make.current_dir(folder.path()).status().expect("make runs");
            assert!(status.success());
            drop(own);
            for _ in 0..jobs {
                std::mem::forget(budget.begin().expect("every job came back"));
            }
            let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
            std::fs::remove_file(folder.path().join("log")).expect("it is there");
            let mut running = 0_usize;
            log.lines()
                .map(|line| {
                    running = if line == "+" { running + 1 } else { running - 1 };
                    running
                })
                .max()
        };
        assert_eq!(most(1), Some(1));
        assert!((1..=3).contains(&most(3).expect("four recipes ran")));
    }
}
