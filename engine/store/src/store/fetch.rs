//! Fetches: what is read from the data slice, checked, and put together.

use bytes::{Bytes, BytesMut};
use media::{Buffer, IoKind, Role};
use types::{Address, CHECKSUM_CHUNK_BYTES, ChecksumKind, Checksums, Epoch, Outcome, Segment, Selection, Status};

use super::damage::Finding;
use super::execute::Stop;
use super::io::Purpose;
use super::reads::Read;
use super::{Store, Waiter};
use crate::catalog::Container;
use crate::command::{Reply, Token};
use crate::health::{Event, Health};
use crate::index::{DataPart, InlineDamage, Piece, Source, View};
use crate::probe::Probe;

/// Stretches below this that lie side by side become one segment: copying them costs less than carrying them apart.
const JOIN_BYTES: usize = CHECKSUM_CHUNK_BYTES;

impl Store {
    pub(super) fn fetch(
        &mut self,
        token: Token,
        container: Container,
        address: &Address,
        selection: Selection,
        epoch: Epoch,
    ) -> Result<(), Stop> {
        self.check_history(container, epoch)?;
        let view = View::new(&self.arena, container, epoch);
        let (mut akey, floor) = view.akey(address.object, &address.dkey, &address.akey);
        let fetched = view.fetch(&mut akey, floor, selection);
        let seen = view.seen().max(self.barrier);
        let pieces = match fetched {
            Ok(pieces) => pieces,
            Err((status, damage)) => {
                if let Some(InlineDamage { record, offset, length }) = damage {
                    Probe::ChecksumRefused.hit();
                    let (place, key) = (container.place(&self.arena), record.key(akey).as_bytes().to_vec());
                    self.found(Finding { place, key, inline: true, offset, length, scrubbed: false });
                }
                return Err((status, seen).into());
            }
        };
        let from_data = pieces.iter().any(|piece| matches!(piece.source, Source::Data(_)));
        let kind = container.checksum_kind(&self.arena);
        let place = container.place(&self.arena);
        let read = Read::new(token, place, akey, kind, pieces);
        if !from_data {
            let reply = self.assemble(read);
            self.reply_read(seen, token, reply);
            return Ok(());
        }
        // Data of a group that is not durable may still be on its way to the device, so the read starts after it.
        if self.health != Health::Healthy && seen > self.log.durable_epoch() {
            return Err(Status::Io.into());
        }
        let number = self.reads.add(read);
        if self.log.hold(seen, Waiter::Read(number)).is_some() {
            self.start_read(number);
        }
        Ok(())
    }

    /// Begins the device reads of a fetch.
    pub(super) fn start_read(&mut self, number: u64) {
        self.reads.ask(number);
        self.load_more();
    }

    /// Emits device reads that were asked for, as many as may be under way at once.
    fn load_more(&mut self) {
        while let Some((read, load, offset, length)) = self.reads.next_load() {
            self.emit_load(read, load, false, (offset, length));
        }
    }

    fn emit_load(&mut self, read: u64, load: usize, again: bool, (offset, length): (u64, usize)) {
        let command = IoKind::Read { offset, buffer: Buffer::used(length) };
        self.emit(Role::Data, command, Purpose::Read { read, load, again });
    }

    /// A device read of a fetch completed. What does not match its checksum is read once more: the damage may have been on the way.
    pub(super) fn read_done(&mut self, number: u64, load: usize, again: bool, result: std::io::Result<Option<Buffer>>) {
        let Some(read) = self.reads.active.get_mut(&number) else { return };
        let part = read.part_of(load);
        let (offset, length) = (part.offset, part.length);
        let mut damage = None;
        match result {
            Ok(Some(buffer)) => match check(part, &buffer) {
                Ok(()) => {
                    read.loaded(load, buffer);
                    if again {
                        self.event(Event::Unsteady { offset, length: length as u64 });
                    }
                }
                Err(_) if !again => {
                    Probe::ReadAgain.hit();
                    self.emit_load(number, load, true, (offset, length));
                    return;
                }
                Err(at) => {
                    Probe::ChecksumRefused.hit();
                    read.failure = Some(Status::Checksum);
                    let (place, key) = (read.place, read.record_of(load));
                    let (offset, length) = (offset + at as u64, (length - at).min(CHECKSUM_CHUNK_BYTES) as u64);
                    damage = Some(Finding { place, key, inline: false, offset, length, scrubbed: false });
                }
            },
            Ok(None) => self.read_failed(number, offset, String::from("no bytes came back")),
            Err(error) => self.read_failed(number, offset, error.to_string()),
        }
        if self.reads.load_done(number, length) {
            self.finish_read(number);
        }
        self.load_more();
        // Last: looking for what is to be marked may meet a page that cannot be read, and the answer must not be lost with it.
        if let Some(finding) = damage {
            self.found(finding);
        }
    }

