//! The state machine of one target.
//!
//! `execute` runs commands, `administer` those about pools and containers, `transactions` prepares and resolves distributed ones,
//! `fetch` follows reads of the data slice, `damage` marks values that do not match their checksums, `io` decides what the devices
//! do next, `reclaim` frees what nobody can see any more, `scrub` reads what nobody asks for. A command runs to its end when it is submitted,
//! unless the log is full: then it and all after it wait in order; or unless it finds no space (`lines`) or lists much (`listing`): then it goes on
//! in turns, and others run meanwhile. Replies wait for the log group that holds everything they tell.

mod administer;
mod damage;
mod execute;
mod fetch;
mod gather;
mod io;
mod lines;
mod listing;
mod reads;
mod reclaim;
mod scrub;
mod transactions;

use std::collections::{HashMap, VecDeque};

use media::{Done, Io, Role};
use types::{Clock, Epoch, Place, Status};

use crate::arena::{Arena, FaultCause, PageFault, catch_fault};
use crate::catalog::Container;
use crate::checkpoint::Checkpoint;
use crate::command::{Command, Reply, Token};
use crate::error::OpenError;
use crate::health::{Event, Health, Recovery, Stats};
use crate::log::Log;
use crate::probe::Probe;
use crate::recovery::{not_opened, recover};
use crate::settings::{Devices, Geometry, Identity, Residence, Settings};
use crate::superblock::fragment;

/// Events kept for [`Store::take_event`]; later ones are only counted. A broken device would otherwise fill memory.
const EVENTS_MOST: usize = 256;

/// Reads a target back: checkpoint, then log. The devices are only used here; later IO comes out of
/// [`Store::take_io`]. `memory` is the arena: zeroed, of the length given to [`crate::format`], all of it or
/// [`crate::Paging`].
pub fn open(
    devices: &mut Devices,
    identity: Identity,
    memory: impl Into<Residence>,
    settings: Settings,
) -> Result<(Store, Recovery), OpenError> {
    let memory = memory.into();
    catch_fault(|| open_faulting(devices, identity, memory, settings)).unwrap_or_else(|fault| Err(not_opened(fault)))
}

fn open_faulting(
    devices: &mut Devices,
    identity: Identity,
    memory: Residence,
    settings: Settings,
) -> Result<(Store, Recovery), OpenError> {
    let found = recover(devices, identity, memory)?;
    let report = found.report;
    let log = Log::new(fragment(&identity), found.ring, found.sequence, report.last_epoch);
    let store = Store {
        limbo: io::LimboGate::new(crate::extents::next_serial(&found.arena)),
        reclaim: reclaim::Reclaim::new(&found.arena, report.last_epoch),
        transactions: transactions::Transactions::load(&found.arena),
        barrier: Epoch::ZERO,
        arena: found.arena,
        log,
        checkpoint: found.checkpoint,
        geometry: found.geometry,
        settings,
        clock: Clock::after(report.last_epoch),
        now: Epoch::ZERO,
        health: Health::Healthy,
        containers: HashMap::new(),
        queue: VecDeque::new(),
        lines: lines::Lines::default(),
        listings: listing::Listings::new(),
        commands: VecDeque::new(),
        purposes: HashMap::new(),
        next_io: 0,
        replies: VecDeque::new(),
        events: VecDeque::new(),
        reads: reads::Reads::default(),
        checkpointing: io::Checkpointing::default(),
        seal_due: None,
        gather: gather::Gather::default(),
        marks: Vec::new(),
        scrub: scrub::Scrub::default(),
        stats: Stats::default(),
    };
    Ok((store, report))
}

/// What waits for a log group.
#[derive(Debug)]
enum Waiter {
    /// A reply to give.
    Reply(Token, Reply),
    /// A read of the data slice to start.
    Read(u64),
}

