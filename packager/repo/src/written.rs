//! Writing `repodata/`: packages are read and put into XML by several workers, and three writers compress and hash in the order of metadata.
//!
//! Memory is bounded by the workers, not by the repository: a worker waits when it is [`AHEAD_PER_WORKER`] times [`TOGETHER`] packages ahead of what is written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use packager_repodata::compression::{Compression, Encoder};
use packager_repodata::model::{Data, Package, Repomd};
use packager_repodata::write::{Format, repomd};
use packager_source::digest::hex;
use packager_source::stop::unless_interrupted;
use sha2::{Digest as _, Sha256};

use crate::found::Found;
use crate::metadata::MetadataError;
use crate::operations::Settings;

/// Packages that are handed on together: handing on costs as much as a small package does.
const TOGETHER: usize = 8;

/// How many times that a worker may run ahead of the writers: enough that one large package does not stop the others.
const AHEAD_PER_WORKER: usize = 2;

/// Pieces that wait for a writer.
const QUEUE: usize = 32;

/// Where what metadata says about a package comes from.
pub(crate) enum Origin {
    /// Known already.
    Known(Box<Package>),
    /// From its file.
    Read(Found),
}

impl Origin {
    /// What metadata is ordered by.
    pub(crate) fn rank(&self) -> (&str, &str) {
        rank(self.href())
    }

    /// Where the package lies.
    pub(crate) fn href(&self) -> &str {
        match self {
            Origin::Known(package) => &package.location.href,
            Origin::Read(found) => &found.href,
        }
    }
}

/// What metadata is ordered by: the file's name, then the whole location.
pub(crate) fn rank(href: &str) -> (&str, &str) {
    (href.rsplit('/').next().unwrap_or_default(), href)
}

/// Some packages in the three formats, and the newest's time.
#[derive(Default)]
struct Piece {
    texts: [String; 3],
    time: i64,
}

/// Writes metadata into a folder that is empty. `others` are metadata files that are kept.
pub(crate) fn write(
    origins: &[Origin],
    settings: &Settings<'_>,
    compression: Compression,
    folder: &Path,
    others: Vec<Data>,
) -> Result<Repomd, MetadataError> {
    fs::create_dir_all(folder).map_err(MetadataError::at(folder))?;
    let (data, newest) = lists(origins, settings, compression, folder)?;
    repomd_of(data, newest, settings, folder, others)
}

/// Writes what leads to the lists. `newest` is the time of the newest package.
pub(crate) fn repomd_of(
    mut data: Vec<Data>,
    newest: i64,
    settings: &Settings<'_>,
    folder: &Path,
    others: Vec<Data>,
) -> Result<Repomd, MetadataError> {
    let revision = settings.revision.unwrap_or(newest);
    for data in &mut data {
        data.timestamp = revision;
    }
    data.extend(others);
    let repository = Repomd { revision: revision.to_string(), data };
    let path = folder.join("repomd.xml");
    fs::write(&path, repomd(&repository)).map_err(MetadataError::at(&path))?;
    Ok(repository)
}