    fn read_failed(&mut self, number: u64, offset: u64, reason: String) {
        if let Some(read) = self.reads.active.get_mut(&number) {
            read.failure.get_or_insert(Status::Io);
        }
        Probe::ReadFailed.hit();
        self.stats.io_errors += 1;
        self.event(Event::ReadFailed { offset, reason });
    }

    /// Ends a read that will not be started.
    pub(super) fn fail_read(&mut self, number: u64, status: Status) {
        if let Some(read) = self.reads.active.get_mut(&number) {
            read.failure = Some(status);
            self.finish_read(number);
        }
    }

    fn finish_read(&mut self, number: u64) {
        let Some(read) = self.reads.active.remove(&number) else { return };
        self.reads.end(number);
        let token = read.token;
        let reply = match read.failure {
            Some(status) => Reply::Operated(Err(status)),
            None => self.assemble(read),
        };
        self.reply(token, reply);
    }

    /// Puts the segments of a fetch together: small stretches side by side are joined.
    fn assemble(&mut self, read: Read) -> Reply {
        let Read { kind, pieces, parts, .. } = read;
        let mut segments: Vec<Segment> = Vec::with_capacity(pieces.len());
        let mut last: Option<Span> = None;
        for (piece, part) in pieces.into_iter().zip(parts) {
            let bytes = part.expect("every piece has its bytes");
            self.stats.bytes_read += bytes.len() as u64;
            if let Some(small) = &mut last
                && small.end() == piece.offset
                && (bytes.len() < JOIN_BYTES || small.bytes().len() < JOIN_BYTES)
            {
                small.join(&bytes);
                continue;
            }
            segments.extend(last.take().map(|span| span.into_segment(kind)));
            let is_small = bytes.len() < JOIN_BYTES;
            let span = Span::alone(piece, bytes);
            if is_small {
                last = Some(span);
            } else {
                segments.push(span.into_segment(kind));
            }
        }
        segments.extend(last.map(|span| span.into_segment(kind)));
        Reply::Operated(Ok(Outcome::Fetched(segments)))
    }
}

/// A stretch of the reply: most are of one piece, and are given as they were found.
enum Span {
    /// With the stored checksums, where they cover its bytes and no others.
    Alone { offset: u64, checksums: Option<Checksums>, data: Bytes },
    /// From this offset on, of several pieces.
    Joined(u64, BytesMut),
}

impl Span {
    fn alone(piece: Piece, data: Bytes) -> Span {
        let checksums = match piece.source {
            Source::Inline(_, checksums) => checksums,
            Source::Data(part) => (part.skip == 0 && part.length == data.len()).then_some(part.checksums),
        };
        Span::Alone { offset: piece.offset, checksums, data }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Span::Alone { data, .. } => data,
            Span::Joined(_, bytes) => bytes,
        }
    }

    fn end(&self) -> u64 {
        let (Span::Alone { offset, .. } | Span::Joined(offset, _)) = self;
        offset + self.bytes().len() as u64
    }

    fn join(&mut self, more: &[u8]) {
        match self {
            Span::Alone { offset, data, .. } => {
                let mut bytes = BytesMut::with_capacity(data.len() + more.len());
                bytes.extend_from_slice(data);
                bytes.extend_from_slice(more);
                *self = Span::Joined(*offset, bytes);
            }
            Span::Joined(_, bytes) => bytes.extend_from_slice(more),
        }
    }

    fn into_segment(self, kind: ChecksumKind) -> Segment {
        let (offset, data) = match self {
            Span::Alone { offset, checksums: Some(checksums), data } => return Segment { offset, checksums, data },
            Span::Alone { offset, checksums: None, data } => (offset, data),
            Span::Joined(offset, bytes) => (offset, bytes.freeze()),
        };
        Segment { offset, checksums: erasure::checksums(kind, &data), data }
    }
}

/// Compares what was read with its checksums; the error is the first byte of the chunk that differs.
pub(super) fn check(part: &DataPart, bytes: &[u8]) -> Result<(), usize> {
    erasure::verify(&bytes[..part.length], &part.checksums).map_err(|mismatch| match mismatch {
        erasure::Mismatch::Count => 0,
        erasure::Mismatch::Chunk(at) => at,
    })
}
