//! One member of the system: its record and its state machine.
//!
//! Pure: (state, event) -> state + effects. `Membership` applies events to its members and the service executes the
//! effects. The table of all transitions is in engine/docs/control-plane.md and, as a test, below.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::Rank;
use uuid::Uuid;

/// What the management service knows of an engine's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its storage was found unformatted.
    AwaitFormat,
    /// Its process was started.
    Starting,
    /// It has its rank and does not serve yet.
    Ready,
    /// It serves.
    Joined,
    /// It was asked to stop.
    Stopping,
    /// It stopped as asked.
    Stopped,
    /// It has not answered for so long that clients are no longer sent to it.
    Excluded,
    /// Its process ended unasked or could not be started.
    Errored,
    /// It missed pings.
    Unresponsive,
}

impl State {
    /// Every state.
    pub const ALL: [State; 9] = [
        State::AwaitFormat,
        State::Starting,
        State::Ready,
        State::Joined,
        State::Stopping,
        State::Stopped,
        State::Excluded,
        State::Errored,
        State::Unresponsive,
    ];

    /// As on the wire and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::AwaitFormat => "awaitformat",
            State::Starting => "starting",
            State::Ready => "ready",
            State::Joined => "joined",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Excluded => "excluded",
            State::Errored => "errored",
            State::Unresponsive => "unresponsive",
        }
    }

    /// True when clients and peers are given this member's address.
    pub const fn in_group(self) -> bool {
        matches!(self, State::Joined | State::Unresponsive)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its server found its storage unformatted.
    FormatAwaited,
    /// Its server started its process. The reason of an exit before it is kept until it serves.
    Started,
    /// It joined and was given its rank.
    RankGiven {
        /// It is the same process as at the last join, at the same address: its server came back, not the engine.
        same_process: bool,
    },
    /// It knows its rank and serves.
    Serves,
    /// An administrator asked it to stop.
    StopRequested,
    /// Its process ended.
    Exited {
        /// True when it was asked to.
        asked: bool,
        /// How it ended.
        reason: String,
    },
    /// Its server could not start it.
    StartFailed {
        /// Why.
        reason: String,
    },
    /// A device failed under one of its targets. It goes on without that target until somebody starts it again.
    Faulty {
        /// Which, and how.
        reason: String,
    },
    /// It did not answer a ping; the count is of misses in a row, from 1.
    PingMissed {
        /// Misses in a row.
        count: u32,
    },
    /// It answered a ping.
    PingAnswered,
}

/// After this many missed pings a member is called unresponsive: one miss may be a busy machine.
pub const UNRESPONSIVE_AFTER_MISSES: u32 = 3;

/// After this many missed pings clients are no longer sent to it (with one ping every 2 s, half a minute).
pub const EXCLUDED_AFTER_MISSES: u32 = 15;

/// What the service does after a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Make the member's record durable.
    Persist,
    /// The set of serving members or their addresses changed: give engines the new group.
    PublishGroup,
}

/// The outcome of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state to be in.
    pub state: State,
    /// Text for `info`, shown with the state; empty clears it.
    pub info: String,
    /// What to do, in order; empty when nothing changed.
    pub effects: Vec<Effect>,
}

/// The transition of a member in `state` with `info` on `event`.
pub fn transition(state: State, info: &str, event: &Event) -> Transition {
    let (next, text) = match event {
        Event::FormatAwaited => (State::AwaitFormat, String::new()),
        Event::Started if state == State::Errored => (State::Starting, info.to_owned()),
        Event::Started => (State::Starting, String::new()),
        Event::RankGiven { same_process: true } if state.in_group() => (state, info.to_owned()),
        Event::RankGiven { .. } => (State::Ready, String::new()),
        Event::Serves => match state {
            // The stop overtook the join; or it is the process that served before, under a new server, and what failed in it still has.
            State::Stopping | State::Stopped | State::Joined => (state, info.to_owned()),
            _ => (State::Joined, String::new()),
        },
        Event::StopRequested => match state {
            State::AwaitFormat | State::Stopped | State::Errored => (state, info.to_owned()),
            _ => (State::Stopping, String::new()),
        },
        Event::Exited { asked: true, reason } => (State::Stopped, reason.clone()),
        Event::Exited { asked: false, reason } if state == State::Stopping => (State::Stopped, reason.clone()),
        Event::Exited { asked: false, reason } => (State::Errored, reason.clone()),
        Event::StartFailed { reason } => (State::Errored, reason.clone()),
        Event::Faulty { reason } => match state {
            // A stopped one is opened anew at its next start, and an errored one has a better reason.
            State::Stopped | State::Errored => (state, info.to_owned()),
            _ => (state, reason.clone()),
        },
        Event::PingMissed { count } => match state {
            State::Joined | State::Unresponsive if *count >= EXCLUDED_AFTER_MISSES => {
                (State::Excluded, format!("no answer to {count} pings"))
            }
            State::Joined if *count >= UNRESPONSIVE_AFTER_MISSES => {
                (State::Unresponsive, format!("no answer to {count} pings"))
            }
            _ => (state, info.to_owned()),
        },
        Event::PingAnswered => match state {
            State::Ready | State::Unresponsive | State::Excluded => (State::Joined, String::new()),
            _ => (state, info.to_owned()),
        },
    };
    let mut effects = Vec::new();
    // A join brings addresses and an incarnation that may be new when the state is not.
    if matches!(event, Event::RankGiven { .. }) || next != state || text != info {
        effects.push(Effect::Persist);
    }
    if next.in_group() != state.in_group() {
        effects.push(Effect::PublishGroup);
    }
    Transition { state: next, info: text, effects }
}