/// The three lists, and the time of the newest package.
fn lists(
    origins: &[Origin],
    settings: &Settings<'_>,
    compression: Compression,
    folder: &Path,
) -> Result<(Vec<Data>, i64), MetadataError> {
    let pace = Pace::new(settings.workers.get() * AHEAD_PER_WORKER);
    let groups: Vec<&[Origin]> = origins.chunks(TOGETHER).collect();
    thread::scope(|scope| {
        let writers = Format::ALL.map(|format| {
            let (send, receive) = sync_channel(QUEUE);
            let count = origins.len();
            (send, scope.spawn(move || list(format, count, receive, compression, folder)))
        });
        let (results, pieces) = channel();
        for _ in 0..settings.workers.get().min(groups.len()) {
            let (results, pace, groups) = (results.clone(), &pace, &groups);
            scope.spawn(move || {
                let _watch = pace.watch();
                while let Some(index) = pace.next(groups.len()) {
                    let piece = piece(groups[index], settings);
                    if results.send((index, piece)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let [primary, filelists, other] = writers;
        let senders = [primary.0, filelists.0, other.0];
        let _watch = pace.watch();
        let newest = in_order(pieces, &senders, &pace);
        drop(senders);
        let mut data = Vec::new();
        for writer in [primary.1, filelists.1, other.1] {
            data.push(writer.join().expect("a writer does not panic")?);
        }
        Ok((data, newest?))
    })
}

/// Gives pieces to the writers in order; ends at the first failure.
fn in_order(
    pieces: Receiver<(usize, Result<Piece, MetadataError>)>,
    writers: &[SyncSender<String>; 3],
    pace: &Pace,
) -> Result<i64, MetadataError> {
    let (mut waiting, mut newest) = (BTreeMap::new(), 0);
    let mut done = 0;
    for (index, piece) in pieces {
        waiting.insert(index, piece);
        while let Some(piece) = waiting.remove(&done) {
            let piece = piece.inspect_err(|_| pace.stop())?;
            newest = newest.max(piece.time);
            for (writer, text) in writers.iter().zip(piece.texts) {
                if writer.send(text).is_err() {
                    // The writer failed and says why when it is joined.
                    pace.stop();
                    return Ok(newest);
                }
            }
            done += 1;
            pace.written(done);
        }
    }
    Ok(newest)
}

fn piece(origins: &[Origin], settings: &Settings<'_>) -> Result<Piece, MetadataError> {
    let mut piece = Piece::default();
    for origin in origins {
        unless_interrupted()?;
        let read;
        let package = match origin {
            Origin::Known(package) => package,
            Origin::Read(found) => {
                read = described(found, settings)?;
                &read
            }
        };
        for (format, text) in Format::ALL.into_iter().zip(&mut piece.texts) {
            format.package(package, text);
        }
        piece.time = piece.time.max(package.time.file);
    }
    Ok(piece)
}

/// What a file says of itself.
pub(crate) fn described(found: &Found, settings: &Settings<'_>) -> Result<Package, MetadataError> {
    let mut package = found.read()?;
    package.time.file = settings.latest.map_or(package.time.file, |latest| latest.min(package.time.file));
    Ok(package)
}

/// Which package is next, and how far ahead of the writers it may be.
struct Pace {
    next: AtomicUsize,
    ahead: usize,
    /// Packages written; nothing when all is to stop.
    written: Mutex<Option<usize>>,
    moved: Condvar,
}

impl Pace {
    fn new(ahead: usize) -> Pace {
        Pace { next: AtomicUsize::new(0), ahead, written: Mutex::new(Some(0)), moved: Condvar::new() }
    }

    fn next(&self, count: usize) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let far = |written: &mut Option<usize>| written.is_some_and(|written| index >= written + self.ahead);
        let go = index < count && self.moved.wait_while(written, far).unwrap_or_else(PoisonError::into_inner).is_some();
        go.then_some(index)
    }

    fn written(&self, count: usize) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
        self.moved.notify_all();
    }

    /// Stops the others when the thread that holds this panics: the package it had would be waited for without end.
    fn watch(&self) -> Watch<'_> {
        Watch(self)
    }

    fn stop(&self) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.moved.notify_all();
    }
}

/// See [`Pace::watch`].
struct Watch<'p>(&'p Pace);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// Writes one list and names it after its hash.
pub(crate) fn list(
    format: Format,
    count: usize,
    pieces: impl IntoIterator<Item = String>,
    compression: Compression,
    folder: &Path,
) -> Result<Data, MetadataError> {
    let name = format!("{}.xml{}", format.name(), compression.suffix());
    let path = folder.join(&name);
    let written = || -> io::Result<(Summed<BufWriter<File>>, Sum)> {
        let file = Summed::new(BufWriter::new(File::create_new(&path)?));
        let mut text = Summed::new(Encoder::new(file, compression)?);
        text.write_all(format.beginning(count).as_bytes())?;
        for piece in pieces {
            text.write_all(piece.as_bytes())?;
        }
        text.write_all(format.end().as_bytes())?;
        let mut file = text.to.finish()?;
        file.flush()?;
        Ok((file, text.sum))
    };
    let (file, text) = written().map_err(MetadataError::at(&path))?;
    let sha256 = hex(&file.sum.sum.finalize());
    let name = format!("{sha256}-{name}");
    fs::rename(&path, folder.join(&name)).map_err(MetadataError::at(&path))?;
    Ok(Data {
        kind: format.name().to_owned(),
        location: format!("repodata/{name}"),
        sha256,
        bytes: file.sum.bytes,
        open_sha256: hex(&text.sum.finalize()),
        open_bytes: Some(text.bytes),
        timestamp: 0,
    })
}

/// SHA-256 and size of what was written.
#[derive(Default)]
struct Sum {
    sum: Sha256,
    bytes: u64,
}

/// A writer that hashes what passes.
struct Summed<W> {
    to: W,
    sum: Sum,
}

impl<W> Summed<W> {
    fn new(to: W) -> Summed<W> {
        Summed { to, sum: Sum::default() }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.sum.update(&bytes[..written]);
        self.sum.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::Pace;

    #[test]
    fn a_worker_that_panics_stops_the_others() {
        let pace = Pace::new(1);
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                // Has the first package; the second is as far ahead as anybody may be, so its worker waits for this one.
                assert_eq!(pace.next(9), Some(0));
                let waiting = scope.spawn(|| pace.next(9));
                let failing = scope.spawn(|| {
                    let _watch = pace.watch();
                    panic!("a package that nobody thought of");
                });
                assert!(failing.join().is_err());
                waiting.join().expect("the other worker ends")
            })
        }));
        assert_eq!(stopped.expect("only one panicked"), None);
    }

    #[test]
    fn a_worker_that_ends_stops_nobody() {
        let pace = Pace::new(1);
        drop(pace.watch());
        assert_eq!(pace.next(9), Some(0));
        pace.written(1);
        assert_eq!(pace.next(9), Some(1));
        assert_eq!(pace.next(1), None);
    }
}
