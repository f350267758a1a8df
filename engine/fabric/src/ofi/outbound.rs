//! Messages on their way out, in order for each peer: a peer that takes none holds up nobody else.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::rdm::{Buffer, Peer, Rdm};

/// Messages to one peer that are with libfabric or wait for it. Beyond it its streams are not read from.
const MAX_QUEUED: usize = 32;

/// All peers with streams or messages.
#[derive(Default)]
pub(super) struct Outbound {
    queues: HashMap<SocketAddr, Queue>,
    peers: HashMap<Peer, SocketAddr>,
}

/// What concerns one peer.
struct Queue {
    waiting: VecDeque<(Buffer, usize)>,
    /// With libfabric.
    under_way: usize,
    /// When libfabric last took or finished one, or the first began to wait.
    moved: Instant,
    streams: BTreeSet<u64>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.waiting.len() + self.under_way < MAX_QUEUED
    }
}

impl Outbound {
    fn queue(&mut self, peer: SocketAddr) -> &mut Queue {
        self.queues.entry(peer).or_insert_with(|| Queue {
            waiting: VecDeque::new(),
            under_way: 0,
            moved: Instant::now(),
            streams: BTreeSet::new(),
        })
    }

    /// A peer has one stream more.
    pub(super) fn add_stream(&mut self, peer: SocketAddr, number: u64) {
        self.queue(peer).streams.insert(number);
    }

    /// A stream has ended.
    pub(super) fn remove_stream(&mut self, peer: SocketAddr, number: u64) {
        if let Some(queue) = self.queues.get_mut(&peer) {
            queue.streams.remove(&number);
        }
    }

    /// Queues the first `length` bytes of a buffer.
    pub(super) fn push(&mut self, peer: SocketAddr, buffer: Buffer, length: usize) {
        let queue = self.queue(peer);
        if queue.waiting.is_empty() && queue.under_way == 0 {
            queue.moved = Instant::now();
        }
        queue.waiting.push_back((buffer, length));
    }

    /// Whether a stream to the peer should go on reading.
    pub(super) fn has_room(&self, peer: SocketAddr) -> bool {
        self.queues.get(&peer).is_none_or(Queue::has_room)
    }

    /// Whether something waits that libfabric does not have yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.queues.values().any(|queue| !queue.waiting.is_empty())
    }

    /// Whether anything is not finished.
    pub(super) fn is_busy(&self) -> bool {
        self.queues.values().any(|queue| !queue.waiting.is_empty() || queue.under_way > 0)
    }

    /// libfabric is done with a message to this peer. Names the peer's streams when there is room for them again.
    pub(super) fn sent(&mut self, peer: Peer) -> Vec<u64> {
        let Some(queue) = self.peers.get(&peer).and_then(|address| self.queues.get_mut(address)) else {
            return Vec::new();
        };
        let was_full = !queue.has_room();
        queue.under_way -= 1;
        queue.moved = Instant::now();
        if was_full && queue.has_room() { queue.streams.iter().copied().collect() } else { Vec::new() }
    }

    /// Where a peer is.
    pub(super) fn address(&self, peer: Peer) -> Option<SocketAddr> {
        self.peers.get(&peer).copied()
    }

    /// Gives libfabric what waits, as far as it takes it. Names the peers that cannot be reached, and why.
    pub(super) fn flush(&mut self, rdm: &mut Rdm) -> Vec<(SocketAddr, String)> {
        let mut lost = Vec::new();
        for (address, queue) in self.queues.iter_mut().filter(|(_, queue)| !queue.waiting.is_empty()) {
            let Some(peer) = rdm.peer(*address) else {
                lost.push((*address, "libfabric cannot take its address".to_owned()));
                continue;
            };
            self.peers.insert(peer, *address);
            while let Some((buffer, length)) = queue.waiting.pop_front() {
                match rdm.send(peer, buffer, length) {
                    Ok(()) => {
                        queue.under_way += 1;
                        queue.moved = Instant::now();
                    }
                    Err((buffer, None)) => {
                        queue.waiting.push_front((buffer, length));
                        break;
                    }
                    Err((_, Some(reason))) => {
                        lost.push((*address, reason));
                        break;
                    }
                }
            }
        }
        lost
    }

    /// Peers that have taken nothing for `limit`.
    pub(super) fn stuck(&self, now: Instant, limit: Duration) -> Vec<SocketAddr> {
        let stuck = |queue: &Queue| !queue.waiting.is_empty() && now.saturating_duration_since(queue.moved) > limit;
        self.queues.iter().filter(|(_, queue)| stuck(queue)).map(|(address, _)| *address).collect()
    }

    /// Drops what waits for a peer, and names its streams.
    pub(super) fn give_up(&mut self, peer: SocketAddr) -> Vec<u64> {
        let Some(queue) = self.queues.get_mut(&peer) else { return Vec::new() };
        queue.waiting.clear();
        std::mem::take(&mut queue.streams).into_iter().collect()
    }

    /// Forgets peers with which nothing goes on.
    pub(super) fn tidy(&mut self) {
        self.queues.retain(|_, queue| !queue.waiting.is_empty() || !queue.streams.is_empty() || queue.under_way > 0);
    }
}