/// One target.
pub struct Store {
    arena: Arena,
    log: Log<Waiter>,
    checkpoint: Checkpoint,
    geometry: Geometry,
    settings: Settings,
    clock: Clock,
    now: Epoch,
    health: Health,
    /// Places looked up before, so that an operation does not search the catalog.
    containers: HashMap<Place, Container>,
    /// Commands that wait for room in the log or in memory, in order.
    queue: VecDeque<(Token, Command)>,
    /// Those that wait for space.
    lines: lines::Lines,
    /// Lists that were not done in one slice.
    listings: listing::Listings,
    /// Device commands to hand out.
    commands: VecDeque<Io>,
    purposes: HashMap<u64, io::Purpose>,
    next_io: u64,
    replies: VecDeque<(Token, Reply)>,
    events: VecDeque<Event>,
    reads: reads::Reads,
    limbo: io::LimboGate,
    checkpointing: io::Checkpointing,
    reclaim: reclaim::Reclaim,
    transactions: transactions::Transactions,
    /// Reads wait until this is durable: it changed what they see at epochs before it.
    barrier: Epoch,
    /// When the log is to be sealed.
    seal_due: Option<Epoch>,
    gather: gather::Gather,
    /// Damaged values whose marks wait for room in the log.
    marks: Vec<damage::Finding>,
    scrub: scrub::Scrub,
    stats: Stats,
}

impl Store {
    /// Takes a command. Changes of one pool are made in the order in which they are submitted; `now` is the epoch of a change made by
    /// it (or the next free one, when `now` is not after every epoch given before).
    pub fn submit(&mut self, token: Token, command: Command, now: Epoch) {
        self.now = self.now.max(now);
        self.queue.push_back((token, command));
        self.guarded(Store::run_queue);
    }

    /// The next device command to execute, if any. Log groups are put together here: all that was submitted since the
    /// last call shares one.
    pub fn take_io(&mut self) -> Option<Io> {
        if self.commands.is_empty() {
            self.guarded(Store::advance);
        }
        self.commands.pop_front()
    }

    /// Takes the result of a device command.
    pub fn complete(&mut self, done: Done) {
        self.guarded(|store| {
            store.completed(done);
            store.retry_lines_for_extents();
            store.run_queue();
        });
    }

    /// The next reply, if any.
    pub fn take_reply(&mut self) -> Option<(Token, Reply)> {
        self.replies.pop_front()
    }

    /// Lets time pass: starts checkpoints, seals and reclaim when they are due. To be called every few milliseconds
    /// while [`Store::has_work`], otherwise about once a second.
    pub fn tick(&mut self, now: Epoch) {
        self.now = self.now.max(now);
        self.guarded(|store| {
            if store.health == Health::Healthy {
                store.tick_checkpoint();
                store.tick_reclaim();
                store.make_marks();
                store.tick_scrub();
                store.tick_seal();
            }
            store.go_on();
        });
    }

    /// True when commands wait for something that only [`Store::turn`] brings.
    pub fn wants_turn(&self) -> bool {
        self.lines_need_a_turn() || !self.listings.is_empty()
    }

    /// Goes on with what commands wait for, for about 1 ms. To be called whenever there was a look at everything else, as long as
    /// [`Store::wants_turn`].
    pub fn turn(&mut self) {
        self.guarded(Store::go_on);
    }

    fn go_on(&mut self) {
        if self.lines_need_a_turn() {
            self.make_room();
        }
        self.list_on();
        self.retry_lines();
        self.run_queue();
    }

    /// True while something is queued, in flight or due soon.
    pub fn has_work(&self) -> bool {
        if self.health != Health::Healthy {
            return !(self.listings.is_empty()
                && self.commands.is_empty()
                && self.purposes.is_empty()
                && self.replies.is_empty());
        }
        !self.queue.is_empty()
            || !self.lines.is_empty()
            || !self.listings.is_empty()
            || !self.commands.is_empty()
            || !self.purposes.is_empty()
            || !self.replies.is_empty()
            || self.log.has_open()
            || !self.log.is_sealed()
            || self.checkpoint.is_running()
            || self.checkpointing.is_asked_for()
            || self.reclaim.is_busy()
            || !self.marks.is_empty()
            || self.scrub.is_busy()
    }