/// A member's durable record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Rank, for its whole life.
    pub rank: Rank,
    /// UUID of the engine instance.
    pub uuid: Uuid,
    /// Control address `host:port` of its server.
    pub addr: String,
    /// Index of the engine within its server.
    pub index: u32,
    /// Fabric URI.
    pub uri: String,
    /// Number of targets.
    pub targets: u32,
    /// Fault domain of its host.
    pub fault_domain: String,
    /// Larger at every start of the engine.
    pub incarnation: u64,
    /// Condition.
    pub state: State,
    /// Why it is in that condition; may be empty.
    pub info: String,
    /// Milliseconds since 1970 of the last change.
    pub last_update_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(asked: bool) -> Event {
        Event::Exited { asked, reason: "exit code 3".to_owned() }
    }

    /// The state after each event, from every state, in the order of [`State::ALL`].
    #[test]
    fn every_state_meets_every_event() {
        use State::{
            AwaitFormat as A, Errored as E, Excluded as X, Joined as J, Ready as R, Starting as S, Stopped as P,
            Stopping as O, Unresponsive as U,
        };
        let table: [(Event, [State; 9]); 13] = [
            //                            A  S  R  J  O  P  X  E  U
            (Event::FormatAwaited, [A, A, A, A, A, A, A, A, A]),
            (Event::Started, [S, S, S, S, S, S, S, S, S]),
            (Event::RankGiven { same_process: false }, [R, R, R, R, R, R, R, R, R]),
            (Event::RankGiven { same_process: true }, [R, R, R, J, R, R, R, R, U]),
            (Event::Serves, [J, J, J, J, O, P, J, J, J]),
            (Event::StopRequested, [A, O, O, O, O, P, O, E, O]),
            (exited(true), [P, P, P, P, P, P, P, P, P]),
            (exited(false), [E, E, E, E, P, E, E, E, E]),
            (Event::Faulty { reason: "x".to_owned() }, [A, S, R, J, O, P, X, E, U]),
            (Event::PingMissed { count: 1 }, [A, S, R, J, O, P, X, E, U]),
            (Event::PingMissed { count: UNRESPONSIVE_AFTER_MISSES }, [A, S, R, U, O, P, X, E, U]),
            (Event::PingMissed { count: EXCLUDED_AFTER_MISSES }, [A, S, R, X, O, P, X, E, X]),
            (Event::PingAnswered, [A, S, J, J, O, P, J, E, J]),
        ];
        for (event, expected) in table {
            for (state, next) in State::ALL.into_iter().zip(expected) {
                assert_eq!(transition(state, "", &event).state, next, "{state} on {event:?}");
            }
        }
    }

    #[test]
    fn the_group_is_published_exactly_when_it_changes() {
        let published = |state, event| transition(state, "", &event).effects.contains(&Effect::PublishGroup);
        assert!(published(State::Joined, exited(false)));
        assert!(published(State::Joined, Event::StopRequested));
        assert!(published(State::Unresponsive, Event::PingMissed { count: EXCLUDED_AFTER_MISSES }));
        assert!(published(State::Excluded, Event::PingAnswered));
        assert!(published(State::Joined, Event::RankGiven { same_process: false }));
        assert!(published(State::Ready, Event::Serves));
        assert!(!published(State::Joined, Event::RankGiven { same_process: true }));
        assert!(!published(State::Joined, Event::PingMissed { count: UNRESPONSIVE_AFTER_MISSES }));
        assert!(!published(State::Stopping, exited(true)));
        assert!(!published(State::Starting, Event::RankGiven { same_process: false }));
    }

    #[test]
    fn a_failed_device_is_told_until_the_engine_starts_again() {
        let faulty = Event::Faulty { reason: "target 0 takes no more changes".to_owned() };
        let told = transition(State::Joined, "", &faulty);
        assert_eq!((told.state, told.effects), (State::Joined, vec![Effect::Persist]));
        for event in [Event::RankGiven { same_process: true }, Event::Serves, Event::PingAnswered] {
            assert_eq!(transition(State::Joined, &told.info, &event).info, told.info, "{event:?}");
        }
        assert_eq!(transition(State::Joined, &told.info, &Event::StopRequested).info, "");
        assert_eq!(transition(State::Errored, "exit code 1", &faulty).info, "exit code 1");
    }

    #[test]
    fn a_restart_keeps_the_reason_until_the_engine_has_its_rank() {
        let started = transition(State::Errored, "exit code 1", &Event::Started);
        assert_eq!((started.state, started.info.as_str()), (State::Starting, "exit code 1"));
        assert_eq!(transition(State::Starting, "exit code 1", &Event::RankGiven { same_process: false }).info, "");
        assert_eq!(transition(State::Stopped, "x", &Event::Started).info, "");
    }

    #[test]
    fn nothing_is_persisted_when_nothing_changed() {
        assert_eq!(transition(State::Joined, "", &Event::PingAnswered).effects, []);
        assert_eq!(transition(State::Errored, "why", &Event::StopRequested).effects, []);
        assert_eq!(transition(State::Errored, "why", &Event::StopRequested).info, "why");
        assert_eq!(transition(State::Joined, "", &exited(false)).effects, [Effect::Persist, Effect::PublishGroup]);
    }
}
