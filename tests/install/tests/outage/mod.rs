//! `kill -9` of the installed service under load, again and again; after each kill every key is compared with what was acknowledged.
//!
//! systemd starts the server again and the server its engine, as they would for a user. In some rounds an administrator does it: a server gives an
//! engine up that died seven times within ten minutes, and forgets these deaths when somebody starts it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Instant;

use install_suite::Container;
use system_suite::wait_for;

use super::story::{self, PATIENCE};

/// The engine's process.
pub(crate) const ENGINE: &str = "^/usr/bin/daos_engine";

/// Changes that are acknowledged in a round before its kill, at least and at most: the kill comes at another place of the log each time.
const CHANGES: std::ops::Range<u64> = 20..400;

/// What a round kills, and who brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// The engine; the server starts it again.
    Engine,
    /// The engine; an administrator starts it, which also forgives: the next restart has no delay.
    EngineStarted,
    /// The engine, and the next one while it reads its log back.
    EngineTwice,
    /// Server and engine, as when a host loses power; systemd starts the server.
    Both,
    /// First the server, which the load must not notice and whose successor adopts the engine; then the engine.
    ServerThenEngine,
}

impl Kill {
    fn of(round: u64) -> Kill {
        // A server gives up on an engine after six restarts in ten minutes; a new server, and an administrator who is faster than it, forget them. The
        // latter is not for sure: no more than five kills lie between two of the former.
        match round % 10 {
            3 => Kill::EngineTwice,
            2 | 5 => Kill::Both,
            7 => Kill::ServerThenEngine,
            1 | 4 | 8 => Kill::EngineStarted,
            _ => Kill::Engine,
        }
    }

    /// Kills of an engine in it.
    fn engines(self) -> u64 {
        if self == Kill::EngineTwice { 2 } else { 1 }
    }
}

/// A program in the container that writes and keeps account.
pub(crate) struct Load {
    child: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Load {
    /// Starts one on a container of the pool `tank` that does not exist yet.
    pub(crate) fn start(container: &Container, label: &str) -> Load {
        let mut command = container.session("install-load");
        let mut child =
            command.args(["--pool", "tank", "--container", label, "rounds"]).spawn().expect("it is in the container");
        let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
        Load { words: child.stdin.take(), child, answers }
    }

    fn ask(&mut self, words: &str) -> String {
        let to = self.words.as_mut().expect("open as long as this value lives");
        // One that ended has said why on the standard error, which is the test's.
        writeln!(to, "{words}").unwrap_or_else(|error| panic!("the load has ended: {error}"));
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("its output is a pipe");
        assert!(answer.ends_with('\n'), "the load ended at `{words}`; its account is above");
        answer.trim().to_owned()
    }

    /// Compares also what was put once and never changed, all of it.
    pub(crate) fn read_all(&mut self) -> String {
        self.ask("all")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.words.take()); // the end of its input is its end
        let _ = self.child.wait(); // it is our child
    }
}

/// Kills, as many as `rounds`, and verifies after each. Gives figures.
pub(crate) fn kills(container: &Container, load: &mut Load, rounds: u64) -> String {
    let (mut outages, mut happened, mut engines, mut acknowledged) = (Vec::new(), 0, 0, 0);
    for round in 0..rounds {
        let kill = Kill::of(round);
        // Spread over the range, other in every round, and the same in every run.
        let changes = CHANGES.start + round * 7919 % (CHANGES.end - CHANGES.start);
        assert_eq!(load.ask(&format!("load {changes}")), "loaded");
        let since = run(kill, container);
        outages.push(since.elapsed());
        let settled = load.ask("settle");
        let number = |name: &str| -> u64 {
            let value = settled.split(name).nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            value.unwrap_or_else(|| panic!("no `{name}` in `{settled}`"))
        };
        (acknowledged, happened, engines) =
            (number("acknowledged="), happened + number("happened="), engines + kill.engines());
    }
    let kept = load.read_all();
    outages.sort_unstable();
    format!(
        "rounds={rounds} engines_killed={engines} acknowledged={acknowledged} {kept} unacknowledged_but_whole={happened} lost=0 wrong=0 \
         kill_to_joined_p50_ms={} kill_to_joined_max_ms={}",
        outages[outages.len() / 2].as_millis(),
        outages[outages.len() - 1].as_millis()
    )
}

/// One round; gives when the engine was killed last. It has joined again afterwards.
fn run(kill: Kill, container: &Container) -> Instant {
    if kill == Kill::ServerThenEngine {
        let (old, engine) = (server(container), story::process(container, ENGINE));
        kill_server(container);
        server_again(container, &old);
        story::joined(container);
        assert_eq!(story::process(container, ENGINE), engine, "the next server took the engine over");
    }
    let before = story::incarnation(container);
    let old = server(container);
    if kill == Kill::Both {
        kill_server(container);
    }
    let mut since = Instant::now();
    story::kill_engine(container, ENGINE);
    match kill {
        Kill::Engine | Kill::ServerThenEngine => {}
        Kill::Both => server_again(container, &old),
        Kill::EngineTwice => {
            since = Instant::now();
            story::kill_engine(container, ENGINE);
        }
        Kill::EngineStarted => {
            // When the server was faster, there is nothing to start, and that is well.
            container.run("dmg", &["system", "start"]);
        }
    }
    wait_for("another engine joined", PATIENCE, || {
        let now = story::incarnation(container)?;
        (Some(now) != before).then_some(())
    });
    since
}

/// The server's process, as systemd knows it.
pub(crate) fn server(container: &Container) -> String {
    container.shell("systemctl show --property MainPID --value daos_server").trim().to_owned()
}

/// `kill -9` of the server alone.
pub(crate) fn kill_server(container: &Container) {
    container.shell("systemctl kill --kill-who=main --signal=KILL daos_server");
}

/// Waits until systemd has another process than `before`.
pub(crate) fn server_again(container: &Container, before: &str) {
    wait_for("systemd starts the server again", PATIENCE, || {
        (![before, "0"].contains(&server(container).as_str())).then_some(())
    });
}
