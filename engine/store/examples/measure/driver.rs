//! Keeps a store busy: a fixed number of operations under way, device commands on a ring, as the thread of a target does it.

use std::time::{Duration, Instant};

use daos_store::{Command, Reply, Store, Token};
use media::{Done, Event, Io, IoKind, Ring, Role};
use types::{ContainerId, Epoch, Operation, PoolId};
use uuid::Uuid;

use crate::target::{Place, Values};

/// Where the keys are.
pub(crate) const CONTAINER: types::Place =
    types::Place { pool: PoolId(Uuid::from_u128(1)), container: ContainerId(Uuid::from_u128(2)) };
/// Operations submitted before the ring is looked at.
const TURN_OPERATIONS: usize = 64;
/// Bytes of values submitted before the ring is looked at: what the engine receives at once.
const TURN_BYTES: usize = 1 << 20;
/// How often the engine tells its store the time.
const TICK: Duration = Duration::from_millis(5);
/// Epochs of one nanosecond.
const EPOCHS_PER_NANO: u64 = 16;

/// How much to do.
pub(crate) struct Load {
    /// Operations under way at once.
    pub(crate) depth: u64,
    /// At most so many operations...
    pub(crate) count: u64,
    /// ... and not longer than this.
    pub(crate) limit: Duration,
}

/// What was done.
pub(crate) struct Measured {
    pub(crate) done: u64,
    pub(crate) seconds: f64,
    /// Time this thread spent on a core, which others on the machine do not change much.
    cpu: Duration,
    latencies: Vec<u32>,
}

impl Measured {
    /// Operations per second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// Prints rate and latencies.
    pub(crate) fn print(mut self, name: &str) {
        println!("{name}_ops={:.0}", self.rate());
        println!("{name}_cpu_us={:.2}", self.cpu.as_secs_f64() * 1e6 / self.done as f64);
        self.latencies.sort_unstable();
        for (percent, label) in [(50, "p50"), (99, "p99")] {
            let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
            if let Some(nanos) = self.latencies.get(at) {
                println!("{name}_{label}_us={:.1}", f64::from(*nanos) / 1e3);
            }
        }
    }
}

/// A store with what executes its device commands.
pub(crate) struct Driver {
    pub(crate) store: Store,
    place: Place,
    ring: Ring,
    in_flight: usize,
    origin: Instant,
    /// Time that passed without anybody waiting for it.
    skipped: Duration,
    last_tick: Instant,
}

impl Driver {
    /// For a store that was just opened.
    pub(crate) fn new(store: Store, place: Place) -> Result<Driver, String> {
        let ring = Ring::new().map_err(|error| format!("no ring: {error}"))?;
        if !ring.is_fast() {
            eprintln!("measure: no io_uring here, so device commands are executed one by one");
        }
        let origin = Instant::now();
        Ok(Driver { store, place, ring, in_flight: 0, origin, skipped: Duration::ZERO, last_tick: origin })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Gives up store and ring, as a crash does, and leaves what is on the device.
    pub(crate) fn crash(self) -> Place {
        self.place
    }

    /// Lets the store believe that time passed.
    pub(crate) fn skip(&mut self, time: Duration) {
        self.skipped += time;
    }

    fn now(&self) -> Epoch {
        // A start after every epoch of an earlier life of the store; the store's own clock sees to the rest.
        Epoch((1 << 40) + (self.origin.elapsed() + self.skipped).as_nanos() as u64 * EPOCHS_PER_NANO)
    }

    /// Moves commands to the ring and takes completions; waits for one if nothing else can happen and `wait` is set.
    pub(crate) fn turn(&mut self, wait: bool) -> Result<(), String> {
        while let Some(io) = self.store.take_io() {
            if io.role == Role::Data && matches!(self.place.values, Values::Alike(_)) {
                self.store.complete(nowhere(io));
                continue;
            }
            self.ring.device(self.place.slice(io.role), io);
            self.in_flight += 1;
        }
        if self.in_flight > 0 {
            let (store, in_flight) = (&mut self.store, &mut self.in_flight);
            let limit = if wait { TICK } else { Duration::ZERO };
            let waited = self.ring.wait(limit, |event| {
                if let Event::Device(done) = event {
                    *in_flight -= 1;
                    store.complete(done);
                }
            });
            waited.map_err(|error| format!("the ring does not work: {error}"))?;
        }
        if self.store.wants_turn() {
            self.store.turn();
        }
        if self.last_tick.elapsed() >= TICK {
            self.tick();
        }
        Ok(())
    }

    /// Tells the store the time.
    pub(crate) fn tick(&mut self) {
        self.last_tick = Instant::now();
        self.store.tick(self.now());
    }

    /// One command and its answer.
    pub(crate) fn ask(&mut self, command: Command) -> Result<Reply, String> {
        self.store.submit(Token(0), command, self.now());
        loop {
            if let Some((_, reply)) = self.store.take_reply() {
                return Ok(reply);
            }
            self.turn(true)?;
            self.tick();
        }
    }

    /// Does what is left to do until nothing is under way.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        while self.store.has_work() {
            self.turn(true)?;
            self.tick();
        }
        Ok(())
    }

    /// Runs operations `make(0)`, `make(1)`, ... An operation that is refused ends it with an error.
    pub(crate) fn run(&mut self, load: &Load, mut make: impl FnMut(u64) -> Operation) -> Result<Measured, String> {
        let mut begun = vec![Instant::now(); load.depth as usize];
        let mut free: Vec<u64> = (0..load.depth).collect();
        let mut latencies = Vec::with_capacity(load.count.min(4 << 20) as usize);
        let (mut next, mut done) = (0, 0);
        let (start, on_core) = (Instant::now(), on_core());
        let mut wanted = load.count;
        while done < wanted {
            let now = Instant::now();
            if now.duration_since(start) >= load.limit {
                wanted = next;
            }
            let epoch = self.now();
            // As many at a time as the engine takes from a connection.
            let mut bytes = 0;
            for _ in 0..TURN_OPERATIONS {
                let Some(place) = free.pop_if(|_| next < wanted) else { break };
                begun[place as usize] = now;
                let operation = make(next);
                if let Operation::Update { data, .. } = &operation {
                    bytes += data.len();
                }
                self.store.submit(Token(place), Command::Operate { place: CONTAINER, operation }, epoch);
                next += 1;
                if bytes >= TURN_BYTES {
                    break;
                }
            }
            let (before, idle) = (done, free.is_empty() || next == wanted);
            while done < wanted {
                let reached = Instant::now();
                while let Some((Token(place), reply)) = self.store.take_reply() {
                    if !matches!(reply, Reply::Operated(Ok(_))) {
                        return Err(format!("operation {next} was answered with {reply:?}"));
                    }
                    latencies.push((reached - begun[place as usize]).as_nanos() as u32);
                    free.push(place);
                    done += 1;
                }
                if done > before {
                    break;
                }
                self.turn(idle)?;
                if !idle {
                    break;
                }
            }
        }
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), self::on_core().saturating_sub(on_core));
        self.settle()?;
        Ok(Measured { done, seconds, cpu, latencies })
    }
}

/// Time this thread spent on a core so far; zero where the kernel does not tell.
fn on_core() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Executes a command on a device that keeps nothing.
fn nowhere(io: Io) -> Done {
    let result = match io.kind {
        IoKind::Read { buffer, .. } | IoKind::Write { buffer, .. } => Some(buffer),
        IoKind::Flush => None,
    };
    Done { id: io.id, result: Ok(result) }
}