    /// Whether the target takes changes.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let paged = self.arena.paged();
        Stats {
            page_ins: paged.page_ins,
            evictions: paged.evictions,
            resident_bytes: if self.arena.is_whole() { self.arena.length() } else { paged.resident_bytes },
            over_limit_pages: paged.over_limit_pages,
            wal_used: self.log.used_bytes(),
            checkpoint_pages: self.checkpoint.pages_written,
            pending: self.stats.pending + (self.queue.len() + self.lines.waiting()) as u64,
            ..self.stats
        }
    }

    /// The next event for the log, if any.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Checks that everything in the arena fits together: trees, allocator, books, free map. Reads all of it, into memory even
    /// when it is paged.
    pub fn check(&self) -> Result<(), String> {
        catch_fault(|| crate::census::check(&self.arena))
            .unwrap_or_else(|fault| Err(format!("{}, at byte {} of the meta slice", fault.reason(), fault.offset)))
    }

    /// True when one more transaction may run: log and memory have room for it.
    fn admits(&self) -> bool {
        self.log.admits() && self.arena.admits()
    }

    /// Runs what a caller asked for. A page that cannot be brought in ends it, and the target.
    fn guarded(&mut self, work: impl FnOnce(&mut Store)) {
        if let Err(fault) = catch_fault(|| work(self)) {
            self.page_fault(&fault);
        }
    }

    /// The transaction that met the fault is undone, so that what is in memory can still be read.
    fn page_fault(&mut self, fault: &PageFault) {
        self.arena.rollback();
        match fault.cause {
            FaultCause::Io(_) => self.stats.io_errors += 1,
            FaultCause::Checksum => self.stats.checksum_errors += 1,
        }
        self.die(Role::Meta, &format!("{}, at byte {}", fault.reason(), fault.offset));
    }

    fn event(&mut self, event: Event) {
        if self.events.len() < EVENTS_MOST {
            self.events.push_back(event);
        }
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        self.stats.pending = self.stats.pending.saturating_sub(1);
        self.replies.push_back((token, reply));
    }

    /// Gives a reply to a read that saw `seen` once it is durable.
    fn reply_read(&mut self, seen: Epoch, token: Token, reply: Reply) {
        self.reply_after(seen.max(self.barrier), token, reply);
    }

    /// Gives a reply once everything up to `epoch` is durable.
    fn reply_after(&mut self, epoch: Epoch, token: Token, reply: Reply) {
        if self.health != Health::Healthy && epoch > self.log.durable_epoch() {
            self.reply(token, refused(&reply, Status::Io));
        } else if let Some(Waiter::Reply(token, reply)) = self.log.hold(epoch, Waiter::Reply(token, reply)) {
            self.reply(token, reply);
        }
    }

    /// Stops for good: a write or flush failed, so what was not acknowledged is in doubt.
    fn die(&mut self, role: Role, reason: &str) {
        if self.health != Health::Healthy {
            return;
        }
        Probe::Died.hit();
        let reason = format!("the {} slice failed: {reason}", crate::error::Slice(role));
        self.health = Health::Dead { reason: reason.clone() };
        self.event(Event::Died { reason });
        for waiter in self.log.drain() {
            match waiter {
                Waiter::Reply(token, reply) => self.reply(token, refused(&reply, Status::Io)),
                Waiter::Read(read) => self.fail_read(read, Status::Io),
            }
        }
        for token in self.checkpointing.take_waiters() {
            self.reply(token, Reply::Done(Err(Status::Io)));
        }
        self.drop_reclaim_waiters();
        self.commands.retain(|io| matches!(io.kind, media::IoKind::Read { .. }));
        self.purposes.retain(|_, purpose| matches!(purpose, io::Purpose::Read { .. }));
        self.dissolve_lines();
        self.run_queue();
    }
}

/// The same kind of reply with a refusal in it, where the kind has room for one.
fn refused(reply: &Reply, status: Status) -> Reply {
    match reply {
        Reply::Operated(_) => Reply::Operated(Err(status)),
        Reply::PoolSpace(_) => Reply::PoolSpace(Err(status)),
        Reply::Containers(_) => Reply::Containers(Err(status)),
        Reply::ContainerUsed(_) => Reply::ContainerUsed(Err(status)),
        Reply::Snapshots(_) => Reply::Snapshots(Err(status)),
        Reply::Prepared(_) => Reply::Prepared(Err(status)),
        Reply::Done(_) | Reply::Pools(_) | Reply::PreparedTransactions(_) | Reply::Space(_) => Reply::Done(Err(status)),
    }
}
